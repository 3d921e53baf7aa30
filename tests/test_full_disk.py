"""A full disk keeps a drill from acting, and nobody from putting back; what is put back is written down when there is room.

The kernel refuses each write to a file, as it does on a full disk: RLIMIT_FSIZE, set upon processes that run already.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover_drill import rescue
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.compose import Run
from failover_drill.errors import DrillError, JournalError
from failover_drill.journal import RESTORATIONS, verify
from failover_drill.restoration import state_of
from failover_drill.settings import Settings
from failover_drill.target import Role, Target
from failover_drill.targets import open_target
from tests.stage import COLD, Estate, estate, latest
from tests.test_guardian import died_in, guardian_of, kept, restore, struck, until_restored
from tests.test_journal import nothing_to_be_written

FULL = "cannot be written: File too large"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate"), COLD) as running:
        yield running


@pytest.fixture
def target(stage: Estate, tmp_path: Path) -> Iterator[Target]:
    with open_target(Settings(), "local", stage.file, tmp_path / "log") as (opened, _):
        yield opened


def fill(pid: int, *, most: int = 0) -> None:
    """Let a process that runs write no byte more to any file; as many as it likes with RLIM_INFINITY."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


@pytest.mark.timeout(400)
def test_a_rescue_that_cannot_be_written_down(stage: Estate, target: Target, tmp_path: Path) -> None:
    """It puts back all the same, says that it is not written down, and leaves no broken file; the next one finishes the record.

    Whoever comes after that finds nothing to do: a guardian that waited meanwhile, too.
    """
    before, platform = kept(stage), ArmPlatform(target)
    run = died_in(tmp_path, target, "app", target.primary.app_id, "Running", "Stopped")
    platform.stop(target.primary.app_id)
    said: list[str] = []
    world = rescue.prepare(run)
    with nothing_to_be_written():
        assert rescue.rescue(run, "test", said.append, world) == 1
    assert kept(stage) == before
    assert any(line.endswith(f"{FULL}; the estate is put back all the same") for line in said)
    assert any("what was put back is not written down" in line and FULL in line for line in said)
    assert list(run.glob(RESTORATIONS)) == []
    assert not rescue.settled(run)
    written = stage.writes()
    assert rescue.rescue(run, "test", said.append, world) == 0
    assert stage.writes() == written
    assert state_of(run).restored
    assert verify(run) == []
    files = sorted(run.iterdir())
    late = [sys.executable, "-m", "failover_drill.guardian", str(run)]
    assert subprocess.run(late, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=240).returncode == 0
    assert sorted(run.iterdir()) == files


@pytest.mark.timeout(400)
def test_no_act_without_a_promise_on_the_disk(stage: Estate, target: Target, tmp_path: Path) -> None:
    """What cannot be promised is not done; what was done before is put back, also where the run's directory is gone by then."""
    before = kept(stage)
    chosen = Settings.model_validate({"drill": {"reports": str(tmp_path / "reports")}, "safety": {"lock": "local"}})
    run = Run(chosen, target, "drill", print)
    try:
        run.drill.disable(Role.PRIMARY)
        written = stage.writes()
        with nothing_to_be_written(), pytest.raises(JournalError, match=FULL):
            run.drill.enable(Role.SECONDARY)
        assert stage.writes() == written
        shutil.rmtree(run.directory)
    finally:
        with pytest.raises(DrillError, match=f"journal.jsonl: cannot be read.*failover-drill restore {run.directory}"):
            run.close()
    assert kept(stage) == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_disk_that_fills_up_amid_a_drill(stage: Estate, tmp_path: Path) -> None:
    """The drill ends red, with the reason in one line, and has put all back itself; its guardian writes that down later."""
    before = kept(stage)
    with struck(tmp_path, stage) as drill:
        guardian = guardian_of(drill.pid)
        for pid in (drill.pid, guardian):
            fill(pid)
        output, _ = drill.communicate(timeout=300)
        assert kept(stage) == before
        run = latest(tmp_path)
        assert run is not None
        undone = [w for w in stage.writes() if w.endswith("/proseware-eastus/start")]
        assert state_of(run).promises != ()
        fill(guardian, most=resource.RLIM_INFINITY)
    assert drill.returncode == 1, output
    assert f"journal.jsonl: {FULL}; the estate is put back all the same" in output
    assert "put back: app proseware-eastus → Running" in output
    assert "Traceback" not in output, output
    until_restored(tmp_path)
    assert kept(stage) == before
    assert [w for w in stage.writes() if w.endswith("/proseware-eastus/start")] == undone
    assert "nothing outstanding" in restore(run, stage).stdout
    assert verify(run) == []
