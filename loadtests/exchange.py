"""One request over one connection: open, verify, send, read the whole answer. No retry, no limit, no hidden wait.

geventhttpclient's own client is not used, only its parser: the client repeats an idempotent request up to twelve
times on a reset, loses keep-alive above descriptor 1023, and waits without limit for its pool (prototypes-load.md §3).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from gevent import socket as gsocket
from gevent.ssl import SSLContext, create_default_context
from geventhttpclient.response import HTTPParseError, HTTPResponse

from failover_drill.traffic import TrafficPlan

_BLOCK = 65536
_MOST_BODY = 1 << 20  # bytes of a body that are kept to look for the expected content


class Unanswered(ConnectionResetError):
    """The connection ended before a byte of the answer came: on a reused one, it had been stale."""


class Malformed(Exception):
    """What came is not HTTP."""


class Answer(HTTPResponse):  # type: ignore[misc] # no types
    """One parsed answer; keeps its body only where somebody will look at it."""

    def __init__(self, method: str, *, keep_body: bool) -> None:
        super().__init__(method)
        self._keep_body = keep_body

    def _on_body(self, part: Any) -> None:
        self.length += len(part)
        if self._keep_body and len(self._body_buffer) < _MOST_BODY:
            self._body_buffer += part

    length = 0

    @property
    def body(self) -> bytes:
        return bytes(self._body_buffer)

    @property
    def whole(self) -> bool:
        """True once a final answer (not a 1xx) is complete."""
        return bool(self.message_complete) and self.get_code() >= 200


class Connection:
    """One open connection to one address, verified where the plan says https."""

    __slots__ = ("address", "sock", "used")

    def __init__(self, address: str, sock: Any) -> None:
        self.address = address
        self.sock = sock
        self.used = False

    def alive(self) -> bool:
        """True where nothing is to be read: an idle connection that is readable was closed by the other side."""
        try:
            self.sock._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return True
        except (OSError, ValueError, AttributeError):
            return False
        return False

    def ask(self, request: bytes, method: str, *, keep_body: bool) -> Answer:
        """Send *request* and return its whole answer. Raises `Unanswered`, or another `OSError`, or `Malformed`."""
        try:
            self.sock.sendall(request)
            first = self.sock.recv(_BLOCK)
        except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError, ssl.SSLEOFError) as error:
            raise Unanswered(str(error)) from None
        if not first:
            raise Unanswered("closed before the answer")
        answer = Answer(method, keep_body=keep_body)
        _feed(answer, first)
        while not answer.whole:
            part = self.sock.recv(_BLOCK)
            _feed(answer, part)
            if not part and not answer.whole:
                raise ConnectionResetError("closed within the answer")
        self.used = True
        return answer

    def close(self) -> None:
        self.sock.close()


def _feed(answer: Answer, part: bytes) -> None:
    """Parse *part*; an empty one is the end of the connection, which ends a body without a length, or cuts one short."""
    try:
        answer.feed(part)
    except HTTPParseError as error:
        if part:
            raise Malformed(str(error)) from None


class Opener:
    """Opens connections as the plan says."""

    def __init__(self, plan: TrafficPlan) -> None:
        self._port = plan.port
        self._host = plan.host
        self._tls: SSLContext | None = create_default_context(cafile=plan.ca_file) if plan.https else None

    def open(self, address: str) -> Connection:
        """Connect to *address*, and verify that it is the plan's host. Raises `OSError`, `ssl.SSLError` among them."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = gsocket.socket(family, socket.SOCK_STREAM)
        try:
            sock.connect((address, self._port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._handshake(sock)
        except BaseException:
            sock.close()
            raise
        return Connection(address, sock)

    def _handshake(self, sock: Any) -> Any:
        assert self._tls is not None
        try:
            return self._tls.wrap_socket(sock, server_hostname=self._host)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise ConnectionResetError(str(error)) from None


def requests_of(plan: TrafficPlan, *, close: bool) -> tuple[bytes, ...]:
    """Return the bytes of the request for each path of the plan. Raises nothing: the plan was checked."""
    return tuple(request_of(plan, path, plan.method, plan.body, plan.headers, close=close) for path, _ in plan.paths)


def request_of(plan: TrafficPlan, path: str, method: str, text: str, more: Mapping[str, str], *, close: bool) -> bytes:
    """Return the bytes of one request, with *text* as its body and *more* headers."""
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    named = host if plan.port == (443 if plan.https else 80) else f"{host}:{plan.port}"
    body = text.encode()
    headers = {"Host": named, "User-Agent": "failover-drill", "Accept": "*/*"}
    if close:
        headers["Connection"] = "close"
    if body or method in ("POST", "PUT", "PATCH"):
        headers["Content-Length"] = str(len(body))
    for name, value in more.items():
        headers = {k: v for k, v in headers.items() if k.lower() != name.lower()} | {name: value}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {plan.prefix}{path} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + body
