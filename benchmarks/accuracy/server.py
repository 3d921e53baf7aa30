"""A web server that fails by the clock, and writes down when: the ground truth of the accuracy benchmarks.

    python server.py ADDRESS SCHEDULE.json TRUTH.jsonl

Prints its port, then follows SCHEDULE: a list of [at_s, length_s, kind], kinds refused, 503, reset, hang (swallowed, never
answered). Each switch is stamped on CLOCK_MONOTONIC before it is made, and again after: the truth lies between.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import resource
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

OK = b"HTTP/1.1 200 OK\r\nX-Region: eastus\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
SORRY = b"HTTP/1.1 503 Service Unavailable\r\nX-Region: eastus\r\nContent-Length: 5\r\n\r\ndown\n"
RESET = struct.pack("ii", 1, 0)
BACKLOG = 4096
ABSOLUTE = 1  # TFD_TIMER_ABSTIME


class Server:
    def __init__(self, address: str) -> None:
        self.address, self.port, self.mode = address, 0, "ok"
        self.open: set[Exchange] = set()
        self.loop = asyncio.get_running_loop()
        self.listener: socket.socket | None = None
        first = self.bind()
        first.listen(BACKLOG)
        self.watch(first)

    def bind(self) -> socket.socket:
        """Return a socket that would be the listener, were it to listen."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((self.address, self.port))
        self.port = sock.getsockname()[1]
        return sock

    def watch(self, sock: socket.socket) -> None:
        self.listener = sock
        self.loop.add_reader(sock, self.accept)

    def accept(self) -> None:
        assert self.listener is not None
        for _ in range(64):
            try:
                conn, _ = self.listener.accept()
            except (BlockingIOError, OSError):
                return
            if self.mode == "reset":
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                conn.close()
                continue
            conn.setblocking(False)
            self.loop.create_task(self.loop.connect_accepted_socket(lambda: Exchange(self), conn))

    def become(self, mode: str) -> tuple[int, int]:
        """Switch; return the instants just before and just after the one call that makes the difference."""
        was, self.mode = self.mode, mode
        if mode == "refused" and self.listener is not None:
            self.loop.remove_reader(self.listener)
            stamps = stamped(self.listener.close)
            self.listener = None
        elif was == "refused":
            listener = self.bind()
            stamps = stamped(lambda: listener.listen(BACKLOG))
            self.watch(listener)
        else:
            stamps = stamped(lambda: None)
        if mode in ("refused", "reset"):
            for exchange in list(self.open):
                exchange.reset()
        return stamps


class Exchange(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.heard = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.open.add(self)
        if self.server.mode in ("refused", "reset"):
            self.reset()

    def connection_lost(self, _: Exception | None) -> None:
        self.server.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        while b"\r\n\r\n" in self.heard:
            _, _, self.heard = self.heard.partition(b"\r\n\r\n")
            if self.server.mode == "ok":
                self.transport.write(OK)
            elif self.server.mode == "503":
                self.transport.write(SORRY)
            elif self.server.mode in ("refused", "reset"):
                self.reset()

    def reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


async def follow(server: Server, schedule: list[list[Any]], truth: Path) -> None:
    begin_ns, alarm = time.monotonic_ns(), Alarm()
    with truth.open("w") as file:
        for at_s, length_s, kind in schedule:
            await alarm.until(begin_ns + int(at_s * 1e9))
            began = server.become(kind)
            await alarm.until(began[0] + int(length_s * 1e9))
            ended = server.become("ok")
            file.write(json.dumps({"kind": kind, "began_ns": began, "ended_ns": ended}) + "\n")
            file.flush()


class Alarm:
    """Wakes at an instant of CLOCK_MONOTONIC, to the microsecond.

    The loop's own timers count whole milliseconds: every switch would fall on the same phase of a grid of 1 000 a second.
    (`os.timerfd_create` needs Python 3.13.)
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._rang = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._ring)

    def _ring(self) -> None:
        os.read(self._fd, 8)
        self._rang.set()

    async def until(self, instant_ns: int) -> None:
        self._rang.clear()
        at = struct.pack("qqqq", 0, 0, instant_ns // 10**9, instant_ns % 10**9)
        self._libc.timerfd_settime(self._fd, ABSOLUTE, at, None)
        await self._rang.wait()


def stamped(switch: Callable[[], object]) -> tuple[int, int]:
    """Call *switch*; return the instants just before and just after."""
    before = time.monotonic_ns()
    switch()
    return before, time.monotonic_ns()


async def main(address: str, schedule: str, truth: str) -> None:
    with contextlib.suppress(OSError):  # the truth, too, should not wait for the processor
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        Path("/proc/self/autogroup").write_text("-10")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = Server(address)
    print(server.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)  # "go"
    await follow(server, json.loads(Path(schedule).read_text()), Path(truth))
    print("done", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the other side is gone


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:4]))
