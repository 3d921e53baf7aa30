"""The control URL and the proxy: who may use them, and what they show."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from local_estate.proxy import judged
from tests.estate.running import QUICK, Running, fetch, running

CALLS = [
    ("GET", "/_faults"),
    ("POST", "/_faults"),
    ("DELETE", "/_faults"),
    ("DELETE", "/_faults/f1"),
    ("POST", "/_reset"),
    ("GET", "/_truth"),
    ("GET", "/_writes"),
    ("GET", "/_state"),
    ("GET", "/_kinds"),
    ("GET", "/nothing"),
]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate"), QUICK) as estate:
        yield estate
        assert estate.said() == ""


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_no_control_call_works_without_the_token(estate: Running, method: str, path: str) -> None:
    """Without a token, with a wrong one, and with ARM's: 401 each, and nothing happens."""
    url = estate.ready["control_url"] + path
    for headers in (
        {},
        {"Authorization": "Bearer x"},
        {"X-Control-Token": "é".encode().decode("latin-1")},
        {"Authorization": f"Bearer {estate.token}"},
    ):
        assert fetch(method, url, headers, b"{}").status == 401
    assert estate.control("GET", "/_faults").json == {"faults": []}


def test_the_token_may_come_in_either_header(estate: Running) -> None:
    """As a bearer token or as X-Control-Token."""
    headers = {"X-Control-Token": estate.ready["control_token"]}
    assert fetch("GET", estate.ready["control_url"] + "/_state", headers).status == 200


def test_a_browser_is_not_answered(estate: Running) -> None:
    """A page in a browser sends an Origin; it gets nothing, even with the token."""
    headers = {"X-Control-Token": estate.ready["control_token"], "Origin": "http://evil.example"}
    assert fetch("POST", estate.ready["control_url"] + "/_reset", headers).status == 403


def test_the_state_shows_regions_apps_profiles_and_answers(estate: Running) -> None:
    """One call says what is, as the parts themselves know it."""
    state = estate.control("GET", "/_state").json
    assert {name: r["alive"] for name, r in state["regions"].items()} == {"eastus": True, "westus3": True}
    assert {a["name"]: (a["state"], a["front_end"]) for a in state["apps"]}["proseware-eastus"] == (
        "Running",
        "running",
    )
    assert set(state["profiles"][0]["endpoints"]) == {"eastus", "westus3"}
    assert state["answers"]["www.proseware.example"] == [estate.app("eastus")["address"]]


def test_kinds_tell_their_settings(estate: Running) -> None:
    """Each kind of fault is described with its settings and defaults."""
    kinds = {kind["kind"]: kind for kind in estate.control("GET", "/_kinds").json["kinds"]}
    assert kinds["slow"]["settings"] == {"region": "(needed)", "slow_s": 1.0, "app": None}
    assert all(kind["about"] for kind in kinds.values())


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"[]", 400), (b"{", 400), (b"[" * 50_000, 400)])
def test_wrong_bodies_are_refused(estate: Running, body: bytes, status: int) -> None:
    """A body that is no JSON object is one line of complaint."""
    headers = {"Authorization": f"Bearer {estate.ready['control_token']}"}
    assert fetch("POST", estate.ready["control_url"] + "/_faults", headers, body).status == status


def test_undoing_an_unknown_fault_says_so(estate: Running) -> None:
    """A fault that was never set cannot be undone."""
    answer = estate.control("DELETE", "/_faults/f999")
    assert (answer.status, "there is no fault 'f999'" in answer.json["error"]) == (400, True)


# the proxy


def connect(estate: Running, head: str) -> tuple[socket.socket, bytes]:
    host, _, port = estate.ready["proxy_url"].removeprefix("http://").rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=60)
    sock.sendall(head.encode())
    return sock, sock.recv(4096)


def test_the_proxy_leads_azures_names_to_the_estate(estate: Running) -> None:
    """CONNECT management.azure.com reaches ARM, under a certificate of that name that the estate's CA vouches for."""
    sock, answer = connect(
        estate, "CONNECT management.azure.com:443 HTTP/1.1\r\nHost: management.azure.com:443\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200")
    context = ssl.create_default_context(cafile=estate.ready["ca_file"])
    with context.wrap_socket(sock, server_hostname="management.azure.com") as tls:
        tls.sendall(
            b"GET /metadata/endpoints?api-version=2022-09-01 HTTP/1.1\r\nHost: management.azure.com\r\nConnection: close\r\n\r\n"
        )
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("CONNECT example.com:443 HTTP/1.1", 403),
        ("CONNECT management.azure.com:22 HTTP/1.1", 403),
        ("CONNECT management.azure.com.evil.example:443 HTTP/1.1", 403),
        ("CONNECT 127.0.0.1:22 HTTP/1.1", 403),
        ("GET http://example.com/ HTTP/1.1", 405),
        ("nonsense", 405),
    ],
)
def test_the_proxy_leads_nowhere_else(estate: Running, head: str, status: int) -> None:
    """Any other host, port or method is refused."""
    sock, answer = connect(estate, head + "\r\n\r\n")
    sock.close()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_the_proxys_verdict_takes_host_names_in_any_case() -> None:
    """Host names have no case."""
    assert judged(b"connect LOGIN.MicrosoftOnline.com:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")
