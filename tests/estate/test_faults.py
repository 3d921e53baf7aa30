"""Every kind of fault, on a running estate: what a client sees while it is on, and that undoing it heals."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_estate.faults_catalogue import CATALOGUE
from tests.estate.running import QUICK, Running, fetch, running, until

LAG_S = 0.2


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(
        tmp_path_factory.mktemp("estate"),
        {**QUICK, "resolver": {"count": 1}, "profile": {"ttl": 0}, "replication": {"lag_s": LAG_S}},
    ) as estate:
        yield estate


@pytest.fixture
def estate(shared: Running) -> Iterator[Running]:
    """A healthy estate, without faults before and after."""
    until(lambda: _serving(shared, "eastus") and _serving(shared, "westus3"))
    until(
        lambda: (
            shared.arm("GET", shared.profile).json["properties"]["monitorConfig"]["profileMonitorStatus"] == "Online"
        )
    )
    yield shared
    shared.control("POST", "/_reset")


def _serving(estate: Running, region: str) -> bool:
    try:
        return estate.site(region).status == 200
    except OSError:
        return False


def _endpoint(estate: Running, status: str, region: str = "westus3") -> Any:
    return estate.arm("PATCH", f"{estate.profile}/azureEndpoints/{region}", {"properties": {"endpointStatus": status}})


def test_a_fault_may_be_named_by_its_caller(estate: Running) -> None:
    """An id of the caller's own is kept, refused the second time, and undoes the fault."""
    fault = {"kind": "slow", "region": "eastus", "id": "drill-1.slow"}
    assert estate.control("POST", "/_faults", fault).json["id"] == "drill-1.slow"
    again = estate.control("POST", "/_faults", fault)
    assert (again.status, "there is a fault 'drill-1.slow' already" in again.json["error"]) == (400, True)
    assert estate.control("POST", "/_faults", {**fault, "id": "a/b"}).status == 400
    assert estate.control("DELETE", "/_faults/drill-1.slow").json["status"] == "off"


# regions


def test_region_lost_refuses_connections_until_undone(estate: Running) -> None:
    """A lost region refuses connections; the other one still serves; undone, it serves again."""
    with estate.fault("region_lost", region="eastus"):
        with pytest.raises(ConnectionRefusedError):
            estate.site("eastus")
        assert _serving(estate, "westus3")
    assert estate.site("eastus").status == 200


def test_region_hung_accepts_and_never_answers(estate: Running) -> None:
    """A hung region takes the connection and gives no answer; undone, it answers."""
    with estate.fault("region_hung", region="eastus"), pytest.raises(TimeoutError):
        estate.site("eastus", timeout_s=0.4)
    assert estate.site("eastus").status == 200


def test_slow_answers_late_and_rightly(estate: Running) -> None:
    """Slow answers come at least the set time later, and are otherwise right."""
    with estate.fault("slow", region="eastus", slow_s=0.4):
        began = time.monotonic()
        answer = estate.site("eastus")
        assert time.monotonic() - began >= 0.4
        assert answer.json["region"] == "eastus"


def test_erroring_gives_its_status_to_its_share(estate: Running) -> None:
    """With probability 0.5 some requests fail with the set status and some do not."""
    with estate.fault("erroring", region="eastus", status=500, probability=0.5):
        seen = {estate.site("eastus").status for _ in range(40)}
    assert seen == {200, 500}


def test_wrong_content_is_200_and_not_the_apps(estate: Running) -> None:
    """Wrong content has status 200 and does not name the region."""
    with estate.fault("wrong_content", region="eastus"):
        answer = estate.site("eastus")
        assert answer.status == 200
        assert answer.json.get("region") != "eastus"


def test_reset_cuts_the_connection(estate: Running) -> None:
    """A reset region closes the connection instead of answering."""
    with estate.fault("reset", region="eastus"), pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        estate.site("eastus")


def test_flapping_is_down_and_up_in_turn(estate: Running) -> None:
    """A flapping region is seen down, then up, then down again."""
    with estate.fault("flapping", region="eastus", up_s=0.3, down_s=0.3):
        for wanted in (503, 200, 503):
            until(lambda wanted=wanted: estate.site("eastus").status == wanted)  # type: ignore[misc]


# replication


def _write(estate: Running, key: str) -> None:
    app = estate.app("eastus")
    url = f"http://{app['address']}:{estate.ready['http_port']}/data/{key}"
    assert fetch("PUT", url, {"Host": app["default_host_name"]}, b"").status == 201


def _arrived(estate: Running, key: str) -> bool:
    return key in estate.site("westus3", f"/data?prefix={key}").json["keys"]


def test_paused_replication_holds_writes_back(estate: Running) -> None:
    """While paused no write leaves the region, however long; undone, what was held back follows."""
    with estate.fault("replication_paused", region="eastus"):
        _write(estate, "paused")
        time.sleep(LAG_S + 0.5)
        assert not _arrived(estate, "paused")
    until(lambda: _arrived(estate, "paused"))


def test_slow_replication_comes_late_by_what_was_set(estate: Running) -> None:
    """A write arrives after the lag and what was added to it, not before."""
    with estate.fault("replication_slow", late_s=0.6):
        began = time.monotonic()
        _write(estate, "slow")
        until(lambda: _arrived(estate, "slow"))
        assert time.monotonic() - began >= LAG_S + 0.6


# names


def test_dns_silent_gives_no_answer(estate: Running) -> None:
    """A silent authority lets questions time out."""
    with estate.fault("dns_silent"):
        assert estate.lookup(timeout_s=0.3) == ("TIMEOUT", ())
    assert estate.lookup()[0] == "NOERROR"


def test_dns_servfail_says_so(estate: Running) -> None:
    """A failing authority answers SERVFAIL, and NOERROR once undone."""
    with estate.fault("dns_servfail"):
        assert estate.lookup() == ("SERVFAIL", ())
    assert estate.lookup()[0] == "NOERROR"


def test_dns_stale_hides_a_change_until_undone(estate: Running) -> None:
    """While stale, the authority answers as before although the primary was disabled; undone, it tells the new state."""
    primary = (estate.app("eastus")["address"],)
    with estate.fault("dns_stale"):
        _endpoint(estate, "Disabled", "eastus")
        time.sleep(0.3)
        assert estate.lookup() == ("NOERROR", primary)
    until(lambda: estate.lookup() == ("NOERROR", (estate.app("westus3")["address"],)))
    _endpoint(estate, "Enabled", "eastus")


def test_a_resolver_that_overstays_keeps_the_old_answer(estate: Running) -> None:
    """With a TTL of 0 the resolver follows at once; overstaying, it keeps the old answer after the authority changed."""
    resolver, primary = estate.ready["resolvers"][0], (estate.app("eastus")["address"],)
    with estate.fault("resolver_overstays", overstay_s=60):
        assert estate.lookup(server=resolver) == ("NOERROR", primary)
        _endpoint(estate, "Disabled", "eastus")
        until(lambda: estate.lookup()[1] != primary)
        assert estate.lookup(server=resolver) == ("NOERROR", primary)
    until(lambda: estate.lookup(server=resolver)[1] != primary)
    _endpoint(estate, "Enabled", "eastus")


# the control plane


@pytest.mark.parametrize("retry_after_s", [None, 2])
def test_control_throttled_is_429_with_or_without_retry_after(estate: Running, retry_after_s: int | None) -> None:
    """A throttled call gets ARM's 429, with Retry-After only where asked for, and changes nothing."""
    with estate.fault("control_throttled", retry_after_s=retry_after_s):
        answer = _endpoint(estate, "Disabled")
    assert (answer.status, answer.json["error"]["code"]) == (429, "SubscriptionRequestsThrottled")
    assert answer.headers.get("retry-after") == (None if retry_after_s is None else "2")
    assert answer.headers["connection"] == "close"
    assert answer.json["error"]["message"] == (
        f"Number of requests for subscription '{estate.ready['subscription_id']}' and operation"
        " 'PATCH/SUBSCRIPTIONS/RESOURCEGROUPS/PROVIDERS/MICROSOFT.NETWORK/TRAFFICMANAGERPROFILES/'"
        " exceeded the backend storage limit."
        f" Please try again after '{retry_after_s or 6}' seconds."
    )
    assert (
        estate.arm("GET", f"{estate.profile}/azureEndpoints/westus3").json["properties"]["endpointStatus"] == "Enabled"
    )


@pytest.mark.parametrize(("status", "kind"), [(500, "application/json"), (502, "application/json"), (503, "text/html")])
def test_control_failing_has_the_status_and_the_body_of_its_kind(estate: Running, status: int, kind: str) -> None:
    """500 and 502 come as JSON, 503 as http.sys's HTML page."""
    with estate.fault("control_failing", status=status):
        answer = estate.arm("GET", estate.profile)
    assert answer.status == status
    assert answer.headers["content-type"].startswith(kind)


def test_control_timed_out_did_the_deed_and_locks_the_resource(estate: Running) -> None:
    """The stop answers 504 and yet happened; the next write to that app meets the 429 lock, which ends with the fault."""
    stop = estate.app("westus3")["resource_id"]
    with estate.fault("control_timed_out", after_s=0.1, lock_s=60, operation="WebApps_Stop"):
        answer = estate.arm("POST", f"{stop}/stop", version="2025-05-01")
        assert (answer.status, answer.json["error"]["code"]) == (504, "GatewayTimeout")
        assert answer.headers["x-ms-failure-cause"] == "service"
        assert estate.arm("GET", stop, version="2025-05-01").json["properties"]["state"] == "Stopped"
        locked = estate.arm("POST", f"{stop}/stop", version="2025-05-01")
        assert (locked.status, locked.json["Code"]) == (429, "429")
    assert estate.arm("POST", f"{stop}/start", version="2025-05-01").status == 200


def test_control_hung_answers_nothing_and_frees_its_calls_when_undone(estate: Running) -> None:
    """A hung call times out at the client, and was not carried out."""
    with estate.fault("control_hung", only="writes"), pytest.raises(TimeoutError):
        estate.arm(
            "PATCH",
            f"{estate.profile}/azureEndpoints/westus3",
            {"properties": {"endpointStatus": "Disabled"}},
            timeout_s=0.4,
        )
    assert (
        estate.arm("GET", f"{estate.profile}/azureEndpoints/westus3").json["properties"]["endpointStatus"] == "Enabled"
    )


def test_control_reset_after_did_the_deed(estate: Running) -> None:
    """The connection is cut and the change happened: the outcome is unknown to the client until it reads again."""
    with estate.fault("control_reset_after"), pytest.raises((OSError, http.client.HTTPException)):
        _endpoint(estate, "Disabled")
    assert (
        estate.arm("GET", f"{estate.profile}/azureEndpoints/westus3").json["properties"]["endpointStatus"] == "Disabled"
    )
    assert _endpoint(estate, "Enabled").status == 200


def test_control_late_is_carried_out_though_the_caller_has_gone(estate: Running) -> None:
    """The client gives up before the call is carried out; it is carried out all the same, later."""
    endpoint = f"{estate.profile}/azureEndpoints/westus3"
    with estate.fault("control_late", late_s=6):
        with pytest.raises(TimeoutError):
            estate.arm("PATCH", endpoint, {"properties": {"endpointStatus": "Disabled"}}, timeout_s=0.5)
        assert estate.arm("GET", endpoint).json["properties"]["endpointStatus"] == "Enabled"
        until(lambda: estate.arm("GET", endpoint).json["properties"]["endpointStatus"] == "Disabled")
    assert _endpoint(estate, "Enabled").status == 200


def test_control_slow_effect_shows_at_once_and_acts_late(estate: Running) -> None:
    """ARM shows the app stopped at once; its front end goes on serving until the effect comes."""
    stop = estate.app("westus3")["resource_id"]
    with estate.fault("control_slow_effect", effect_s=5):
        began = time.monotonic()
        estate.arm("POST", f"{stop}/stop", version="2025-05-01")
        assert estate.arm("GET", stop, version="2025-05-01").json["properties"]["state"] == "Stopped"
        assert estate.site("westus3").status == 200
        until(lambda: estate.site("westus3").status == 403)
        assert time.monotonic() - began >= 5
    estate.arm("POST", f"{stop}/start", version="2025-05-01")


# identity


@pytest.mark.parametrize("how", ["error", "reset"])
def test_identity_down_gives_no_token(estate: Running, how: str) -> None:
    """No token is to be had while identity is down; one that was had before still counts."""
    assert estate.token
    with estate.fault("identity_down", how=how):
        with pytest.raises((KeyError, OSError, http.client.HTTPException)):
            estate.fresh_token()
        assert estate.arm("GET", estate.profile).status == 200
    assert estate.fresh_token()


def test_token_expired_strikes_old_tokens_only(estate: Running) -> None:
    """Tokens from before count as expired, a new one does not; undone, the old one counts again."""
    old = estate.fresh_token()
    with estate.fault("token_expired"):
        refused = estate.arm("GET", estate.profile, token=old)
        assert (refused.status, refused.json["error"]["code"]) == (401, "ExpiredAuthenticationToken")
        assert estate.arm("GET", estate.profile, token=estate.fresh_token()).status == 200
    assert estate.arm("GET", estate.profile, token=old).status == 200


# how all of them behave


def test_every_kind_has_a_module_and_a_test_here() -> None:
    """Each kind of fault is a module of its own, named as it is asked for, and none is without a test that sets it."""
    assert [kind for kind, fault in CATALOGUE.items() if fault.__module__ != f"local_estate.kinds.{kind}"] == []
    text = Path(__file__).read_text("utf-8")
    assert [kind for kind in CATALOGUE if f'fault("{kind}"' not in text] == []


def test_faults_compose_and_are_undone_apart(estate: Running) -> None:
    """Of two faults on one region, undoing one leaves the other."""
    with estate.fault("slow", region="eastus", slow_s=0.3):
        with estate.fault("erroring", region="eastus", status=502):
            began = time.monotonic()
            assert estate.site("eastus").status == 502
            assert time.monotonic() - began >= 0.3
        assert estate.site("eastus").status == 200


def test_a_fault_begins_after_its_delay_and_ends_after_its_duration(estate: Running) -> None:
    """A fault with a delay and a duration waits, is on, and goes off by itself; the truth log has both moments."""
    set_ = estate.control(
        "POST", "/_faults", {"kind": "erroring", "region": "eastus", "delay_s": 4, "duration_s": 4}
    ).json
    assert (set_["status"], estate.site("eastus").status) == ("waiting", 200)
    until(lambda: estate.site("eastus").status == 503)
    until(lambda: estate.site("eastus").status == 200)
    events = [
        e for e in estate.control("GET", "/_truth").json["events"] if e["event"] == "fault" and e["id"] == set_["id"]
    ]
    assert [e["on"] for e in events] == [True, False]
    assert (events[1]["t_ns"] - events[0]["t_ns"]) / 1e9 >= 3.95


def test_reset_heals_the_world(estate: Running) -> None:
    """One call undoes everything that is on or waiting, and says what it undid."""
    for body in (
        {"kind": "region_lost", "region": "eastus"},
        {"kind": "dns_servfail"},
        {"kind": "control_failing", "status": 503},
        {"kind": "slow", "region": "westus3", "delay_s": 60},
    ):
        assert estate.control("POST", "/_faults", body).status == 201
    assert len(estate.control("POST", "/_reset").json["undone"]) == 4
    assert (estate.site("eastus").status, estate.lookup()[0], estate.arm("GET", estate.profile).status) == (
        200,
        "NOERROR",
        200,
    )
    assert {fault["status"] for fault in estate.control("GET", "/_faults").json["faults"]} == {"off"}


def test_reset_brings_back_a_region_that_nobodys_fault_killed(estate: Running) -> None:
    """A regional process killed from outside is a real loss, and healed by the one call that heals the world."""
    os.kill(estate.control("GET", "/_state").json["regions"]["eastus"]["pid"], signal.SIGKILL)
    until(lambda: not estate.control("GET", "/_state").json["regions"]["eastus"]["alive"])
    with pytest.raises(ConnectionRefusedError):
        estate.site("eastus")
    assert estate.control("POST", "/_reset").json == {"undone": []}
    assert estate.site("eastus").status == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "earthquake"}, "unknown kind 'earthquake'"),
        ({"kind": "slow"}, "slow needs 'region'"),
        ({"kind": "slow", "region": "atlantis"}, "no region 'atlantis'"),
        ({"kind": "slow", "region": "eastus", "speed": 1}, "slow has no setting 'speed'"),
        ({"kind": "slow", "region": "eastus", "slow_s": "long"}, "slow_s must be a number"),
        ({"kind": "slow", "region": "eastus", "slow_s": -1}, "slow_s must be from 0"),
        ({"kind": "slow", "region": "eastus", "probability": 2}, "probability must be a number from 0 to 1"),
        ({"kind": "dns_silent", "duration_s": 0}, "duration_s must be a number"),
        ({"kind": "control_failing", "status": 404}, "status must be 500, 502 or 503"),
        ({"kind": "control_hung", "only": "some"}, "only must be one of"),
        ({"kind": "identity_down", "how": "slowly"}, "how must be one of"),
        ({"kind": "replication_slow", "late_s": -1}, "late_s must be from 0"),
        ({"kind": "replication_paused", "region": "atlantis"}, "no region 'atlantis'"),
    ],
)
def test_a_wrong_fault_is_refused_in_one_line(estate: Running, body: dict[str, object], says: str) -> None:
    """What is wrong is named, with what would be right, and nothing is set."""
    before = len(estate.control("GET", "/_faults").json["faults"])
    answer = estate.control("POST", "/_faults", body)
    assert answer.status == 400
    assert says in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert len(estate.control("GET", "/_faults").json["faults"]) == before
