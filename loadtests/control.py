"""The control probe: a target that no drill touches, inside the load process itself.

If requests to it fail or lag at the same time as those to the service, the fault is ours (measurement.md §6).
"""

from __future__ import annotations

from typing import Any

from gevent.server import StreamServer

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


class Responder:
    """Answers every request on a loopback port of its own with 200."""

    def __init__(self) -> None:
        self._server = StreamServer(("127.0.0.1", 0), _answer)
        self._server.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.stop(timeout=0.5)


def _answer(sock: Any, _address: Any) -> None:
    try:
        heard = b""
        while b"\r\n\r\n" not in heard and (part := sock.recv(4096)):
            heard += part
        sock.sendall(_ANSWER)
    except OSError:
        pass  # the asker's deadline came first; its own sample says so
