"""What a write's answer says about whether it happened: only a clear refusal says that it did not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from failover_drill.adapters.arm import ArmPlatform
from failover_drill.errors import PlatformError
from failover_drill.settings import Settings
from failover_drill.target import Target
from failover_drill.targets import open_target
from local_estate.certs import Authority, server_context
from tests.servers import eventually, free_port
from tests.stage import COLD, Estate, estate

HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
WHOLE = b'{"error": {"code": "Conflict", "message": "another operation is under way"}}'
ANSWERS = {
    "nothing at all": (b"", False),
    "an end in the middle of the head": (b"HTTP/1.1 200 O", False),
    "an end in the middle of the body": (HEAD % (b"200 OK", 500) + b'{"name": "eastus"', False),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n", False),
    "a body that is no JSON": (HEAD % (b"200 OK", 5) + b"<html", False),
    "a redirection": (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", False),
    "an error of the server": (HEAD % (b"500 Internal Server Error", len(WHOLE)) + WHOLE, False),
    "a time-out": (HEAD % (b"408 Request Timeout", len(WHOLE)) + WHOLE, False),
    "a refusal": (HEAD % (b"409 Conflict", len(WHOLE)) + WHOLE, True),
    "a refusal that is no JSON": (HEAD % (b"400 Bad Request", 5) + b"<html", True),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """An estate for its identity endpoint: tokens are not what is asked about here."""
    with estate(tmp_path_factory.mktemp("estate"), COLD) as running:
        yield running


@pytest.fixture
def target(stage: Estate, tmp_path: Path) -> Iterator[Target]:
    with open_target(Settings(), "local", stage.file, tmp_path / "log") as (opened, _):
        yield opened


@contextmanager
def answering(target: Target, where: Path, answer: bytes) -> Iterator[Target]:
    """A control plane that reads one request, says *answer*, whatever was asked, and hangs up."""
    authority = Authority(where)
    context = server_context(authority.server_pem())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_answer_once, args=(listener, context, answer), daemon=True)
        server.start()
        port = listener.getsockname()[1]
        yield replace(target, arm_url=f"https://127.0.0.1:{port}", ca_file=str(authority.ca_file))
        server.join(60)


def _answer_once(listener: socket.socket, context: ssl.SSLContext, answer: bytes) -> None:
    plain, _ = listener.accept()
    with context.wrap_socket(plain, server_side=True) as connection:
        request = connection.makefile("rb")
        head = list(iter(request.readline, b"\r\n"))
        request.read(sum(int(line.split()[1]) for line in head if line.lower().startswith(b"content-length:")))
        connection.sendall(answer)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", ANSWERS)
def test_whether_it_happened(case: str, target: Target, tmp_path: Path) -> None:
    """A write that was sent may have happened, unless it was refused; in doubt it is undone."""
    answer, known = ANSWERS[case]
    with answering(target, tmp_path, answer) as broken, pytest.raises(PlatformError) as raised:
        ArmPlatform(broken).set_endpoint(target.primary.endpoint_id, enabled=False)
    assert raised.value.outcome_known is known, raised.value
    assert "\n" not in str(raised.value)


@pytest.mark.timeout(240)
def test_told_to_wait_for_an_hour(stage: Estate, target: Target) -> None:
    """A read that is told to come back in an hour asks again within seconds: an undo must not stand still for that."""

    def calls() -> int:
        return int(stage.control("GET", "/_state")["calls"])

    def mend() -> None:
        eventually(lambda: calls() > before, 60)
        stage.control("DELETE", "/_faults")

    before = calls()
    stage.control("POST", "/_faults", {"kind": "control_throttled", "retry_after_s": 3600})
    mending = threading.Thread(target=mend)
    mending.start()
    assert ArmPlatform(target).app_state(target.primary.app_id).running
    mending.join()
    assert calls() - before >= 2


def test_never_sent(target: Target) -> None:
    """Where nobody listens, or the name does not exist, nothing was sent: that is known."""
    for host in (f"127.0.0.1:{free_port('127.0.0.1')}", "no-such-host.invalid"):
        with pytest.raises(PlatformError, match="the control plane cannot be reached") as raised:
            ArmPlatform(replace(target, arm_url=f"https://{host}")).stop(target.primary.app_id)
        assert raised.value.outcome_known
