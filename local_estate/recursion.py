"""What a caching recursive resolver remembers, and what it answers. Pure: the time is an argument, in seconds of any clock.

    answer(now, name, type) ──> Answer                       all in the cache
                            └─> Missing(name, type) ──ask──> learn(now, message) ──> answer again

Each record set is kept for its own TTL: of www -> profile -> site -> address only the link that ran out is asked for again, and
what is handed on counts down. Negative answers are kept for the lesser of the SOA's TTL and its minimum (RFC 2308).
TTL 0 is used for the question at hand and not kept (`fresh`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from local_estate.zone import Record

LONGEST_CHAIN = 16
Key = tuple[str, str]  # name in lower case without the final dot, type


@dataclass(frozen=True, slots=True)
class Policy:
    """How the resolver treats TTLs. Violations of the TTL are what `floor_s`, `factor` and `overstay_s` are for."""

    floor_s: float = 0.0  # shorter TTLs are stretched to this
    cap_s: float = 86_400.0  # longer ones are cut to it
    factor: float = 1.0
    overstay_s: float = 0.0  # served so much longer than the TTL says

    def lifetime_s(self, ttl: float) -> float:
        """Return how long a record set with *ttl* is served."""
        return min(self.cap_s, max(self.floor_s, ttl * self.factor)) + self.overstay_s


@dataclass(frozen=True, slots=True)
class Entry:
    """A record set, or that there is none: then `rcode` says why, and `records` holds the SOA."""

    records: tuple[Record, ...]
    ttl: float
    stored_s: float
    rcode: str = "NOERROR"
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Learnt:
    """One upstream answer, taken apart: positive record sets in order, and the negative end where there is one."""

    sets: tuple[tuple[Record, ...], ...]
    rcode: str = "NOERROR"
    soa: Record | None = None

    @property
    def unfinished(self) -> bool:
        """It ends in a CNAME, and says nothing of what that leads to."""
        last = self.sets[-1][0].rtype if self.sets else ""
        return last == "CNAME" and self.rcode == "NOERROR" and self.soa is None


@dataclass(frozen=True, slots=True)
class Answer:
    rcode: str
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """The name and type that must be asked for first."""

    name: str
    rtype: str


@dataclass(slots=True)
class Memory:
    """The cache. `policy` may be changed at any time and holds for what is in it already."""

    policy: Policy = Policy()
    entries: dict[Key, Entry] = field(default_factory=dict)

    def answer(self, now_s: float, name: str, rtype: str, fresh: Mapping[Key, Entry] | None = None) -> Answer | Missing:
        """Answer from the cache and from what was *fresh*ly learnt for this question, or say what is missing."""
        found: list[Record] = []
        at = name.lower()
        for _ in range(LONGEST_CHAIN):
            entry = self._entry(now_s, at, rtype, fresh or {})
            if entry is None and rtype != "CNAME":
                alias = self._entry(now_s, at, "CNAME", fresh or {})
                if alias is not None and not alias.negative:
                    found += self._aged(now_s, alias)
                    at = alias.records[0].text.rstrip(".").lower()
                    continue
            if entry is None:
                return Missing(at, rtype)
            if entry.negative:
                return Answer(entry.rcode, tuple(found), tuple(self._aged(now_s, entry)))
            return Answer("NOERROR", (*found, *self._aged(now_s, entry)))
        return Answer("SERVFAIL")

    def learn(self, now_s: float, name: str, rtype: str, learnt: Learnt) -> dict[Key, Entry]:
        """Keep what came back for (*name*, *rtype*); return it too, for the question at hand."""
        fresh: dict[Key, Entry] = {}
        end = name.lower()
        for records in learnt.sets:
            first = records[0]
            fresh[first.name.lower().rstrip("."), first.rtype] = Entry(records, min(r.ttl for r in records), now_s)
            if first.rtype == "CNAME":
                end = first.text.rstrip(".").lower()
        if (end, rtype) not in fresh and not (rtype == "CNAME" and learnt.sets) and not learnt.unfinished:
            fresh[end, "*" if learnt.rcode == "NXDOMAIN" else rtype] = _nothing(learnt, now_s)
        self.entries.update({k: e for k, e in fresh.items() if self.policy.lifetime_s(e.ttl) > 0})
        return fresh

    def forget_expired(self, now_s: float) -> None:
        self.entries = {k: e for k, e in self.entries.items() if self._left_s(now_s, e) > 0}

    def _entry(self, now_s: float, name: str, rtype: str, fresh: Mapping[Key, Entry]) -> Entry | None:
        for key in ((name, rtype), (name, "*")):
            if key in fresh:
                return fresh[key]
            entry = self.entries.get(key)
            if entry is not None and self._left_s(now_s, entry) > 0:
                return entry
        return None

    def _left_s(self, now_s: float, entry: Entry) -> float:
        return entry.stored_s + self.policy.lifetime_s(entry.ttl) - now_s

    def _aged(self, now_s: float, entry: Entry) -> Iterable[Record]:
        # Rounded up: a record handed out with TTL 0 would say "do not keep", which nobody said.
        left = max(0, -int(-self._left_s(now_s, entry) // 1)) if self.policy.lifetime_s(entry.ttl) > 0 else 0
        return [Record(r.name, left, r.rtype, r.text) for r in entry.records]


UNKNOWN = Entry((), 0, 0.0, negative=True)
"""What stands for the end of a chain that leads out of all that the upstream knows."""


def _nothing(learnt: Learnt, now_s: float) -> Entry:
    if learnt.soa is None:
        return Entry((), 0, now_s, learnt.rcode, negative=True)
    ttl = min(learnt.soa.ttl, int(learnt.soa.text.split()[-1]))
    return Entry((learnt.soa,), ttl, now_s, learnt.rcode, negative=True)
