"""Bad input is one clear line and an exit status that is not 0; nothing is left changed, and nobody sees a traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.stage import COLD, ROOT, Drilled, Estate, estate, run_drill


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as running:
        yield running


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ready line of an estate that is no more."""
    with estate(tmp_path_factory.mktemp("gone")) as running:
        return running.file


def refused(drilled: Drilled, *said: str) -> None:
    """The drill was refused in one line that says all of *said*, without a traceback."""
    assert drilled.code != 0, drilled.output
    assert "Traceback" not in drilled.output
    assert any(all(word in line for word in said) for line in drilled.output.splitlines()), drilled.output


Edit = Callable[[dict[str, Any]], object]
READY_CASES: Mapping[str, tuple[Edit, tuple[str, ...]]] = {
    "a profile that does not exist": (
        lambda r: r.update(profile_id=r["profile_id"] + "-not"),
        ("proseware-not", "404", "ResourceNotFound"),
    ),
    "an app that does not exist": (
        lambda r: r["web_apps"][0].update(resource_id=r["web_apps"][0]["resource_id"] + "-not"),
        ("proseware-eastus-not", "404"),
    ),
    "a name that does not resolve": (
        lambda r: r.update(public_host="nobody.proseware.example"),
        ("nobody.proseware.example", "NXDOMAIN"),
    ),
    "a refused identity": (lambda r: r.update(identity_header="wrong"), ("token", "check the credential")),
    "a ready line that lacks a key": (lambda r: r.pop("profile_id"), ("ready line lacks 'profile_id'",)),
}


@pytest.mark.parametrize("case", READY_CASES)
def test_a_wrong_estate(case: str, stage: Estate, tmp_path: Path) -> None:
    """What the target names must be there: else the line says what is not, and nothing was written."""
    edit, said = READY_CASES[case]
    ready = json.loads(json.dumps(dict(stage.ready)))
    edit(ready)
    file = tmp_path / "ready.json"
    file.write_text(json.dumps(ready), "utf-8")
    writes = stage.writes()
    refused(run_drill(tmp_path, file), *said)
    assert stage.writes() == writes


def test_no_estate(tmp_path: Path) -> None:
    """A ready line's file that is not there is named."""
    refused(run_drill(tmp_path, tmp_path / "none.json"), "none.json: cannot be read", "ready line")


def test_an_estate_that_is_gone(gone: Path, tmp_path: Path) -> None:
    """A ready line whose estate has ended is said to lead nowhere."""
    refused(run_drill(tmp_path, gone), "read profile proseware", "check the credential")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[objectives]\nrto = 5\n", ("drill.toml: objectives.rto = 5: there is no such key",)),
        ("[traffic]\ntimeout_s = 0\n", ("drill.toml: traffic.timeout_s = 0", "greater than 0")),
        ("[estate]\ntime_scal = 2\n", ("time_scal = 2",)),
        ('[drill]\ntarget = "prod"\n', ("there is no [target.prod]",)),
    ],
)
def test_wrong_settings(text: str, said: tuple[str, ...], tmp_path: Path) -> None:
    """A wrong key or value of drill.toml is named, [estate] included."""
    file = tmp_path / "drill.toml"
    file.write_text(text, "utf-8")
    refused(run_drill(tmp_path, None, "--drill-settings", str(file)), *said)


def test_a_step_nobody_wrote(stage: Estate, tmp_path: Path) -> None:
    """A typo in the last step is found before the first one runs."""
    for name in ("conftest.py", "drill.toml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    text = (ROOT / "features" / "failover.feature").read_text("utf-8")
    (tmp_path / "typo.feature").write_text(text.replace("in steady state again", "in steddy state again"), "utf-8")
    writes = stage.writes()
    outcome = run_drill(tmp_path, stage.file, feature="typo.feature", cwd=tmp_path)
    near = 'the nearest known is "Then the estate is in steady state again"'
    refused(
        outcome,
        "nobody wrote the step",
        "the estate is in steddy state again",
        f"typo.feature:{len(text.splitlines())}:",
        near,
    )
    assert stage.writes() == writes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"Feature: a\n  Scenario: b\n    Given the estate is in steady state\n    bananas\n",
            ("wrong.feature:4:", "'bananas'"),
        ),
        (b"", ("wrong.feature: there is no Feature in it",)),
        (b"Feature: \xff\n", ("wrong.feature: cannot be read as UTF-8",)),
    ],
)
def test_a_file_that_is_no_playbook(content: bytes, said: tuple[str, ...], tmp_path: Path) -> None:
    """A feature file that cannot be read as one is named with the line that is wrong."""
    for name in ("conftest.py", "drill.toml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "wrong.feature").write_bytes(content)
    refused(run_drill(tmp_path, None, feature="wrong.feature", cwd=tmp_path), *said)


def test_a_port_in_use(tmp_path: Path) -> None:
    """The estate says which port is taken, in one line, and ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = tmp_path / "estate.json"
        config.write_text(json.dumps({**COLD, "arm_port": taken.getsockname()[1]}), "utf-8")
        command = [sys.executable, "-m", "local_estate", "--config", str(config)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0
    assert "in use" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_traffic_process_that_dies(stage: Estate, tmp_path: Path) -> None:
    """When the load process is killed in the middle, the verdict is INCONCLUSIVE, says why, and the estate is as it was."""
    from tests.stage import await_journal, latest, start_drill

    process = start_drill(tmp_path, stage.file)
    await_journal(tmp_path, "step begins", index=2)
    run = latest(tmp_path)
    assert run is not None
    os.kill(locust_of(process.pid), signal.SIGKILL)
    output, _ = process.communicate(timeout=240)
    findings = json.loads((run / "findings.json").read_text("utf-8"))
    assert process.returncode == 1, output
    assert findings["verdict"] == "INCONCLUSIVE"
    assert findings["drill"]["restored"] == "yes"
    assert "Traceback" not in output


def locust_of(drill: int) -> int:
    """Return the pid of the load process that a drill started."""
    import psutil

    for child in psutil.Process(drill).children():
        if "locust" in " ".join(child.cmdline()):
            return child.pid
    raise AssertionError("the drill has no load process")
