"""Readiness of the Traffic Manager profile: will it fail over, when, and by whom? One check each. Pure.

The traps are those of azure-facts §3 and §6.
"""

from __future__ import annotations

from failover_drill import forecast_words
from failover_drill.forecast import Kind, forecast
from failover_drill.preflight_seen import Check, Level, Line, Seen
from failover_drill.target import Role, resource_name

BAD_HEALTHS = {"Degraded", "Stopped", "Inactive", "Disabled"}
RUNS = 2_000
SURELY = forecast_words.SURELY


def profile_enabled(seen: Seen) -> Line:
    """A disabled profile answers NXDOMAIN, which is cached for 30 s."""
    if seen.properties.get("profileStatus") == "Enabled":
        return Line("profile status", Level.PASS, "Enabled")
    fix = "enable it: az network traffic-manager profile update --status Enabled"
    return Line("profile status", Level.FAIL, "the profile is Disabled: its name does not exist", fix)


def routing_method(seen: Seen) -> Line:
    found = str(seen.properties.get("trafficRoutingMethod"))
    if found == "Priority":
        return Line("routing method", Level.PASS, "Priority")
    said = f"routing is {found}: both regions may serve users at rest, so that neither is the primary"
    fix = "set trafficRoutingMethod to Priority; geographic routing never fails over to another geography"
    return Line("routing method", Level.FAIL, said, fix)


def priority_order(seen: Seen) -> Line:
    """The primary must come first, else Traffic Manager sends users to the secondary at rest."""
    ours, theirs = (seen.endpoint(role).get("priority") or 0 for role in Role)
    if ours < theirs:
        return Line("priority order", Level.PASS, f"{ours} before {theirs}")
    if seen.properties.get("trafficRoutingMethod") != "Priority":
        return Line("priority order", Level.SKIP, "routing is not by priority")
    first, second = seen.target.regions
    said = f"{first.endpoint} has priority {ours}, {second.endpoint} {theirs}: the secondary comes first"
    return Line(
        "priority order", Level.FAIL, said, f"give {first.endpoint} the lower number, or swap the roles in drill.toml"
    )


def endpoints_present(seen: Seen) -> Line:
    """Each endpoint is in the profile and leads to the app that drill.toml names."""
    for role in Role:
        region, own = seen.target.region(role), seen.endpoint(role)
        if not own:
            said = f"the profile has no endpoint {region.endpoint}"
            return Line("endpoints", Level.FAIL, said, "correct the endpoint's name in drill.toml")
        leads = str(own.get("targetResourceId") or "")
        if leads.lower() != region.app_id.lower():
            said = (
                f"endpoint {region.endpoint} leads to {resource_name(leads) or own.get('target')}, not to {region.app}"
            )
            return Line("endpoints", Level.FAIL, said, "correct drill.toml, or the endpoint's target")
    return Line("endpoints", Level.PASS, "both lead to the apps of drill.toml")


def primary_endpoint_enabled(seen: Seen) -> Line:
    region = seen.target.primary
    if seen.enabled(Role.PRIMARY):
        return Line("primary endpoint", Level.PASS, "Enabled")
    if seen.enabled(Role.SECONDARY):
        said, fix = f"{region.endpoint} is Disabled: users are in the secondary already", f"enable {region.endpoint}"
    else:
        said = "both endpoints are Disabled: the name does not exist, and resolvers keep that for 30 s"
        fix = f"enable {region.endpoint} first"
    return Line("primary endpoint", Level.FAIL, said, fix)


def secondary_endpoint_enabled(seen: Seen) -> Line:
    region = seen.target.secondary
    if seen.enabled(Role.SECONDARY):
        return Line("secondary endpoint", Level.PASS, "Enabled")
    said = f"{region.endpoint} is Disabled: only an operator can fail over, Traffic Manager never will by itself"
    return Line(
        "secondary endpoint", Level.WARN, said, f"enable {region.endpoint} once its app runs, or keep it so knowingly"
    )


def all_degraded(seen: Seen) -> Line:
    """All endpoints degraded looks fine: the first one is answered as if it were healthy, and nothing can fail over."""
    enabled = [role for role in Role if seen.enabled(role)]
    if enabled and all(seen.health(role) == "Degraded" for role in enabled):
        said = "every enabled endpoint is Degraded: Traffic Manager answers as if all were healthy, and no failover is possible"
        fix = f"let {path_of(seen)} answer 200 to Traffic Manager: path, port, access restrictions, redirects"
        return Line("all degraded", Level.FAIL, said, fix)
    return Line("all degraded", Level.PASS, "no")


def primary_health(seen: Seen) -> Line:
    return _health(seen, Role.PRIMARY)


def secondary_health(seen: Seen) -> Line:
    return _health(seen, Role.SECONDARY)


def _health(seen: Seen, role: Role) -> Line:
    check, health, region = f"{role} health", seen.health(role), seen.target.region(role)
    if not seen.enabled(role) or seen.properties.get("profileStatus") != "Enabled":
        return Line(check, Level.SKIP, f"not probed: {health or 'unknown'}")
    if health in BAD_HEALTHS:
        said = f"Traffic Manager says {health} of {region.endpoint}"
        stopped = "start the app; then disable and enable the endpoint, or its probes begin late"
        fix = stopped if health == "Stopped" else f"find out why {path_of(seen)} fails there"
        return Line(check, Level.FAIL, said, fix)
    if health == "CheckingEndpoint":
        said = f"{region.endpoint} is still being checked, and is answered meanwhile"
        return Line(check, Level.WARN, said, "wait for the first probes, and look again")
    return Line(check, Level.PASS, health)


def always_serve(seen: Seen) -> Line:
    """An endpoint that is always served is not probed: the primary would never be left."""
    always = [role for role in Role if seen.endpoint(role).get("alwaysServe") == "Enabled"]
    if not always:
        return Line("alwaysServe", Level.PASS, "off")
    name = seen.target.region(always[0]).endpoint
    consequence = "never fails over from it" if Role.PRIMARY in always else "sends users to it, dead or alive"
    said = f"alwaysServe is on for {name}: Traffic Manager does not probe it and {consequence}"
    return Line("alwaysServe", Level.FAIL, said, f"switch alwaysServe off for {name}")


def probe_path_primary(seen: Seen) -> Line:
    return _probe_path(seen, Role.PRIMARY)


def probe_path_secondary(seen: Seen) -> Line:
    return _probe_path(seen, Role.SECONDARY)


def _probe_path(seen: Seen, role: Role) -> Line:
    check, region = f"probe path {role}", seen.target.region(role)
    if role not in seen.probed:
        return Line(
            check, Level.SKIP, "probed by TCP" if seen.monitor.get("protocol") == "TCP" else "the app is not running"
        )
    answer, ranges = seen.probed[role], seen.monitor.get("expectedStatusCodeRanges") or [{"min": 200, "max": 200}]
    if any(int(r["min"]) <= answer.status <= int(r["max"]) for r in ranges):
        return Line(check, Level.PASS, f"{path_of(seen)}: {answer.said}")
    fix = "let it answer 200 itself, or name its statuses in expectedStatusCodeRanges"
    if 300 <= answer.status < 400:
        fix = "probes follow no redirect: let the path answer 200, or probe HTTPS on 443"
    return Line(check, Level.FAIL, f"{region.name} answers {answer.said} to the monitor's {path_of(seen)}", fix)


def ttl_within_rto(seen: Seen) -> Line:
    """Whatever is done, a resolver may keep the old answer for the whole TTL."""
    if seen.ttl_s <= seen.rto_s / 2:
        return Line("TTL and RTO", Level.PASS, f"TTL {seen.ttl_s:g} s, RTO {seen.rto_s:g} s")
    level = Level.FAIL if seen.ttl_s >= seen.rto_s else Level.WARN
    said = (
        f"a TTL of {seen.ttl_s:g} s is {seen.ttl_s / seen.rto_s:.0%} of the recovery time objective of {seen.rto_s:g} s"
    )
    return Line("TTL and RTO", level, said, f"lower the profile's TTL to {max(0.0, seen.rto_s // 3):g} s or less")


def planned_in_time(seen: Seen) -> Line:
    return _in_time(seen, Kind.PLANNED, "planned failover")


def unplanned_in_time(seen: Seen) -> Line:
    """The monitor's settings: interval, timeout and tolerated failures decide how late Traffic Manager notices."""
    return _in_time(seen, Kind.HANG, "monitor settings")


def _in_time(seen: Seen, kind: Kind, check: str) -> Line:
    profile, delays, clients = seen.forecast
    found = forecast(profile, delays, kind, clients, runs=RUNS)
    if found.never:
        return Line(check, Level.SKIP, found.never)
    within = found.recovery.at[SURELY]
    if within <= seen.rto_s:
        return Line(check, Level.PASS, f"95 % recover within {within:.0f} s (RTO {seen.rto_s:g} s)")
    what = "an operator's failover" if kind is Kind.PLANNED else "a region that hangs is left so late that recovery"
    said = f"{what} takes up to {within:.0f} s in 95 % of cases, the recovery time objective is {seen.rto_s:g} s"
    return Line(check, Level.WARN, said, _advice(seen, kind))


def _advice(seen: Seen, kind: Kind) -> str:
    profile, delays, clients = seen.forecast
    variants = forecast_words.what_if(profile, delays, kind, clients, runs=RUNS)
    return f"try {variants[0].words}" if variants else "raise the objective: no setting of the profile brings it down"


def path_of(seen: Seen) -> str:
    """Return what the monitor asks for, in words."""
    monitor = seen.monitor
    return f"{monitor.get('protocol', 'HTTP')} {monitor.get('port', '')} {monitor.get('path') or ''}".strip()


CHECKS: tuple[Check, ...] = (
    profile_enabled,
    routing_method,
    priority_order,
    endpoints_present,
    primary_endpoint_enabled,
    secondary_endpoint_enabled,
    all_degraded,
    primary_health,
    secondary_health,
    always_serve,
    probe_path_primary,
    probe_path_secondary,
    ttl_within_rto,
    planned_in_time,
    unplanned_in_time,
)
