"""Small real servers for the tests: a web site that can misbehave, and a name server. Each on a loopback socket.

Written for the tests and knowing nothing of the project, so that they cannot agree with its mistakes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

T = TypeVar("T")

NO_LINGER = struct.pack("ii", 1, 0)


class LoopThread:
    """An asyncio loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self) -> None:
        self.run(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()

    async def _cancel_all(self) -> None:
        await asyncio.sleep(0.05)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextlib.contextmanager
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    try:
        yield thread
    finally:
        thread.close()


class Site:
    """A web site of one region. `become(mode)` switches it; the switch is stamped *before* it is made.

    Modes: ok, status 503 ("503"), wrong (other content), slow (1.5 s), hang, dribble (a byte each 0.2 s), reset, refuse, cut
    (half an answer, then closed), silent (closed without an answer), garbage (not HTTP).
    """

    def __init__(self, region: str, address: str, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.region = region
        self.address = address
        self.mode = "ok"
        self.switches: list[tuple[int, str]] = []
        self.requests = 0
        self.connections = 0
        self.paths: list[str] = []
        self.close_after_each = False
        self._tls = tls
        self._open: set[_Exchange] = set()
        self._server: asyncio.Server | None = None
        self.port = port or free_port(address)
        self.thread: LoopThread | None = None

    def start(self, thread: LoopThread) -> Site:
        self.thread = thread
        thread.run(self._listen())
        return self

    def become(self, mode: str) -> int:
        """Switch, and return the instant (CLOCK_MONOTONIC ns) just before."""
        assert self.thread is not None
        return self.thread.run(self._become(mode))

    def drop_connections(self) -> None:
        """Close every open connection in an orderly way, as a server that is drained does."""
        assert self.thread is not None
        self.thread.run(self._drop(hard=False))

    def close(self) -> None:
        assert self.thread is not None
        self.thread.run(self._unlisten(hard=True))

    async def _become(self, mode: str) -> int:
        at = time.monotonic_ns()
        self.switches.append((at, mode))
        before, self.mode = self.mode, mode
        if mode == "refuse":
            await self._unlisten(hard=True)
        elif before == "refuse":
            await self._listen()
        if mode == "reset":
            await self._drop(hard=True)
        return at

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Exchange(self), self.address, self.port, ssl=self._tls, reuse_address=True, backlog=1024
        )

    async def _unlisten(self, *, hard: bool) -> None:
        if self._server is not None:
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            for _ in range(3):  # asyncio 3.11 leaks a connection that it is just accepting when its server is closed
                await asyncio.sleep(0)
            self._server.close()
            self._server = None
        await self._drop(hard=hard)

    async def _drop(self, *, hard: bool) -> None:
        for exchange in list(self._open):
            exchange.end(hard=hard)
        await asyncio.sleep(0)


class _Exchange(asyncio.Protocol):
    def __init__(self, site: Site) -> None:
        self._site = site
        self._heard = b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._site.connections += 1
        self._site._open.add(self)
        if self._site.mode == "reset":
            self.end(hard=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._site._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            head, _, self._heard = self._heard.partition(b"\r\n\r\n")
            self._site.requests += 1
            self._site.paths.append(head.split(b" ")[1].decode())
            self._answer(closing=b"connection: close" in head.lower() or self._site.close_after_each)

    def end(self, *, hard: bool) -> None:
        if self._transport is None:
            return
        if hard:
            sock = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self._transport.abort()
        else:
            self._transport.close()

    def _answer(self, *, closing: bool) -> None:
        mode = self._site.mode
        loop = asyncio.get_running_loop()
        body = b"down" if mode == "wrong" else b"hello from " + self._site.region.encode()
        whole = self._head(503 if mode == "503" else 200, len(body), closing) + body
        if mode == "hang":
            return
        if mode == "reset":
            self.end(hard=True)
        elif mode == "silent":
            self.end(hard=False)
        elif mode == "cut":
            self._transport.write(whole[: -len(body) // 2])
            self.end(hard=False)
        elif mode == "garbage":
            self._transport.write(b"\x00\x01 what is this\r\n\r\n")
        elif mode == "slow":
            loop.call_later(1.5, self._send, whole, closing)
        elif mode == "dribble":
            for i, byte in enumerate(whole):
                loop.call_later(0.2 * i, self._send, bytes([byte]), False)
        else:
            self._send(whole, closing)

    def _send(self, whole: bytes, closing: bool) -> None:
        if not self._transport.is_closing():
            self._transport.write(whole)
            if closing:
                self._transport.close()

    def _head(self, status: int, length: int, closing: bool) -> bytes:
        ending = "close" if closing else "keep-alive"
        return (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Unavailable'}\r\nX-Region: {self._site.region}\r\n"
            f"Content-Length: {length}\r\nConnection: {ending}\r\n\r\n"
        ).encode()


class Authority(asyncio.DatagramProtocol):
    """An authoritative name server over UDP. `records` maps a name to (TTL, addresses) or (TTL, CNAME target)."""

    def __init__(self, records: dict[str, tuple[int, tuple[str, ...] | str]]) -> None:
        self.records = dict(records)
        self.mode = "ok"  # ok, silent, servfail
        self.asked: list[tuple[int, str]] = []
        self.address = ""
        self._transport: Any = None
        self._thread: LoopThread | None = None

    def start(self, thread: LoopThread) -> Authority:
        self._thread = thread
        thread.run(self._listen())
        return self

    def set(self, name: str, ttl: int, target: tuple[str, ...] | str) -> int:
        """Change one record, and return the instant just before."""
        at = time.monotonic_ns()
        self.records[name] = (ttl, target)
        return at

    def close(self) -> None:
        assert self._thread is not None
        self._thread.loop.call_soon_threadsafe(self._transport.close)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        host, port = self._transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append((time.monotonic_ns(), name))
        if self.mode == "silent":
            return
        reply = dns.message.make_response(question)
        reply.flags |= dns.flags.AA
        if self.mode == "servfail":
            reply.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(reply, name, question.question[0].rdtype)
        self._transport.sendto(reply.to_wire(), addr)

    def _fill(self, reply: Any, name: str, kind: Any) -> None:
        if name not in self.records:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            soa = "ns.example. hostmaster.example. 1 900 300 604800 60"
            reply.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", soa))
            return
        ttl, target = self.records[name]
        owner = dns.name.from_text(name)
        if isinstance(target, str):
            reply.answer.append(dns.rrset.from_text(owner, ttl, "IN", "CNAME", target + "."))
            self._fill(reply, target, kind)
        elif kind == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text(owner, ttl, "IN", "A", *target))


def free_port(address: str) -> int:
    """A port that is free there, below those that systems give out by themselves: nobody takes it by chance meanwhile."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            tcp.bind((address, port))
            udp.bind((address, port))
            return port


def eventually(truth: Callable[[], bool], within_s: float = 60.0) -> bool:
    """Wait until *truth()*; False where it does not come within *within_s*."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if truth():
            return True
        time.sleep(0.02)
    return truth()
