"""A playbook's own figures: surely within passes, surely beyond fails with both figures, in between nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from failover_drill import claims
from failover_drill.claims import Claim
from failover_drill.errors import Inconclusive, ObjectiveNotMet
from failover_drill.facts import Mark, Milestone, Objectives, Population, StepMark
from failover_drill.findings import Findings, Verdict, analyse
from tests.histories import MS, S, facts, strip
from tests.test_lost_writes import drawn

GAP = 100 * MS
OUT = "+" * 20 + "x" * 30 + "+" * 40
STEADY = Objectives(stabilisation_s=2.0)


def found(picture: str = OUT, *, fault: bool = True) -> Findings:
    """Ten samples a second as drawn; t0 is at two seconds."""
    marks = (Milestone(Mark.FAULT, 2 * S),) if fault else ()
    return analyse(facts(strip(picture, GAP), GAP, milestones=marks), STEADY)


@pytest.mark.parametrize(
    ("claim", "beyond"),
    [
        (claims.recovery_within, "the recovery took 2.95 s (2.90 s to 3.00 s), beyond 2 s"),
        (claims.downtime_within, "users lost 3 s (2.90 s to 3.10 s), beyond 2 s"),
        (
            lambda s: claims.outage_within(Population.FRESH, s),
            "the longest outage of fresh clients took 3 s (2.90 s to 3.10 s), beyond 2 s",
        ),
    ],
)
def test_a_duration(claim: Callable[[float], Claim], beyond: str) -> None:
    """4 s surely hold, 2 s surely do not, and 2.96 s lie between the bounds."""
    claim(4.0)(found())
    with pytest.raises(ObjectiveNotMet) as missed:
        claim(2.0)(found())
    assert str(missed.value) == beyond
    with pytest.raises(Inconclusive, match=r"^inconclusive: .* not surely within 2.96 s$"):
        claim(2.96)(found())


def test_data_loss() -> None:
    """4 of 120 writes over 0.29 to 0.51 s: surely within 1 s, surely beyond 0.2 s, and nobody can tell of 0.4 s."""
    lost = analyse(drawn("+" * 96 + "-" * 4 + "x" * 30 + "+" * 20), STEADY)
    claims.data_loss_within(1.0)(lost)
    with pytest.raises(ObjectiveNotMet) as missed:
        claims.data_loss_within(0.2)(lost)
    told = "4 of 120 acknowledged writes were lost, over 400 ms (290 ms to 510 ms)"
    assert str(missed.value) == f"{told}, beyond 200 ms"
    with pytest.raises(Inconclusive) as unsure:
        claims.data_loss_within(0.4)(lost)
    assert str(unsure.value) == f"inconclusive: {told}, not surely within 400 ms"


def test_a_data_loss_without_bounds_is_no_claim() -> None:
    """Where the loss has no upper bound, nothing was read back, or nothing was written, no limit surely holds."""
    with pytest.raises(Inconclusive, match="no upper bound"):
        claims.data_loss_within(3600)(analyse(drawn("-----xxxx++"), STEADY))
    with pytest.raises(Inconclusive, match="no data loss was measured: nothing was read back"):
        claims.data_loss_within(3600)(found())
    with pytest.raises(Inconclusive, match="no write was acknowledged before"):
        claims.data_loss_within(3600)(analyse(drawn("xxxx"), STEADY))


def test_availability() -> None:
    """60 of 90 requests are 67 %: surely 50 %, surely not 90 %, and 65 % takes more of them."""
    claims.availability_at_least(0.5)(found())
    with pytest.raises(ObjectiveNotMet, match=r"^availability over the drill is 66.67 % \(.*\), below 90 %$"):
        claims.availability_at_least(0.9)(found())
    with pytest.raises(Inconclusive, match="not surely 65 %: measure longer, or with a higher rate"):
        claims.availability_at_least(0.65)(found())


def test_no_outage_is_within_any_limit() -> None:
    """Where no failure was seen the longest outage is none."""
    claims.outage_within(Population.FRESH, 0.001)(found("+" * 60))


def test_what_was_not_measured_is_no_claim() -> None:
    """Nothing disruptive done, users that never recovered, a population that nobody drove: each says so."""
    with pytest.raises(Inconclusive, match="nothing disruptive was done"):
        claims.recovery_within(5)(found(fault=False))
    with pytest.raises(ObjectiveNotMet, match=r"users have not recovered; 5 s are allowed"):
        claims.recovery_within(5)(found("+" * 20 + "x" * 40))
    with pytest.raises(Inconclusive, match="no keepalive client was watched"):
        claims.outage_within(Population.KEEPALIVE, 5)(found())
    with pytest.raises(Inconclusive, match="nobody was moved"):
        claims.moved_within(5)(found(fault=False))


def test_users_who_never_arrive() -> None:
    """Users that the other region never served were not moved, however well they are."""
    with pytest.raises(ObjectiveNotMet, match="fresh clients were never served by the region"):
        claims.moved_within(5)(found("+" * 60))


def test_a_claim_that_cannot_be_told_makes_no_miss() -> None:
    """A step that was inconclusive leaves the drill INCONCLUSIVE; one that failed makes it MISSED."""
    given = facts(strip(OUT, GAP), GAP, milestones=(Milestone(Mark.FAULT, 2 * S),))
    for error, verdict in (("inconclusive: 3 s", Verdict.INCONCLUSIVE), ("3 s, beyond 2 s", Verdict.MISSED)):
        step = StepMark(0, "Then", "it is so", S, S, "failed", error)
        assert analyse(replace(given, steps=(step,)), STEADY).verdict is verdict
