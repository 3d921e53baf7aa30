"""The kinds of fault, by name. A new one is a class in a faults_*.py, a line here and a test."""

from __future__ import annotations

from typing import Any

from local_estate import faults_control, faults_dns, faults_identity, faults_late, faults_region

KINDS: tuple[type[Any], ...] = (
    faults_region.RegionLost,
    faults_region.RegionHung,
    faults_region.Slow,
    faults_region.Erroring,
    faults_region.WrongContent,
    faults_region.ConnectionReset,
    faults_region.Flapping,
    faults_dns.DnsSilent,
    faults_dns.DnsServfail,
    faults_dns.DnsStale,
    faults_dns.ResolverOverstays,
    faults_control.Throttled,
    faults_control.Failing,
    faults_control.TimedOut,
    faults_control.Hung,
    faults_control.ResetAfter,
    faults_control.SlowToTakeEffect,
    faults_late.CarriedOutLate,
    faults_identity.IdentityDown,
    faults_identity.TokenExpired,
)
CATALOGUE: dict[str, type[Any]] = {kind.kind: kind for kind in KINDS}
