"""Sends what notify.py says. Whatever happens here is one line for people, and never an exception: no verdict hangs on it.

    tell ──► one thread for each address: POST, at most once again ──► joined until the deadline, then left behind

urllib, because requests and urllib3 log each path at debug level and put it into their exceptions; here the path is the secret.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from failover_drill.clock import Clock, SystemClock
from failover_drill.notify import SHAPES, NotifyTable, notification

AGAIN_S = 1.0  # before the second and last try
WORTH_ANOTHER = frozenset({429, 500, 502, 503, 504})
Say = Callable[[str], None]


def tell(directory: Path, table: NotifyTable, say: Say, clock: Clock | None = None) -> None:
    """Tell whom [notify] names how the run in *directory* ended. Returns within `timeout_s`; says in one line what failed."""
    if not table.addresses():
        return
    try:
        _tell(directory, table, say, clock or SystemClock())
    except Exception as error:  # no verdict may hang on it, whatever it is
        say(f"nobody was notified: {directory / 'findings.json'}: {type(error).__name__}")


def _tell(directory: Path, table: NotifyTable, say: Say, clock: Clock) -> None:
    addresses, bodies = table.addresses(), _bodies(directory, table)
    if bodies:
        troubles = _send({name: (secret, bodies[name]) for name, secret in addresses.items()}, table.timeout_s, clock)
        say("; ".join(troubles) or f"notified: {', '.join(addresses)}")


def _bodies(directory: Path, table: NotifyTable) -> dict[str, bytes]:
    """Return a body for each channel; nothing where the verdict is not worth a message."""
    findings = json.loads((directory / "findings.json").read_text("utf-8"))
    if findings["verdict"].lower() not in table.on:
        return {}
    told = notification(findings, _report(directory, table.link, findings["drill"]))
    return {name: json.dumps(shape(told)).encode() for name, shape in SHAPES.items()}


def _report(directory: Path, link: str, drill: Mapping[str, Any]) -> str:
    if link:
        return link.format(drill=quote(drill["name"]), run=quote(drill["run"]))
    return f"{socket.gethostname()}:{directory / 'report.html'}"


def _send(posts: Mapping[str, tuple[SecretStr, bytes]], timeout_s: float, clock: Clock) -> list[str]:
    """Post to all at once; return what went wrong, one line each."""
    deadline_ns = clock.now_ns() + int(timeout_s * 1e9)
    said: dict[str, str] = {}
    threads = {
        name: threading.Thread(target=_deliver, args=(name, *post, deadline_ns, clock, said), daemon=True)
        for name, post in posts.items()
    }
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(0.0, (deadline_ns - clock.now_ns()) / 1e9))
        if thread.is_alive():
            said[name] = f"no answer within {timeout_s:g} s"
    return [f"notify.{name} failed: {trouble}" for name, trouble in list(said.items()) if trouble]


def _deliver(name: str, secret: SecretStr, body: bytes, deadline_ns: int, clock: Clock, said: dict[str, str]) -> None:
    trouble, worth_another = _post(secret, body, (deadline_ns - clock.now_ns()) / 1e9)
    left_s = (deadline_ns - clock.now_ns()) / 1e9 - AGAIN_S
    if worth_another and left_s > 0:
        clock.wait(AGAIN_S)
        trouble, _ = _post(secret, body, left_s)
    said.setdefault(name, trouble)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would hand the message to somebody whom nobody named."""

    def redirect_request(self, *_: object) -> None:
        return None


def _post(secret: SecretStr, body: bytes, timeout_s: float) -> tuple[str, bool]:
    """Post once; return what went wrong, "" for nothing, and whether another try may help. Never the address."""
    url = secret.get_secret_value()
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.build_opener(NoRedirect).open(request, timeout=timeout_s):
            return "", False
    except urllib.error.HTTPError as error:
        error.close()
        return f"{_host(url)} answered {error.code}", error.code in WORTH_ANOTHER
    except Exception as error:  # whatever it is, and its text may hold the address
        return f"{_host(url)}: {_cause(error)}", isinstance(_root(error), ConnectionError | socket.gaierror)


def _host(url: str) -> str:
    return urlsplit(url).hostname or "?"


def _root(error: Exception) -> object:
    return error.reason if isinstance(error, urllib.error.URLError) else error


def _cause(error: Exception) -> str:
    """Say what happened in words that hold nothing of the request."""
    match _root(error):
        case TimeoutError():
            return "no answer in time"
        case ConnectionRefusedError():
            return "refused the connection"
        case socket.gaierror():
            return "the name cannot be resolved"
        case ssl.SSLCertVerificationError():
            return "its certificate is not trusted"
        case other:
            return f"could not be reached ({type(other).__name__})"
