"""What was watched beside the traffic, in findings.json: strips of DNS answers and of monitor statuses over time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """One DNS answer, from the first time it was seen to the first time another was."""

    began: float
    ended: float
    answer: str
    """Addresses, or the response code where there were none."""
    region: str
    rcode: str


@dataclass(frozen=True, slots=True)
class AnswerStrip:
    vantage: str
    """"authority", or the resolver asked."""
    spans: tuple[AnswerSpan, ...]
    switched: float | None
    """When it first answered with the region that users were moved to, after t0."""


@dataclass(frozen=True, slots=True)
class DnsForm:
    ttl_s: int | None
    names: tuple[str, ...]
    questions: int
    unanswered: int
    authority_switched: float | None
    last_switched: float | None
    propagation_s: float | None
    """Authority switched → last watched resolver switched."""
    strips: tuple[AnswerStrip, ...]


@dataclass(frozen=True, slots=True)
class MonitorSpan:
    began: float
    ended: float
    enabled: str
    health: str


@dataclass(frozen=True, slots=True)
class MonitorStrip:
    """Statuses of one endpoint (or "profile"): what an operator set, and what probing found."""

    subject: str
    spans: tuple[MonitorSpan, ...]
