"""A small web server that fails on command, at known instants: what the self-test measures. A program of its own.

    stdin   {"kind": "refused", "at_ns": …, "for_ns": …}     one fault a line, CLOCK_MONOTONIC
    stdout  {"port": …}                                      once, when it listens
            {"kind": …, "began_ns": …, "ended_ns": …}        after each fault: when it really began and ended

It stamps the beginning just before it ceases to serve and the end just after it serves again, and ends when stdin does.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

BODY = b"failover-drill self-test\n"
WRONG = b"somebody else's page\n\n\n\n\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
OTHER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(WRONG), WRONG)

ANSWERS = {"503": UNAVAILABLE, "wrong content": OTHER}
KINDS = ("refused", "503", "hang", "reset", "wrong content", "partial", "new connections")
"""`partial`: every third request is answered 503. `new connections`: refused; those already open are served."""


@dataclass
class State:
    """What the server does now."""

    fault: str = ""
    served: int = 0


class Exchange(asyncio.Protocol):
    """One connection."""

    def __init__(self, state: State, opened: set[Exchange]) -> None:
        self._state, self._opened = state, opened
        self._held = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._opened.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio has it
        self._opened.discard(self)

    def data_received(self, received: bytes) -> None:
        self._held += received
        while b"\r\n\r\n" in self._held:
            _, _, self._held = self._held.partition(b"\r\n\r\n")
            self._answer()

    def _answer(self) -> None:
        assert self.transport is not None
        state = self._state
        state.served += 1
        if state.fault == "hang":
            return
        if state.fault == "reset":
            self.reset()
            return
        failing = state.fault == "partial" and state.served % 3 == 0
        self.transport.write(UNAVAILABLE if failing else ANSWERS.get(state.fault, GOOD))

    def reset(self) -> None:
        """End the connection with RST."""
        assert self.transport is not None
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class FaultServer:
    """Listens on a loopback port of its own choice, and keeps it through every fault."""

    def __init__(self) -> None:
        self.state = State()
        self._opened: set[Exchange] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        make: Callable[[], asyncio.Protocol] = lambda: Exchange(self.state, self._opened)  # noqa: E731
        self._server = await loop.create_server(make, "127.0.0.1", self.port, backlog=4096, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def fail(self, kind: str, at_ns: int, for_ns: int) -> tuple[int, int]:
        """Fail from `at_ns` on for `for_ns`; return when it really began and ended."""
        await _until(at_ns)
        began = time.monotonic_ns()
        if kind in ("refused", "new connections"):
            self._silence(all_of_them=kind == "refused")
        self.state.fault = kind
        await _until(at_ns + for_ns)
        self.state.fault = ""
        if kind in ("refused", "new connections"):
            await self.listen()
        ended = time.monotonic_ns()
        if kind == "hang":
            for each in list(self._opened):
                each.reset()
        return began, ended

    def _silence(self, all_of_them: bool) -> None:
        assert self._server is not None
        for sock in self._server.sockets:
            asyncio.get_running_loop().remove_reader(sock.fileno())
        self._server.close()
        if all_of_them:
            for each in list(self._opened):
                each.reset()


async def _until(instant_ns: int) -> None:
    while (left := instant_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(left / 1e9)


async def serve() -> None:
    """Serve, and do what stdin says, until it ends."""
    server = FaultServer()
    await server.listen()
    _tell({"port": server.port})
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        asked = json.loads(line)
        began, ended = await server.fail(asked["kind"], asked["at_ns"], asked["for_ns"])
        _tell({"kind": asked["kind"], "began_ns": began, "ended_ns": ended})


def _tell(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
