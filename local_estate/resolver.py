"""`python -m local_estate.resolver`: a small caching recursive resolver in front of the estate's name server.

    client ──> UDP or TCP ──> Memory (recursion.py) ──missing──> the estate's name server

For real caches there is unbound (`python -m local_estate.unbound`); this one has an exact clock, and a TTL discipline that can be
broken on purpose: `--floor`, `--factor`, `--overstay`, or at run time `resolver.overstay("fault-9", seconds)`, `None` to undo.
Prints one JSON line when ready: {"resolver": "127.0.0.1:5…", "upstream": …, "pid": …}; serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from local_estate.dnswire import (
    LONGEST_TCP,
    PAYLOAD,
    Udp,
    add_record,
    parsed,
    refusal,
    serve_frames,
    size_for,
    sockets_on,
    to_wire,
    unreadable,
)
from local_estate.recursion import UNKNOWN, Answer, Entry, Key, Learnt, Memory, Missing, Policy
from local_estate.zone import Record

PATIENCE_S = 2.0  # for one upstream answer, UDP and then TCP
MOST_ASKED = 20  # upstream questions for one question of a client


class Resolver:
    """Answer recursively for *upstream* = (address, port). *clock* gives seconds; tests inject their own."""

    def __init__(
        self, upstream: tuple[str, int], policy: Policy | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.upstream = upstream
        self.memory = Memory(policy or Policy())
        self.port = 0
        self.asked = 0  # upstream questions so far
        self._policy = self.memory.policy
        self._overstays: dict[str, float] = {}
        self._clock = clock
        self._flights: dict[Key, asyncio.Task[dict[Key, Entry]]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self, address: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on UDP and TCP of one port (0: pick). Raises OSError."""
        udp, tcp = sockets_on(address, port)
        self.port = udp.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: Udp(self._datagram), sock=udp)
        self._tcp = await asyncio.start_server(self._stream, sock=tcp)

    async def stop(self) -> None:
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()
        work = [*self._work, *self._flights.values()]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    def overstay(self, key: str, seconds: float | None) -> None:
        """Serve everything, cached entries too, *seconds* longer than the TTL allows; None under the same *key* undoes."""
        self._overstays.pop(key, None)
        if seconds is not None:
            self._overstays[key] = seconds
        self.memory.policy = replace(self._policy, overstay_s=self._policy.overstay_s + sum(self._overstays.values()))

    async def resolve(self, name: str, rtype: str) -> Answer:
        """Return the answer for *name*, from the cache or from upstream; SERVFAIL where upstream is of no use."""
        fresh: dict[Key, Entry] = {}
        for _ in range(MOST_ASKED):
            found = self.memory.answer(self._clock(), name, rtype, fresh)
            if isinstance(found, Answer):
                return found
            try:
                fresh |= await self._learnt(found)
            except _Refused:
                if found.name == name.lower():
                    return Answer("SERVFAIL")
                fresh[found.name, found.rtype] = UNKNOWN
            except (dns.exception.DNSException, OSError, EOFError, ValueError, _Useless):
                return Answer("SERVFAIL")
        return Answer("SERVFAIL")

    async def _learnt(self, missing: Missing) -> dict[Key, Entry]:
        """Ask upstream once for all who miss the same now."""
        key = missing.name, missing.rtype
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.get_running_loop().create_task(self._ask(missing))
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return await asyncio.shield(flight)

    async def _ask(self, missing: Missing) -> dict[Key, Entry]:
        self.asked += 1
        query = dns.message.make_query(missing.name, missing.rtype, use_edns=0, payload=PAYLOAD)
        query.flags &= ~dns.flags.RD
        address, port = self.upstream
        response, _ = await dns.asyncquery.udp_with_fallback(query, address, port=port, timeout=PATIENCE_S)
        if response.rcode() == dns.rcode.REFUSED:
            raise _Refused
        if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise _Useless
        return self.memory.learn(self._clock(), missing.name, missing.rtype, taken_apart(response))

    # ---- the wire -------------------------------------------------------------------------------------------------

    def _datagram(self, wire: bytes, peer: tuple[str | Any, int]) -> None:
        self._spawn(self._answer_datagram(wire, peer))

    async def _answer_datagram(self, wire: bytes, peer: tuple[str | Any, int]) -> None:
        response = await self.reply_to(wire, 512)
        if response is not None and self._udp is not None and not self._udp.is_closing():
            self._udp.sendto(response, peer)

    async def reply_to(self, wire: bytes, limit: int) -> bytes | None:
        """Return the wire answer to the wire question."""
        query = parsed(wire)
        if query is None:
            return unreadable(wire)
        if query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, recursion_available=True, our_payload=PAYLOAD)
        if rcode := refusal(query):
            response.set_rcode(rcode)
        else:
            question = query.question[0]
            found = await self.resolve(
                question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
            )
            _fill(response, question.name, found)
        return to_wire(response, size_for(query, limit))

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._work.add(task)
        try:
            await serve_frames(reader, writer, self._framed)
        finally:
            self._work.discard(task)

    async def _framed(self, wire: bytes, _peer: str) -> bytes | None:
        return await self.reply_to(wire, LONGEST_TCP)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


class _Useless(Exception):
    """Upstream answered with neither a yes nor a no."""


class _Refused(Exception):
    """Upstream knows nothing of the zone."""


def taken_apart(response: dns.message.Message) -> Learnt:
    """Return the record sets of an upstream answer, and the SOA of a negative one."""
    sets = tuple(_records(rrset) for rrset in response.answer)
    soa = next((_records(r)[0] for r in response.authority if r.rdtype == dns.rdatatype.SOA), None)
    return Learnt(sets, dns.rcode.to_text(response.rcode()), soa)


def _records(rrset: dns.rrset.RRset) -> tuple[Record, ...]:
    name = rrset.name.to_text(omit_final_dot=True)
    return tuple(Record(name, int(rrset.ttl), dns.rdatatype.to_text(rrset.rdtype), rdata.to_text()) for rdata in rrset)


def _fill(response: dns.message.Message, asked: dns.name.Name, found: Answer) -> None:
    response.set_rcode(dns.rcode.from_text(found.rcode))
    text = asked.to_text(omit_final_dot=True).lower()
    for section, records in ((response.answer, found.records), (response.authority, found.authority)):
        for record in records:
            owner = asked if record.name.lower() == text else dns.name.from_text(record.name)
            add_record(section, owner, record)


async def _serve(args: argparse.Namespace) -> None:
    policy = Policy(args.floor, factor=args.factor, overstay_s=args.overstay)
    resolver = Resolver(args.upstream, policy)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await resolver.start(args.address, args.port)
    upstream = f"{args.upstream[0]}:{args.upstream[1]}"
    print(
        json.dumps({"resolver": f"{args.address}:{resolver.port}", "upstream": upstream, "pid": os.getpid()}),
        flush=True,
    )
    await stop.wait()
    await resolver.stop()


def endpoint(text: str) -> tuple[str, int]:
    """Return address and port of "127.0.0.1:5300". Raises argparse.ArgumentTypeError."""
    address, _, port = text.rpartition(":")
    if not address.startswith("127.") or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} must be a loopback address and a port, as in 127.0.0.1:5300")
    return address, int(port)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local_estate.resolver", description="A caching resolver for the estate."
    )
    parser.add_argument("--upstream", type=endpoint, required=True, help="the estate's name server, ADDRESS:PORT")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks one")
    parser.add_argument("--floor", type=float, default=0.0, help="seconds; shorter TTLs are stretched to it")
    parser.add_argument("--factor", type=float, default=1.0, help="TTLs are multiplied by it")
    parser.add_argument(
        "--overstay", type=float, default=0.0, help="seconds; answers are served so much beyond the TTL"
    )
    args = parser.parse_args()
    try:
        asyncio.run(_serve(args))
    except OSError as error:
        sys.exit(f"local_estate.resolver: cannot listen on {args.address} port {args.port}: {error.strerror}")


if __name__ == "__main__":
    main()
