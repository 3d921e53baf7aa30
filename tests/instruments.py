"""An instrument that was not fit says so, and what it found then proves nothing: such a measurement is made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from failover_drill.facts import ClockAnchor, Facts, Objectives
from failover_drill.findings import analyse
from failover_drill.samples import read_samples
from failover_drill.traffic import TrafficPlan

TRIES = 4
Truth = TypeVar("Truth")


def facts_of(plan: TrafficPlan, anchor: ClockAnchor) -> Facts:
    """What the plan's traffic left in its directory, as the facts of a run."""
    samples, workers = read_samples(Path(plan.out_dir))
    control, control_workers = read_samples(Path(plan.out_dir), "control")
    return Facts(
        drill="test", run="1", anchor=anchor, primary="eastus", secondary="westus3", interval_ns=plan.gap_ns,
        samples=samples, control=control, workers=workers, control_workers=control_workers,
    )  # fmt: skip


def fit(facts: Facts) -> bool:
    return analyse(facts, Objectives()).instrument.fit


def when_fit(measurement: Callable[[Path], tuple[list[Facts], Truth]], where: Path) -> tuple[list[Facts], Truth]:
    """Measure in a directory below *where*, at most four times, until each instrument says that it was fit.

    Whatever the last ones found is returned: what must be so of a fit instrument is then asserted of one that was not.
    """
    for attempt in range(TRIES):
        (directory := where / str(attempt)).mkdir()
        facts, truth = measurement(directory)
        if all(map(fit, facts)):
            break
    return facts, truth
