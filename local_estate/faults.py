"""Faults on request: what is set, when it begins and ends, and how it is undone. The kinds are in faults_*.py, one family each.

    POST {"kind": "slow", "region": "eastus", "slow_s": 2, "delay_s": 5, "duration_s": 30, "probability": 0.5}

    set ── delay_s ──► begun ── duration_s ──► ended            DELETE or reset ends it at once

Faults compose: each has an id of its own, and undoing one leaves the others. `probability` is the chance, for each request (or
answer, or control-plane call), that it is struck; what happens to a whole process happens with that chance once. `delay_s` and
`duration_s` are real seconds, not divided by the time scale. A caller may name the fault itself (`id`): then it can undo it even
where it never saw the answer.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Protocol, get_type_hints

from local_estate.truth import Truth

COMMON = ("kind", "id", "delay_s", "duration_s", "probability")
LONGEST_S = 86_400.0
OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,60}")


class FaultError(Exception):
    """A fault that cannot be set or undone; one line."""


class Fault(Protocol):
    """One kind of fault: a frozen dataclass of settings, with how to begin and how to end it."""

    kind: ClassVar[str]

    async def begin(self, stage: Any, fault_id: str, probability: float) -> None: ...

    async def end(self, stage: Any, fault_id: str) -> None: ...


@dataclass(slots=True)
class Entry:
    """A fault that was set."""

    id: str
    fault: Fault
    delay_s: float
    duration_s: float | None
    probability: float
    status: str = "waiting"  # waiting, on, off, failed
    error: str = ""
    task: asyncio.Task[None] | None = None

    def to_json(self) -> dict[str, Any]:
        settings = {f.name: getattr(self.fault, f.name) for f in fields(self.fault)}  # type: ignore[arg-type]
        return {
            "id": self.id,
            "kind": self.fault.kind,
            **settings,
            "delay_s": self.delay_s,
            "duration_s": self.duration_s,
            "probability": self.probability,
            "status": self.status,
            **({"error": self.error} if self.error else {}),
        }


@dataclass(slots=True)
class Faults:
    """All faults of an estate. `stage` is what they act on."""

    stage: Any
    truth: Truth
    catalogue: Callable[[], Mapping[str, type[Any]]]  # read when first asked for: the estate starts sooner
    rng: random.Random = field(default_factory=random.Random)
    entries: dict[str, Entry] = field(default_factory=dict)
    count: int = 0

    def listed(self) -> list[dict[str, Any]]:
        return [entry.to_json() for entry in self.entries.values()]

    def kinds(self) -> list[dict[str, Any]]:
        """Return each kind with its settings and defaults, for people and for docs."""
        return [
            {"kind": kind, "about": (cls.__doc__ or "").strip().partition("\n")[0], "settings": _defaults(cls)}
            for kind, cls in sorted(self.catalogue().items())
        ]

    async def set(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Set a fault; one without a delay has begun on return. Raises FaultError."""
        entry = self._entry(raw)
        if entry.delay_s:
            self.entries[entry.id] = entry
            entry.task = asyncio.get_running_loop().create_task(self._run(entry))
            return entry.to_json()
        await self._begin(entry)
        self.entries[entry.id] = entry
        if entry.duration_s is not None and entry.status == "on":
            entry.task = asyncio.get_running_loop().create_task(self._expire(entry))
        return entry.to_json()

    async def undo(self, fault_id: str) -> dict[str, Any]:
        """End a fault, or call it off before it began. Undoing twice is no error. Raises FaultError."""
        entry = self.entries.get(fault_id)
        if entry is None:
            raise FaultError(f"there is no fault {fault_id[:80]!r}; GET /_faults lists them")
        await self._end(entry)
        return entry.to_json()

    async def reset(self) -> list[str]:
        """End all faults, the newest first, and bring back dead regions; return the ids of those that were waiting or on."""
        active = [entry for entry in reversed(self.entries.values()) if entry.status in {"waiting", "on"}]
        for entry in active:
            await self._end(entry)
        await self.stage.regions.heal()
        return [entry.id for entry in active]

    def _entry(self, raw: Mapping[str, Any]) -> Entry:
        kind = raw.get("kind")
        known = self.catalogue()
        cls = known.get(kind) if isinstance(kind, str) else None
        if cls is None:
            raise FaultError(f"unknown kind {kind!r}; known: {', '.join(sorted(known))}")
        return Entry(
            id=self._id(raw),
            fault=_built(cls, {k: v for k, v in raw.items() if k not in COMMON}),
            delay_s=_number(raw, "delay_s", 0.0, LONGEST_S, 0.0) or 0.0,
            duration_s=_number(raw, "duration_s", 0.001, LONGEST_S, None),
            probability=_share(raw),
        )

    def _id(self, raw: Mapping[str, Any]) -> str:
        """Return the id that the caller gave, else the next one of ours."""
        given = raw.get("id")
        if given is None:
            self.count += 1
            return f"f{self.count}"
        if not isinstance(given, str) or not OWN_ID.fullmatch(given):
            raise FaultError(f"id must be up to 60 letters, digits, '-', '_' and '.', not {given!r}")
        if given in self.entries:
            raise FaultError(f"there is a fault {given!r} already; GET /_faults lists them")
        return given

    async def _run(self, entry: Entry) -> None:
        await asyncio.sleep(entry.delay_s)
        try:
            await self._begin(entry)
        except FaultError as error:
            entry.status, entry.error = "failed", str(error)
            return
        if entry.duration_s is not None and entry.status == "on":
            await self._expire(entry)

    async def _expire(self, entry: Entry) -> None:
        assert entry.duration_s is not None
        await asyncio.sleep(entry.duration_s)
        entry.task = None
        await self._end(entry)

    async def _begin(self, entry: Entry) -> None:
        try:
            await entry.fault.begin(self.stage, entry.id, entry.probability)
        except FaultError:
            raise
        except Exception as error:
            raise FaultError(str(error)) from error
        entry.status = "on"
        self.truth.write("fault", id=entry.id, kind=entry.fault.kind, on=True)

    async def _end(self, entry: Entry) -> None:
        task, entry.task = entry.task, None
        if task is not None:
            task.cancel()
        was_on, entry.status = entry.status == "on", "off"
        if not was_on:
            return
        try:
            await entry.fault.end(self.stage, entry.id)
        except Exception as error:
            entry.error = str(error)
        self.truth.write("fault", id=entry.id, kind=entry.fault.kind, on=False)

    async def stop(self) -> None:
        for entry in self.entries.values():
            if entry.task is not None:
                entry.task.cancel()


def _built(cls: type[Any], given: dict[str, Any]) -> Fault:
    """Return the fault with its settings checked for name and type; the class itself checks values (ValueError)."""
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    unknown = sorted(given.keys() - set(known))
    if unknown:
        raise FaultError(f"{cls.kind} has no setting {unknown[0]!r}; it has: {', '.join(known) or 'none'}")
    for name, value in given.items():
        if not _fits(value, hints[name]):
            raise FaultError(f"{cls.kind}: {name} must be {_called(hints[name])}, not {value!r}")
    missing = [f.name for f in fields(cls) if f.default is MISSING and f.name not in given]
    if missing:
        raise FaultError(f"{cls.kind} needs {missing[0]!r}")
    try:
        built: Fault = cls(**given)
    except ValueError as error:
        raise FaultError(f"{cls.kind}: {error}") from None
    return built


def _fits(value: object, hint: Any) -> bool:
    wanted = getattr(hint, "__args__", (hint,))
    if isinstance(value, bool):
        return bool in wanted
    return (isinstance(value, int) and float in wanted) or isinstance(
        value, tuple(w for w in wanted if isinstance(w, type))
    )


def _called(hint: Any) -> str:
    names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    return " or ".join(names.get(h, str(h)) for h in getattr(hint, "__args__", (hint,)))


def _defaults(cls: type[Any]) -> dict[str, Any]:
    return {f.name: "(needed)" if f.default is MISSING else f.default for f in fields(cls)}


def _number(raw: Mapping[str, Any], key: str, low: float, high: float, default: float | None) -> float | None:
    value = raw.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise FaultError(f"{key} must be a number from {low:g} to {high:g}, not {value!r}")
    return float(value)


def _share(raw: Mapping[str, Any]) -> float:
    share = _number(raw, "probability", 0.0, 1.0, 1.0)
    return 1.0 if share is None else share
