"""The tables of drill.toml but its targets: what each may say, and what is meant where it says nothing."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from failover_drill import blocked_times
from failover_drill.facts import Objectives, Population
from failover_drill.setting_types import PlainPath, Seconds, SubscriptionId

Share = Annotated[float, Field(ge=0, le=100)]


def status_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Read "200-399,404" as ((200, 399), (404, 404)).

    Raises ValueError where the text is not of that form or a status is not one.
    """
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", part.strip())
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise ValueError('must be statuses and ranges such as "200-399,404"')
        found.append((int(match[1]), int(match[2] or match[1])))
    return tuple(found)


class Table(BaseModel):
    """One table of drill.toml. An unknown key is an error: a misspelt limit must not be no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)


class DrillTable(Table):
    """[drill]: what the names of runs begin with, the playbook's following, and where they are kept."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "proseware"
    reports: str = "reports"
    target: str = "local"


class ObjectivesTable(Table):
    """[objectives]: what a drill is judged against. Shares in percent, as people write them."""

    availability: Annotated[float, Field(gt=0, lt=100)] = 99.9
    window_days: Annotated[float, Field(gt=0, le=366)] = 30
    rto_s: Seconds = 60
    rpo_s: Seconds | None = None
    drill_share: Annotated[float, Field(gt=0, le=100)] = 10
    stabilisation_s: Seconds = 10
    judged: Annotated[tuple[Literal["fresh", "keepalive", "sticky"], ...], Field(min_length=1)] = ("fresh", "keepalive")

    def values(self) -> Objectives:
        """Return them as fractions and seconds."""
        return Objectives(
            availability=self.availability / 100,
            window_s=self.window_days * 86_400,
            rto_s=self.rto_s,
            rpo_s=self.rpo_s,
            drill_share=self.drill_share / 100,
            stabilisation_s=self.stabilisation_s,
            judged=tuple(Population[name.upper()] for name in self.judged),
        )


class PathTable(Table):
    """One path that users ask for, and how often beside the others."""

    path: PlainPath = "/"
    weight: Annotated[float, Field(gt=0)] = 1


class MixTable(Table):
    """[traffic.mix]: the share of each client population, in percent."""

    fresh: Share = 70
    keepalive: Share = 25
    sticky: Share = 5

    @model_validator(mode="after")
    def whole(self) -> MixTable:
        if abs(self.fresh + self.keepalive + self.sticky - 100) > 1e-6:
            raise ValueError("fresh, keepalive and sticky must sum to 100")
        return self


class TrafficTable(Table):
    """[traffic]: the synthetic users."""

    rate: Annotated[float, Field(gt=0, le=20_000)] = 100
    mix: MixTable = MixTable()
    caches: Annotated[int, Field(ge=1, le=1000)] = 50
    lanes: Annotated[int, Field(ge=1, le=10_000)] = 100
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    timeout_s: Seconds = 5
    slow_s: Seconds = 1
    settle_s: Seconds = 5
    method: Literal["GET", "HEAD", "POST"] = "GET"
    paths: tuple[PathTable, ...] = (PathTable(),)
    expect_status: str = "200-399"
    expect_content: str = ""
    region_header: str = "X-Region"
    ttl_floor_s: Annotated[float, Field(ge=0, le=86_400)] = 0
    ttl_overstay_s: Annotated[float, Field(ge=0, le=86_400)] = 0
    control_url: str = ""
    seed: int = 1
    locustfile: str = ""
    """A locustfile of your own that holds ours: its users run beside the measured ones."""
    own_users: Annotated[int, Field(ge=0, le=100_000)] = 1
    """How many users of your own classes there are."""

    @field_validator("expect_status")
    @classmethod
    def ranges(cls, text: str) -> str:
        status_ranges(text)
        return text


class WatchTable(Table):
    """[watch]: how often DNS and the monitor are looked at, and how long one look may take."""

    dns_interval_s: Seconds = 0.2
    monitor_interval_s: Seconds = 1
    timeout_s: Seconds = 2


class WaitTable(Table):
    """[wait]: how long the drill waits for each thing before it says that it did not happen."""

    confirm_s: Seconds = 60
    serve_s: Seconds = 60
    complete_s: Seconds = 120
    restore_s: Seconds = 120
    poll_s: Seconds = 0.1


class SafetyTable(Table):
    """[safety]: what must be so before anything is changed (docs/safety.md)."""

    subscriptions: tuple[SubscriptionId, ...] = ()
    kill_switch: str = "STOP-DRILLS"
    lock: Literal["tag", "local"] = "tag"
    lock_s: Annotated[float, Field(ge=60, le=86_400)] = 7_200
    lock_settle_s: Annotated[float, Field(ge=0, le=60)] = 2
    check_rights: bool = True
    doubt_s: Annotated[float, Field(ge=0, le=600)] = 10
    patience_s: Annotated[float, Field(ge=0, le=86_400)] = 3_600


class CalendarTable(Table):
    """[calendar]: when no drill may start."""

    timezone: str = "UTC"
    blocked_dates: tuple[str, ...] = ()
    blocked_windows: tuple[str, ...] = ()

    @field_validator("timezone")
    @classmethod
    def known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError('must be a time zone such as "UTC" or "Europe/Berlin"') from None
        return name

    @field_validator("blocked_dates")
    @classmethod
    def spans(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            blocked_times.span(text)
        return texts

    @field_validator("blocked_windows")
    @classmethod
    def windows(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            blocked_times.window(text)
        return texts


class AbortTable(Table):
    """[abort]: what ends a drill early, its undo beginning at once. Absent: no such limit. Shares in percent."""

    availability_below: Annotated[float, Field(gt=0, le=100)] | None = None
    availability_for_s: Seconds = 10
    recovery_longer_than_s: Seconds | None = None
    budget_above: Annotated[float, Field(gt=0)] | None = None
