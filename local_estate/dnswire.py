"""DNS on the wire, for the authority and the resolver alike: sockets, frames, and answers to what is no proper question."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from local_estate.zone import Record

PAYLOAD = 1232  # bytes, the flag day value
LONGEST_TCP = 65535
TCP_IDLE_S = 10.0


class Udp(asyncio.DatagramProtocol):
    """Hand each datagram to *received*, which answers through `transport` when it likes."""

    def __init__(self, received: Callable[[bytes, tuple[str | Any, int]], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._received(data, addr)


def sockets_on(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a TCP socket on one port. Port 0 of UDP need not be free on TCP: try some."""
    for attempt in range(50):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            udp.bind((address, port))
            tcp.bind((address, udp.getsockname()[1]))
        except OSError:
            udp.close()
            tcp.close()
            if port or attempt == 49:
                raise
        else:
            return udp, tcp
    raise AssertionError("unreachable")


async def serve_frames(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Callable[[bytes, str], Awaitable[bytes | None]]
) -> None:
    """Answer the length-prefixed questions of one TCP connection until it ends, idles, or is cancelled."""
    peer = writer.get_extra_info("peername")
    try:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            while peer:
                async with asyncio.timeout(TCP_IDLE_S):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    response = await answer(await reader.readexactly(size), peer[0])
                    if response is not None:
                        writer.write(struct.pack("!H", len(response)) + response)
                        await writer.drain()
    finally:
        writer.close()


def parsed(wire: bytes) -> dns.message.Message | None:
    """Return the message in *wire*, None where there is none to be read."""
    try:
        return dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError, struct.error):
        return None


def size_for(query: dns.message.Message, limit: int) -> int:
    """Return how large the answer may be: over UDP what EDNS offers, at most PAYLOAD; *limit* is that of the transport."""
    if query.edns < 0 or limit >= LONGEST_TCP:
        return limit
    return max(limit, min(query.payload, PAYLOAD))


def refusal(query: dns.message.Message) -> dns.rcode.Rcode | None:
    """Return the rcode for what is no plain question of class IN, None for what is."""
    if query.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if query.edns > 0:
        return dns.rcode.BADVERS
    if len(query.question) != 1:
        return dns.rcode.FORMERR
    question = query.question[0]
    if question.rdclass != dns.rdataclass.IN or question.rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR):
        return dns.rcode.REFUSED
    return None


def add_record(section: list[dns.rrset.RRset], owner: dns.name.Name, record: Record) -> None:
    """Put *record* under *owner* into its set in *section*."""
    fresh = dns.rrset.from_text(owner, record.ttl, "IN", record.rtype, record.text)
    for known in section:
        if known.name == owner and known.rdtype == fresh.rdtype:
            known.update(fresh)  # type: ignore[no-untyped-call]
            return
    section.append(fresh)


def to_wire(response: dns.message.Message, size: int) -> bytes:
    """Return *response* in at most *size* bytes: cut to nothing, with TC set, where it does not fit."""
    try:
        return response.to_wire(max_size=size)
    except dns.exception.TooBig:
        response.flags |= dns.flags.TC
        response.answer, response.authority, response.additional = [], [], []
        return response.to_wire(max_size=512)


def failed(wire: bytes) -> bytes | None:
    """Return SERVFAIL to whatever question *wire* is."""
    return _bare(wire, 2)


def unreadable(wire: bytes) -> bytes | None:
    """Return FORMERR where at least the header can be read as that of a question, NOTIMP for other opcodes, else None."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return _bare(wire, 1 if not (wire[2] >> 3) & 15 else 4, question=False)


def _bare(wire: bytes, rcode: int, *, question: bool = True) -> bytes | None:
    """Return a header-only answer with *rcode*; with the question too, where it can be read."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    header = wire[:2] + bytes(((wire[2] & 0x79) | 0x80, rcode))
    end = _question_end(wire) if question else None
    if end is None:
        return header + bytes(8)
    return header + b"\0\1" + bytes(6) + wire[12:end]


def _question_end(wire: bytes) -> int | None:
    if wire[4:6] != b"\0\1":
        return None
    at = 12
    while at < len(wire) and wire[at]:
        if wire[at] > 63:
            return None
        at += wire[at] + 1
    return at + 5 if at + 5 <= len(wire) else None
