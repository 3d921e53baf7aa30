"""Steps about names: the Traffic Manager profile, the authority, the watched resolvers."""

from __future__ import annotations

from pytest_bdd import then, when

from failover_drill.drill import Drill
from failover_drill.target import Role
from steps.phrases import words


@when(words("DNS is pointed at the {role} region"))
def point_dns(drill: Drill, role: Role) -> None:
    """Enable the region's endpoint, disable the other's, and wait until the authority follows."""
    drill.point_dns_at(role)


@then(words("the Traffic Manager profile points at the {role} region"))
def profile_points(drill: Drill, role: Role) -> None:
    """Only this region's endpoint is enabled, in an enabled profile."""
    drill.verify_profile_points_at(role)


@then(words("DNS answers with the {role} region at the authority and at every watched resolver"))
def names_lead(drill: Drill, role: Role) -> None:
    """Ask each of them for the public name now."""
    drill.verify_names(role)


@then(words("the TTL of the profile is at most {seconds} s"))
def ttl_is_at_most(drill: Drill, seconds: float) -> None:
    """As the control plane shows it now."""
    drill.verify_ttl(seconds)


@when(words("Traffic Manager finds the {role} region {health} within {seconds} s"))
@then(words("Traffic Manager finds the {role} region {health} within {seconds} s"))
def monitor_notices(drill: Drill, role: Role, health: str, seconds: float) -> None:
    """Wait for what probing finds. After a fault, a status that tells of it ends the segment `detect`."""
    drill.await_health(role, health, seconds)


@then(words("Traffic Manager finds the {role} region {health}"))
def monitor_says(drill: Drill, role: Role, health: str) -> None:
    """What probing has found by now."""
    drill.verify_health(role, health)


@when(words("names lead to the {role} region everywhere"))
def names_follow(drill: Drill, role: Role) -> None:
    """Wait until the authority and every watched resolver do: the end of the segment `propagate`."""
    drill.await_names(role)


@when("caches that honour the TTL have followed")
def caches_follow(drill: Drill) -> None:
    """Let the profile's TTL pass, and a second for good measure: so long may whoever looks up names be led to the old region."""
    drill.let_caches_follow()
