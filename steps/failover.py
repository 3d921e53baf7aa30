"""Steps about regions: the playbook's three acts, what prepares them, and its verifications."""

from __future__ import annotations

from pytest_bdd import given, then, when

from failover_drill.drill import Drill
from failover_drill.target import Role
from steps.phrases import words


@when(words("the {role} region is disabled"))
def disable_region(drill: Drill, role: Role) -> None:
    """Stop the region's web app, and wait until it no longer serves."""
    drill.disable(role)


@when(words("the {role} region is enabled"))
def enable_region(drill: Drill, role: Role) -> None:
    """Start the region's web app, and wait until it serves when asked directly."""
    drill.enable(role)


@given(words("the {role} region is a hot standby"))
def hot_standby(drill: Drill, role: Role) -> None:
    """Start its app, enable its endpoint, and wait until Traffic Manager finds it Online. Undone at the end."""
    drill.make_hot_standby(role)


@given(words("users have been moved to the {role} region"))
def users_were_moved(drill: Drill, role: Role) -> None:
    """Lead names there, let caches follow, stop the other region: what a failback begins with. Undone at the end."""
    drill.move_users(role)


@when(words("the failback to the {role} region completes"))
@when(words("the failover to the {role} region completes"))
def failover_completes(drill: Drill, role: Role) -> None:
    """Wait until the authority and every watched resolver lead to the region, and users are served steadily."""
    drill.complete(role)


@then(words("the web app runs in the {role} region"))
def app_runs(drill: Drill, role: Role) -> None:
    """The control plane shows Running, and the region answers when asked directly."""
    drill.verify_app(role, "Running")


@then(words("the web app is stopped in the {role} region"))
def app_is_stopped(drill: Drill, role: Role) -> None:
    """The control plane shows Stopped, and the region does not answer well when asked directly."""
    drill.verify_app(role, "Stopped")
