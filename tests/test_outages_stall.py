"""A generator that stalls must not make one outage of two."""

from __future__ import annotations

import numpy as np
import pytest

from failover_drill.facts import SAMPLE_DTYPE, ClockAnchor, Facts, Objectives, Outcome, SampleTable
from failover_drill.measured import measure

RATE, SECOND = 200, 10**9
OUTAGES = ((2.0, 1.5), (5.0, 2.0), (8.3, 1.0))


@pytest.mark.parametrize("stall_s", [0.0, 0.3, 0.5, 0.9])
def test_a_stall_of_the_generator_glues_no_outages(stall_s: float) -> None:
    """However long nothing was sent in the middle of an outage, the outages around it stay apart, within true bounds."""
    slots = np.arange(12 * RATE)
    due = slots * (SECOND // RATE)
    stalled = (due >= 5.5 * SECOND) & (due < (5.5 + stall_s) * SECOND)
    sent = np.where(stalled, int((5.5 + stall_s) * SECOND) + slots * 10_000, due)
    records = np.zeros(len(slots), SAMPLE_DTYPE)
    records["intended_ns"], records["late_us"], records["took_us"] = due, (sent - due) // 1000, 1500
    for at_s, length_s in OUTAGES:
        records["outcome"][(sent >= at_s * SECOND) & (sent < (at_s + length_s) * SECOND)] = Outcome.REFUSED
    facts = Facts(
        drill="stall", run="1", anchor=ClockAnchor(0, 0), primary="eastus", secondary="westus3",
        interval_ns=SECOND // RATE, samples=SampleTable(records), control=SampleTable(records[:0]),
    )  # fmt: skip
    found = measure(facts, Objectives()).outages
    assert len(found) == len(OUTAGES)
    for outage, (_, length_s) in zip(found, OUTAGES, strict=True):
        assert outage.length.at_least_ns <= length_s * SECOND <= outage.length.at_most_ns
