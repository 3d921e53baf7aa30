"""DNS as its askers see it: the authority, the watched resolvers, and one caching resolver of our own that honours the TTL.

authority            ip:port, asked straight: what Traffic Manager answers now
<resolver>           ip:port, asked with recursion desired: what its users get
caching resolver     ours, in front of the authority: keeps each answer for its TTL, as a client's resolver does
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from failover_drill.adapters.apart import apart
from failover_drill.errors import SettingsError
from failover_drill.facts import Resolution
from failover_drill.target import Target

AUTHORITY = "authority"
CACHING = "caching resolver"


class NameAsker:
    """`Names` over dnspython. Each question carries its own time limit; what a server does is data, never an exception."""

    def __init__(self, target: Target, *, timeout_s: float = 2.0) -> None:
        self._target, self._timeout_s = target, timeout_s
        self._servers = {AUTHORITY: _server(target.authorities[0])} | {n: _server(s) for n, s in target.resolvers}
        self._cache = _caching(self._servers[AUTHORITY], timeout_s)
        self.vantages: tuple[str, ...] = (*self._servers, CACHING)

    def ask(self, vantage: str) -> Resolution:
        return apart(partial(self._asked, vantage))  # dnspython's cache has a lock, too

    def _asked(self, vantage: str) -> Resolution:
        asked_ns = time.monotonic_ns()
        try:
            answer = self._cached() if vantage == CACHING else self._straight(vantage)
        except dns.exception.Timeout:
            return self._nothing(vantage, asked_ns, "TIMEOUT")
        except (dns.exception.DNSException, OSError, EOFError):
            return self._nothing(vantage, asked_ns, "ERROR")
        return self._resolution(vantage, asked_ns, answer)

    def _straight(self, vantage: str) -> dns.message.Message:
        host, port = self._servers[vantage]
        question = dns.message.make_query(self._target.public_host, "A", use_edns=0)
        if vantage == AUTHORITY:
            question.flags &= ~dns.flags.RD
        answer, _ = dns.query.udp_with_fallback(question, host, timeout=self._timeout_s, port=port)
        return answer

    def _cached(self) -> dns.message.Message:
        return self._cache.resolve(self._target.public_host, "A", raise_on_no_answer=False).response

    def _nothing(self, vantage: str, asked_ns: int, rcode: str) -> Resolution:
        return Resolution(asked_ns, time.monotonic_ns(), vantage, self._target.public_host, rcode)

    def _resolution(self, vantage: str, asked_ns: int, answer: dns.message.Message) -> Resolution:
        addresses = tuple(r.address for s in answer.answer if s.rdtype == dns.rdatatype.A for r in s)
        cnames = tuple(
            r.target.to_text(omit_final_dot=True) for s in answer.answer if s.rdtype == dns.rdatatype.CNAME for r in s
        )
        return Resolution(
            asked_ns,
            time.monotonic_ns(),
            vantage,
            self._target.public_host,
            dns.rcode.to_text(answer.rcode()),
            addresses,
            cnames,
            min((s.ttl for s in answer.answer), default=None),
            self._region(addresses, cnames),
        )

    def _region(self, addresses: Iterable[str], cnames: Iterable[str]) -> str:
        """Return whose answer it is: by the site's name in the chain, else by the address. "" where it is nobody's."""
        hosts = {r.default_host.lower(): r.name for r in self._target.regions}
        for name in cnames:
            if name.lower() in hosts:
                return hosts[name.lower()]
        known = self._target.by_address()
        return next((known[a] for a in addresses if a in known), "")


def _caching(server: tuple[str, int], timeout_s: float) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [server[0]], server[1]
    resolver.lifetime = resolver.timeout = timeout_s
    resolver.cache = dns.resolver.Cache()
    return resolver


def _server(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f'resolver {text!r}: must be "ip:port", such as "127.0.0.1:53"')
    return host, int(port)
