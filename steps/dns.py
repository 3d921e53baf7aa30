"""Steps about names: the Traffic Manager profile, the authority, the watched resolvers."""

from __future__ import annotations

from pytest_bdd import then, when

from failover_drill.drill import Drill
from failover_drill.target import Role
from steps.phrases import ROLE, words


@when(words("DNS is pointed at the {role} region"), converters=ROLE)
def point_dns(drill: Drill, role: Role) -> None:
    """Enable the region's endpoint, disable the other's, and wait until the authority follows."""
    drill.point_dns_at(role)


@then(words("the Traffic Manager profile points at the {role} region"), converters=ROLE)
def profile_points(drill: Drill, role: Role) -> None:
    """Only this region's endpoint is enabled, in an enabled profile."""
    drill.verify_profile_points_at(role)


@then(words("DNS answers with the {role} region at the authority and at every watched resolver"), converters=ROLE)
def names_lead(drill: Drill, role: Role) -> None:
    """Ask each of them for the public name now."""
    drill.verify_names(role)
