"""Steps about users: synthetic traffic, and who serves it."""

from __future__ import annotations

from pytest_bdd import given, then, when

from failover_drill.drill import Drill
from failover_drill.target import Role
from steps.phrases import words


@given("users are being served")
def users_are_served(drill: Drill) -> None:
    """Start the traffic, and watch it at rest for the settling time."""
    drill.serve_users()


@then(words("users are served by the {role} region"))
def users_served_by(drill: Drill, role: Role) -> None:
    """Over the last seconds, every good answer to a client that honours the TTL came from this region."""
    drill.verify_users_served_by(role)


@when(words("users are served by the {role} region within {seconds} s"))
@then(words("users are served by the {role} region within {seconds} s"))
def users_come_to(drill: Drill, role: Role, seconds: float) -> None:
    """Wait for it: every recent good answer to a client that honours the TTL came from this region."""
    drill.await_users(role, seconds)


@when(words("{seconds} s pass"))
def time_passes(drill: Drill, seconds: float) -> None:
    """Let users go on; abort conditions are watched meanwhile."""
    drill.let_pass(seconds)
