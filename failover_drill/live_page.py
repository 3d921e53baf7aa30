"""A drill in a browser: `--live` serves what the terminal shows, on loopback, for as long as pytest runs.

    http://127.0.0.1:PORT/TOKEN/              the page; it asks twice a second
    http://127.0.0.1:PORT/TOKEN/state.json    what is to be shown
    http://127.0.0.1:PORT/TOKEN/report.html   the newest finished report, which the page turns into at the end

Nothing can be changed through it. The token is made for the run; without it, and under any other host name (DNS
rebinding), every answer is 404.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from dataclasses import asdict
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from failover_drill.live import Showing
from failover_drill.live_view import strip

QUIET_S = 3.0  # who asks twice a second, and has not for this long, has left; a busy browser takes its time
LAST_S = 1.0  # for others who look on, when one has fetched the report
GOODBYE_S = 20.0  # for a browser to fetch the report in, once pytest is over
ADDRESS = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Page:
    """The page of one run of pytest. Drills follow one another on it."""

    def __init__(self) -> None:
        """Serve from now on. Raises OSError where loopback has no port left."""
        self._token = secrets.token_urlsafe(24)
        self._state: dict[str, Any] = {"showing": None, "strip": "", "report": False, "leave": False}
        self._directory: Path | None = None
        self._asked_s = 0.0
        self._changed = threading.RLock()  # a signal may leave it taken by the main thread, which goes on
        page_html()  # made now: the drill must not wait for it
        self._server = _Server((ADDRESS, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="live page", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self._server.server_port}/{self._token}/"

    def follow(self, directory: Path) -> None:
        """Show the run in *directory*."""
        with self._changed:
            self._directory = directory
            self._state |= {"showing": None, "strip": "", "report": False}

    def show(self, showing: Showing) -> None:
        """Show this until something else is shown."""
        with self._changed:
            self._state |= {"showing": asdict(showing), "strip": strip(showing.strip)}

    def finished(self) -> None:
        """The run's report is written."""
        with self._changed:
            self._state["report"] = self._report() is not None

    def close(self) -> None:
        """End as the finished report: let whoever looks on fetch it, and stop serving."""
        with self._changed:
            self._state["leave"] = True
        until = time.monotonic() + GOODBYE_S
        pause = threading.Event()
        while self._looked_on() and time.monotonic() < until:
            pause.wait(0.1)
        self._server.shutdown()
        self._server.server_close()  # waits for answers under way

    def _looked_on(self) -> bool:
        return time.monotonic() - self._asked_s < QUIET_S

    def _report(self) -> Path | None:
        path = None if self._directory is None else self._directory / "report.html"
        return path if path is not None and path.exists() else None

    # ---- answers -----------------------------------------------------------------------------------------------

    def answer(self, path: str, host: str) -> tuple[str, bytes] | None:
        """Return type and body for a path asked for under a host name; None where there is nothing for the asker."""
        hosts = {f"{name}:{self._server.server_port}" for name in (ADDRESS, "localhost")}
        _, token, name = (*path.split("?", 1)[0].split("/", 2), "", "")[:3]
        if host not in hosts or not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        if name == "":
            return "text/html; charset=utf-8", page_html().encode()
        if name == "state.json":
            return "application/json", self._told()
        report = self._report() if name == "report.html" else None
        return None if report is None else ("text/html; charset=utf-8", self._last(report))

    def _told(self) -> bytes:
        self._asked_s = time.monotonic()
        with self._changed:
            return json.dumps(self._state, allow_nan=False).encode()

    def _last(self, report: Path) -> bytes:
        """Return the report. Whoever was told to leave asks for nothing after it."""
        if self._state["leave"]:
            self._asked_s = time.monotonic() - QUIET_S + LAST_S
        return report.read_bytes()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # the report must go out whole before pytest ends

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is nothing to tell of."""


def _handler(page: Page) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            found = page.answer(self.path, self.headers.get("Host", ""))
            if found is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            kind, body = found
            self.send_response(HTTPStatus.OK)
            for name, value in (HEADERS | {"Content-Type": kind, "Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The path holds the token: it is written nowhere."""

    return Handler


@cache
def page_html() -> str:
    """Return the page itself: one file, which asks for nothing but state.json."""
    from failover_drill.report.ink import DARK, LIGHT
    from failover_drill.report.template import environment

    return environment().get_template("live.html.j2").render(light=LIGHT, dark=DARK)
