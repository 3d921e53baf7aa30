"""Readiness of the two web apps, the names and the rights. One check each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failover_drill.guards import ALLOWED, ALLOWED_TAG, group_of, may, needed
from failover_drill.preflight_seen import Check, Level, Line, Seen
from failover_drill.target import Role, resource_name

BELOW_STANDARD = frozenset({"free", "shared", "basic", "dynamic", "consumption"})  # azure-facts §1.5
TIERS = ("standard", "premium", "premiumv2", "premiumv3", "premiumv4", "isolated", "isolatedv2")
DEAD_STATES = {"QuotaExceeded", "AdminDisabled"}
MOST_NAMED = 5


def primary_serves(seen: Seen) -> Line:
    """The primary must run and answer before anybody takes it down."""
    answer, region = seen.answers[Role.PRIMARY], seen.target.primary
    if seen.running(Role.PRIMARY) and answer.good:
        return Line("primary app", Level.PASS, f"Running, answers {answer.said}")
    said = f"{region.app} is {seen.app(Role.PRIMARY).get('state')} and answers {answer.said} when asked directly"
    return Line("primary app", Level.FAIL, said, "bring the primary back before anybody drills")


def secondary_warm(seen: Seen) -> Line:
    region, state = seen.target.secondary, seen.app(Role.SECONDARY).get("state")
    if state in DEAD_STATES:
        said = f"{region.app} is {state}: it cannot be started"
        return Line("secondary app", Level.FAIL, said, "free the quota, or move it to a plan without one")
    if not seen.running(Role.SECONDARY):
        delays = seen.forecast[1]
        adds_s = delays.start_effect.most_s + delays.cold_start.most_s
        said = f"{region.app} is {state}: starting it adds up to {adds_s:.0f} s to each failover"
        return Line("secondary app", Level.WARN, said, f"keep {region.app} running, or keep it cold knowingly")
    answer = seen.answers[Role.SECONDARY]
    if answer.good:
        return Line("secondary app", Level.PASS, f"Running, answers {answer.said}")
    said = f"{region.app} is Running but answers {answer.said} when asked directly"
    return Line("secondary app", Level.FAIL, said, "a failover would lead users there: repair it first")


def secondary_loaded(seen: Seen) -> Line:
    """Without Always On an idle app is unloaded, and the first users of a failover pay for its start."""
    on = [bool((seen.app(role).get("siteConfig") or {}).get("alwaysOn")) for role in Role]
    if on[0] and not on[1]:
        said = f"{seen.target.secondary.app} has no Always On, the primary has: it is unloaded while nobody asks it"
        return Line("secondary loaded", Level.WARN, said, "switch Always On on, as in the primary")
    return Line("secondary loaded", Level.PASS, "Always On as in the primary")


def tier(seen: Seen) -> Line:
    """Traffic Manager takes no web app below Standard, and reports one that was scaled down as Stopped."""
    low = [role for role in Role if str(seen.app(role).get("sku")).lower() in BELOW_STANDARD]
    if not low:
        return Line("pricing tier", Level.PASS, ", ".join(str(seen.app(role).get("sku")) for role in Role))
    region = seen.target.region(low[0])
    said = f"{region.app} is in tier {seen.app(low[0]).get('sku')}: Traffic Manager serves web apps from Standard on"
    return Line("pricing tier", Level.FAIL, said, f"scale the plan of {region.app} up to Standard or better")


def size(seen: Seen) -> Line:
    """The secondary must carry what the primary carries."""
    primary, secondary = (_size(seen, role) for role in Role)
    if secondary < primary:
        said = f"the secondary is smaller: {_named(seen, Role.SECONDARY)}, the primary {_named(seen, Role.PRIMARY)}"
        return Line("size", Level.WARN, said, "scale the secondary as the primary, or prove that it carries the load")
    return Line("size", Level.PASS, f"{_named(seen, Role.SECONDARY)}")


def _size(seen: Seen, role: Role) -> tuple[int, int, int]:
    sku = str(seen.app(role).get("sku")).lower()
    workers = (seen.app(role).get("siteConfig") or {}).get("numberOfWorkers") or 1
    plan = seen.plans.get(role, {}).get("sku") or {}
    both = all(each in seen.plans for each in Role)
    return TIERS.index(sku) if sku in TIERS else -1, int(plan.get("capacity") or 1) if both else 1, int(workers)


def _named(seen: Seen, role: Role) -> str:
    plan = seen.plans.get(role, {}).get("sku") or {}
    count = plan.get("capacity") or (seen.app(role).get("siteConfig") or {}).get("numberOfWorkers") or 1
    return f"{plan.get('name') or seen.app(role).get('sku')} x {count}"


def host_bound(seen: Seen) -> Line:
    """A host that the secondary does not know gets its 404 page, while DNS looks fine."""
    host = seen.target.public_host.lower()
    for role in Role:
        names = {str(name).lower() for name in seen.app(role).get("hostNames") or ()}
        if host not in names:
            app = seen.target.region(role).app
            said = f"{host} is not bound to {app}: users who are led there get 404 Site Not Found"
            return Line("host names", Level.FAIL, said, f"bind {host} to {app}: az webapp config hostname add")
    other = _custom(seen, Role.PRIMARY) - _custom(seen, Role.SECONDARY)
    if other:
        said = f"{', '.join(sorted(other))} is bound to the primary only"
        return Line("host names", Level.WARN, said, "bind it to the secondary, or users of that name are lost")
    return Line("host names", Level.PASS, f"{host} is bound to both apps")


def _custom(seen: Seen, role: Role) -> set[str]:
    names = {str(name).lower() for name in seen.app(role).get("hostNames") or ()}
    return {n for n in names if not n.endswith((".azurewebsites.net", ".trafficmanager.net"))}


def certificate(seen: Seen) -> Line:
    """What the primary can prove, the secondary must prove."""
    trouble = {role: why for role, why in seen.certificates.items() if why}
    if trouble:
        role = next(iter(trouble))
        fix = f"bind a certificate for {seen.target.public_host} to {seen.target.region(role).app}"
        return Line("certificate", Level.FAIL, f"{seen.target.region(role).name}: {trouble[role]}", fix)
    secured = [_secured(seen, role) for role in Role]
    if secured[0] and not secured[1]:
        level = Level.FAIL if seen.target.scheme == "https" else Level.WARN
        app = seen.target.secondary.app
        said = f"{app} has no certificate for {seen.target.public_host}, the primary has: https fails after a failover"
        fix = f"bind one to {app}; a managed certificate is not issued through Traffic Manager's name, so import it"
        return Line("certificate", level, said, fix)
    return Line("certificate", Level.PASS, "as in the primary")


def _secured(seen: Seen, role: Role) -> bool:
    host = seen.target.public_host.lower()
    states = seen.app(role).get("hostNameSslStates") or ()
    return any(s["name"].lower() == host and s.get("sslState") not in (None, "Disabled") for s in states)


def same_settings(seen: Seen) -> Line:
    """Application settings drift apart; the names are told, values never are."""
    check, sides = "application settings", [seen.settings.get(role) for role in Role]
    ours, theirs = sides
    if ours is None or theirs is None:
        return Line(check, Level.SKIP, seen.unread.get(check, "could not be read"))
    lacking = sorted(ours.keys() ^ theirs.keys())
    differing = sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])
    parts = [f"only in one region: {_some(lacking)}"] if lacking else []
    parts += [f"different: {_some(differing)}"] if differing else []
    if not parts:
        return Line(check, Level.PASS, f"{len(ours)}, the same in both regions")
    fix = "make them the same, except where a region must have its own"
    return Line(check, Level.WARN, "; ".join(parts), fix)


def _some(names: list[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def same_switches(seen: Seen) -> Line:
    """HTTPS-only and session affinity decide what users meet after a failover."""
    for name, said in (("httpsOnly", "HTTPS only"), ("clientAffinityEnabled", "session affinity")):
        ours, theirs = (bool(seen.app(role).get(name)) for role in Role)
        if ours != theirs:
            words = (
                f"{said} is {'on' if ours else 'off'} in the primary and {'on' if theirs else 'off'} in the secondary"
            )
            return Line("app switches", Level.WARN, words, "set it the same in both regions")
    return Line("app switches", Level.PASS, "the same in both regions")


def same_version(seen: Seen) -> Line:
    ours, theirs = (seen.answers[role].version if role in seen.answers else "" for role in Role)
    if not ours or not theirs:
        return Line("version", Level.SKIP, f"{seen.target.health_path} tells none, or an app is not running")
    if ours == theirs:
        return Line("version", Level.PASS, ours)
    first, second = seen.target.regions
    return Line("version", Level.FAIL, f"{first.name} runs {ours}, {second.name} {theirs}", "deploy the same to both")


def names_lead_to_primary(seen: Seen) -> Line:
    found = seen.resolutions["authority"]
    if found.region == seen.target.primary.name:
        return Line("public host", Level.PASS, f"leads to {found.region}")
    said = found.region or ", ".join(found.addresses) or found.rcode
    fix = f"point {seen.target.public_host} at {seen.target.profile_fqdn} with a CNAME, and check endpoints and roles"
    return Line("public host", Level.FAIL, f"the authority answers {seen.target.public_host} with {said}", fix)


def resolvers_answer(seen: Seen) -> Line:
    for name, each in _resolvers(seen).items():
        if each.rcode != "NOERROR":
            said = f"{name} answers {each.rcode}"
            return Line("resolvers", Level.FAIL, said, f"correct the address of {name} in drill.toml, or leave it out")
    return Line("resolvers", Level.PASS, f"{len(_resolvers(seen))} watched")


def resolver_ttl(seen: Seen) -> Line:
    """Some resolvers stretch short TTLs: 60 s were shown for a profile of 30 s (azure-facts §6)."""
    for name, each in _resolvers(seen).items():
        if each.ttl_s is not None and each.ttl_s > seen.ttl_s:
            said = f"{name} keeps the answer for {each.ttl_s} s, the profile's TTL is {seen.ttl_s:g} s"
            fix = "its users follow that much later: set ttl_floor_s in [traffic] to it, or lower the resolver's minimum TTL"
            return Line("resolver TTL", Level.WARN, said, fix)
    return Line("resolver TTL", Level.PASS, "none above the profile's")


def _resolvers(seen: Seen) -> Mapping[str, Any]:
    named = {name for name, _ in seen.target.resolvers}
    return {name: each for name, each in seen.resolutions.items() if name in named}


def tags(seen: Seen) -> Line:
    """Nothing is drilled that was not released for it."""
    released = f"{ALLOWED_TAG}: {ALLOWED}"
    wanted = (seen.target.profile_id, *(region.app_id for region in seen.target.regions))
    lacking = [resource_name(i) for i in wanted if not any(_allowed(seen, place) for place in (i, group_of(i)))]
    if not lacking:
        return Line("tags", Level.PASS, released)
    return Line(
        "tags", Level.FAIL, f"not released for drills: {', '.join(lacking)}", f"tag it, or its group, {released}"
    )


def _allowed(seen: Seen, place: str) -> bool:
    found = {name.lower(): value.lower() for name, value in seen.tags.get(place, {}).items()}
    return found.get(ALLOWED_TAG) == ALLOWED


def signed_in(seen: Seen) -> Line:
    """Whose rights are meant by the next line."""
    return Line("signed in", Level.PASS, str(seen.identity))


def rights(seen: Seen) -> Line:
    """The undo needs rights too: without them a drill must not begin."""
    lacking = [
        f"{action} on {resource_name(resource)}"
        for resource, actions in needed(seen.target, lock_by_tag=seen.lock_by_tag).items()
        for action in actions
        if resource in seen.permissions and not may(action, seen.permissions[resource])
    ]
    if lacking:
        return Line(
            "rights", Level.FAIL, f"this identity may not {'; '.join(lacking)}", "assign the role of deploy/role.json"
        )
    if seen.unread.get("rights"):
        return Line("rights", Level.SKIP, seen.unread["rights"])
    return Line("rights", Level.PASS, "everything that a drill and its undo call")


CHECKS: tuple[Check, ...] = (
    primary_serves,
    secondary_warm,
    secondary_loaded,
    tier,
    size,
    host_bound,
    certificate,
    same_settings,
    same_switches,
    same_version,
    names_lead_to_primary,
    resolvers_answer,
    resolver_ttl,
    tags,
    signed_in,
    rights,
)
