"""Steps about readiness: preflight's checks, each a claim (docs/preflight.md). They write nothing: tag the scenario @read_only.

A check that warns passes, and is told at the end; one that could not be told is no pass.
"""

from __future__ import annotations

from pytest_bdd import then

from failover_drill.drill import Drill
from failover_drill.target import Role
from steps.phrases import words


@then(words("the {role} region answers when asked directly"))
def region_answers(drill: Drill, role: Role) -> None:
    """Past all DNS, the health path answers well."""
    drill.verify_answers(role)


@then("the secondary region could take over")
def secondary_is_fit(drill: Drill) -> None:
    """Its app runs and answers, or is a cold standby that can be started; tier, host names, version and switches fit."""
    drill.verify_ready("secondary app", "pricing tier", "size", "secondary loaded", "version", "app switches")


@then("both web apps are bound to the public host name")
def hosts_are_bound(drill: Drill) -> None:
    """Else users would get a 404 from the front end that does not know the name."""
    drill.verify_ready("host names")


@then("the secondary region proves the public host name")
def certificate_is_valid(drill: Drill) -> None:
    """Its certificate is valid for the name that users ask for; over plain http there is nothing to prove."""
    drill.verify_ready("certificate")


@then("the TTL of the profile leaves time for the recovery objective")
def ttl_is_short(drill: Drill) -> None:
    """Whatever is done, a resolver may keep the old answer for the whole TTL."""
    drill.verify_ready("TTL and RTO", "resolver TTL")


@then("the monitor's probe path answers in every running region")
def probes_succeed(drill: Drill) -> None:
    """Asked as Traffic Manager asks, redirects not followed."""
    drill.verify_ready("probe path primary", "probe path secondary")


@then("Traffic Manager can fail over")
def profile_is_fit(drill: Drill) -> None:
    """The profile is enabled, routes by priority, leads to the right apps, and finds nothing Degraded."""
    drill.verify_ready(
        *("profile status", "routing method", "priority order", "endpoints", "primary endpoint", "secondary endpoint"),
        *("all degraded", "primary health", "secondary health", "alwaysServe"),
    )


@then("a failover is forecast to be within its objective")
def forecast_is_good(drill: Drill) -> None:
    """A planned one, and one that the monitor has to notice, at 95 %. Beyond it is a warning."""
    drill.verify_ready("planned failover", "monitor settings")


@then("the public name leads to the primary region everywhere")
def names_lead_home(drill: Drill) -> None:
    """At the authority, and every watched resolver answers."""
    drill.verify_ready("public host", "resolvers")


@then("a drill may be run here, and undone")
def drill_is_possible(drill: Drill) -> None:
    """Tags release what a drill changes, this identity may call the deeds and their undos, and the data probe lists."""
    drill.verify_ready("tags", "rights", "data probe")
