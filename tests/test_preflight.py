"""Preflight names each silent trap with its fix, says nothing against a healthy estate, and writes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failover_drill import preflight_profile, preflight_regions, preflight_writes
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.resolver import NameAsker
from failover_drill.clock import SystemClock
from failover_drill.errors import PlatformError
from failover_drill.facts import Resolution
from failover_drill.forecast import Delays, Kind
from failover_drill.forecast_command import opened
from failover_drill.platform import DirectAnswer
from failover_drill.predict import Foreteller, foretell
from failover_drill.preflight_command import CHECKS, judged
from failover_drill.preflight_reading import look
from failover_drill.preflight_seen import Level, Line, Seen
from failover_drill.settings import Settings
from failover_drill.settings_tables import ObjectivesTable
from failover_drill.settings_targets import LocalTarget
from failover_drill.target import Role
from tests.stage import ROOT, Estate, estate

NOTHING: Mapping[str, Any] = {}
HEALTHY: dict[str, Any] = {"time_scale": 20, "regions": [{"location": "eastus"}, {"location": "westus3"}]}


def broken(
    profile: Mapping[str, Any] = NOTHING,
    primary: Mapping[str, Any] = NOTHING,
    secondary: Mapping[str, Any] = NOTHING,
    **rest: Any,
) -> dict[str, Any]:
    """Return an estate's settings, healthy but for what is given."""
    regions = [{"location": "eastus", **primary}, {"location": "westus3", **secondary}]
    return {"time_scale": 20, "profile": dict(profile), "regions": regions, **rest}


def seen_of(stage: Estate, settings: Settings | None = None) -> Seen:
    """Read an estate as the command does, and prove that nothing was written."""
    before = stage.writes()
    settings = settings or Settings()
    with opened(settings, None, stage.file) as (target, control):
        assert control is not None
        delays = control.call("GET", "/_state")["delays"]
        found = look(settings, target, SystemClock(), delays, settling_s=15)
    assert stage.writes() == before
    return found


@contextmanager
def looked_at(where: Path, config: Mapping[str, Any], settings: Settings | None = None) -> Iterator[dict[str, Line]]:
    with estate(where, config) as stage:
        yield wrong(judged(seen_of(stage, settings)))


def wrong(lines: list[Line]) -> dict[str, Line]:
    """Return the lines that are not at peace, by check. Each must name a fix."""
    found = {line.check: line for line in lines if line.level in (Level.WARN, Level.FAIL)}
    assert all(line.fix and line.said for line in found.values())
    return found


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("healthy"), HEALTHY) as running:
        yield running


@pytest.fixture(scope="module")
def seen(healthy: Estate) -> Seen:
    return seen_of(healthy)


# ---- estates, broken ------------------------------------------------------------------------------------------------


def test_a_healthy_estate_is_at_peace(seen: Seen) -> None:
    """Two warm regions: every check passes, none warns, none is skipped."""
    assert [line for line in judged(seen) if line.level is not Level.PASS] == []


def test_a_disabled_profile(tmp_path: Path) -> None:
    """A disabled profile has no name, and both is said."""
    with looked_at(tmp_path, broken({"status": "Disabled"})) as found:
        assert "Disabled" in found["profile status"].said
        assert "NXDOMAIN" in found["public host"].said


def test_both_endpoints_disabled(tmp_path: Path) -> None:
    """Nothing is left to be answered: said of the primary, with the 30 s that resolvers keep that for."""
    off = {"endpoint": "Disabled"}
    with looked_at(tmp_path, broken(primary=off, secondary=off)) as found:
        assert "both endpoints are Disabled" in found["primary endpoint"].said
        assert found["public host"].level is Level.FAIL


def test_a_cold_standby(tmp_path: Path) -> None:
    """A stopped secondary out of DNS warns twice: slower, and by hand only. Nothing fails."""
    with looked_at(tmp_path, broken(secondary={"state": "Stopped", "endpoint": "Disabled"})) as found:
        assert "is Stopped: starting it adds" in found["secondary app"].said
        assert "only an operator can fail over" in found["secondary endpoint"].said
        assert {line.level for line in found.values()} == {Level.WARN}


def test_users_are_in_the_secondary_already(tmp_path: Path) -> None:
    """The primary's endpoint alone is Disabled: the name leads to the secondary."""
    with looked_at(tmp_path, broken(primary={"endpoint": "Disabled"})) as found:
        assert "users are in the secondary already" in found["primary endpoint"].said
        assert "westus3" in found["public host"].said


def test_the_second_comes_first(tmp_path: Path) -> None:
    """Priorities the wrong way round, a long TTL, an impatient objective, a slow monitor, and a resolver that stretches TTLs."""
    late = {"ttl": 40, "interval_s": 30, "tolerated": 9, "timeout_s": 10}
    config = broken(late, {"priority": 5}, {"priority": 2}, resolver={"count": 1, "floor_s": 90})
    impatient = Settings(objectives=ObjectivesTable(rto_s=30))
    with looked_at(tmp_path, config, impatient) as found:
        assert "eastus has priority 5, westus3 2" in found["priority order"].said
        assert found["TTL and RTO"].level is Level.FAIL
        assert "133% of the recovery time objective of 30 s" in found["TTL and RTO"].said
        assert "saves" in found["planned failover"].fix
        assert "interval 10, tolerated 1, TTL 20" in found["monitor settings"].fix
        assert "resolver 1 keeps the answer for" in found["resolver TTL"].said


def test_not_by_priority(tmp_path: Path) -> None:
    """Weighted routing, and a primary that is served whatever happens: neither fails over."""
    config = broken({"routing": "Weighted"}, primary={"always_serve": "Enabled"})
    with looked_at(tmp_path, config) as found:
        assert "routing is Weighted" in found["routing method"].said
        assert "never fails over from it" in found["alwaysServe"].said


def test_a_secondary_that_drifted(tmp_path: Path) -> None:
    """Host, certificate, version, settings, affinity, tags, size and rights: each is named, and no value of a setting."""
    primary = {"settings": {"A": "s3cret", "B": "same", "C": "here"}, "sku": "PremiumV3"}
    secondary = {
        "host_bound": False,
        "certificate_for_public_host": False,
        "version": "0.9.0",
        "affinity": False,
        "tags": {},
        "settings": {"A": "0ther", "B": "same"},
    }
    config = broken(primary=primary, secondary=secondary, identity={"not_role": ["Microsoft.Web/sites/start/*"]})
    with looked_at(tmp_path, config) as found:
        assert "is not bound to proseware-westus3" in found["host names"].said
        assert "proseware-westus3 has no certificate for www.proseware.example" in found["certificate"].said
        assert "eastus runs 1.0.0, westus3 0.9.0" in found["version"].said
        assert found["application settings"].said == "only in one region: C; different: A"
        assert "session affinity is on in the primary and off" in found["app switches"].said
        assert "not released for drills: proseware-westus3" in found["tags"].said
        assert "the secondary is smaller" in found["size"].said
        assert "may not Microsoft.Web/sites/start/action on proseware-eastus" in found["rights"].said
        assert not any(secret in str(found) for secret in ("s3cret", "0ther"))
        assert len(found) == 8


def test_a_tier_that_traffic_manager_does_not_take(tmp_path: Path) -> None:
    """Basic, and probes that are redirected to HTTPS: the endpoint of the one is Stopped, of the other Degraded."""
    with estate(tmp_path, broken(primary={"https_only": True}, secondary={"sku": "Basic"})) as stage:
        await_health(stage, "westus3", "Stopped")
        found = wrong(judged(seen_of(stage)))
    assert "proseware-westus3 is in tier Basic" in found["pricing tier"].said
    assert "Traffic Manager says Stopped of westus3" in found["secondary health"].said
    assert "probes follow no redirect" in found["probe path primary"].fix
    assert "HTTPS only is on in the primary" in found["app switches"].said


def test_all_degraded_looks_fine(tmp_path: Path) -> None:
    """Both regions fail their probes: names still lead to the primary, and yet no failover is possible."""
    with estate(tmp_path, {**HEALTHY, "profile": {"tolerated": 0}}) as stage:
        for region in ("eastus", "westus3"):
            stage.control("POST", "/_faults", {"kind": "erroring", "region": region, "status": 503})
            await_health(stage, region, "Degraded")
        found = until_names_follow(stage)
    assert "no failover is possible" in found["all degraded"].said
    assert "Traffic Manager says Degraded of eastus" in found["primary health"].said
    assert "503" in found["probe path secondary"].said
    assert "503" in found["primary app"].said
    assert "answers 503" in found["secondary app"].said
    assert "public host" not in found


def until_names_follow(stage: Estate) -> dict[str, Line]:
    """Return what is wrong once the authority leads to the primary again; what is wrong at last where it never does."""
    clock = SystemClock()
    for _ in range(200):
        found = wrong(judged(seen_of(stage)))
        if "public host" not in found:
            break
        clock.wait(0.1)
    return found


def await_health(stage: Estate, endpoint: str, health: str) -> None:
    clock = SystemClock()
    for _ in range(900):
        if stage.control("GET", "/_state")["profiles"][0]["endpoints"][endpoint][1] == health:
            return
        clock.wait(0.1)
    raise AssertionError(f"{endpoint} is not {health} within 90 s")


# ---- what no estate of ours can be made to be ------------------------------------------------------------------------


def said(found: Line, level: Level, words: str) -> None:
    assert (found.level, words in found.said + found.fix) == (level, True), found


def with_app(seen: Seen, role: Role, **changed: Any) -> Seen:
    body = {**seen.apps[role], "properties": {**seen.app(role), **changed}}
    return replace(seen, apps={**seen.apps, role: body})


def with_endpoint(seen: Seen, role: Role, **changed: Any) -> Seen:
    name = seen.target.region(role).endpoint
    kept = [e for e in seen.properties["endpoints"] if e["name"] != name]
    own = [{"name": name, "properties": {**seen.endpoint(role), **changed}}] if changed else []
    return replace(seen, profile={**seen.profile, "properties": {**seen.properties, "endpoints": kept + own}})


def test_an_app_whose_quota_is_used_up(seen: Seen) -> None:
    """It cannot be started: that is no cold standby."""
    found = preflight_regions.secondary_warm(with_app(seen, Role.SECONDARY, state="QuotaExceeded"))
    said(found, Level.FAIL, "cannot be started")


def test_a_secondary_that_is_unloaded(seen: Seen) -> None:
    """No Always On where the primary has it."""
    found = preflight_regions.secondary_loaded(with_app(seen, Role.SECONDARY, siteConfig={"alwaysOn": False}))
    said(found, Level.WARN, "unloaded while nobody asks it")


def test_a_plan_with_fewer_instances(seen: Seen) -> None:
    """The same tier with one instance instead of three is smaller; an unread plan is no reason to worry."""
    plans = {
        Role.PRIMARY: {"sku": {"name": "S1", "capacity": 3}},
        Role.SECONDARY: {"sku": {"name": "S1", "capacity": 1}},
    }
    said(preflight_regions.size(replace(seen, plans=plans)), Level.WARN, "S1 x 1, the primary S1 x 3")
    assert preflight_regions.size(replace(seen, plans={})).level is Level.PASS
    assert preflight_regions.size(replace(seen, plans={Role.PRIMARY: plans[Role.PRIMARY]})).level is Level.PASS


def test_an_endpoint_that_leads_elsewhere(seen: Seen) -> None:
    """A name that the profile lacks, and an endpoint of another app, are told before anybody drills them."""
    said(preflight_profile.endpoints_present(with_endpoint(seen, Role.SECONDARY)), Level.FAIL, "no endpoint westus3")
    elsewhere = with_endpoint(seen, Role.PRIMARY, targetResourceId="/subscriptions/x/other")
    said(preflight_profile.endpoints_present(elsewhere), Level.FAIL, "leads to other, not to proseware-eastus")


def test_an_endpoint_still_being_checked(seen: Seen) -> None:
    """It is answered before any probe passed: look again."""
    found = preflight_profile.primary_health(replace(seen, healths={"eastus": "CheckingEndpoint"}))
    said(found, Level.WARN, "is answered meanwhile")


def test_expected_statuses_are_honoured(seen: Seen) -> None:
    """204 is no success by default, and is one where the profile says so."""
    odd = replace(seen, probed={Role.PRIMARY: DirectAnswer(204, "204 No Content")})
    said(preflight_profile.probe_path_primary(odd), Level.FAIL, "expectedStatusCodeRanges")
    monitor = {**seen.monitor, "expectedStatusCodeRanges": [{"min": 200, "max": 299}]}
    told = {**seen.profile, "properties": {**seen.properties, "monitorConfig": monitor}}
    assert preflight_profile.probe_path_primary(replace(odd, profile=told)).level is Level.PASS


def test_half_an_objective_is_a_warning(seen: Seen) -> None:
    """A TTL above half of the objective warns, one that uses it up fails."""
    said(preflight_profile.ttl_within_rto(replace(seen, rto_s=8)), Level.WARN, "a TTL of 5 s is 62% of")
    said(preflight_profile.ttl_within_rto(replace(seen, rto_s=5)), Level.FAIL, "lower the profile's TTL to 1 s")


def test_azures_own_delays_count(seen: Seen) -> None:
    """A cold standby on Azure is judged with Azure's delays, and the advice is to keep it running."""
    profile, _, clients = seen.forecast
    cold = replace(profile, secondary_running=False, secondary_enabled=False, time_scale=1)
    found = preflight_profile.planned_in_time(replace(seen, forecast=(cold, Delays(), clients)))
    said(found, Level.WARN, "secondary kept running")


def test_a_resolver_that_does_not_answer(seen: Seen) -> None:
    """A watched resolver that is silent would make the drill wait for it in vain."""
    target = replace(seen.target, resolvers=(("office", "127.0.0.1:9"),))
    silent = Resolution(0, 1, "office", target.public_host, "TIMEOUT")
    lost = replace(seen, target=target, resolutions={**seen.resolutions, "office": silent})
    said(preflight_regions.resolvers_answer(lost), Level.FAIL, "office answers TIMEOUT")


def test_a_certificate_that_is_not_valid(seen: Seen) -> None:
    """What the TLS handshake showed is repeated in the table."""
    bad = replace(seen, certificates={Role.SECONDARY: "its certificate is not valid for www.proseware.example"})
    said(preflight_regions.certificate(bad), Level.FAIL, "westus3: its certificate is not valid")


def test_a_name_bound_to_the_primary_only(seen: Seen) -> None:
    """Users of a second custom name would be lost in a failover."""
    names = [*seen.app(Role.PRIMARY)["hostNames"], "shop.proseware.example"]
    found = preflight_regions.host_bound(with_app(seen, Role.PRIMARY, hostNames=names))
    said(found, Level.WARN, "shop.proseware.example is bound to the primary only")


def test_an_objective_that_nothing_measures(seen: Seen) -> None:
    """Without a data probe no drill measures data loss: a warning; where an objective is set, a drill would be refused."""
    without = replace(seen, target=replace(seen.target, data_probe=None))
    said(preflight_writes.data_probe(without), Level.WARN, "no drill of this target measures data loss")
    asked = replace(without, rpo_s=5.0)
    said(preflight_writes.data_probe(asked), Level.FAIL, "rpo_s = 5, but there is none")


def test_a_data_probe_that_does_not_list(seen: Seen) -> None:
    """Whichever running region does not list what it has is named with its answer; a region that is stopped is not asked."""
    deaf = replace(seen, listed={Role.PRIMARY: "", Role.SECONDARY: "GET /data answers 404 Not Found"})
    said(preflight_writes.data_probe(deaf), Level.FAIL, "westus3: GET /data answers 404 Not Found")
    said(preflight_writes.data_probe(replace(seen, listed={})), Level.SKIP, "no app runs")
    cold = preflight_writes.data_probe(replace(seen, listed={Role.PRIMARY: ""}))
    assert (cold.level, cold.said) == (Level.PASS, "/data lists in eastus; the drill tries it with writes")


def test_an_objective_shorter_than_what_can_be_seen(seen: Seen) -> None:
    """Ten writes a second cannot prove 0.2 s, nor can writes that hang for 5 s prove 5 s."""
    said(preflight_writes.rpo(replace(seen, rpo_s=0.2)), Level.WARN, "data_probe_rate above 10")
    said(preflight_writes.rpo(replace(seen, rpo_s=5.0)), Level.WARN, "lower timeout_s in [traffic]")
    assert preflight_writes.rpo(replace(seen, rpo_s=5.1)).level is Level.PASS
    assert preflight_writes.rpo(seen).said == "no objective: data loss is not judged"


def test_what_may_not_be_read_is_skipped(seen: Seen) -> None:
    """A role without the right to list settings or permissions leaves two checks untold, and nothing green."""
    blind = replace(seen, settings={}, permissions={}, unread={"application settings": "refused", "rights": "refused"})
    said(preflight_regions.same_settings(blind), Level.SKIP, "refused")
    said(preflight_regions.rights(blind), Level.SKIP, "refused")


def test_every_check_has_a_name_of_its_own(seen: Seen) -> None:
    """At least 15 causes, none told under another's name."""
    names = [line.check for line in judged(seen)]
    assert len(names) == len(set(names)) == len(CHECKS) >= 25


# ---- reading, and the command ----------------------------------------------------------------------------------------


def test_the_list_of_writes_is_asked_for_in_each_running_region(
    healthy: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that the app does not know, and a token that is not there, are told before anybody drills."""
    lost = Settings(target={"local": LocalTarget(data_probe="/nowhere")})
    found = preflight_writes.data_probe(seen_of(healthy, lost))
    said(found, Level.FAIL, "eastus: GET /nowhere answers")
    monkeypatch.delenv("PROBE_TOKEN", raising=False)
    secret = Settings(target={"local": LocalTarget(data_probe_token_variable="PROBE_TOKEN")})
    said(
        preflight_writes.data_probe(seen_of(healthy, secret)),
        Level.FAIL,
        "the environment variable PROBE_TOKEN is not set",
    )


def test_an_identity_that_may_not_list_settings(tmp_path: Path) -> None:
    """Values of settings are secrets: a role without them is enough for all but one check."""
    config = {**HEALTHY, "identity": {"not_role": ["Microsoft.Web/sites/config/list/action"]}}
    with estate(tmp_path, config) as stage:
        lines = {line.check: line for line in judged(seen_of(stage))}
    assert lines["application settings"].level is Level.SKIP
    assert [line for line in lines.values() if line.level not in (Level.PASS, Level.SKIP)] == []


def test_an_identity_that_may_read_nothing(tmp_path: Path) -> None:
    """Without the right to read the profile there is no table, and one line that names what was refused."""
    with estate(tmp_path, {**HEALTHY, "identity": {"role": ["Microsoft.Web/sites/read"]}}) as stage:
        with pytest.raises(PlatformError, match="read profile proseware: refused with 403"):
            seen_of(stage)
        assert stage.writes() == []


def run(stage: Estate, *arguments: str, where: Path = ROOT) -> subprocess.CompletedProcess[str]:
    program = "from failover_drill.cli import main; main()"
    command = [sys.executable, "-c", program, *arguments, "--estate", str(stage.file)]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=240)


def test_the_command_on_a_healthy_estate(healthy: Estate) -> None:
    """Exit status 0, the table, and no write."""
    before = healthy.writes()
    shown = run(healthy, "preflight", "--no-plan")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "33 pass, 0 warn, 0 fail, 0 skip" in shown.stdout
    assert healthy.writes() == before


def test_the_command_without_a_playbook(healthy: Estate, tmp_path: Path) -> None:
    """After `init` in an empty directory the table stands alone, and says so; a playbook that is named must be there."""
    (tmp_path / "drill.toml").write_text("", "utf-8")
    shown = run(healthy, "preflight", where=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines()[-1].startswith("no plan is shown: there is no features/failover.feature here")
    refused = run(healthy, "preflight", "features/nope.feature")
    assert refused.returncode == 254
    assert refused.stderr.startswith("features/nope.feature: there is no such playbook")


def test_the_command_on_a_broken_estate(tmp_path: Path) -> None:
    """Exit status 1, what is wrong first, no plan, and JSON for machines."""
    with estate(tmp_path, broken(secondary={"version": "2"})) as stage:
        shown = run(stage, "preflight")
        plain = run(stage, "preflight", "--json")
        assert stage.writes() == []
    assert (shown.returncode, plain.returncode) == (1, 1)
    assert shown.stderr.strip() == "not ready: 1 of 33 checks failed"
    assert "eastus runs 1.0.0, westus3 2" in shown.stdout.splitlines()[1]
    assert "plan of" not in shown.stdout
    assert {"check", "level", "said", "fix"} == set(json.loads(plain.stdout)[0])


def test_the_forecast_command(healthy: Estate) -> None:
    """It reads the estate's own delays, prints seeded figures for each kind as JSON or words, and writes nothing."""
    before = healthy.writes()
    plain = run(healthy, "forecast", "--json", "--runs", "500")
    shown = run(healthy, "forecast", "--runs", "500", "--kind", "hang")
    assert (plain.returncode, shown.returncode) == (0, 0), plain.stderr + shown.stderr
    told = json.loads(plain.stdout)
    assert [each["kind"] for each in told["forecasts"]] == ["planned", "refused", "hang", "stopped"]
    assert told["profile"]["time_scale"] == 20
    assert all(0 < each["recovery"]["p50_s"] < 30 for each in told["forecasts"])
    assert "region hangs" in shown.stdout
    assert "TTL + retry x interval = 5 + 3 x 0.5 = 6.5 s (Microsoft)" in shown.stdout
    assert healthy.writes() == before


def test_what_a_report_sets_beside_the_measured(healthy: Estate) -> None:
    """A run is foretold for each kind of failover, by the estate's own delays; nothing is, where the app cannot be read."""
    with opened(Settings(), None, healthy.file) as (target, control):
        assert control is not None
        platform, names, state = ArmPlatform(target), NameAsker(target), control.call("GET", "/_state")
        told = foretell(platform, names, target, Settings(), state)
        assert set(told) == set(Kind)
        planned = told[Kind.PLANNED]
        assert 0 < planned.recovery.mean_s < 12
        assert sum(each.mean_s for each in planned.segments.values()) == pytest.approx(planned.recovery.mean_s)
        slower = {**state, "delays": {**state["delays"], "dns_propagation_s": 100.0}}
        later = foretell(platform, names, target, Settings(), slower)[Kind.PLANNED]
        assert later.recovery.mean_s > planned.recovery.mean_s + 3
        absent = replace(target, secondary=replace(target.secondary, app_id=f"{target.secondary.app_id}-not"))
        assert foretell(platform, names, absent, Settings(), state) == {}
        foreteller = Foreteller(platform, names, target, Settings(), state)
        assert foreteller.forecasts == told
        assert [foreteller.again_after(changes) for changes in (0, 1, 1, 2, 0)] == [False, True, False, True, False]
