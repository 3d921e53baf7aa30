"""How a region may misbehave: the values that faults put on a region and that its front end acts out. Pure.

A region holds any number of behaviours at once, each under a key of its own. Per request, those that apply are met
in the order in which they were set: delays add up; the first other one whose *share* hits decides the answer.

    slow           the answer comes `slow_s` later, else unchanged                         app still serves
    error          `status` and a short page, as a crashing worker (503) or a broken app gives
    wrong_content  200 with JSON that is not the app's
    reset          RST on the connection instead of an answer                              also where the app is stopped
    hang           the request is read and never answered                                  also where the app is stopped
    stopped        the front end's 403 page, as if the app had been stopped
    ok             nothing; ends a stretch of a schedule
    flapping       alternates: `up_s` well, then `down_s` of `then` (a kind above), and so on, beginning with down

A behaviour is *total* when it spoils every request. Only total ones make the truth log say `serving: false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    OK = "ok"
    SLOW = "slow"
    ERROR = "error"
    WRONG_CONTENT = "wrong_content"
    RESET = "reset"
    HANG = "hang"
    STOPPED = "stopped"
    FLAPPING = "flapping"


NETWORK = frozenset({Kind.RESET, Kind.HANG})  # strike before the front end looks at the host name
HARMLESS = frozenset({Kind.OK, Kind.SLOW, Kind.FLAPPING})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to misbehave. `share` is the fraction of requests hit, 0 to 1; `app` None means all apps of the region."""

    kind: Kind
    share: float = 1.0
    app: str | None = None
    status: int = 503  # error
    slow_s: float = 1.0  # slow; really waited, never divided by the time scale
    up_s: float = 5.0  # flapping
    down_s: float = 5.0
    then: Kind = Kind.ERROR

    def __post_init__(self) -> None:
        for name, wrong, right in self._complaints():
            if wrong:
                raise ValueError(f"{name} must be {right}, not {getattr(self, name)!r}")

    def _complaints(self) -> tuple[tuple[str, bool, str], ...]:
        return (
            ("share", not 0 <= self.share <= 1, "from 0 to 1"),
            ("status", not 400 <= self.status <= 599, "from 400 to 599"),
            ("slow_s", not 0 <= self.slow_s <= 3600, "from 0 to 3600 seconds"),
            ("up_s", not 0.001 <= self.up_s <= 86400, "from 0.001 to 86400 seconds"),
            ("down_s", not 0.001 <= self.down_s <= 86400, "from 0.001 to 86400 seconds"),
            ("then", self.then in (Kind.FLAPPING, Kind.OK), "a kind other than ok and flapping"),
        )

    @property
    def total(self) -> bool:
        """Whether it spoils every request."""
        return self.kind not in HARMLESS and self.share >= 1

    def down(self) -> Behaviour:
        """Return what a flapping region does while it is down."""
        return Behaviour(self.then, self.share, self.app, self.status, self.slow_s)

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def behaviour_from(raw: Mapping[str, Any] | str) -> Behaviour:
    """Return the behaviour in *raw*: a mapping of its fields, or just a kind. Raises ValueError naming what is wrong."""
    given: dict[str, Any] = {"kind": raw} if isinstance(raw, str) else dict(raw)
    known = {f.name for f in fields(Behaviour)}
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"unknown key {unknown[0]!r} in a behaviour; known: {', '.join(sorted(known))}")
    if "kind" not in given:
        raise ValueError("a behaviour needs a kind: " + ", ".join(Kind))
    for key in ("kind", "then"):
        if key in given:
            given[key] = _kind(key, given[key])
    for key in ("share", "slow_s", "up_s", "down_s", "status"):
        if key in given and (isinstance(given[key], bool) or not isinstance(given[key], int | float)):
            raise ValueError(f"{key} must be a number, not {given[key]!r}")
    return Behaviour(**given)


def _kind(key: str, raw: object) -> Kind:
    try:
        return Kind(str(raw))
    except ValueError:
        raise ValueError(f"{key} must be one of {', '.join(Kind)}, not {raw!r}") from None
