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


def lost(recording: Path) -> bool:
    """Whether the recorder left out the bodies of PUTs, so that what follows them cannot be had."""
    calls = json.loads(recording.read_text("utf-8")).get("interactions") or []
    return any(c["request"]["method"] == "PUT" and not c["request"].get("body") for c in calls)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem[:60])
def test_recorded_answers_are_given(
    estate: Running, comparer: Any, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every recorded answer is matched, but those that hang on a PUT whose body was not recorded."""
    tally = comparer.replay(comparer.Estate(dict(estate.ready)), str(recording), True)
    if lost(recording):
        assert tally["differing"] > 0, "the recording can be matched after all: docs/fidelity.md says it cannot"
    else:
        assert tally["differing"] == 0, capsys.readouterr().out
