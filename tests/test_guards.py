"""Each guard refuses in one line of its own, and nothing reaches the control plane that could change anything."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.mgmt.trafficmanager.models import Profile, ProfileProperties

from failover_drill.adapters.arm import ArmPlatform
from failover_drill.blocked_times import blocked
from failover_drill.compose import Run
from failover_drill.errors import Aborted, PlatformError, Unsafe
from failover_drill.guards import ALLOWED, ALLOWED_TAG, STOP_TAG, Consent, group_of, may, refuse_outright
from failover_drill.lock import Lock, alone_here
from failover_drill.platform import Permission
from failover_drill.preflight import rehearse
from failover_drill.promises import LOCK_TAG
from failover_drill.settings import Settings
from failover_drill.settings_tables import CalendarTable, SafetyTable
from failover_drill.target import Role, Target, group_name, resource_name
from failover_drill.targets import open_target
from tests.servers import eventually
from tests.stage import COLD, Estate, await_journal, estate, run_drill, start_drill
from tests.test_guardian import guardian_of

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
REAL = {"local": False, "subscription_id": SUBSCRIPTION, "name": "production"}
LISTED = SafetyTable(subscriptions=(SUBSCRIPTION,))
ALLOWING: dict[str, Mapping[str, Any]] = {"safety": {"subscriptions": [SUBSCRIPTION]}}
NOW_S = datetime(2026, 12, 24, 16, 30, tzinfo=UTC).timestamp()
NEVER = "2999-01-01T00:00:00Z"
UNASKED = Consent()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as running:
        yield running


@pytest.fixture(scope="module")
def unfit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """An estate whose secondary lacks the custom host and runs another version, and whose identity may not start apps."""
    regions = [
        {"location": "East US", "version": "1.0.0"},
        {"location": "West US 3", "version": "0.9.0", "host_bound": False},
    ]
    config = {**COLD, "regions": regions, "identity": {"not_role": ["Microsoft.Web/sites/start/*"]}}
    with estate(tmp_path_factory.mktemp("unfit"), config) as running:
        yield running


@pytest.fixture
def target(stage: Estate, tmp_path: Path) -> Iterator[Target]:
    with open_target(Settings(), "local", stage.file, tmp_path / "log") as (opened, _):
        yield opened


def settings(tmp_path: Path, **tables: Mapping[str, Any]) -> Settings:
    plain: dict[str, Any] = {"drill": {"reports": str(tmp_path / "reports")}, **tables}
    return Settings.model_validate(plain)


def refusal(stage: Estate, target: Target, chosen: Settings, consent: Consent = UNASKED) -> str:
    """Why no drill may begin; "" where one may. Nothing may have been written by asking."""
    written = len(stage.writes())
    try:
        rehearse(chosen, target, consent)
    except Unsafe as error:
        return str(error)
    finally:
        assert len(stage.writes()) == written
    return ""


@pytest.mark.parametrize(
    ("change", "consent", "safety", "said"),
    [
        pytest.param({}, Consent(), SafetyTable(), "", id="the harness's own estate"),
        pytest.param(
            {"arm_url": "https://management.azure.com"},
            Consent(),
            SafetyTable(),
            "not on the allow-list",
            id="posing as local",
        ),
        pytest.param(
            REAL,
            Consent(True, True),
            SafetyTable(),
            "is not on the allow-list: [safety] subscriptions",
            id="not listed",
        ),
        pytest.param(
            REAL, Consent(False, True), LISTED, "must be asked for with --target production", id="not asked for"
        ),
        pytest.param(
            REAL,
            Consent(True),
            LISTED,
            f"add --yes-really, or set FAILOVER_DRILL_YES to its subscription {SUBSCRIPTION}",
            id="not meant",
        ),
        pytest.param(REAL, Consent(True, False, "another"), LISTED, "add --yes-really", id="another was meant"),
        pytest.param(REAL, Consent(True, True), LISTED, "", id="meant"),
        pytest.param(REAL, Consent(True, False, SUBSCRIPTION), LISTED, "", id="named in the environment"),
    ],
)
def test_only_what_was_meant(
    change: dict[str, Any], consent: Consent, safety: SafetyTable, said: str, target: Target
) -> None:
    """Real Azure is drilled only on the allow-list, by --target, and with a second word that names it."""
    found = ""
    try:
        refuse_outright(replace(target, **change), safety, CalendarTable(), consent, NOW_S)
    except Unsafe as error:
        found = str(error)
    assert said in found if said else not found


@pytest.mark.parametrize(
    ("at", "dates", "windows", "by"),
    [
        ("2026-12-24 16:30", ["2026-12-24"], [], "2026-12-24"),
        ("2026-12-25 00:00", ["2026-12-24"], [], ""),
        ("2027-01-03 23:59", ["2026-12-20/2027-01-03"], [], "2026-12-20/2027-01-03"),
        ("2026-12-24 16:30", [], ["Thu 16:00-24:00"], "Thu 16:00-24:00"),
        ("2026-12-24 15:59", [], ["Thu 16:00-24:00"], ""),
        ("2026-12-25 00:30", [], ["Thu 23:00-01:00"], "Thu 23:00-01:00"),
        ("2026-12-26 00:30", [], ["Thu 23:00-01:00"], ""),
        ("2026-12-27 08:00", [], ["Sat-Mon 08:00-10:00"], "Sat-Mon 08:00-10:00"),
        ("2026-12-24 00:30", [], ["daily 23:00-01:00"], "daily 23:00-01:00"),
    ],
)
def test_blocked_times(at: str, dates: list[str], windows: list[str], by: str) -> None:
    """Dates count whole and both ends included; windows of the week to the minute, also over midnight."""
    assert blocked(datetime.fromisoformat(at), dates, windows) == by


def test_calendar_and_kill_switch(target: Target, tmp_path: Path) -> None:
    """Both refuse before the control plane is asked anything, in the calendar's own time zone."""
    calendar = CalendarTable(timezone="Europe/Berlin", blocked_windows=("Thu 17:00-18:00",))
    with pytest.raises(
        Unsafe, match=r"no drill now: \[calendar\] of drill.toml blocks Thu 17:00-18:00 \(Europe/Berlin\)"
    ):
        refuse_outright(target, SafetyTable(), calendar, Consent(), NOW_S)
    switch = tmp_path / "STOP"
    switch.touch()
    with pytest.raises(Unsafe, match=f"drills are stopped: the file {switch} exists"):
        refuse_outright(target, SafetyTable(kill_switch=str(switch)), CalendarTable(), Consent(), NOW_S)


OUTRIGHT: Mapping[str, tuple[dict[str, Any], Consent, dict[str, Mapping[str, Any]], str]] = {
    "not on the allow-list": (REAL, Consent(True, True), {}, f"subscription {SUBSCRIPTION} is not on the allow-list"),
    "not asked for": (REAL, Consent(False, True), ALLOWING, "must be asked for with --target production"),
    "not meant": (REAL, Consent(True), ALLOWING, "add --yes-really, or set FAILOVER_DRILL_YES"),
    "a blocked window": (
        {},
        UNASKED,
        {"calendar": {"blocked_windows": ["daily 00:00-24:00"]}},
        "no drill now: [calendar] of drill.toml blocks daily 00:00-24:00 (UTC)",
    ),
    "a blocked date": (
        {},
        UNASKED,
        {"calendar": {"blocked_dates": ["2000-01-01/2999-12-31"]}},
        "no drill now: [calendar] of drill.toml blocks 2000-01-01/2999-12-31 (UTC)",
    ),
    "the kill switch": (
        {},
        UNASKED,
        {"safety": {"kill_switch": __file__}},
        f"drills are stopped: the file {__file__} exists; remove it when the incident is over",
    ),
    "an objective that nothing measures": (
        {"data_probe": None},
        UNASKED,
        {"objectives": {"rpo_s": 5}},
        'has no data probe to measure data loss with: set target.local.data_probe = "/path" in drill.toml, or leave out rpo_s',
    ),
}


@pytest.mark.parametrize("case", OUTRIGHT)
def test_refused_outright(case: str, stage: Estate, target: Target, tmp_path: Path) -> None:
    """What person, date and kill switch forbid is refused on the estate, too, and nothing is written."""
    change, consent, tables, said = OUTRIGHT[case]
    assert said in refusal(stage, replace(target, **change), settings(tmp_path, **tables), consent)


def test_one_at_a_time_on_this_machine(stage: Estate, target: Target, tmp_path: Path) -> None:
    """A second drill of the target is refused before it has a run, and writes nothing."""
    written, chosen = len(stage.writes()), settings(tmp_path)
    with alone_here(target.profile_id), pytest.raises(Unsafe, match="another drill of proseware runs on this machine"):
        Run(chosen, target, "drill", print)
    assert len(stage.writes()) == written
    assert not (tmp_path / "reports").exists()


Tagging = Callable[[ArmPlatform, Target], object]


def _tag_profile(name: str, value: str) -> Tagging:
    return lambda platform, target: platform.set_tag(target.profile_id, name, value)


def _unreleased(platform: ArmPlatform, target: Target) -> None:
    for resource in (target.secondary.app_id, group_of(target.secondary.app_id)):
        platform.remove_tag(resource, ALLOWED_TAG, ALLOWED)


def _stopped_group(platform: ArmPlatform, target: Target) -> None:
    platform.set_tag(group_of(target.profile_id), STOP_TAG, "incident 4711")


def _profile(status: str) -> Tagging:
    """What no verb of a drill does: switch the whole profile."""

    def switch(platform: ArmPlatform, target: Target) -> object:
        changed = Profile(properties=ProfileProperties(profile_status=status))
        return platform._names.profiles.update(group_name(target.profile_id), resource_name(target.profile_id), changed)

    return switch


def _mended(platform: ArmPlatform, target: Target) -> None:
    _profile("Enabled")(platform, target)
    profile, app = target.profile_id, target.secondary.app_id
    for place in (profile, group_of(profile)):
        platform.remove_tag(place, STOP_TAG, "")
    platform.remove_tag(profile, LOCK_TAG, "")
    for resource in (app, group_of(app)):
        platform.set_tag(resource, ALLOWED_TAG, ALLOWED)


@pytest.mark.parametrize(
    ("tagging", "said"),
    [
        pytest.param(
            _unreleased,
            "proseware-westus3 is not released for drills: tag it, or its resource group, failover-drill: allowed",
            id="not released",
        ),
        pytest.param(
            _tag_profile(STOP_TAG, "incident"),
            "drills are stopped: proseware is tagged failover-drill-stop=incident",
            id="kill switch on the profile",
        ),
        pytest.param(
            _stopped_group,
            "drills are stopped: rg-proseware-global is tagged failover-drill-stop=incident 4711",
            id="kill switch on its group",
        ),
        pytest.param(
            _tag_profile(LOCK_TAG, f"run-7 ann@build until {NEVER}"),
            f"another drill holds the lock: run run-7 of ann@build, {NEVER} at the latest",
            id="locked",
        ),
        pytest.param(
            _tag_profile(LOCK_TAG, "hands off"),
            "the profile's tag failover-drill-lock is 'hands off'",
            id="locked by no drill",
        ),
        pytest.param(_tag_profile(LOCK_TAG, str(Lock("run-7", "ann@build", 1.0))), "", id="an expired lock"),
        pytest.param(
            _profile("Disabled"),
            "steady state does not hold: the profile proseware.trafficmanager.net is Disabled",
            id="the profile is disabled",
        ),
    ],
)
def test_tags(stage: Estate, target: Target, tagging: Tagging, said: str, tmp_path: Path) -> None:
    """Tags release a resource, stop all drills, and lock the target; a disabled profile serves nobody."""
    platform = ArmPlatform(target)
    tagging(platform, target)
    try:
        found = refusal(stage, target, settings(tmp_path))
    finally:
        _mended(platform, target)
    assert said in found if said else not found


def test_only_what_drill_toml_lists(stage: Estate, target: Target, tmp_path: Path) -> None:
    """Ids that do not exist, and an endpoint that leads to an app which is not listed, are refused."""
    absent = replace(target, secondary=replace(target.secondary, app_id=target.secondary.app_id + "-not"))
    assert "which cannot be read: read proseware-westus3-not: refused with 404" in refusal(
        stage, absent, settings(tmp_path)
    )
    swapped = replace(target, secondary=replace(target.secondary, endpoint_id=target.primary.endpoint_id))
    assert "endpoint eastus leads to" in refusal(stage, swapped, settings(tmp_path))


def test_steady_state_and_budget(stage: Estate, target: Target, tmp_path: Path) -> None:
    """The public name must lead to a primary that serves; what the drill is forecast to cost must be left."""
    swapped = replace(target, primary=target.secondary, secondary=target.primary)
    assert "steady state does not hold: westus3 answers 403" in refusal(stage, swapped, settings(tmp_path))
    strict = settings(tmp_path, objectives={"availability": 99.9999, "window_days": 1})
    refused = refusal(stage, target, strict)
    assert (
        "the error budget does not allow it: 86 ms of it is left in the window, this drill is likely to cost" in refused
    )
    assert "(99 of 100 forecast failovers stay within that)" in refused


def test_rights_and_fitness(unfit: Estate, tmp_path: Path) -> None:
    """Without the right to undo nothing is done; nor with a secondary that could not take over."""
    with open_target(Settings(), "local", unfit.file, tmp_path / "log") as (target, _):
        assert (
            "this identity may not Microsoft.Web/sites/start/action on proseware-eastus: without that a change could not"
            in refusal(unfit, target, settings(tmp_path))
        )
        unasked = settings(tmp_path, safety={"check_rights": False})
        assert "the secondary is not fit: www.proseware.example is bound to proseware-eastus" in refusal(
            unfit, target, unasked
        )


@pytest.mark.timeout(300)
def test_rights_that_cannot_be_read(tmp_path: Path) -> None:
    """Where it cannot be told what may be undone nothing is done, and the refusal names the right, and the setting."""
    config = {**COLD, "identity": {"not_role": ["Microsoft.Authorization/permissions/read"]}}
    with (
        estate(tmp_path / "estate", config) as stage,
        open_target(Settings(), "local", stage.file, tmp_path / "log") as (target, _),
    ):
        said = refusal(stage, target, settings(tmp_path))
        assert said.startswith(
            "what this identity may do cannot be read: read the rights on proseware: refused with 403"
        )
        assert said.endswith(
            "give it Microsoft.Authorization/permissions/read, or set [safety] check_rights = false if you know that it may undo"
        )
        assert refusal(stage, target, settings(tmp_path, safety={"check_rights": False})) == ""


EAST, WEST = {"location": "East US"}, {"location": "West US 3"}
ERRORS = {"kind": "erroring", "region": "westus3", "status": 500}
UNFIT: Mapping[str, tuple[list[Mapping[str, object]], Mapping[str, object] | None, str, str]] = {
    "the secondary answers errors": (
        [EAST, WEST],
        ERRORS,
        "http",
        "steady state does not hold: westus3 answers 500 Internal Server Error when asked directly",
    ),
    "names lead elsewhere": (
        [{**EAST, "priority": 2}, {**WEST, "priority": 1}],
        None,
        "http",
        "steady state does not hold: www.proseware.example leads to westus3, not to the primary eastus",
    ),
    "it cannot be started": (
        [EAST, {**WEST, "state": "QuotaExceeded", "endpoint": "Disabled"}],
        None,
        "http",
        "the secondary is not fit: proseware-westus3 is QuotaExceeded, neither running nor to be started",
    ),
    "its certificate is another's": (
        [EAST, {**WEST, "certificate_for_public_host": False}],
        None,
        "https",
        "the secondary is not fit: westus3: its certificate is not valid for www.proseware.example",
    ),
    "another version": (
        [EAST, {**WEST, "version": "0.9.0"}],
        None,
        "http",
        "the secondary is not fit: eastus runs version 1.0.0, westus3 0.9.0",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_steady_and_fit(case: str, tmp_path: Path) -> None:
    """Both regions healthy when asked directly, names with the primary, and a secondary that could take over."""
    regions, fault, scheme, said = UNFIT[case]
    with estate(tmp_path / "estate", {**COLD, "regions": regions}) as stage:
        if fault:
            stage.control("POST", "/_faults", fault)
        with open_target(Settings(), "local", stage.file, tmp_path / "log") as (target, _):
            asked = replace(target, scheme=scheme, port=stage.ready[f"{scheme}_port"])
            assert said in refusal(stage, asked, settings(tmp_path))


@pytest.mark.parametrize(
    ("actions", "not_actions", "allowed"),
    [
        (["*"], [], True),
        (["Microsoft.Web/sites/*"], [], True),
        (["microsoft.web/SITES/start/Action"], [], True),
        (["*/action"], [], True),
        (["*/read"], [], False),
        (["*"], ["Microsoft.Web/sites/start/*"], False),
        (["Microsoft.Web/sites"], [], False),
        ([], [], False),
    ],
)
def test_rights_as_arm_evaluates_them(actions: list[str], not_actions: list[str], allowed: bool) -> None:
    """Actions less notActions, `*` for anything, whatever the case."""
    assert may("Microsoft.Web/sites/start/action", [Permission(tuple(actions), tuple(not_actions))]) is allowed


def test_one_role_suffices() -> None:
    """A notAction takes away from its own role only."""
    narrow, wide = Permission(("*",), ("Microsoft.Web/*",)), Permission(("Microsoft.Web/sites/start/action",))
    assert may("Microsoft.Web/sites/start/action", [narrow, wide])


def test_no_drill_without_a_guardian(
    stage: Estate, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guardian that ends before it watches is noticed before the first change: nothing is written, but a report is."""
    written = len(stage.writes())
    monkeypatch.setattr(sys, "executable", "/bin/false")
    run = Run(settings(tmp_path), target, "drill", print)
    try:
        with pytest.raises(Unsafe, match="nobody would put the estate back: the guardian ended"):
            run.drill.confirm_steady_state()
    finally:
        findings = run.close()
    assert findings.actions == ()
    assert (run.directory / "report.html").exists()
    assert len(stage.writes()) == written


def test_no_further_act_without_a_guardian(stage: Estate, target: Target, tmp_path: Path) -> None:
    """A guardian that dies later is noticed before the next act: the drill aborts, and puts back what it did."""
    run = Run(settings(tmp_path, safety={"lock": "local"}), target, "drill", print)
    before = ArmPlatform(target).app_state(target.primary.app_id)
    try:
        run.drill.disable(Role.PRIMARY)
        os.kill(guardian_of(os.getpid()), signal.SIGKILL)
        assert eventually(lambda: bool(run.alone()))
        written = len(stage.writes())
        with pytest.raises(Aborted, match=r"nobody would put the estate back: the guardian ended: see .*guardian\.log"):
            run.drill.enable(Role.SECONDARY)
        assert len(stage.writes()) == written
    finally:
        findings = run.close()
    assert ArmPlatform(target).app_state(target.primary.app_id) == before
    assert findings.drill.restored == "yes"
    assert findings.drill.interrupted.startswith("aborted: nobody would put the estate back")


def test_an_answer_that_is_no_json_is_one_line(stage: Estate, target: Target, caplog: pytest.LogCaptureFixture) -> None:
    """Where a gateway refuses in HTML, our error says so; the SDK's traceback about it reaches nobody."""
    stage.control("POST", "/_faults", {"kind": "control_failing", "status": 503})
    try:
        with pytest.raises(PlatformError, match="start app proseware-eastus: refused with 503"):
            ArmPlatform(target).start(target.primary.app_id)
    finally:
        stage.control("DELETE", "/_faults")
    assert caplog.records == []


def test_a_refused_drill(stage: Estate, target: Target, tmp_path: Path) -> None:
    """As people see it: one line, an exit status, a report that nothing was changed, and no write."""
    platform = ArmPlatform(target)
    platform.set_tag(target.profile_id, STOP_TAG, "incident")
    written = len(stage.writes())
    try:
        drilled = run_drill(tmp_path, stage.file)
        changed = stage.writes()[written:]
    finally:
        _mended(platform, target)
    assert drilled.code == 1
    assert "drills are stopped: proseware is tagged failover-drill-stop=incident" in drilled.output
    assert "Traceback" not in drilled.output
    assert drilled.findings["actions"] == []
    assert not [w for w in changed if "/providers/Microsoft.Resources/tags/" not in w]


def test_users_who_are_not_served_well(stage: Estate, tmp_path: Path) -> None:
    """Availability under the objective over the settling time ends the drill; it wrote its lock, and freed it, and no more."""
    written = len(stage.writes())
    stage.control("POST", "/_faults", {"kind": "slow", "region": "eastus", "slow_s": 1.3})
    try:
        drill = start_drill(tmp_path, stage.file)
        await_journal(tmp_path, "step ends", index=1, outcome="failed")
    finally:
        stage.control("DELETE", "/_faults")
    output, _ = drill.communicate(timeout=200)
    assert drill.returncode == 1
    told = r"steady state does not hold: over [12]\.?\d* s before the drill availability is 0\.000%, under"
    assert re.search(told, output), output
    assert [w.rpartition("/providers/")[2] for w in stage.writes()[written:]] == [
        "Microsoft.Resources/tags/default"
    ] * 2
