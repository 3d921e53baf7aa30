"""The harm that a scenario asks for, beyond what Azure does on request: values, and what is said of them. Pure.

    step ──► Drill.inject(Fault("region_lost", PRIMARY)) ──► the local estate's control URL ──► undone at the end, like a change

The kinds and their settings are the estate's (docs/fidelity.md, "Faults on request").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from failover_drill.target import Role, Target

NAMES_FAIL = frozenset({"dns_silent", "dns_servfail"})
"""Faults of no region that users feel at once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `role` is the region that it strikes, None for names, control plane and identity.

    `share`: of the requests, questions or calls that are struck; for a whole process, the chance that it is.
    """

    kind: str
    role: Role | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    share: float = 1.0

    def __str__(self) -> str:
        told = [f"{name} {value}" for name, value in self.settings.items()]
        told += [f"{self.share:.0%}"] if self.share != 1 else []
        return self.kind + (f" ({', '.join(told)})" if told else "")

    def resource(self, target: Target) -> str:
        """Return the id of what it strikes: a region's app, else the profile. So the blast radius holds for it, too."""
        return target.profile_id if self.role is None else target.region(self.role).app_id

    def request(self, target: Target, fault_id: str) -> dict[str, object]:
        """Return what the estate's control URL is asked for."""
        region = {} if self.role is None else {"region": target.region(self.role).name}
        return {"kind": self.kind, "id": fault_id, **region, **self.settings, "probability": self.share}

    def disrupts(self, target: Target, serving: str) -> bool:
        """Do users feel it at once, while *serving* is the region that serves them? Then the recovery time begins with it."""
        return self.kind in NAMES_FAIL if self.role is None else target.region(self.role).name == serving
