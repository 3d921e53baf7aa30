"""Recorded answers of Azure, replayed: the estate gives what Azure gave. Skipped where the recordings are not at hand."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_estate.arm import ROUTES, match
from local_estate.rates import PREFIX, remaining
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


NAMED = re.compile(
    r"(?:profiles|sites|slots|Endpoints|resourceGroups)/([\w.-]{5,})|relativeName\\*\": ?\\*\"([\w-]+)", re.I
)


def under_other_names(text: str) -> str:
    """Return a recording with every group, profile, endpoint, site and DNS name replaced by one of another length and case."""
    found = {name for pair in NAMED.findall(text.replace("\\\\/", "/")) for name in pair if name}
    kept = {"providers", "default", "azureendpoints", "externalendpoints", "nestedendpoints", "trafficmanagerprofiles"}
    names = sorted((name for name in found if name.lower() not in kept), key=len, reverse=True)
    for number, name in enumerate(names):
        text = re.sub(re.escape(name), f"Zq{number}-{'n' * (number % 5 + 1)}-{len(text) % 997}", text, flags=re.I)
    return text


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem[:60])
def test_the_same_operations_under_other_names_are_answered_alike(
    estate: Running, comparer: Any, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No answer hangs on the names of the recording: with others in all requests and answers, all match as well."""
    whole = json.loads(recording.read_text("utf-8"))
    for call in filter(is_bare, whole.get("interactions") or []):
        call["request"]["body"] = call["response"]["body"].replace("\\/", "/")
    renamed = tmp_path / recording.name
    renamed.write_text(under_other_names(json.dumps(whole)), "utf-8")
    tally = comparer.replay(comparer.Estate(dict(estate.ready)), str(renamed), True)
    assert tally["differing"] == 0, capsys.readouterr().out


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


def recorded(name: str, method: str, ends: str, nth: int = 0) -> Any:
    """Return the body of the nth recorded answer to a call whose path ends so."""
    found = [
        call["response"]["body"]
        for call in calls(SHARED / "recordings" / "open" / name)
        if call["request"]["method"] == method and call["request"]["uri"].partition("?")[0].endswith(ends)
    ]
    return json.loads(found[nth])


def keys(node: Any) -> Any:
    """Return the keys of an object and of those in it, in their order; of a list those of its first item."""
    if isinstance(node, list):
        return keys(node[0]) if node else None
    return [(key, keys(value)) for key, value in node.items()] if isinstance(node, dict) else None


def test_a_site_and_its_configuration_have_every_key_of_the_service_and_no_other(estate: Running) -> None:
    """In its order, too; nothing is there that a client could not meet in Azure."""
    group = "~/resourceGroups/rg-keys"
    site = f"{group}/providers/Microsoft.Web/sites/webapp-keys"
    estate.arm("PUT", group, {"location": "westeurope"}, version="2022-09-01")
    estate.arm("PUT", site, {"location": "West Europe", "properties": {}}, version="2023-01-01")
    theirs = recorded("cli_webapp_stop_start.json", "GET", "/sites/webapp-e2e000002")
    ours = estate.arm("GET", site, version="2023-01-01").json
    lists = {"csrs", "hostNameSslStates", "privateEndpointConnections", "inFlightFeatures"}
    assert [k for k in ours if k != "tags"] == [k for k in theirs if k != "tags"]
    mine, its = ours["properties"], theirs["properties"]
    assert list(mine) == list(its)
    assert all(keys(mine[k]) == keys(its[k]) for k in its if k not in lists)
    config = recorded("cli_webapp_stop_start.json", "GET", "/config/web")
    assert keys(estate.arm("GET", f"{site}/config/web", version="2023-01-01").json) == keys(config)


def test_the_geographic_hierarchy_is_the_services(estate: Running) -> None:
    """Every code and name, in its order: which grouping a country is in decides where its users are sent."""
    path = "/providers/Microsoft.Network/trafficManagerGeographicHierarchies/default"
    theirs = recorded("cli_tm_profile_endpoint_crud.json", "GET", "/default")
    assert estate.arm("GET", path, version="2022-04-01").json["properties"] == theirs["properties"]


def test_each_operation_names_the_allowance_it_draws_on() -> None:
    """The rate header of the recorded answers of 2023 and 2024, by the operation that gave it."""
    found = set[str]()
    for path in RECORDINGS:
        if not path.name.startswith(("cli_tm", "cli_webapp")):
            continue
        for call in calls(path):
            bare = re.sub(r"^https?://[^/]+|\?.*", "", call["request"]["uri"])
            matched = match(ROUTES, call["request"]["method"], bare)
            for name, value in call["response"]["headers"].items():
                if matched and name.lower().startswith(PREFIX):
                    told = value[0] if isinstance(value, list) else value
                    allowance, left = remaining(matched[0])
                    assert (name.lower(), int(left) - int(told) in range(4)) == (allowance, True), matched[0].name
                    found.add(matched[0].name)
    assert len(found) > 12
