"""The regions' data: what a write is worth, before and after its region is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_estate.replication import Hindrance, Outbox, Pace, hindered
from tests.estate.running import QUICK, Answer, Running, fetch, running, until

S = 1_000_000_000
LAG_S = 0.3


# the state machine


def test_a_write_leaves_after_the_lag() -> None:
    """Nothing leaves before its lag is over; reading when that is changes nothing."""
    outbox = Outbox(Pace(2.0))
    written = outbox.put("app", "k", "v", 10 * S)
    assert outbox.due_ns() == outbox.due_ns() == 12 * S
    assert outbox.take(12 * S - 1) == ()
    assert outbox.take(12 * S) == (written,)
    assert outbox.due_ns() is None


def test_an_app_that_ends_takes_its_own_writes_with_it() -> None:
    """What the app had still to send is lost; what another app of the region wrote goes on."""
    outbox = Outbox(Pace(2.0))
    one, two = outbox.put("a", "k1", "", 0), outbox.put("b", "k2", "", 1)
    assert outbox.lose("a") == (one,)
    assert outbox.take(9 * S) == (two,)


def test_hindrances_add_up_where_they_apply() -> None:
    """Delays add to the lag, one pause is enough, and another region's faults are not ours."""
    found = hindered(Pace(1.0), "eastus", [Hindrance(None, 2.0), Hindrance("westus3", 60.0), Hindrance("eastus", 3.0)])
    assert found == Pace(6.0, paused=False)
    assert hindered(Pace(1.0), "eastus", [Hindrance("eastus", paused=True)]).paused


ACTS = st.lists(st.tuples(st.sampled_from(["put", "take", "lose", "pause", "go"]), st.integers(0, S)), max_size=60)


@given(ACTS, st.floats(0, 3))
def test_every_write_leaves_once_or_is_lost_once_or_waits(acts: list[tuple[str, int]], lag_s: float) -> None:
    """However writing, sending, pausing and ending are mixed: no write is doubled or forgotten, and they leave in order."""
    outbox, now, put, left, lost = Outbox(Pace(lag_s)), 0, [], [], []
    for act, later in acts:
        now += later
        if act == "put":
            put.append(outbox.put("app", str(now), "", now).seq)
        elif act == "take":
            leaving = outbox.take(now)
            assert all(each.at_ns + round(lag_s * 1e9) <= now for each in leaving)
            left += [each.seq for each in leaving]
        elif act == "lose":
            lost += [each.seq for each in outbox.lose("app")]
        else:
            outbox.pace = Pace(lag_s, paused=act == "pause")
    assert left == sorted(left)
    assert sorted(left + lost + [each.seq for each in outbox.waiting]) == put


# over the wire


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate"), {**QUICK, "replication": {"lag_s": LAG_S}}) as shared:
        yield shared


def ask(estate: Running, region: str, method: str, path: str, body: bytes | None = None) -> Answer:
    app = estate.app(region)
    url = f"http://{app['address']}:{estate.ready['http_port']}{path}"
    return fetch(method, url, {"Host": app["default_host_name"]}, body)


def keys(estate: Running, region: str, prefix: str) -> list[str]:
    found = ask(estate, region, "GET", f"/data?prefix={prefix}").json["keys"]
    assert isinstance(found, list)
    return found


def stop(estate: Running, region: str, act: str = "stop") -> None:
    app = estate.app(region)
    assert estate.arm("POST", f"{app['resource_id']}/{act}", version="2024-04-01").status == 200


def events(estate: Running, event: str, prefix: str) -> list[dict[str, Any]]:
    """The truth's events that name a key which begins so."""
    found = [e for e in estate.control("GET", "/_truth").json["events"] if e["event"] == event]
    return [e for e in found if any(k.startswith(prefix) for k in [*e.get("keys", ()), e.get("key", "")])]


def test_a_write_is_kept_and_read_back(estate: Running) -> None:
    """A PUT is acknowledged with 201, a second one with 200; GET gives the last value, and 404 where there is none."""
    assert ask(estate, "eastus", "PUT", "/data/a-1", b"one").status == 201
    assert ask(estate, "eastus", "PUT", "/data/a-1", b"two \xff").status == 200
    assert ask(estate, "eastus", "GET", "/data/a-1").body == b"two \xff"
    assert ask(estate, "eastus", "GET", "/data/a-2").status == 404
    assert keys(estate, "eastus", "a-") == ["a-1"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/data/", b"", 400),
        ("PUT", "/data/a%20b", b"", 400),
        ("PUT", "/data/big", b"x" * 1025, 413),
        ("PUT", "/data/big", b"x" * 100_000, 413),
        ("DELETE", "/data/a", None, 405),
    ],
)
def test_what_is_no_write_is_refused(estate: Running, method: str, path: str, body: bytes, status: int) -> None:
    """A bad key, a value that is too long and an unknown verb are refused with the reason, and kept nowhere."""
    answer = ask(estate, "eastus", method, path, body)
    assert answer.status == status
    assert answer.json["error"]
    assert keys(estate, "eastus", "big") == []


def test_other_paths_are_the_apps(estate: Running) -> None:
    """A path that only begins alike is answered by the app as ever."""
    assert ask(estate, "eastus", "GET", "/database").json["region"] == "eastus"
    assert "served" in ask(estate, "eastus", "GET", "/database").json


def test_a_write_reaches_the_other_region_after_the_lag(estate: Running) -> None:
    """The other region has it not before the lag is over, and soon after; the truth says when."""
    ask(estate, "eastus", "PUT", "/data/b-1", b"v")
    until(lambda: keys(estate, "westus3", "b-") == ["b-1"])
    [written], [arrived] = events(estate, "written", "b-"), events(estate, "replicated", "b-")
    assert arrived["t_ns"] - written["t_ns"] >= LAG_S * 1e9
    assert ask(estate, "westus3", "GET", "/data/b-1").body == b"v"


def test_a_stopped_app_loses_what_it_had_still_to_send(estate: Running) -> None:
    """It takes no more writes; what it acknowledged last never arrives, and the truth names it. It still receives."""
    ask(estate, "eastus", "PUT", "/data/c-old", b"")
    until(lambda: keys(estate, "westus3", "c-") == ["c-old"])
    with estate.fault("replication_slow", region="eastus", late_s=60):  # or it could arrive before the stop does
        ask(estate, "eastus", "PUT", "/data/c-new", b"")
        stop(estate, "eastus")
        until(lambda: ask(estate, "eastus", "PUT", "/data/c-late", b"").status == 403)
    until(lambda: events(estate, "lost", "c-") != [])
    [lost] = events(estate, "lost", "c-")
    assert lost["keys"][-1:] in (["c-new"], ["c-late"])
    ask(estate, "westus3", "PUT", "/data/c-west", b"")
    until(lambda: events(estate, "replicated", "c-west") != [])
    stop(estate, "eastus", "start")
    until(lambda: ask(estate, "eastus", "GET", "/").status == 200)
    assert {"c-old", "c-new", "c-west"} <= set(keys(estate, "eastus", "c-"))
    assert "c-new" not in keys(estate, "westus3", "c-")


def test_a_lost_region_takes_its_writes_with_it(estate: Running) -> None:
    """Killed, it has nothing left: the truth names what was lost, and a fresh process gets the rest from the other region."""
    ask(estate, "eastus", "PUT", "/data/d-old", b"")
    until(lambda: keys(estate, "westus3", "d-") == ["d-old"])
    with estate.fault("replication_slow", region="eastus", late_s=60):
        ask(estate, "eastus", "PUT", "/data/d-new", b"")
        with estate.fault("region_lost", region="eastus"):
            until(lambda: events(estate, "lost", "d-") != [])
    [lost] = events(estate, "lost", "d-")
    assert (lost["keys"], lost["why"]) == (["d-new"], "killed")
    until(lambda: keys(estate, "eastus", "d-") == ["d-old"])
    assert keys(estate, "westus3", "d-") == ["d-old"]


def test_settings_are_kept_and_checked(tmp_path: Path) -> None:
    """`[replication] paused` holds every write back; a misspelt key is named with those that exist."""
    from tests.estate.running import refused_to_start

    code, said = refused_to_start(tmp_path, "[replication]\nlag = 3\n")
    assert code == 2
    assert "replication.lag = 3 is not a setting; known here: lag_s, paused" in said
    with running(tmp_path, {**QUICK, "replication": {"lag_s": 0, "paused": True}}) as estate:
        ask(estate, "eastus", "PUT", "/data/e-1", b"")
        with estate.fault("replication_slow"):
            assert keys(estate, "westus3", "e-") == []
        assert events(estate, "replicated", "e-") == []
