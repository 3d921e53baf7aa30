"""Service histories and what samples of them look like: the truth that the estimators are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from failover_drill.facts import (
    SAMPLE_DTYPE,
    ClockAnchor,
    Facts,
    Outcome,
    Population,
    Sample,
    SampleNames,
    SampleRecords,
    SampleTable,
    WorkerReport,
)

S = 1_000_000_000
MS = 1_000_000
US = 1_000

ANCHOR = ClockAnchor(wall_ns=1_795_400_000 * S, mono_ns=0)


@dataclass(frozen=True)
class Down:
    """The service was out from `begin_ns` until `end_ns`, answering each request so after `takes_ns`."""

    begin_ns: int
    end_ns: int
    outcome: Outcome = Outcome.HTTP_ERROR
    takes_ns: int = 2 * MS


def records(samples: Sequence[Sample], names: SampleNames = SampleNames()) -> SampleRecords:  # noqa: B008
    """Return samples as the load process writes them (whole microseconds), in order of sending."""
    rows = np.zeros(len(samples), SAMPLE_DTYPE)
    for row, each in zip(rows, samples, strict=True):
        row["intended_ns"] = each.intended_ns
        row["late_us"] = (each.sent_ns - each.intended_ns) // US
        row["took_us"] = -(-(each.done_ns - each.sent_ns) // US)
        row["outcome"], row["population"], row["status"] = each.outcome, each.population, each.status
        row["resolver"], row["lane"], row["worker"] = each.resolver, each.lane, each.worker
        row["region"], row["path"] = names.regions.index(each.region), names.paths.index(each.path)
    return np.sort(rows, order=["intended_ns"]) if len(rows) else rows


def strip(picture: str, gap_ns: int = S, took_ns: int = MS, begin_ns: int = 0) -> list[Sample]:
    """Return the samples drawn in `picture`, one per character and gap: + good, x bad, t timed out, c cut, blank none."""
    kinds = {"+": Outcome.OK, "x": Outcome.HTTP_ERROR, "t": Outcome.TIMEOUT, "c": Outcome.CUT}
    return [
        Sample(at, at, at + (5 * S if mark == "t" else took_ns), kinds[mark])
        for at, mark in ((begin_ns + i * gap_ns, mark) for i, mark in enumerate(picture))
        if mark != " "
    ]


def grid(
    downs: Sequence[Down],
    gap_ns: int,
    until_ns: int,
    took_ns: Callable[[int], int] = lambda slot: MS,
    population: Callable[[int], Population] = lambda slot: Population.FRESH,
) -> list[Sample]:
    """Sample a history on a uniform grid.

    A request looks at the service at some moment between being sent and being answered, another one for each slot; where
    the service is down at that moment it fails.
    """
    found = []
    for slot, at in enumerate(range(0, until_ns, gap_ns)):
        took = took_ns(slot)
        looks = at + took * (slot * 37 % 101) // 100
        down = next((d for d in downs if d.begin_ns <= looks < d.end_ns), None)
        outcome, done = (Outcome.OK, at + took) if down is None else (down.outcome, looks + down.takes_ns)
        region = "eastus" if down is None else ""
        found.append(Sample(at, at, done, outcome, region=region, population=population(slot), resolver=slot % 50))
    return found


NAMES = SampleNames(regions=("", "eastus", "westus3"), addresses=("", "127.0.1.1", "127.0.2.1"))


def facts(samples: Sequence[Sample] | SampleRecords, gap_ns: int = S, **more: object) -> Facts:
    """Return the facts of a run that has these samples and nothing else."""
    rows = samples if isinstance(samples, np.ndarray) else records(samples, NAMES)
    ours = rows["outcome"] != Outcome.CUT
    report = WorkerReport(0, len(rows), len(rows), int(ours.sum()), int((ours & (rows["outcome"] != 0)).sum()))
    given: dict[str, object] = {
        "drill": "failover",
        "run": "2026-11-23T02-30-00Z",
        "anchor": ANCHOR,
        "primary": "eastus",
        "secondary": "westus3",
        "interval_ns": gap_ns,
        "samples": SampleTable(rows, NAMES),
        "control": SampleTable(np.zeros(0, SAMPLE_DTYPE)),
        "workers": (report,),
    }
    return Facts(**{**given, **more})  # type: ignore[arg-type]
