"""The estate's authoritative name server: UDP and TCP on one port.

    World, healths ──change──> snapshot ──propagation delay──> published snapshot ──> answers (memoised until the next one)
    datagram ──> memo? ──> dnspython ──> zone.resolve ──> wire

What is answered is in zone.py; here is what real authorities do on the wire: `aa` set, `ra` clear, EDNS with a payload of 1232,
BADVERS, client subnet (RFC 7871), truncation, TCP, NOTIMP, REFUSED outside our zones and for other classes.

For faults:  `server.dns_fault("fault-3", DnsFault(DnsKind.SERVFAIL, share=0.5))`, `server.dns_fault("fault-3", None)` undoes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from local_estate import zone
from local_estate.dnswire import (
    LONGEST_TCP,
    PAYLOAD,
    Udp,
    add_record,
    failed,
    parsed,
    refusal,
    serve_frames,
    size_for,
    sockets_on,
    to_wire,
    unreadable,
)
from local_estate.places import Source, SourceMap
from local_estate.ports import CannotBind
from local_estate.routing import Healths
from local_estate.topology import World
from local_estate.truth import Truth
from local_estate.zone import Record, Reply, Snapshot

MEMO_LIMIT = 4096


class DnsKind(StrEnum):
    SILENT = "silent"  # questions are read and never answered
    SERVFAIL = "servfail"
    STALE = "stale"  # answers stay as they are now, whatever changes


@dataclass(frozen=True, slots=True)
class DnsFault:
    """What the name server does wrong; `share` of the questions, 0 to 1 (stale answers are always for all)."""

    kind: DnsKind
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be from 0 to 1, not {self.share!r}")


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it was read."""

    name: str
    rtype: str
    source: Source


Wired = tuple[bytes, int, str]  # a question without its id, the transport's limit, who asks


class HealthView(Protocol):
    """What the name server needs of the monitor."""

    def healths(self) -> Healths: ...


class NameServer:
    """Serve `zone.resolve` on one port.

    *address_of* maps a region to its address; *aliases* custom names to profile names; *propagation_s* is scaled already and is
    the time between a change (of the World or of a health) and the answer that shows it.
    """

    def __init__(
        self,
        world: World,
        health: HealthView,
        *,
        truth: Truth,
        address_of: Callable[[str], str],
        aliases: Mapping[str, str],
        propagation_s: float = 0.0,
        sources: SourceMap | None = None,
        alias_ttl_s: int = zone.CUSTOM_TTL_S,
        rng: random.Random | None = None,
        beyond: bool = True,
    ) -> None:
        self.propagation_s = propagation_s
        self._beyond = beyond
        self.port = 0
        self._world, self._health, self._truth = world, health, truth
        self._address_of, self._aliases, self._alias_ttl_s = address_of, dict(aliases), alias_ttl_s
        self._sources = sources or SourceMap()
        self._rng = rng or random.Random()
        self._faults: dict[str, DnsFault] = {}
        self._memo: dict[Wired | tuple[Wired, tuple[Record, ...]], bytes] = {}
        self._draws: dict[Wired, Question] = {}
        self._coming: deque[Snapshot] = deque()
        self._timers: deque[asyncio.TimerHandle] = deque()
        self._told: dict[str, tuple[Any, ...]] = {}
        self.published = self._snapshot()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._streams: set[asyncio.Task[None]] = set()

    async def start(self, address: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on UDP and TCP of one port (0: pick); publish the World as it is, and follow it from now on. Raises OSError."""
        loop = asyncio.get_running_loop()
        udp, tcp = sockets_on(address, port)
        self.port = udp.getsockname()[1]
        self._publish(self._snapshot())
        self._udp, _ = await loop.create_datagram_endpoint(lambda: Udp(self._datagram), sock=udp)
        self._tcp = await asyncio.start_server(self._stream, sock=tcp, backlog=256)
        self._world.listeners.append(lambda _world: self.changed())

    async def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()
        for task in tuple(self._streams):
            task.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)

    # ---- what is published ----------------------------------------------------------------------------------------

    def changed(self) -> None:
        """The World or a health changed: publish the state of this instant after the propagation delay."""
        now = self._snapshot()
        if self.propagation_s <= 0:
            self._publish(now)
            return
        self._coming.append(now)
        self._timers.append(asyncio.get_running_loop().call_later(self.propagation_s, self._arrived))

    def dns_fault(self, key: str, fault: DnsFault | None) -> None:
        """Put *fault* under *key*, or with None take it away."""
        self._faults.pop(key, None)
        if fault is not None:
            self._faults[key] = fault
        if not self._stale():
            self._publish(self._pending or self.published)

    def faults(self) -> dict[str, DnsFault]:
        return dict(self._faults)

    def answers(self) -> dict[str, tuple[str, ...]]:
        """Return the final addresses of each custom name and profile name, as answered just now."""
        return {name: found[0] for name, found in self._told.items()}

    _pending: Snapshot | None = None  # arrived while answers were kept stale

    def _arrived(self) -> None:
        self._timers.popleft()
        self._publish(self._coming.popleft())

    def _publish(self, snap: Snapshot) -> None:
        if self._stale():
            self._pending = snap
            return
        self._pending = None
        told = {name: _final(snap, name) for name in (*snap.aliases, *snap.by_name)}
        changes = [n for n in {**told, **self._told} if told.get(n) != self._told.get(n)]
        # Stamped here, and no question is read before the new snapshot is in place: one turn of the loop.
        at_ns = time.monotonic_ns()
        for name in changes:
            self._tell(name, self._told.get(name), told.get(name), at_ns)
        self._told = told
        self.published = snap
        self._memo.clear()
        self._draws.clear()

    def _tell(self, name: str, before: tuple[Any, ...] | None, after: tuple[Any, ...] | None, at_ns: int) -> None:
        addresses, targets, rcode, ttl = after or ((), (), "NXDOMAIN", 0)
        self._truth.write(
            "answer",
            t_ns=at_ns,
            name=name,
            answer=addresses,
            previous=before[0] if before else (),
            targets=targets,
            rcode=rcode,
            ttl=ttl,
        )

    def _snapshot(self) -> Snapshot:
        addresses: dict[str, str] = {}
        for region in {app.region for app in self._world.apps.values()}:
            with contextlib.suppress(CannotBind):  # a region that cannot appear has no address, and its sites no name
                addresses[region] = self._address_of(region)
        return zone.snapshot(self._world, self._health.healths(), addresses, self._aliases, self._alias_ttl_s)

    def _stale(self) -> bool:
        return any(f.kind is DnsKind.STALE for f in self._faults.values())

    # ---- questions ------------------------------------------------------------------------------------------------

    def reply_to(self, wire: bytes, peer: str, limit: int) -> bytes | None:
        """Return the answer to the question *wire* from address *peer*, at most *limit* bytes before EDNS; None: stay silent."""
        if self._faults and (kind := self._struck()):
            return None if kind is DnsKind.SILENT else failed(wire)
        key = (wire[2:], limit, peer)
        if (known := self._memo.get(key) or self._drawn(key)) is not None:
            return wire[:2] + known
        return self._made(wire, peer, limit, key)

    def _drawn(self, key: Wired) -> bytes | None:
        """Draw anew for a question that was read before; return the answer where that draw was made into bytes before."""
        question = self._draws.get(key)
        if question is None:
            return None
        return self._memo.get((key, self._resolved(question).answer))

    def _resolved(self, question: Question) -> Reply:
        asked = question.name, question.rtype, question.source
        return zone.resolve(self.published, *asked, self._rng, beyond=self._beyond)

    def _datagram(self, wire: bytes, peer: tuple[str | Any, int]) -> None:
        response = self.reply_to(wire, peer[0], 512)
        if response is not None and self._udp is not None:
            self._udp.sendto(response, peer)

    def _struck(self) -> DnsKind | None:
        for fault in self._faults.values():
            if fault.kind is not DnsKind.STALE and self._rng.random() < fault.share:
                return fault.kind
        return None

    def _made(self, wire: bytes, peer: str, limit: int, key: Wired) -> bytes | None:
        """Read, resolve and write; remember what may be given again."""
        query = parsed(wire)
        if query is None:
            return unreadable(wire)
        if query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, our_payload=PAYLOAD)
        response.flags &= ~dns.flags.RA
        if rcode := refusal(query):
            response.set_rcode(rcode)
            return to_wire(response, size_for(query, limit))
        try:
            question, reply = self._respond(query, response, peer)
        except (dns.exception.DNSException, ValueError):  # an endpoint's target that is no host name
            return failed(wire)
        made = to_wire(response, size_for(query, limit))
        self._remember(key, question, reply, made[2:])
        return made

    def _respond(self, query: dns.message.Message, response: dns.message.Message, peer: str) -> tuple[Question, Reply]:
        asked = query.question[0]
        source, subnet = self._source(query, peer)
        question = Question(asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype), source)
        reply = self._resolved(question)
        _fill(response, asked.name, reply)
        if subnet is not None:
            scope = source.scope if reply.by_source else 0
            response.use_edns(0, payload=PAYLOAD, options=[dns.edns.ECSOption(subnet.address, subnet.srclen, scope)])
        return question, reply

    def _remember(self, key: Wired, question: Question, reply: Reply, made: bytes) -> None:
        if len(self._memo) >= MEMO_LIMIT:
            return
        if reply.drawn:
            self._draws[key] = question
            self._memo[key, reply.answer] = made
        else:
            self._memo[key] = made

    def _source(self, query: dns.message.Message, peer: str) -> tuple[Source, dns.edns.ECSOption | None]:
        subnet = next((o for o in query.options if isinstance(o, dns.edns.ECSOption)), None)
        if subnet is None or not subnet.srclen:
            return self._sources.source(peer, 32), subnet
        return self._sources.source(subnet.address, subnet.srclen), subnet

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            await serve_frames(reader, writer, self._framed)
        finally:
            self._streams.discard(task)

    async def _framed(self, wire: bytes, peer: str) -> bytes | None:
        return self.reply_to(wire, peer, LONGEST_TCP)


def _final(snap: Snapshot, name: str) -> tuple[Any, ...]:
    """Return (addresses, targets, rcode, ttl) of *name*: all that could be answered, so that a draw is no change."""
    reply = zone.resolve(snap, name, "A", Source(), random.Random(0))
    targets = tuple(r.text.rstrip(".") for r in reply.answer if r.rtype == "CNAME")
    direct = tuple(r.text for r in reply.answer if r.rtype != "CNAME")
    addresses = reply.possible if reply.drawn else direct
    if reply.drawn:
        targets = ()
    profile = snap.by_name.get(snap.aliases.get(name, name))
    return tuple(sorted(addresses)), targets, reply.rcode, profile.ttl if profile else 0


def _fill(response: dns.message.Message, asked: dns.name.Name, reply: Reply) -> None:
    response.set_rcode(dns.rcode.from_text(reply.rcode))
    if reply.rcode != "REFUSED":
        response.flags |= dns.flags.AA
    for number, record in enumerate(reply.answer):
        same = record.name.lower() == reply.answer[0].name.lower()
        owner = asked if number == 0 or same else dns.name.from_text(record.name)
        add_record(response.answer, owner, record)
    for record in reply.authority:
        add_record(response.authority, dns.name.from_text(record.name), record)
