"""What faults of the name server have in common."""

from __future__ import annotations

from typing import ClassVar

from local_estate.faults_stage import Stage
from local_estate.nameserver import DnsFault, DnsKind


class Authority:
    """A fault of the name server; the probability is the share of questions struck."""

    __slots__ = ()
    wrong: ClassVar[DnsKind]

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        stage.names.dns_fault(fault_id, DnsFault(self.wrong, probability))

    async def end(self, stage: Stage, fault_id: str) -> None:
        stage.names.dns_fault(fault_id, None)
