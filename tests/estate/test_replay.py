"""Recorded answers of Azure, replayed: the estate gives what Azure gave. Skipped where the recordings are not at hand."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.estate.running import ROOT, Running, running

SHARED = ROOT.parent / "shared"
REPLAY = SHARED / "conformance" / "replay.py"
RECORDINGS = sorted((SHARED / "recordings" / "open").glob("*.json"))

pytestmark = pytest.mark.skipif(
    not (REPLAY.exists() and RECORDINGS), reason="../shared with its recordings is not here"
)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate")) as estate:
        yield estate
        assert estate.said() == ""


@pytest.fixture(scope="module")
def comparer() -> Any:
    """The comparer, with the one correction that docs/fidelity.md explains: a site's name ends before the query."""
    spec = importlib.util.spec_from_file_location("replay", REPLAY)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SITE_ID = re.compile(r"/resourcegroups/([^/]+)/providers/microsoft\.web/sites/([^/?\"\s]+)", re.I)
    return module


def calls(recording: Path) -> list[dict[str, Any]]:
    return json.loads(recording.read_text("utf-8")).get("interactions") or []


def is_bare(call: dict[str, Any]) -> bool:
    """Whether the recorder left out the body of a PUT, so that what follows it cannot be had."""
    return call["request"]["method"] == "PUT" and not call["request"].get("body")


LOST = [path for path in RECORDINGS if any(is_bare(call) for call in calls(path))]
WHOLE = [path for path in RECORDINGS if path not in LOST]


@pytest.mark.parametrize("recording", WHOLE, ids=lambda path: path.stem[:60])
def test_recorded_answers_are_given(
    estate: Running, comparer: Any, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every answer is matched, of every recording that has its requests."""
    tally = comparer.replay(comparer.Estate(dict(estate.ready)), str(recording), True)
    assert tally["differing"] == 0, capsys.readouterr().out


@pytest.mark.parametrize("recording", LOST, ids=lambda path: path.stem[:60])
def test_answers_to_requests_whose_body_was_lost_are_given_where_it_is_put_back(
    estate: Running, comparer: Any, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the recorded answer sent as the body that the recorder dropped, all answers of the other recordings match, too."""
    whole = json.loads(recording.read_text("utf-8"))
    for call in filter(is_bare, whole["interactions"]):
        call["request"]["body"] = call["response"]["body"].replace("\\/", "/")
    mended = tmp_path / recording.name
    mended.write_text(json.dumps(whole), "utf-8")
    tally = comparer.replay(comparer.Estate(dict(estate.ready)), str(mended), True)
    assert (tally["differing"], tally["matched"] > 0) == (0, True), capsys.readouterr().out


@pytest.mark.parametrize("recording", LOST[:1], ids=lambda path: path.stem[:60])
def test_an_answer_is_not_recognised_by_its_recording(estate: Running, comparer: Any, recording: Path) -> None:
    """A PUT without a body is refused, as ARM would, not answered from memory."""
    uri = next(call["request"]["uri"] for call in calls(recording) if is_bare(call))
    group = re.search(r"/resourceGroups/([^/]+)/", uri)
    assert group is not None
    target = comparer.Estate(dict(estate.ready))
    target.call(
        "PUT",
        f"/subscriptions/{estate.ready['subscription_id']}/resourcegroups/{group[1]}?api-version=2022-09-01",
        '{"location": "westus"}',
    )
    status, _, body = target.call("PUT", re.sub(r"^https?://[^/]+", "", uri), None)
    assert (status, json.loads(body)["error"]["code"]) == (400, "MissingRequestBody")
