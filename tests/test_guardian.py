"""Whatever ends a drill, the estate is put back: by the drill, by its guardian, or by `failover-drill restore`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from failover_drill import rescue
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.clock import anchor
from failover_drill.guards import resources
from failover_drill.journal import FILE, FORMAT, Journal, read
from failover_drill.record import boot_id
from failover_drill.restoration import state_of
from failover_drill.settings import Settings
from failover_drill.target import Target
from failover_drill.targets import open_target
from failover_drill.undo import Limits
from tests.hooks import TOKEN, hook
from tests.servers import eventually
from tests.stage import COLD, ROOT, Estate, await_journal, estate, latest, start_drill
from tests.test_drill_failover import settings_of, state
from tests.test_drill_red import assert_not_told
from tests.test_telemetry import ENDPOINT, spans

ACTS = "benchmarks/safety/acts.feature"
STRUCK = "primary disabled"
GUARDIAN = "put back by the guardian"  # the name of its span
QUICK_DOUBT = {"FAILOVER_DRILL__SAFETY__DOUBT_S": "3"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate"), COLD) as running:
        yield running


def kept(stage: Estate) -> Any:
    """What a drill must leave as it was: apps, profiles and endpoints, less what probing finds."""
    return kept_of(state(stage))


def kept_of(said: Any) -> Any:
    """What of the estate's words a drill must leave as it was."""
    whole = settings_of(said)
    for profile in whole["profiles"]:
        profile["endpoints"] = {name: found[0] for name, found in profile["endpoints"].items()}
    return {key: whole[key] for key in ("apps", "profiles")}


@contextmanager
def struck(where: Path, stage: Estate, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A drill in the middle of its acts: the primary no longer serves."""
    drill = start_drill(where, stage.file, feature=ACTS, environment={**QUICK_DOUBT, **environment})
    try:
        until_marked(where, drill)
        yield drill
    finally:
        drill.kill()
        drill.wait()
        if drill.stdout:
            drill.stdout.close()


def until_marked(where: Path, drill: subprocess.Popen[str], seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = latest(where)
        if run and f'"mark":"{STRUCK}"' in (run / "journal.jsonl").read_text("utf-8"):
            return
        assert drill.poll() is None, drill.stdout.read() if drill.stdout else ""
        time.sleep(0.02)
    raise AssertionError(f"the drill did not get that far within {seconds:g} s")


def until_restored(where: Path, seconds: float = 120) -> Path:
    """Wait until the newest run says that the estate was put back, and has its report."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = latest(where)
        if run and (run / "report.html").exists() and state_of(run).restored and state_of(run).sealed:
            return run
        time.sleep(0.1)
    raise AssertionError((latest(where) or where, "is not restored"))


def restore(run: Path, stage: Estate, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from failover_drill.cli import main; main()", "restore", str(run)]
    return subprocess.run([*command, "--estate", str(stage.file), *arguments], cwd=ROOT, capture_output=True, text=True)


def assert_secret(stage: Estate, run: Path, *outputs: str) -> None:
    """No secret of the estate, and no bearer token, is in the run or in what was printed."""
    texts = [path.read_bytes() for path in run.rglob("*") if path.is_file()] + [o.encode() for o in outputs]
    for secret in (stage.ready["identity_header"], stage.ready["control_token"], "eyJ0eXAi", "Bearer eyJ"):
        assert all(secret.encode() not in text for text in texts)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed(stage: Estate, tmp_path: Path) -> None:
    """After SIGKILL amid the acts the guardian puts everything back, notifies, goes on in the trace, and tells no secret."""
    before = kept(stage)
    with hook() as server, hook() as collector:
        told = {"FAILOVER_DRILL__NOTIFY__SLACK": server.url, ENDPOINT: collector.url.split("?")[0]}
        with struck(tmp_path, stage, **told) as drill:
            drill.kill()
            output, _ = drill.communicate()
        run = until_restored(tmp_path)
        assert eventually(lambda: bool(server.posts) and any(s.name == GUARDIAN for s in spans(collector)), 60)
    (header, *_) = read(run / FILE)
    assert {span.trace for span in spans(collector)} == {header.fields["traceparent"].split("-")[1]}
    assert kept(stage) == before
    assert "put back by guardian" in (run / "report.md").read_text("utf-8")
    assert "INCONCLUSIVE" in server.messages[0]["text"]
    assert "put back by guardian" in json.dumps(server.messages[0])
    assert_secret(stage, run, output)
    assert_not_told(TOKEN, run, output)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_machine_lost(stage: Estate, tmp_path: Path) -> None:
    """With the guardian gone, too, the next drill refuses and names the command, which restores, once."""
    before = kept(stage)
    with struck(tmp_path, stage, RUNNER_TRACKING_ID="github_4711") as drill:
        guardian = guardian_of(drill.pid)
        assert b"github_4711" not in Path(f"/proc/{guardian}/environ").read_bytes(), "its CI job would take it along"
        drill.kill()
        os.kill(guardian, signal.SIGKILL)
    run = latest(tmp_path)
    assert run is not None
    assert kept(stage) != before

    written = stage.writes()
    refused = start_drill(tmp_path, stage.file, feature=ACTS)
    output, _ = refused.communicate(timeout=120)
    assert (refused.returncode, stage.writes()) == (1, written)
    assert f"run `failover-drill restore {run}`" in output

    shown = restore(run, stage, "--dry-run")
    assert "would put back: app proseware-eastus → Running" in shown.stdout
    assert kept(stage) != before
    done = restore(run, stage)
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept(stage) == before
    assert "nothing outstanding" in restore(run, stage).stdout
    assert_secret(stage, run, output, shown.stdout, done.stdout, done.stderr)


def guardian_of(pid: int) -> int:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            if b"failover_drill.guardian" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise AssertionError("there is no guardian")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_twice(stage: Estate, tmp_path: Path) -> None:
    """The second Ctrl-C leaves the rest to the guardian, at once, and says so."""
    before = kept(stage)
    with struck(tmp_path, stage) as drill:
        drill.send_signal(signal.SIGINT)
        await_journal(tmp_path, "interrupted", reason="SIGINT")
        time.sleep(0.4)  # a second press, not a bounce of the first
        drill.send_signal(signal.SIGINT)
        output, _ = drill.communicate(timeout=120)
    assert drill.returncode == 130, output
    assert "left to the guardian" in output
    until_restored(tmp_path)
    assert kept(stage) == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_terminal_is_closed(stage: Estate, tmp_path: Path) -> None:
    """With its terminal gone, and every line to it an error, the drill still puts all back itself, and reports why it ended."""
    before = kept(stage)
    ours, theirs = os.openpty()
    environment = {**QUICK_DOUBT, "TERM": "xterm"}
    drill = start_drill(tmp_path, stage.file, feature=ACTS, environment=environment, terminal=theirs)
    try:
        os.close(theirs)
        with heard(ours) as said:
            until_marked(tmp_path, drill)
            drill.send_signal(signal.SIGTSTP)
            assert eventually(lambda: b"a drill cannot be suspended" in said)
        os.close(ours)
        assert drill.wait(300) != 0
    finally:
        drill.kill()
        drill.wait()
    run = until_restored(tmp_path)
    assert kept(stage) == before
    assert (run / "guardian.log").read_text("utf-8") == ""
    assert "did not end by itself: SIGHUP" in (run / "report.md").read_text("utf-8")


@contextmanager
def heard(terminal: int) -> Iterator[bytearray]:
    """What is written to a terminal meanwhile. Somebody must read it: a full one would hold up whoever writes."""
    said, over = bytearray(), threading.Event()

    def listen() -> None:
        while not over.is_set():
            if select.select([terminal], [], [], 0.1)[0]:
                said.extend(os.read(terminal, 65536))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield said
    finally:
        over.set()
        listener.join()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nobody_reads_what_it_says(stage: Estate, tmp_path: Path) -> None:
    """Behind a pager, or Ctrl-S, nothing that is written goes through any more: the estate is put back meanwhile."""
    before = kept(stage)
    ours, theirs = os.pipe()
    drill = start_drill(tmp_path, stage.file, feature=ACTS, environment=QUICK_DOUBT, terminal=theirs)
    try:
        until_marked(tmp_path, drill)
        fill(theirs)
        os.close(theirs)
        drill.send_signal(signal.SIGTERM)
        assert eventually(lambda: kept(stage) == before, 300)
        assert drill.poll() is None
        while os.read(ours, 65536):
            pass
        assert drill.wait(300) != 0
    finally:
        drill.kill()
        drill.wait()
        os.close(ours)
    until_restored(tmp_path)


def fill(pipe: int) -> None:
    """Fill a pipe to the brim, through a description of its own: who shares this one must go on waiting."""
    filler = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    for size in (65536, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(filler, b"." * size)
    os.close(filler)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_undo_that_fails(stage: Estate, tmp_path: Path) -> None:
    """Refused for longer than the drill tries, it is reported, it does not stop the others, and the guardian goes on trying."""
    before = kept(stage)
    environment = {**QUICK_DOUBT, "FAILOVER_DRILL__WAIT__RESTORE_S": "2"}
    drill = start_drill(tmp_path, stage.file, feature=ACTS, environment=environment)
    try:
        until_marked(tmp_path, drill)
        stage.control("POST", "/_faults", {"kind": "control_throttled", "operation": "WebApps_Stop"})
        output, _ = drill.communicate(timeout=120)
        run = latest(tmp_path)
        assert run is not None
        left = [str(promise) for promise in state_of(run).promises]
        refused = start_drill(tmp_path, stage.file, "--dry-run", feature=ACTS)
        told, _ = refused.communicate(timeout=120)
    finally:
        stage.control("DELETE", "/_faults")
    assert drill.returncode == 1
    assert [line for line in left if not line.startswith("lock")] == ["app proseware-westus3 → Stopped"]
    assert "the estate is not as it was: app proseware-westus3 → Stopped" in output
    assert (
        f"the guardian goes on trying ({run / 'guardian.log'}); where it cannot: failover-drill restore {run}" in output
    )
    assert f"run `failover-drill restore {run}`" in told
    until_restored(tmp_path)
    assert kept(stage) == before
    assert "could not put everything back; the estate was put back by guardian" in (run / "report.md").read_text(
        "utf-8"
    )


@pytest.mark.timeout(400)
def test_an_estate_that_ends_meanwhile(tmp_path: Path) -> None:
    """A local estate that ends while it is being put back is not waited for: the run is settled, and says why."""
    with (
        estate(tmp_path / "estate", COLD) as own,
        open_target(Settings(), "local", own.file, tmp_path / "log") as (t, _),
    ):
        run = died_in(tmp_path, t, "app", t.primary.app_id, "Running", "Stopped")
        own.control("POST", "/_faults", {"kind": "control_throttled", "operation": "WebApps_Start"})
        ArmPlatform(t).stop(t.primary.app_id)
        said: list[str] = []
        code: list[int] = []
        rescuer = threading.Thread(target=lambda: code.append(rescue.rescue(run, "test", said.append)), daemon=True)
        rescuer.start()
        until_written(run / "restoration-001.jsonl", "429")
        own.process.terminate()
        own.process.wait(60)
        rescuer.join(120)
    assert code == [0]
    assert said[-2:] == [rescue.GONE, "the estate is as it was"]
    assert state_of(run).restored


def until_written(path: Path, text: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not (path.exists() and text in path.read_text("utf-8")):
        assert time.monotonic() < deadline, f"{text} is not in {path} within {seconds:g} s"
        time.sleep(0.05)


@pytest.mark.timeout(400)
def test_a_call_that_takes_effect_late(stage: Estate, tmp_path: Path) -> None:
    """A change that was under way when the drill died, and lands after its undo was found needless, is put back all the same.

    The guardian has its token by then: it does not wait for an identity endpoint that fails it.
    """
    before = kept(stage)
    with open_target(Settings(), "local", stage.file, tmp_path / "log") as (target, _):
        platform = ArmPlatform(target)
        run = died_in(tmp_path, target, "endpoint", target.primary.endpoint_id, "Enabled", "Disabled")
        world = rescue.prepare(run)
        stage.control("POST", "/_faults", {"kind": "control_late", "late_s": 4.0, "operation": "Endpoints_Update"})
        late = threading.Thread(
            target=lambda: platform.set_endpoint(target.primary.endpoint_id, enabled=False), daemon=True
        )
        late.start()
        time.sleep(1.0)  # on its way
        stage.control("DELETE", "/_faults")
        stage.control("POST", "/_faults", {"kind": "identity_down"})
        said: list[str] = []
        assert rescue.rescue(run, "test", said.append, world) == 0
        late.join(60)
        stage.control("DELETE", "/_faults")
        assert kept(stage) == before
        assert state_of(run).restored
        assert any(line.startswith("looking again in") for line in said)
        carried = [e for e in stage.truth("write") if e.get("carried_out") and e["path"].endswith("/eastus")]
        assert len(carried) >= 2, "the late call must have landed for this to prove anything"


def died_in(where: Path, target: Target, kind: str, resource: str, before: str, wanted: str) -> Path:
    """The run of a drill that died in the middle of its first call: to make a resource of the primary as *wanted*."""
    run = where / "reports" / "drill" / "run"
    run.mkdir(parents=True)
    journal, platform = Journal(run / FILE), ArmPlatform(target)
    journal.append("header", header(target.primary.name, target.secondary.name, asdict(target)))
    journal.append("snapshot", {"resources": {i: platform.snapshot(i) for i in resources(target)}})
    undo = {"kind": kind, "resource": resource, "wanted": before}
    promise = {"id": "p1", "verb": f"make {wanted}", "resource": resource, "region": target.primary.name}
    journal.append("promise", {**promise, "purpose": "deed", "before": {"state": before}, "undo": undo})
    journal.close()
    return run


def header(primary: str, secondary: str, target: dict[str, object]) -> dict[str, object]:
    objectives = {"judged": ["FRESH"]}
    return {
        "schema": FORMAT,
        "drill": "drill",
        "run": "run",
        "anchor": asdict(anchor()),
        "boot": boot_id(),
        "pid": os.getpid(),
        "limits": asdict(Limits(30, 10, 0.1, 6)),
        "patience_s": 0,
        "target": target,
        "primary": primary,
        "secondary": secondary,
        "interval_ns": 10_000_000,
        "latency_limit_ns": 1_000_000_000,
        "time_scale": 20.0,
        "ttl_s": 1,
        "objectives": objectives,
        "environment": {},
    }
