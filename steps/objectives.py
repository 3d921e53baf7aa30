"""Steps about the objectives: what was measured, held against drill.toml, or against a figure of the playbook's own."""

from __future__ import annotations

from pytest_bdd import then

from failover_drill import claims
from failover_drill.drill import Drill
from failover_drill.facts import Population
from steps.phrases import words


@then("the recovery time is within its objective")
def recovery_time(drill: Drill) -> None:
    """Even the upper bound of the recovery time is within rto_s."""
    drill.verify_recovery_time()


@then("the drill cost no more than its share of the error budget")
def budget(drill: Drill) -> None:
    """Even the upper bound of the downtime is within drill_share of the error budget."""
    drill.verify_budget()


@then("the data loss is within its objective")
def data_loss(drill: Drill) -> None:
    """Even the upper bound of the data loss, from the last read-back of the secondary, is within rpo_s."""
    drill.verify_data_loss()


@then(words("the recovery time is at most {seconds} s"))
def recovery_time_is(drill: Drill, seconds: float) -> None:
    """Even its upper bound."""
    drill.verify(claims.recovery_within(seconds))


@then(words("the downtime is at most {seconds} s"))
def downtime_is(drill: Drill, seconds: float) -> None:
    """Even the upper bound of what the clients that honour the TTL lost, user-weighted."""
    drill.verify(claims.downtime_within(seconds))


@then(words("the data loss is at most {seconds} s"))
def data_loss_is(drill: Drill, seconds: float) -> None:
    """Even its upper bound, whatever `rpo_s` says; inconclusive where nothing was read back."""
    drill.verify(claims.data_loss_within(seconds))


@then(words("the outage is at most {seconds} s for {population} clients"))
def outage_is(drill: Drill, seconds: float, population: Population) -> None:
    """Even the upper bound of their longest outage."""
    drill.verify(claims.outage_within(population, seconds))


@then(words("availability over the drill is at least {percent} %"))
def availability_is(drill: Drill, percent: float) -> None:
    """Of the clients that honour the TTL, from the first request until now; even the lower end of its 95 % interval."""
    drill.verify(claims.availability_at_least(percent / 100))


@then(words("every user was moved within {seconds} s"))
def moved_in_time(drill: Drill, seconds: float) -> None:
    """From the first act until the region that users leave last served one who honours the TTL; also where nobody was out."""
    drill.verify(claims.moved_within(seconds))
