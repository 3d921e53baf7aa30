"""What a readiness check looks at, and what it says: values, read beforehand. Pure.

Seen ──► check ──► Line(pass | warn | fail | skip, what is so, what to do)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from failover_drill.facts import Resolution
from failover_drill.forecast import Clients, Delays, ProfileSettings
from failover_drill.platform import DirectAnswer, Identity, Permission
from failover_drill.target import Role, Target


class Level(StrEnum):
    PASS = "pass"
    WARN = "warn"  # a drill may run; it will be slower, or show less, than people think
    FAIL = "fail"  # a failover, or the drill, will not work
    SKIP = "skip"  # could not be told


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the readiness table. `fix` is "" where there is nothing to do."""

    check: str
    level: Level
    said: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was read. A resource that could not be read is absent, and `unread` says why, by what was asked for."""

    target: Target
    rto_s: float
    profile: Mapping[str, Any]  # as ARM shows it, `Platform.snapshot`
    healths: Mapping[str, str]  # monitor statuses, by endpoint name in lower case
    apps: Mapping[Role, Mapping[str, Any]]
    answers: Mapping[Role, DirectAnswer]  # to the health path
    probed: Mapping[Role, DirectAnswer]  # to the path that the monitor asks for
    certificates: Mapping[Role, str]  # trouble, "" where there is none
    settings: Mapping[Role, Mapping[str, str]]  # application settings: name and digest of the value
    plans: Mapping[Role, Mapping[str, Any]]
    permissions: Mapping[str, Sequence[Permission]]  # by resource id
    tags: Mapping[str, Mapping[str, str]]  # by id of a resource or group
    resolutions: Mapping[str, Resolution]  # by vantage
    forecast: tuple[ProfileSettings, Delays, Clients]
    identity: Identity
    lock_by_tag: bool = True
    rpo_s: float | None = None
    deadline_s: float = 5.0  # how long a write may take
    listed: Mapping[Role, str] = field(
        default_factory=dict
    )  # trouble with the data probe's list, "" where there is none
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def properties(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.profile["properties"]
        return found

    @property
    def monitor(self) -> Mapping[str, Any]:
        return self.properties.get("monitorConfig") or {}

    @property
    def ttl_s(self) -> float:
        return self.forecast[0].ttl_s

    def endpoint(self, role: Role) -> Mapping[str, Any]:
        """Return the properties of the role's endpoint; empty where the profile has none of that name."""
        wanted = self.target.region(role).endpoint.lower()
        for each in self.properties.get("endpoints") or ():
            if str(each["name"]).lower() == wanted:
                found: Mapping[str, Any] = each.get("properties") or {}
                return found
        return {}

    def enabled(self, role: Role) -> bool:
        return self.endpoint(role).get("endpointStatus") == "Enabled"

    def health(self, role: Role) -> str:
        return self.healths.get(self.target.region(role).endpoint.lower(), "")

    def app(self, role: Role) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.apps[role].get("properties") or {}
        return found

    def running(self, role: Role) -> bool:
        return self.app(role).get("state") == "Running"


Check = Callable[[Seen], Line]
