"""One client's connection to a front end: bytes in, whole requests to the front, its answers out, in order."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import httptools

if TYPE_CHECKING:
    from local_estate.front import Front

HEAD_LIMIT = 64 * 1024  # bytes of request line and headers
BODY_LIMIT = 4096  # bytes of a body that are kept: only data probes send one that is read
QUEUE_LIMIT = 64  # requests sent ahead of a delayed answer
_HARD_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST


class Ask(NamedTuple):
    """One whole request."""

    host: bytes | None
    url: bytes
    method: bytes
    keep: bool
    body: bytes = b""


class Connection(asyncio.Protocol):
    """One client's connection. Requests sent ahead of a delayed answer wait their turn."""

    __slots__ = (
        "_body",
        "_front",
        "_head",
        "_hosts",
        "_parser",
        "_queue",
        "_size",
        "_url",
        "closed",
        "tls",
        "transport",
    )

    def __init__(self, front: Front, *, tls: bool = False) -> None:
        self.tls = tls
        self._front = front
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Ask] | None = None
        self._url = b""
        self._body = b""
        self._hosts: list[bytes] = []
        self._head = True
        self._size = 0
        self.closed = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closed = True
        self._queue = None

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._close()
            return
        except httptools.HttpParserError:
            self._refuse()
            return
        if self._head and self._size > HEAD_LIMIT:
            self._refuse()

    def pause_writing(self) -> None:
        if not self.closed:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.closed:
            self.transport.resume_reading()

    # ---- httptools' callbacks

    def on_message_begin(self) -> None:
        self._url = self._body = b""
        self._hosts = []
        self._head = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 4 and name.lower() == b"host":
            self._hosts.append(value)
        elif len(name) == 6 and name.lower() == b"expect" and value.lower() == b"100-continue" and not self.closed:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_headers_complete(self) -> None:
        self._head = False

    def on_body(self, part: bytes) -> None:
        if len(self._body) < BODY_LIMIT:
            self._body += part[:BODY_LIMIT]

    def on_message_complete(self) -> None:
        self._size, self._head = 0, True
        if self.closed or self.transport.is_closing():
            return
        modern = self._parser.get_http_version() == "1.1"
        if len(self._hosts) > 1 or (modern and not self._hosts):
            self._refuse()
            return
        keep = modern and self._parser.should_keep_alive()
        ask = Ask(self._hosts[0] if self._hosts else None, self._url, self._parser.get_method(), keep, self._body)
        if self._queue is None:
            self._front.serve(self, ask)
        elif len(self._queue) < QUEUE_LIMIT:
            self._queue.append(ask)
        else:
            self.cut()

    # ---- the front's verbs

    def hold(self) -> None:
        """The answer comes later, or never; what the client sends meanwhile waits."""
        if self._queue is None:
            self._queue = deque()

    def answer(self, response: bytes, ask: Ask) -> None:
        """Send *response*, close unless the request wants to keep the connection, go on with what waited."""
        if self.closed:
            return
        self.transport.write(response)
        if not ask.keep:
            self._close()
            return
        if self._queue is not None:
            self._go_on()

    def _go_on(self) -> None:
        waiting, self._queue = self._queue or deque(), None
        while waiting and not self.closed:
            self._front.serve(self, waiting.popleft())
            if self._is_held():
                self._await(waiting)
                return

    def _is_held(self) -> bool:
        return self._queue is not None

    def _await(self, asks: deque[Ask]) -> None:
        self._queue = asks

    def reset(self) -> None:
        """Answer with RST."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _HARD_CLOSE)
        self.closed = True
        self.transport.abort()

    def cut(self) -> None:
        """Close without an answer."""
        if not self.closed:
            self._close()

    def _refuse(self) -> None:
        if not self.closed:
            self.transport.write(self._front.replies.bad_request())
            self._close()

    def _close(self) -> None:
        self.closed = True
        self.transport.close()
