"""The playbook's three acts, and its verifications."""

from __future__ import annotations

from pytest_bdd import then, when

from failover_drill.drill import Drill
from failover_drill.target import Role
from steps.phrases import ROLE, words


@when(words("the {role} region is disabled"), converters=ROLE)
def disable_region(drill: Drill, role: Role) -> None:
    """Stop the region's web app, and wait until it no longer serves."""
    drill.disable(role)


@when(words("the {role} region is enabled"), converters=ROLE)
def enable_region(drill: Drill, role: Role) -> None:
    """Start the region's web app, and wait until it serves when asked directly."""
    drill.enable(role)


@when(words("the failover to the {role} region completes"), converters=ROLE)
def failover_completes(drill: Drill, role: Role) -> None:
    """Wait until every watched resolver leads to the region and users are served steadily."""
    drill.complete(role)


@then(words("the web app runs in the {role} region"), converters=ROLE)
def app_runs(drill: Drill, role: Role) -> None:
    """The control plane shows Running, and the region answers when asked directly."""
    drill.verify_app(role, "Running")


@then(words("the web app is stopped in the {role} region"), converters=ROLE)
def app_is_stopped(drill: Drill, role: Role) -> None:
    """The control plane shows Stopped, and the region does not answer well when asked directly."""
    drill.verify_app(role, "Stopped")
