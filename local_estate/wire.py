"""A small HTTP/1.1 server for the estate's own doors (ARM, identity, control), on httptools.

    socket ── bytes ──► Connection ── Request ──► handler ── Response | None ──► bytes
                        (one request at a time per connection, pipelined ones wait)

A handler that answers None has the connection reset, which is one of the faults. A request that is not HTTP gets 400
and the connection closed; nothing that a client sends may raise here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

import httptools

LOG = logging.getLogger("local_estate")
MAX_BODY = 4 * 1024 * 1024  # bytes; ARM itself refuses bodies over 4 MiB
MAX_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # percent-decoded
    query: Mapping[str, str]  # keys in lower case
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""

    def form(self) -> dict[str, str]:
        """Return the fields of a form body; nothing where it is none."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    reason: str | None = None
    close: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    """Return an HTTP date (RFC 9110 §5.6.7), whatever the locale."""
    t = time.gmtime(second)
    day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    return f"{day}, {t.tm_mday:02} {month} {t.tm_year} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"


Handler = Callable[[Request], Awaitable[Response | None]]


def json_response(status: int, body: object, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, json.dumps(body).encode(), (("Content-Type", "application/json"), *headers))


def encode(response: Response, *, head_only: bool = False) -> bytes:
    """Return the bytes on the wire. `Content-Length` and `Date` are added."""
    try:
        reason = response.reason or HTTPStatus(response.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {response.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    if response.status not in {204, 304}:
        lines.append(f"Content-Length: {len(response.body)}")
    lines.append(f"Date: {_date(int(time.time()))}")
    if response.close:
        lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    return head if head_only or response.status in {204, 304} else head + response.body


@dataclass(slots=True)
class _Draft:
    """A request as it comes in."""

    url: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    head_bytes: int = 0


class Connection(asyncio.Protocol):
    """One client connection. `handler` answers each request in turn."""

    def __init__(self, handler: Handler, open_connections: set[Connection]) -> None:
        self._handler = handler
        self._open = open_connections
        self._parser: Any = httptools.HttpRequestParser(self)
        self._draft = _Draft()
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transport: Any = None
        self._broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._open.discard(self)
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._broken:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):
            self._refuse(400)

    # httptools calls these

    def on_message_begin(self) -> None:
        self._draft = _Draft()

    def on_url(self, url: bytes) -> None:
        self._draft.url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._draft.headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        if self._draft.headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._draft.body += body
        if len(self._draft.body) > MAX_BODY:
            self._refuse(413)

    def on_message_complete(self) -> None:
        if self._broken:
            return
        request = _request(self._parser.get_method(), self._draft)
        if request is None:
            self._refuse(400)
            return
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        while self._waiting:
            request, keep = self._waiting.popleft()
            response = await self._answered(request)
            if response is None:
                self.abort()
                return
            if self._transport.is_closing():
                return
            self._transport.write(encode(response, head_only=request.method == "HEAD"))
            if response.close or not keep:
                self._transport.close()
                return

    async def _answered(self, request: Request) -> Response | None:
        try:
            return await self._handler(request)
        except Exception:
            LOG.exception("%s %s failed", request.method, request.path)
            return Response(500, close=True)

    def _count(self, size: int) -> None:
        self._draft.head_bytes += size
        if self._draft.head_bytes > MAX_HEAD:
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        if self._broken:
            return
        self._broken = True
        self._transport.write(encode(Response(status, close=True)))
        self._transport.close()


def _request(method: bytes, draft: _Draft) -> Request | None:
    try:
        url = httptools.parse_url(draft.url)
    except httptools.HttpParserError:
        return None
    query = (url.query or b"").decode("latin-1")
    return Request(
        method=method.decode("latin-1"),
        path=unquote((url.path or b"/").decode("latin-1"), errors="replace"),
        query={key.lower(): value for key, value in parse_qsl(query, keep_blank_values=True)},
        headers=draft.headers,
        body=bytes(draft.body),
    )


@dataclass
class Door:
    """A listening socket and its open connections."""

    server: asyncio.Server
    connections: set[Connection]

    @property
    def port(self) -> int:
        return int(self.server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop what is open."""
        self.server.close()
        for connection in tuple(self.connections):
            connection.abort()


async def listen(handler: Handler, address: str, port: int, context: ssl.SSLContext | None = None) -> Door:
    """Serve `handler` on `address`:`port` (0: a free one), over TLS where a context is given. Raises OSError."""
    connections: set[Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(handler, connections), address, port, ssl=context, backlog=256
    )
    return Door(server, connections)
