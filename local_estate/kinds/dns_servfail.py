"""A name server that fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.kinds.authority import Authority
from local_estate.nameserver import DnsKind


@dataclass(frozen=True, slots=True)
class DnsServfail(Authority):
    """The name server answers SERVFAIL."""

    kind: ClassVar[str] = "dns_servfail"
    wrong: ClassVar[DnsKind] = DnsKind.SERVFAIL
