"""The kinds of fault, by name. A new one is a module in kinds/, a line here and a test."""

from __future__ import annotations

from typing import Any

from local_estate.kinds.control_failing import Failing
from local_estate.kinds.control_hung import Hung
from local_estate.kinds.control_late import CarriedOutLate
from local_estate.kinds.control_reset_after import ResetAfter
from local_estate.kinds.control_slow_effect import SlowToTakeEffect
from local_estate.kinds.control_throttled import Throttled
from local_estate.kinds.control_timed_out import TimedOut
from local_estate.kinds.dns_servfail import DnsServfail
from local_estate.kinds.dns_silent import DnsSilent
from local_estate.kinds.dns_stale import DnsStale
from local_estate.kinds.erroring import Erroring
from local_estate.kinds.flapping import Flapping
from local_estate.kinds.identity_down import IdentityDown
from local_estate.kinds.region_hung import RegionHung
from local_estate.kinds.region_lost import RegionLost
from local_estate.kinds.replication_paused import ReplicationPaused
from local_estate.kinds.replication_slow import ReplicationSlow
from local_estate.kinds.reset import ConnectionReset
from local_estate.kinds.resolver_overstays import ResolverOverstays
from local_estate.kinds.slow import Slow
from local_estate.kinds.token_expired import TokenExpired
from local_estate.kinds.wrong_content import WrongContent

KINDS: tuple[type[Any], ...] = (
    RegionLost,
    RegionHung,
    Slow,
    Erroring,
    WrongContent,
    ConnectionReset,
    Flapping,
    DnsSilent,
    DnsServfail,
    DnsStale,
    ResolverOverstays,
    Throttled,
    Failing,
    TimedOut,
    Hung,
    ResetAfter,
    SlowToTakeEffect,
    CarriedOutLate,
    IdentityDown,
    TokenExpired,
    ReplicationPaused,
    ReplicationSlow,
)
CATALOGUE: dict[str, type[Any]] = {kind.kind: kind for kind in KINDS}
