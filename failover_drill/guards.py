"""What must be so before anything is changed: one guard each, one refusal each. Nothing here writes.

    before the run exists     consent, subscription, calendar, kill switch (file)
    before the first change   ids, tags, kill switch (tag), lock, rights, steady state, secondary, budget, guardian
    before each later step    kill switch (file and tag), lock still ours, guardian alive

docs/safety.md lists them with their messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from failover_drill import lock
from failover_drill.blocked_times import blocked
from failover_drill.cost import Expected
from failover_drill.errors import PlatformError, Unsafe
from failover_drill.facts import Objectives
from failover_drill.platform import Direct, Names, Permission, Platform
from failover_drill.promises import LOCK_TAG
from failover_drill.settings_tables import CalendarTable, SafetyTable
from failover_drill.target import Region, Target, provider_type, resource_name
from failover_drill.wording import duration

ALLOWED_TAG, ALLOWED = "failover-drill", "allowed"
STOP_TAG = "failover-drill-stop"
YES_VARIABLE = "FAILOVER_DRILL_YES"


@dataclass(frozen=True, slots=True)
class Consent:
    """What the person who started the drill said: `--target` was given; `--yes-really`, or the variable's value."""

    explicit: bool = False
    yes: bool = False
    yes_to: str = ""


# ---- before the run exists ---------------------------------------------------------------------------------------


def refuse_outright(
    target: Target, safety: SafetyTable, calendar: CalendarTable, consent: Consent, now_s: float
) -> None:
    """Raise Unsafe where settings, command line, date or kill switch forbid the drill. Asks the control plane nothing."""
    if not _own_estate(target):
        _require_consent(target, safety, consent)
    zone = UTC if calendar.timezone == "UTC" else ZoneInfo(calendar.timezone)
    entry = blocked(datetime.fromtimestamp(now_s, zone), calendar.blocked_dates, calendar.blocked_windows)
    if entry:
        raise Unsafe(f"no drill now: [calendar] of drill.toml blocks {entry} ({calendar.timezone})")
    reason = kill_switch_file(safety)
    if reason:
        raise Unsafe(reason)


def refuse_unmeasured(target: Target, objectives: Objectives) -> None:
    """Raise Unsafe where an objective is set that nothing will measure: the drill would be for nothing."""
    if objectives.rpo_s is not None and target.data_probe is None:
        raise Unsafe(
            f"rpo_s = {objectives.rpo_s:g}, but target {target.name} has no data probe to measure data loss with: "
            f'set target.{target.name}.data_probe = "/path" in drill.toml, or leave out rpo_s'
        )


def _own_estate(target: Target) -> bool:
    """Is it the harness's own estate? It says so, and its control plane is on this machine's loopback."""
    host = urlsplit(target.arm_url).hostname or ""
    return target.local and (host == "localhost" or host.startswith("127."))


def _require_consent(target: Target, safety: SafetyTable, consent: Consent) -> None:
    if target.subscription_id.lower() not in {s.lower() for s in safety.subscriptions}:
        raise Unsafe(
            f"subscription {target.subscription_id} is not on the allow-list: [safety] subscriptions in drill.toml"
        )
    if not consent.explicit:
        raise Unsafe(f"{target.name} is real: a drill of it must be asked for with --target {target.name}")
    if not consent.yes and consent.yes_to.lower() != target.subscription_id.lower():
        raise Unsafe(
            f"{target.name} is real: add --yes-really, or set {YES_VARIABLE} to its subscription {target.subscription_id}"
        )


def kill_switch_file(safety: SafetyTable) -> str:
    """Say that the kill-switch file exists; "" where it does not."""
    path = Path(safety.kill_switch)
    return f"drills are stopped: the file {path} exists; remove it when the incident is over" if path.exists() else ""


# ---- before the first change -------------------------------------------------------------------------------------


class Guards:
    """Every guard that asks the world, in the order in which it is asked."""

    def __init__(
        self,
        target: Target,
        platform: Platform,
        direct: Direct,
        names: Names,
        safety: SafetyTable,
        *,
        left_s: float,
        expected: Callable[[], Expected],
        guardian_trouble: Callable[[], str],
        wall_s: Callable[[], float],
    ) -> None:
        """`left_s`: error budget not yet spent; `expected`: what this drill is likely to cost."""
        self._target, self._platform, self._direct, self._names = target, platform, direct, names
        self._safety, self._left_s, self._expected = safety, left_s, expected
        self._guardian_trouble, self._wall_s = guardian_trouble, wall_s

    def check(self) -> None:
        """Raise Unsafe where anything forbids the first change."""
        self._require_known()
        self._require_tagged()
        self._require_not_stopped()
        self._require_lock_free()
        if self._safety.check_rights:
            self._require_rights()
        self._require_steady()
        self._require_fit_secondary()
        self._require_budget()
        unguarded = self.unguarded()
        if unguarded:
            raise Unsafe(unguarded)

    def unguarded(self) -> str:
        """Say why nobody would put the estate back if the drill died; "" where somebody would."""
        trouble = self._guardian_trouble()
        return f"nobody would put the estate back: {trouble}" if trouble else ""

    def stop_requested(self) -> str:
        """Say who wants all drills stopped; "" where nobody does. Raises PlatformError where it cannot be told."""
        said = kill_switch_file(self._safety)
        for resource in (self._target.profile_id, group_of(self._target.profile_id)) if not said else ():
            value = self._platform.tags(resource).get(STOP_TAG)
            if value is not None:
                return f"drills are stopped: {resource_name(resource)} is tagged {STOP_TAG}={value}"
        return said

    def lock_value(self) -> str:
        return self._platform.tags(self._target.profile_id).get(LOCK_TAG, "")

    # ---- one guard each

    def _require_known(self) -> None:
        for resource in resources(self._target):
            try:
                self._platform.snapshot(resource)
            except PlatformError as error:
                raise Unsafe(f"drill.toml lists {resource}, which cannot be read: {error}") from error
        for region in self._target.regions:
            app_id = self._platform.endpoint_state(region.endpoint_id).target_id
            if app_id and app_id.lower() != region.app_id.lower():
                raise Unsafe(f"endpoint {region.endpoint} leads to {app_id}, which drill.toml does not list")

    def _require_tagged(self) -> None:
        for resource in (*(r.app_id for r in self._target.regions), self._target.profile_id):
            if not any(self._allowed(place) for place in (resource, group_of(resource))):
                raise Unsafe(
                    f"{resource_name(resource)} is not released for drills: "
                    f"tag it, or its resource group, {ALLOWED_TAG}: {ALLOWED}"
                )

    def _allowed(self, resource: str) -> bool:
        tags = {name.lower(): value for name, value in self._platform.tags(resource).items()}
        return tags.get(ALLOWED_TAG, "").lower() == ALLOWED

    def _require_not_stopped(self) -> None:
        reason = self.stop_requested()
        if reason:
            raise Unsafe(reason)

    def _require_lock_free(self) -> None:
        reason = lock.refusal(self.lock_value(), self._wall_s()) if self._safety.lock == "tag" else ""
        if reason:
            raise Unsafe(reason)

    def _require_rights(self) -> None:
        try:
            missing = lacking(self._target, self._platform, lock_by_tag=self._safety.lock == "tag")
        except PlatformError as error:
            raise Unsafe(
                f"what this identity may do cannot be read: {error}; give it Microsoft.Authorization/permissions/read, "
                f"or set [safety] check_rights = false if you know that it may undo"
            ) from error
        if missing:
            raise Unsafe(f"this identity may not {missing[0]}: without that a change could not be undone")

    def _require_steady(self) -> None:
        primary, secondary = self._target.regions
        profile = self._platform.profile_state(self._target.profile_id)
        if not profile.enabled:
            raise Unsafe(f"steady state does not hold: the profile {self._target.profile_fqdn} is Disabled")
        self._require_serving(primary)
        if self._platform.app_state(secondary.app_id).running:
            self._require_serving(secondary)
        answer = self._names.ask("authority")
        if answer.region != primary.name:
            said = answer.region or ", ".join(answer.addresses) or answer.rcode
            raise Unsafe(
                f"steady state does not hold: {self._target.public_host} leads to {said}, "
                f"not to the primary {primary.name}"
            )

    def _require_serving(self, region: Region) -> None:
        answer = self._direct.ask(region)
        if not answer.good:
            raise Unsafe(f"steady state does not hold: {region.name} answers {answer.said} when asked directly")

    def _require_fit_secondary(self) -> None:
        """Could the secondary take over? A stopped app is not asked for its version: it cannot say."""
        primary, secondary = self._target.regions
        ours, other = self._platform.app_state(primary.app_id), self._platform.app_state(secondary.app_id)
        if other.state not in {"Running", "Stopped"}:
            raise Unsafe(
                f"the secondary is not fit: {secondary.app} is {other.state}, neither running nor to be started"
            )
        bound = {name.lower() for name in other.host_names}
        missing = sorted({n.lower() for n in ours.host_names} - {ours.default_host.lower()} - bound)
        if missing:
            raise Unsafe(f"the secondary is not fit: {missing[0]} is bound to {primary.app}, not to {secondary.app}")
        trouble = self._direct.certificate_trouble(secondary)
        if trouble:
            raise Unsafe(f"the secondary is not fit: {secondary.name}: {trouble}")
        versions = self._direct.ask(primary).version, self._direct.ask(secondary).version
        if all(versions) and versions[0] != versions[1]:
            raise Unsafe(
                f"the secondary is not fit: {primary.name} runs version {versions[0]}, {secondary.name} {versions[1]}"
            )

    def _require_budget(self) -> None:
        expected = self._expected()
        if expected.cost_s > self._left_s:
            raise Unsafe(
                f"the error budget does not allow it: {duration(max(self._left_s, 0))} of it is left in the window, "
                f"this drill is likely to cost {duration(expected.cost_s)} ({expected.why})"
            )


def signed_in(target: Target, platform: Platform, *, lock_by_tag: bool) -> str:
    """Say in one line which credential is used, for whom, and what it may do; after a first call."""
    try:
        missing = lacking(target, platform, lock_by_tag=lock_by_tag)
    except PlatformError as error:
        return f"{platform.identity}; what it may do cannot be read: {error}"
    rights = f"may not {'; '.join(missing)}" if missing else "may do all that a drill and its undo call"
    return f"{platform.identity}; {rights}"


def lacking(target: Target, platform: Platform, *, lock_by_tag: bool) -> list[str]:
    """Return what the caller may not do of what a drill calls, "action on resource" each. Raises PlatformError."""
    return [
        f"{action} on {resource_name(resource)}"
        for resource, actions in needed(target, lock_by_tag=lock_by_tag).items()
        for permissions in (platform.permissions(resource),)
        for action in actions
        if not may(action, permissions)
    ]


def needed(target: Target, *, lock_by_tag: bool) -> Mapping[str, tuple[str, ...]]:
    """Return what a drill calls on each resource, as Azure names operations."""
    profile = provider_type(target.profile_id)
    locking = ("Microsoft.Resources/tags/write",) if lock_by_tag else ()
    found: dict[str, tuple[str, ...]] = {target.profile_id: (f"{profile}/read", *locking)}
    for region in target.regions:
        app, endpoint = provider_type(region.app_id), provider_type(region.endpoint_id)
        found[region.app_id] = tuple(f"{app}/{verb}" for verb in ("read", "start/action", "stop/action"))
        found[region.endpoint_id] = (f"{endpoint}/read", f"{endpoint}/write")
    return found


def resources(target: Target) -> tuple[str, ...]:
    """Return the ids of everything in the blast radius, the profile first."""
    return (target.profile_id, *(i for r in target.regions for i in (r.app_id, r.endpoint_id)))


def group_of(resource_id: str) -> str:
    """Return the id of a resource's group."""
    return resource_id.split("/providers/", 1)[0]


def may(action: str, permissions: Iterable[Permission]) -> bool:
    """Does any role allow *action*? As ARM evaluates: in its actions and not in its notActions; `*` is anything; case aside."""
    return any(_matches(action, p.actions) and not _matches(action, p.not_actions) for p in permissions)


def _matches(action: str, patterns: Sequence[str]) -> bool:
    return any(
        re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), action, re.IGNORECASE)
        for pattern in patterns
    )
