"""A name server that answers what it answered before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.faults_stage import Stage
from local_estate.kinds.authority import Authority
from local_estate.nameserver import DnsFault, DnsKind


@dataclass(frozen=True, slots=True)
class DnsStale(Authority):
    """The name server goes on answering what it answered when the fault began. `probability` decides once, for all questions."""

    kind: ClassVar[str] = "dns_stale"
    wrong: ClassVar[DnsKind] = DnsKind.STALE

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        if stage.rng.random() < probability:
            stage.names.dns_fault(fault_id, DnsFault(DnsKind.STALE))
