"""What the estate's authority knows, and what it answers. Pure: a snapshot of the estate and a question in, a reply out.

    www.proseware.example ─CNAME─> drill.trafficmanager.net ─CNAME─> app.azurewebsites.net ─A─> 127.0.1.1
    zone of the custom domain      Traffic Manager (TTL of the profile)   App Service (TTL 30)

A CNAME is followed as long as it stays inside these zones, in one answer; or, as Traffic Manager's own servers do, only inside
the zone of the name asked for. The rcode is that of the last name (RFC 6604), and a negative answer carries the SOA of the
zone it comes from. The query-type table is azure-facts §3.2.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from local_estate import routing
from local_estate.places import Source
from local_estate.routing import Choice, Healths, Verdict
from local_estate.topology import Endpoint, Profile, WebApp, World

TM_ZONE = "trafficmanager.net"
SITES_ZONE = "azurewebsites.net"
SITE_TTL_S = 30  # U, azure-facts §3.3
CUSTOM_TTL_S = 300
LONGEST_CHAIN = 16

TM_SERVERS = ("tm1.dns-tm.com", "tm2.dns-tm.com", "tm1.edgedns-tm.info", "tm2.edgedns-tm.info")
SITES_SERVERS = ("ns1-08.azure-dns.com", "ns2-08.azure-dns.net")


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record, in text form. TTL in seconds."""

    name: str
    ttl: int
    rtype: str
    text: str


@dataclass(frozen=True, slots=True)
class Apex:
    """A zone's own records. Negative answers are cached for the SOA's minimum (RFC 2308)."""

    name: str
    servers: tuple[str, ...]
    mailbox: str
    minimum: int
    serial: int = 2003080800

    def soa(self) -> Record:
        timers = f"{self.serial} 900 300 2419200 {self.minimum}"
        return Record(self.name, self.minimum, "SOA", f"{self.servers[0]}. {self.mailbox}. {timers}")

    def ns(self) -> tuple[Record, ...]:
        return tuple(Record(self.name, 172800, "NS", f"{server}.") for server in self.servers)


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. `by_source` and `drawn` as in `Choice`: such a reply must not be memoised for others."""

    rcode: str
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    by_source: bool = False
    drawn: bool = False
    possible: tuple[str, ...] = ()  # addresses or outside names that the chain may end in


REFUSED = Reply("REFUSED")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that answers depend on, as of one instant. Names are lower case, without the final dot."""

    zones: Mapping[str, Apex]
    profiles: Mapping[routing.ProfileKey, Profile] = field(default_factory=dict)
    healths: Healths = field(default_factory=dict)
    by_name: Mapping[str, Profile] = field(default_factory=dict)  # profile fqdn -> profile
    sites: Mapping[str, str] = field(default_factory=dict)  # site host name -> address
    aliases: Mapping[str, str] = field(default_factory=dict)  # custom name -> what it is a CNAME of
    alias_ttl_s: int = CUSTOM_TTL_S

    def names(self) -> set[str]:
        return {*self.by_name, *self.sites, *self.aliases}


def zones_for(aliases: Mapping[str, str]) -> dict[str, Apex]:
    """Return Azure's two zones and the parent domain of each custom name."""
    apexes = [
        Apex(TM_ZONE, TM_SERVERS, f"hostmaster.{TM_ZONE}", 30),
        Apex(SITES_ZONE, SITES_SERVERS, "azuredns-hostmaster.microsoft.com", 30),
    ]
    for name in aliases:
        parent = name.lower().partition(".")[2]
        apexes.append(Apex(parent, (f"ns1.{parent}",), f"hostmaster.{parent}", 60, 1))
    return {a.name: a for a in apexes}


def snapshot(
    world: World,
    healths: Healths,
    addresses: Mapping[str, str],
    aliases: Mapping[str, str],
    alias_ttl_s: int = CUSTOM_TTL_S,
) -> Snapshot:
    """Return the snapshot of *world*; *addresses* maps regions to addresses, *aliases* custom names to their targets."""
    return Snapshot(
        zones_for(aliases),
        dict(world.profiles),
        dict(healths),
        {p.fqdn.lower(): p for p in world.profiles.values()},
        {host: addresses[a.region] for a in world.apps.values() if a.region in addresses for host in site_hosts(a)},
        {name.lower(): target.lower() for name, target in aliases.items()},
        alias_ttl_s,
    )


def site_hosts(app: WebApp) -> tuple[str, str]:
    """Return the names App Service gives an app: the default one and that of its Kudu site."""
    host = app.default_host.lower()
    name, _, rest = host.partition(".")
    return host, f"{name}.scm.{rest}"


def resolve(
    snap: Snapshot, qname: str, qtype: str, source: Source, rng: random.Random, *, beyond: bool = True
) -> Reply:
    """Answer one question, of class IN. *qname* without the final dot, in any case; it is kept in the first record.

    `beyond`: follow a CNAME into another zone of ours, too.
    """
    name, owner = qname.lower(), qname
    own = zone_of(snap, name)
    records: list[Record] = []
    by_source = drawn = False
    possible: tuple[str, ...] = ()
    for _ in range(LONGEST_CHAIN):
        apex = zone_of(snap, name)
        if apex is None or (apex != own and not beyond):
            return (
                REFUSED if not records else Reply("NOERROR", tuple(records), (), by_source, drawn, possible or (name,))
            )
        step = _step(snap, apex, name, owner, qtype, source, rng)
        records.extend(step.answer)
        by_source, drawn, possible = by_source or step.by_source, drawn or step.drawn, possible or step.possible
        last = step.answer[-1] if step.answer else None
        if last is None or last.rtype != "CNAME" or qtype in ("CNAME", "ANY"):
            return Reply(step.rcode, tuple(records), step.authority, by_source, drawn, possible)
        name = owner = last.text.rstrip(".").lower()
    return Reply("SERVFAIL")


def zone_of(snap: Snapshot, name: str) -> Apex | None:
    """Return the zone that *name* is in, None where it is in none of ours."""
    while name:
        if name in snap.zones:
            return snap.zones[name]
        name = name.partition(".")[2]
    return None


def _step(snap: Snapshot, apex: Apex, name: str, owner: str, qtype: str, source: Source, rng: random.Random) -> Reply:
    """Answer for one name, without following."""
    if name == apex.name:
        return _apex_reply(apex, owner, qtype)
    if profile := snap.by_name.get(name):
        choice = routing.answer(profile, snap.profiles, snap.healths, source, rng)
        return _profile_reply(snap, apex, profile, choice, owner, qtype)
    if target := snap.aliases.get(name):
        return Reply("NOERROR", (Record(owner, snap.alias_ttl_s, "CNAME", f"{target}."),))
    if address := snap.sites.get(name):
        return _typed(apex, owner, qtype, SITE_TTL_S, (address,))
    return _nodata(apex) if any(n.endswith(f".{name}") for n in snap.names()) else _nxdomain(apex)


def _apex_reply(apex: Apex, owner: str, qtype: str) -> Reply:
    own = {"SOA": (apex.soa(),), "NS": apex.ns(), "ANY": (apex.soa(), *apex.ns())}.get(qtype)
    if own is None:
        return _nodata(apex)
    return Reply("NOERROR", tuple(Record(owner, r.ttl, r.rtype, r.text) for r in own))


def _profile_reply(snap: Snapshot, apex: Apex, profile: Profile, choice: Choice, owner: str, qtype: str) -> Reply:
    if choice.verdict is not Verdict.TARGETS:
        negative = _nxdomain(apex) if choice.verdict is Verdict.NXDOMAIN else _nodata(apex)
        return Reply(negative.rcode, (), negative.authority, choice.by_source, choice.drawn)
    possible = tuple(sorted({_end_of(snap, e) for e in choice.possible}))
    targets = tuple(e.target.lower().rstrip(".") for e in choice.endpoints)
    addresses = tuple(t for t in targets if is_address(t))
    if addresses or profile.routing == "MultiValue":
        typed = _typed(apex, owner, qtype, profile.ttl, addresses)
        return Reply("NOERROR", typed.answer, typed.authority, choice.by_source, choice.drawn, possible)
    # The documented table names A, AAAA, CNAME and ANY; a CNAME answers every other type, too (RFC 1034 §3.6.2).
    cname = Record(owner, profile.ttl, "CNAME", f"{targets[0]}.")
    return Reply("NOERROR", (cname,), (), choice.by_source, choice.drawn, possible)


def _end_of(snap: Snapshot, endpoint: Endpoint) -> str:
    target = endpoint.target.lower().rstrip(".")
    return snap.sites.get(target, target)


def _typed(apex: Apex, owner: str, qtype: str, ttl: int, addresses: tuple[str, ...]) -> Reply:
    """Answer with those addresses that are of the type asked for, NODATA where there is none."""
    found = tuple(
        Record(owner, ttl, rtype, a) for a in addresses if (rtype := _address_type(a)) == qtype or qtype == "ANY"
    )
    return Reply("NOERROR", found, (), possible=addresses) if found else _nodata(apex)


def _address_type(address: str) -> str:
    return "A" if ipaddress.ip_address(address).version == 4 else "AAAA"


def is_address(text: str) -> bool:
    """Whether *text* is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _nodata(apex: Apex) -> Reply:
    return Reply("NOERROR", (), (apex.soa(),))


def _nxdomain(apex: Apex) -> Reply:
    return Reply("NXDOMAIN", (), (apex.soa(),))
