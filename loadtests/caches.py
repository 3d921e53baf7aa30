"""The name caches that clients stand behind: many, independent, honouring the TTL, and kept warm.

Each cache is one recursive resolver as its users see it. It asks the plan's name servers when its entry has expired,
as often as its other users would make it: in the background, so that its phase is spread over the TTL at any time.
(Caches left to expire cut over at once after a DNS change: 0.09 s was measured where 1.8 s is true.)
"""

from __future__ import annotations

import contextlib
import ipaddress
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import gevent
from gevent import socket as gsocket
from gevent.lock import RLock

from failover_drill.traffic import TrafficPlan, server_address

_MOST_LINKS = 8  # of a CNAME chain that has to be asked for piece by piece
_SYSTEM_TTL_S = 5.0  # getaddrinfo tells no TTL
_IDLE_S = 1.0  # between background attempts that failed, or that a TTL of 0 makes pointless


class LookupFailed(OSError):
    """The name has no address now. Kept for `ttl_s` where the server said how long (RFC 2308)."""

    def __init__(self, message: str, ttl_s: float = 0.0) -> None:
        super().__init__(message)
        self.ttl_s = ttl_s


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a server answered: addresses in its order, and the least TTL along the chain, seconds."""

    addresses: tuple[str, ...]
    ttl_s: float


Ask = Callable[[str], Addresses]


class NameCache:
    """One resolver's cache. A hit costs a dictionary look-up; of those who miss, one asks and the others wait."""

    def __init__(self, ask: Ask, plan: TrafficPlan, phase: float) -> None:
        self._ask = ask
        self._plan = plan
        self._phase = phase
        self._entries: dict[str, tuple[float, tuple[str, ...], str]] = {}
        self._asking = RLock()

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of *name*, never empty. Raises `LookupFailed`."""
        entry = self._entries.get(name)
        if entry is None or time.monotonic() >= entry[0]:
            entry = self._refresh(name)
        if not entry[1]:
            raise LookupFailed(entry[2])
        return entry[1]

    def keep_warm(self, name: str) -> None:
        """Ask again at each expiry, for ever: what the resolver's other users do."""
        while True:
            before = time.monotonic()
            with contextlib.suppress(LookupFailed):
                self.addresses(name)
            expires = self._entries[name][0] if name in self._entries else 0.0
            wait = expires - time.monotonic()
            gevent.sleep(wait if wait > 0 else max(0.0, _IDLE_S - (time.monotonic() - before)))

    def _refresh(self, name: str) -> tuple[float, tuple[str, ...], str]:
        with self._asking:
            entry = self._entries.get(name)
            if entry is not None and time.monotonic() < entry[0]:
                return entry
            try:
                answer = self._ask(name)
                entry = (time.monotonic() + self._kept_s(answer.ttl_s), answer.addresses, "")
            except LookupFailed as failed:
                entry = (time.monotonic() + failed.ttl_s, (), str(failed))
            self._entries[name] = entry
            return entry

    def _kept_s(self, ttl_s: float) -> float:
        """How long this resolver keeps an answer; the first one for part of that, which sets its phase."""
        kept = max(self._plan.ttl_floor_s, ttl_s * self._plan.ttl_factor) + self._plan.ttl_overstay_s
        phase, self._phase = self._phase, 1.0
        return kept * phase


def name_caches(plan: TrafficPlan, seed: int) -> tuple[NameCache, ...]:
    """Return the plan's caches, their phases spread over the TTL: one at random in each of `caches` equal parts."""
    rng = random.Random(seed)
    parts = list(range(plan.caches))
    rng.shuffle(parts)
    ask = asker(plan)
    return tuple(NameCache(ask, plan, (part + rng.random()) / plan.caches) for part in parts)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def asker(plan: TrafficPlan) -> Ask:
    """Return the function that asks the plan's name servers, or the system's where the plan names none."""
    if plan.resolvers:
        servers = tuple(server_address(text) for text in plan.resolvers)
        return lambda name: ask_servers(name, servers, plan.dns_timeout_s)
    system = _system_servers()

    def ask_system(name: str) -> Addresses:
        if "." not in name.rstrip(".") or not system:
            return _ask_libc(name)
        try:
            return ask_servers(name, system, plan.dns_timeout_s)
        except LookupFailed:
            return _ask_libc(name)  # a line of /etc/hosts, say

    return ask_system


def ask_servers(name: str, servers: Sequence[tuple[str, int]], timeout_s: float) -> Addresses:
    """Ask for A, then AAAA, following CNAMEs; each server in turn until one answers. Raises `LookupFailed`."""
    try:
        return _chase(name, dns.rdatatype.A, servers, timeout_s)
    except LookupFailed as no_a:
        if "NODATA" not in str(no_a):
            raise
        try:
            return _chase(name, dns.rdatatype.AAAA, servers, timeout_s)
        except LookupFailed:
            raise no_a from None


def _chase(name: str, kind: dns.rdatatype.RdataType, servers: Sequence[tuple[str, int]], timeout_s: float) -> Addresses:
    at, ttl = dns.name.from_text(name), float("inf")
    for _ in range(_MOST_LINKS):
        reply = _exchange(at, kind, servers, timeout_s)
        chain = reply.resolve_chaining()
        ttl = min(ttl, *(rrset.ttl for rrset in chain.cnames), float("inf"))
        if chain.answer is not None:
            found = tuple(record.address for record in chain.answer)
            return Addresses(found, min(ttl, chain.answer.ttl))
        if reply.rcode() == dns.rcode.NXDOMAIN or chain.canonical_name == at:
            what = "NXDOMAIN" if reply.rcode() == dns.rcode.NXDOMAIN else "NODATA"
            raise LookupFailed(f"{name}: {what}", min(ttl, chain.minimum_ttl) if reply.authority else 0.0)
        at = chain.canonical_name
    raise LookupFailed(f"{name}: chain of CNAMEs is too long")


def _exchange(
    name: dns.name.Name, kind: dns.rdatatype.RdataType, servers: Sequence[tuple[str, int]], timeout_s: float
) -> dns.message.QueryMessage:
    why = "no name server"
    for host, port in servers:
        question = dns.message.make_query(name, kind)
        try:
            reply, _ = dns.query.udp_with_fallback(question, host, timeout=timeout_s, port=port)
        except (dns.exception.DNSException, OSError, EOFError) as error:
            why = type(error).__name__
            continue
        if reply.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) and isinstance(reply, dns.message.QueryMessage):
            return reply
        why = dns.rcode.to_text(reply.rcode())
    raise LookupFailed(f"{name}: {why}")


def _system_servers() -> tuple[tuple[str, int], ...]:
    try:
        system = dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError):
        return ()
    return tuple((str(server), system.port) for server in system.nameservers if is_address(str(server)))


def _ask_libc(name: str) -> Addresses:
    try:
        found = gsocket.getaddrinfo(name, None, 0, gsocket.SOCK_STREAM)
    except OSError as error:
        raise LookupFailed(f"{name}: {error}") from None
    return Addresses(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)), _SYSTEM_TTL_S)
