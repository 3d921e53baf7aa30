"""The playbook, whole and real: a separate estate, the unchanged SDKs, live traffic, and the estate's truth to compare."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from failover_drill import record
from failover_drill.errors import JournalError
from failover_drill.findings import analyse
from failover_drill.journal import verify
from tests.stage import COLD, ROOT, Drilled, Estate, Performance, performance

LANES = 20  # clients, who take turns: one that kept its connection learns at its next turn that the region is silent
POLL_S = 0.1  # drill.toml: wait.poll_s
LAG_S = 1.0  # the estate's default
CLOCK_S = 0.02  # between two readings of a clock
GRACE_S = 0.3  # of processes that share two cores
BUSY_S = 5.0  # of the estate's own, on a busy machine


@pytest.fixture(scope="module")
def performed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performance]:
    """One drill, judged by every test of this module; Allure writes beside it, where its plugin is installed."""
    where = tmp_path_factory.mktemp("drill")
    allure = [f"--alluredir={where / 'allure'}", "--clean-alluredir"] if find_spec("allure_pytest") else []
    lanes = {"FAILOVER_DRILL__TRAFFIC__LANES": str(LANES)}
    with performance(where, *allure, prompt=prompt, environment=lanes) as ended:
        yield ended


@pytest.fixture(scope="module")
def stage(performed: Performance) -> Estate:
    return performed.stage


@pytest.fixture(scope="module")
def drilled(performed: Performance) -> Drilled:
    return performed.drilled


def state(stage: Estate) -> Any:
    """What the estate says of its apps and endpoints, less what changes by itself."""
    found = stage.control("GET", "/_state")
    return json.loads(json.dumps(found, sort_keys=True))


def switched(stage: Estate, event: str, **fields: object) -> list[float]:
    """The wall times, epoch seconds, of the estate's own events."""
    return [e["wall_ns"] / 1e9 for e in stage.truth(event) if all(e.get(k) == v for k, v in fields.items())]


def switched_to(stage: Estate, began: float) -> float:
    """When the authority first answered with the secondary."""
    address = next(app["address"] for app in stage.ready["web_apps"] if app["role"] == "secondary")
    return next(at for at in switched(stage, "answer", name=stage.ready["public_host"], answer=[address]) if at > began)


def delays(performed: Performance) -> dict[str, float]:
    """How much later than the estate's own log the findings have what they may have later. Seconds, the allowance taken off."""
    findings, stage = performed.drilled.findings, performed.stage
    recovery, ends = findings["recovery"], {s["name"]: s["ended"] for s in findings["recovery"]["segments"]}
    silent = switched(stage, "serving", region="eastus", serving=False)[0]
    served = max(
        (at for at in switched(stage, "serving", region="westus3", serving=True) if at <= ends["enable secondary"]),
        default=0.0,
    )
    within_s = switched_to(stage, silent) - silent + COLD["profile"]["ttl"] + LANES * findings["traffic"]["gap_s"]
    return {
        "recovery time": recovery["time_s"] - within_s,
        "disable primary": ends["disable primary"] - silent - POLL_S,
        "enable secondary": ends["enable secondary"] - served - POLL_S,
        "beginning": silent - recovery["began"],
    }


def prompt(performed: Performance) -> bool:
    return performed.drilled.code != 0 or max(delays(performed).values()) <= GRACE_S


def test_it_passes_and_says_so(drilled: Drilled) -> None:
    """Every step passes, and the terminal shows verdict, recovery time, downtime and share of the budget."""
    assert drilled.code == 0, drilled.output
    assert drilled.findings["verdict"] == "MET"
    for words in (
        "MET",
        "recovery time",
        "downtime",
        "error budget",
        "data loss",
        "✓ When the primary region is disabled",
    ):
        assert words in drilled.output


def test_findings_keep_their_schema(drilled: Drilled) -> None:
    """findings.json is what docs/findings.schema.json says."""
    schema = json.loads((ROOT / "docs" / "findings.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(drilled.findings)
    wanted = ["schema", "drill", "verdict", "reasons", "slo", "recovery", "downtime", "dns", "traffic", "instrument"]
    assert {*wanted, "actions", "steps"} <= set(drilled.findings)


def test_every_report_is_there(drilled: Drilled) -> None:
    """The run's directory holds facts, findings and both reports, and reports/latest leads to it."""
    assert drilled.directory is not None
    names = {path.name for path in drilled.directory.iterdir()}
    assert {
        "journal.jsonl",
        "resolutions.jsonl",
        "findings.json",
        "report.md",
        "report.html",
        "samples.parquet",
    } <= names
    assert (drilled.directory.parent.parent / "latest").resolve() == drilled.directory.resolve()
    explained = (ROOT / "reports" / "README.md").read_text("utf-8")
    assert {name for name in names if f"`{name}`" not in explained} == set()


def test_allure_has_the_reports(drilled: Drilled) -> None:
    """Allure's own plugin finds the scenario, with report.html, report.md and findings.json as its attachments."""
    pytest.importorskip("allure_pytest", reason="allure-pytest is not installed")
    assert drilled.directory is not None
    kept = drilled.directory.parents[3] / "allure"
    (scenario,) = [json.loads(path.read_text("utf-8")) for path in kept.glob("*-result.json")]
    assert scenario["status"] == "passed"
    attached = {each["name"]: (kept / each["source"]).read_bytes() for each in _attachments(scenario, kept)}
    for name in ("report.html", "report.md", "findings.json"):
        assert attached[name] == (drilled.directory / name).read_bytes()


def _attachments(scenario: dict[str, Any], kept: Path) -> list[dict[str, Any]]:
    """The attachments of a scenario and of its fixtures: the report is made when the drill is torn down."""
    containers = [json.loads(path.read_text("utf-8")) for path in kept.glob("*-container.json")]
    parts = [scenario, *(part for each in containers for part in (*each.get("befores", ()), *each.get("afters", ())))]
    return [each for part in parts for each in part.get("attachments", ())]


def test_segments_sum_to_the_recovery_time(drilled: Drilled) -> None:
    """To the nanosecond, not to a rounding."""
    recovery = drilled.findings["recovery"]
    assert sum(s["took_ns"] for s in recovery["segments"]) == recovery["time_ns"]
    assert recovery["at_least_s"] <= recovery["time_s"] <= recovery["at_most_s"]


def test_it_was_foretold(drilled: Drilled) -> None:
    """The forecast was made before the first change, stands in findings and on the terminal, and judging again gives the same."""
    assert drilled.directory is not None
    predicted, recovery = drilled.findings["forecast"], drilled.findings["recovery"]
    assert predicted["kind"] == "planned"
    assert predicted["recovery"]["measured_s"] == recovery["time_s"]
    assert 0 < predicted["recovery"]["inner_99"][0] < recovery["rto_s"]
    assert "  predicted " in drilled.output
    again = analyse(record.read_facts(drilled.directory), record.read_objectives(drilled.directory))
    assert again.to_dict() == drilled.findings
    kinds = [entry.kind for entry in record.entries_of(drilled.directory)]
    assert kinds.index("header") == 0 < kinds.index("promise")


def test_the_recovery_time_is_the_truth(performed: Performance) -> None:
    """The last user who honours the TTL comes back between the authority's switch and his first turn a TTL later."""
    findings = performed.drilled.findings
    recovery = findings["recovery"]
    began = switched(performed.stage, "serving", region="eastus", serving=False)[0]
    late = delays(performed)
    assert 0 <= late["beginning"] <= GRACE_S
    assert switched_to(performed.stage, began) - began - findings["traffic"]["gap_s"] <= recovery["time_s"]
    assert late["recovery time"] <= GRACE_S


def test_the_segments_are_the_truth(performed: Performance) -> None:
    """Each act ends within one poll of when it took effect by the estate's own log, and never before."""
    late = delays(performed)
    assert -POLL_S <= late["disable primary"] <= GRACE_S
    assert -POLL_S <= late["enable secondary"] <= GRACE_S


def test_the_data_loss_is_the_truth(drilled: Drilled, stage: Estate) -> None:
    """As many acknowledged writes are lost as the estate says, taken over its replication's lag or more; the bounds hold that."""
    [lost, *_] = [e for e in stage.truth("lost") if e["region"] == "eastus"]
    stopped = switched(stage, "serving", region="eastus", serving=False)[0]
    written = {e["key"]: e["wall_ns"] / 1e9 for e in stage.truth("written") if e["region"] == "eastus"}
    loss = drilled.findings["recovery"]["data_loss"]
    assert loss["lost"] == len(lost["keys"]) > 3
    truth = stopped - written[lost["keys"][0]]
    assert loss["loss"]["at_least_s"] <= truth + CLOCK_S <= loss["loss"]["at_most_s"] + 2 * CLOCK_S
    assert loss["loss"]["at_most_s"] + 2 * CLOCK_S >= LAG_S
    assert truth <= LAG_S + BUSY_S
    assert (loss["unknown"], loss["region"]) == (0, "westus3")
    assert "data loss: " in drilled.output


def test_dns_was_seen_to_follow(drilled: Drilled) -> None:
    """The authority and the caching resolver are seen in the primary, then in the secondary, then in the primary again."""
    strips = {s["vantage"]: visited(s["spans"]) for s in drilled.findings["dns"]["strips"]}
    assert strips["authority"] == ["eastus", "westus3", "eastus"]
    assert strips["caching resolver"] == ["eastus", "westus3", "eastus"]


def visited(spans: list[dict[str, Any]]) -> list[str]:
    """The regions that were answered, one after the other. A question that nobody answered in time leads nowhere."""
    return [region for region, _ in groupby(span["region"] for span in spans if span["region"])]


def test_the_estate_is_as_it_was(performed: Performance) -> None:
    """Apps and endpoints are what they were, and the findings say so."""
    assert performed.drilled.findings["drill"]["restored"] == "yes"
    assert settings_of(state(performed.stage)) == settings_of(performed.before)


def settings_of(found: Any) -> Any:
    """Drop what moves by itself: counters, times, what probing found, the rights that were used."""
    moving = {"health", "modified_ns", "version", "served", "calls", "mono_ns", "wall_ns", "rights"}
    if isinstance(found, dict):
        kept = {k: settings_of(v) for k, v in found.items() if k not in moving}
        if "endpoints" in kept:  # name: [enabled status, monitor status]
            kept["endpoints"] = {name: statuses[0] for name, statuses in kept["endpoints"].items()}
        return kept
    return [settings_of(v) for v in found] if isinstance(found, list) else found


def test_only_the_blast_radius_was_written(drilled: Drilled, stage: Estate) -> None:
    """What reached the control plane is the playbook's four changes and their four undos, between taking and freeing the lock."""
    assert drilled.code == 0
    taken, *writes, freed = [w.lower() for w in stage.writes()]
    assert taken == freed
    assert taken.endswith("/trafficmanagerprofiles/proseware/providers/microsoft.resources/tags/default")
    assert len(writes) == 8, writes
    assert all("/sites/proseware" in w or "/azureendpoints/" in w for w in writes), writes


def test_the_run_can_be_verified(drilled: Drilled) -> None:
    """`failover-drill verify` finds every byte as it was sealed."""
    assert drilled.directory is not None
    assert verify(drilled.directory) == []


def test_a_flipped_byte_of_any_file_is_noticed(drilled: Drilled, tmp_path: Path) -> None:
    """In a copy of the run: the first, middle and last byte of each of its files; but for the journal, the file is named."""
    assert drilled.directory is not None
    run = shutil.copytree(drilled.directory, tmp_path / "run")
    for path in [path for path in run.rglob("*") if path.is_file() and path.stat().st_size]:
        whole = path.read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
            said = said_of(run)
            assert path.name in said or (said and path.name == "journal.jsonl"), (path.name, at)
        path.write_bytes(whole)
    assert said_of(run) == ""


def said_of(run: Path) -> str:
    """What `failover-drill verify` says of a run, a broken chain included."""
    try:
        return "\n".join(verify(run))
    except JournalError as error:
        return str(error)


def test_no_secret_is_kept(drilled: Drilled, stage: Estate) -> None:
    """Neither the identity header, nor the control token, nor a bearer token is in the run or on the terminal."""
    assert drilled.directory is not None
    secrets = [stage.ready["identity_header"], stage.ready["control_token"], "eyJ"]
    texts = [path.read_bytes() for path in drilled.directory.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    for secret in secrets[:2]:
        assert all(secret.encode() not in text for text in [*texts, drilled.output.encode()])
    assert "Bearer " not in drilled.output
