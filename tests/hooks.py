"""A real web server on loopback that takes posts: it keeps what came, and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "T0Psecret-B4R"


class Hook(ThreadingHTTPServer):
    """`answers` holds a status for each post to come, the last one for all the rest; "hang" answers nothing."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *answers: int | str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers = list(answers)
        self.posts: list[tuple[str, str, bytes]] = []  # path, content type, body
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/{TOKEN}?sig={TOKEN}"

    @property
    def messages(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.posts]


class _Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        hook = self.server
        hook.posts.append(
            (self.path, self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"])))
        )
        answer = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
        if answer == "hang":
            hook.released.wait(600)
            return
        self.send_response(int(answer))
        if answer == 302:
            self.send_header("Location", hook.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hook(*answers: int | str) -> Iterator[Hook]:
    """A server that answers so, for as long as the context lasts."""
    with Hook(*(answers or (200,))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join(60)
