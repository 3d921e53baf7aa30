"""The facts of a one-hour drill at 1 000 requests/s with much to tell: for size and speed."""

from __future__ import annotations

import numpy as np

from failover_drill.facts import (
    SAMPLE_DTYPE,
    Action,
    ActionOutcome,
    ClockAnchor,
    Facts,
    Mark,
    Milestone,
    Outcome,
    Population,
    Reading,
    Resolution,
    SampleNames,
    SampleRecords,
    SampleTable,
    StepMark,
    WorkerReport,
)

S = 1_000_000_000
T0 = 1800 * S  # the primary goes
BACK = 1812 * S  # the authority switches; caches follow within the TTL
TTL = 60
VANTAGES = ("authority", *(f"resolver {i}" for i in range(1, 21)))


def hour(rate: int = 1000, seconds: int = 3600) -> Facts:
    """Return an hour in which the primary is lost, 21 vantages are asked each second, and errors are sprinkled over it."""
    samples = _samples(rate, seconds)
    count = len(samples)
    return Facts(
        drill="one hour",
        run="2026-11-23T00-00-00Z",
        anchor=ClockAnchor(1_795_400_000 * S, 0),
        primary="eastus",
        secondary="westus3",
        interval_ns=S // rate,
        samples=SampleTable(samples, SampleNames(("", "eastus", "westus3"), ("", "127.0.1.1", "127.0.2.1"), ("/",))),
        control=SampleTable(_control(samples[:: rate // 10])),
        workers=(WorkerReport(0, count, count, count, int((samples["outcome"] != 0).sum())),),
        resolutions=tuple(_resolutions(seconds)),
        actions=tuple(_action(i) for i in range(12)),
        steps=tuple(_step(i, seconds) for i in range(40)),
        milestones=(Milestone(Mark.FAULT, T0), Milestone(Mark.AUTHORITY_SWITCHED, BACK)),
        readings=tuple(_readings(seconds)),
        window_ns=(0, seconds * S),
        ttl_s=TTL,
        restored="yes",
    )


def _samples(rate: int, seconds: int) -> SampleRecords:
    chance = np.random.default_rng(1)
    rows = np.zeros(rate * seconds, SAMPLE_DTYPE)
    rows["intended_ns"] = np.arange(len(rows)) * (S // rate)
    rows["late_us"] = chance.gamma(2, 40, len(rows))
    rows["took_us"] = chance.gamma(3, 900, len(rows))
    rows["population"] = chance.choice([0, 1, 2], len(rows), p=[0.70, 0.25, 0.05])
    rows["resolver"] = chance.integers(0, 50, len(rows))
    moved = rows["intended_ns"] >= BACK + rows["resolver"].astype(np.int64) * (TTL * S // 50)
    out = (rows["intended_ns"] >= T0) & (~moved | (rows["population"] == Population.STICKY))
    out |= chance.random(len(rows)) < 0.0005
    rows["outcome"] = np.where(out, Outcome.HTTP_ERROR, Outcome.OK)
    rows["status"] = np.where(out, 403, 200)
    rows["region"] = np.where(out, 0, np.where(moved, 2, 1))
    rows["address"] = rows["region"]
    return rows


def _control(samples: SampleRecords) -> SampleRecords:
    """The control probe: never bad, and nobody names its region."""
    kept = samples.copy()
    for name in ("outcome", "region", "address", "population"):
        kept[name] = 0
    return kept


def _resolutions(seconds: int) -> list[Resolution]:
    found = []
    for second in range(seconds):
        for i, vantage in enumerate(VANTAGES):
            moved = second * S >= BACK + i * 3 * S and second % 17 != i  # some flap
            region, address = ("westus3", "127.0.2.1") if moved else ("eastus", "127.0.1.1")
            at = second * S + i * 1_000_000
            found.append(
                Resolution(at, at + 500_000, vantage, "www.proseware.example", "NOERROR", (address,), (), TTL, region)
            )
    return found


def _readings(seconds: int) -> list[Reading]:
    states = ("Online", "Degraded", "CheckingEndpoint")
    subjects = ("profile", "eastus", "westus3")
    return [Reading(at * S, name, "Enabled", states[at // 60 % 3]) for at in range(0, seconds, 10) for name in subjects]


def _action(i: int) -> Action:
    at = T0 + i * 100 * S
    resource = (
        f"/subscriptions/{'1' * 36}/resourceGroups/rg-proseware-eastus/providers/Microsoft.Web/sites/proseware-{i}"
    )
    return Action(
        i,
        "stop app",
        resource,
        "eastus",
        "deed",
        at,
        at + 1000,
        at + S,
        ActionOutcome.OK,
        {"state": "Running"},
        {"state": "Stopped"},
    )


def _step(i: int, seconds: int) -> StepMark:
    each = seconds * S // 40
    return StepMark(
        i,
        "Then",
        f"step number {i} of a game day in the words of the person on call",
        i * each,
        (i + 1) * each,
        "passed",
    )
