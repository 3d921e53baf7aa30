"""A name server that never answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.kinds.authority import Authority
from local_estate.nameserver import DnsKind


@dataclass(frozen=True, slots=True)
class DnsSilent(Authority):
    """Questions to the name server are read and never answered."""

    kind: ClassVar[str] = "dns_silent"
    wrong: ClassVar[DnsKind] = DnsKind.SILENT
