"""Steps about the estate itself: steady before, put back after."""

from __future__ import annotations

from pytest_bdd import given, then, when

from failover_drill.drill import Drill


@given("the estate is in steady state")
def estate_is_steady(drill: Drill) -> None:
    """Take the snapshot; both regions are as their roles say, and the public name leads to the primary."""
    drill.confirm_steady_state()


@when("the estate is put back as it was")
def put_back(drill: Drill) -> None:
    """Redeem every promised undo, newest first, and compare the estate with the snapshot."""
    drill.put_back()


@then("the estate is in steady state again")
def steady_again(drill: Drill) -> None:
    """Every vantage leads to the primary again, and it serves."""
    drill.confirm_restored()
