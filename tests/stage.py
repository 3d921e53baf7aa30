"""A stage for whole drills: an estate started beside us, and drills run as the people who use them run them.

Nothing here knows the inside of either: the estate is `python -m local_estate`, the drill is `pytest features/…`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.secrecy import OUTPUTS

ROOT = Path(__file__).resolve().parent.parent
QUICK = {
    "FAILOVER_DRILL__OBJECTIVES__STABILISATION_S": "2",
    "FAILOVER_DRILL__TRAFFIC__RATE": "20",  # the suite shares two cores: a wide gap keeps the instrument fit
    "FAILOVER_DRILL__TRAFFIC__SETTLE_S": "1.5",
    "FAILOVER_DRILL__WAIT__COMPLETE_S": "60",
    "FAILOVER_DRILL__WAIT__SERVE_S": "30",
    "FAILOVER_DRILL__WAIT__CONFIRM_S": "30",
    "FAILOVER_DRILL__WAIT__RESTORE_S": "60",
}
TRIES = 3
COLD: dict[str, Any] = {
    "time_scale": 20,
    "profile": {"ttl": 1},
    "regions": [
        {"location": "East US"},
        {"location": "West US 3", "state": "Stopped", "endpoint": "Disabled"},
    ],
}


@dataclass(frozen=True)
class Estate:
    """A running estate: its ready line, and the file that holds it."""

    ready: Mapping[str, Any]
    file: Path
    process: subprocess.Popen[str]

    def control(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            self.ready["control_url"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.ready['control_token']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def truth(self, event: str | None = None) -> list[dict[str, Any]]:
        lines = Path(self.ready["truth_log"]).read_text("utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        return [e for e in events if event is None or e["event"] == event]

    def writes(self) -> list[str]:
        """What reached the control plane and changed something, "METHOD path", oldest first."""
        return [f"{e['method']} {e['path']}" for e in self.truth("write")]


@contextmanager
def estate(
    directory: Path, config: Mapping[str, Any] = COLD, *, python: str = sys.executable, cwd: Path = ROOT
) -> Iterator[Estate]:
    """Start an estate of its own in *directory*, and end it. *python*, called in *cwd*, must have it."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = directory / "estate.json"
    settings.write_text(json.dumps({**config, "truth_log": str(directory / "truth.jsonl")}), "utf-8")
    command = [python, "-m", "local_estate", "--config", str(settings), "--exit-with-parent"]
    with (directory / "estate.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=cwd, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (directory / "estate.log").read_text()
        file = directory / "ready.json"
        file.write_text(line, "utf-8")
        yield Estate(json.loads(line), file, process)
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
        if process.stdout:
            process.stdout.close()


@dataclass(frozen=True)
class Drilled:
    """A drill that has ended."""

    code: int
    output: str
    directory: Path | None

    @property
    def findings(self) -> dict[str, Any]:
        assert self.directory is not None, self.output
        found: dict[str, Any] = json.loads((self.directory / "findings.json").read_text("utf-8"))
        return found

    @property
    def fit(self) -> bool:
        """Whether the instrument says of itself that it could measure."""
        return bool(self.findings["instrument"]["fit"])


class Drilling(subprocess.Popen[str]):
    """A drill under way. What it prints is kept, and searched for secrets when all tests are over."""

    kept: Path

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
        output, errors = super().communicate(input, timeout)
        with self.kept.open("a", encoding="utf-8") as file:
            file.write(output or "")
        return output, errors


def start_drill(
    where: Path,
    ready: Path | None,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    feature: str | None = "features/failover.feature",
    cwd: Path = ROOT,
    terminal: int | None = None,
) -> Drilling:
    """Start a drill as a person would, with its runs kept under *where*/reports; no feature is named where that is None.

    With *terminal*, a descriptor, it speaks to that one, and hears it where it is a terminal.
    """
    named = [] if feature is None else [feature]
    command = [sys.executable, "-m", "pytest", *named, "-p", "no:randomly", *arguments]
    if ready is not None:
        command += ["--estate", str(ready)]
    own = {**os.environ, **QUICK, "FAILOVER_DRILL__DRILL__REPORTS": str(where / "reports"), **(environment or {})}
    own["PYTHONPATH"] = str(ROOT)
    where.mkdir(parents=True, exist_ok=True)
    if terminal is not None and os.isatty(terminal):
        command = ["setsid", "--ctty", *command]
    out = subprocess.PIPE if terminal is None else terminal
    drill = Drilling(command, cwd=cwd, env=own, stdin=terminal, stdout=out, stderr=subprocess.STDOUT, text=True)
    drill.kept = where / OUTPUTS
    return drill


def run_drill(where: Path, ready: Path | None, *arguments: str, timeout_s: float = 240, **options: Any) -> Drilled:
    """Run a drill to its end."""
    process = start_drill(where, ready, *arguments, **options)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"the drill did not end within {timeout_s:g} s:\n{output}") from None
    return Drilled(process.returncode, output, latest(where))


@dataclass(frozen=True)
class Performance:
    """A drill that has ended, its estate, which still runs, and what that said of itself before."""

    stage: Estate
    before: Any
    drilled: Drilled


@contextmanager
def performance(
    where: Path,
    *arguments: str,
    config: Mapping[str, Any] = COLD,
    prepare: Callable[[Estate], object] = lambda stage: None,
    prompt: Callable[[Performance], bool] = lambda performed: True,
    **options: Any,
) -> Iterator[Performance]:
    """Have a drill performed on an estate of its own; anew, where its instrument says of itself that it was not fit.

    On a machine that is too busy to send on time a drill is INCONCLUSIVE, as it must be. One that was not *prompt*, because
    processes got their turn late, is performed anew, too. The last one counts, whatever it says: what is never so, fails.
    """
    for attempt in range(1, TRIES + 1):
        with estate(where / f"estate-{attempt}", config) as stage:
            prepare(stage)
            before = stage.control("GET", "/_state")
            drilled = run_drill(where / f"drill-{attempt}", stage.file, *arguments, **options)
            performed = Performance(stage, before, drilled)
            if attempt == TRIES or (drilled.fit and prompt(performed)):
                yield performed
                return


def latest(where: Path) -> Path | None:
    """Return the newest run kept under *where*."""
    runs = sorted((where / "reports").glob("*/*/journal.jsonl"))
    return runs[-1].parent if runs else None


def await_journal(where: Path, kind: str, *, seconds: float = 150, **fields: object) -> None:
    """Wait until the newest run's journal holds an entry of *kind* with these fields."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = latest(where)
        text = (run / "journal.jsonl").read_text("utf-8") if run else ""
        for line in text.splitlines():
            entry = json.loads(line) if line.endswith("}") else {}
            if entry.get("kind") == kind and all(entry.get(k) == v for k, v in fields.items()):
                return
        time.sleep(0.02)
    raise AssertionError(f"no {kind} {fields} within {seconds:g} s")
