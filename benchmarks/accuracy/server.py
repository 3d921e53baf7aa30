"""A web server that fails by the clock, and writes down when: the ground truth of the accuracy benchmarks.

    python server.py ADDRESS SCHEDULE.json TRUTH.jsonl

Prints its port, then follows SCHEDULE: a list of [at_s, length_s, kind], kinds refused, 503, reset, hang (swallowed, never
answered). Each switch is stamped on CLOCK_MONOTONIC before it is made, and again after: the truth lies between.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

OK = b"HTTP/1.1 200 OK\r\nX-Region: eastus\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
SORRY = b"HTTP/1.1 503 Service Unavailable\r\nX-Region: eastus\r\nContent-Length: 5\r\n\r\ndown\n"
RESET = struct.pack("ii", 1, 0)


class Server:
    def __init__(self, address: str) -> None:
        self.address, self.port, self.mode = address, 0, "ok"
        self.open: set[Exchange] = set()
        self.loop = asyncio.get_running_loop()
        self.listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((self.address, self.port))
        sock.listen(4096)
        self.port = sock.getsockname()[1]
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
        """Switch; return the instants just before and just after."""
        before = time.monotonic_ns()
        was, self.mode = self.mode, mode
        if mode == "refused" and self.listener is not None:
            self.loop.remove_reader(self.listener)
            self.listener.close()
            self.listener = None
        elif was == "refused":
            self.listen()
        switched = time.monotonic_ns()
        if mode in ("refused", "reset"):
            for exchange in list(self.open):
                exchange.reset()
        return before, switched


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
    begin_ns = time.monotonic_ns()
    with truth.open("w") as file:
        for at_s, length_s, kind in schedule:
            await until(begin_ns + int(at_s * 1e9))
            began = server.become(kind)
            await until(began[0] + int(length_s * 1e9))
            ended = server.become("ok")
            file.write(json.dumps({"kind": kind, "began_ns": began, "ended_ns": ended}) + "\n")
            file.flush()


async def until(instant_ns: int) -> None:
    await asyncio.sleep(max(0.0, (instant_ns - time.monotonic_ns()) / 1e9))


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
