"""The workflow files, units and image in deploy/: they pass their linters, and what they run without Azure is run here.

A step whose name begins with "Azure:" needs Azure, and is run here against the local estate. All others are run as they are.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stage import QUICK, ROOT, TRIES, estate
from tests.test_credentials import described, managed_identity
from tests.work_tree import copy_work_tree

GITHUB = sorted([*(ROOT / ".github" / "workflows").glob("*.yml"), *(ROOT / "deploy" / "github").glob("*.yml")])
PIPELINES = sorted((ROOT / "deploy" / "azure-pipelines").glob("*.yml"))
SHELL_SCRIPTS = ("scripts/system-packages", "scripts/peer-tools", ".ci/run")
SCRIPTS = sorted([*(ROOT / "deploy").glob("*.sh"), *(ROOT / name for name in SHELL_SCRIPTS)])
NIGHTLY = [ROOT / "deploy" / system / "nightly.yml" for system in ("github", "azure-pipelines")]
HERE = Path(sys.executable).parent
ASKED_OF_MAKE = {
    ".ci/run": ("bash -n .ci/run && make -n test", "pytest"),  # is what runs this test
    "make stranger": ("make -n stranger && python3 scripts/stranger --help", "docs/first-drill.md"),  # five minutes
}


@dataclass(frozen=True)
class Line:
    """One run line of a workflow file: `name` of its step, and what is set in its environment by the file."""

    file: Path
    name: str
    text: str
    environment: Mapping[str, str]

    @property
    def needs_azure(self) -> bool:
        return self.name.startswith("Azure:")


def lines() -> list[Line]:
    """Every run line of every workflow file, in the order in which they run."""
    return [
        *(line for file in GITHUB for line in _github(file)),
        *(line for file in PIPELINES for line in _pipeline(file)),
    ]


def _github(file: Path) -> Iterator[Line]:
    workflow = yaml.safe_load(file.read_text("utf-8"))
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                own = {**workflow.get("env", {}), **job.get("env", {}), **step.get("env", {})}
                yield Line(file, step["name"], step["run"], own)


def _pipeline(file: Path) -> Iterator[Line]:
    pipeline = yaml.safe_load(file.read_text("utf-8"))
    jobs = [job for stage in pipeline.get("stages", ()) for job in stage["jobs"]] or [pipeline]
    for step in (step for job in jobs for step in job["steps"]):
        text = step.get("bash") or step.get("inputs", {}).get("inlineScript")
        if text:
            yield Line(file, step["displayName"], text, pipeline["variables"])


def tool(name: str) -> str:
    """The path of a linter. The test is skipped where it is not installed."""
    found = shutil.which(name, path=f"{HERE}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def passes(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- linters -------------------------------------------------------------------------------------------------------


def test_workflows_keep_their_schemas() -> None:
    """GitHub's and Azure Pipelines' own schemas allow the files."""
    check = [tool("check-jsonschema"), "--builtin-schema"]
    passes(*check, "vendor.github-workflows", *GITHUB)
    pipelines = ["vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "python"]
    passes(*check, *pipelines, *PIPELINES)


def test_workflows_are_not_open_to_strangers() -> None:
    """zizmor, at its strictest, finds no injection, no loose permission and no action without a pinned commit."""
    passes(tool("zizmor"), "--offline", "--no-progress", "--persona", "auditor", *GITHUB)


def test_yaml_is_well_formed() -> None:
    """yamllint has nothing to say."""
    passes(tool("yamllint"), "--strict", *GITHUB, *PIPELINES)


def test_scripts_and_run_lines_pass_shellcheck(tmp_path: Path) -> None:
    """shellcheck has nothing to say of the scripts, of any run line, Azure's too, and of cron's command."""
    cron = (ROOT / "deploy" / "cron" / "failover-drill").read_text("utf-8").splitlines()[-1]
    texts = [*(line.text for line in lines()), cron.split(maxsplit=6)[6]]
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"{number}.sh")
        files[-1].write_text(f"#!/bin/bash\n{text}\n", "utf-8")
    passes(tool("shellcheck"), *SCRIPTS, *files)


def test_the_image_passes_hadolint() -> None:
    """hadolint has nothing to say of the image's definition, nor shellcheck, which it asks, of its RUN lines."""
    passes(tool("hadolint"), "--config", ".hadolint.yaml", "deploy/Containerfile")


def test_units_pass_systemd(tmp_path: Path) -> None:
    """`systemd-analyze verify` accepts service and timer, with the commands where this machine has them."""
    analyze = tool("systemd-analyze")
    for file in (ROOT / "deploy" / "systemd").iterdir():
        text = file.read_text("utf-8").replace("/opt/failover-drill/bin", str(HERE))
        (tmp_path / file.name).write_text(text, "utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        timeout=240,
    )
    said = [line for line in done.stderr.splitlines() if "failover-drill" in line]
    assert (done.returncode, said) == (0, [])


# ---- what they run -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Workplace:
    """A clone in which CI's lines are run, with an empty Python environment first in PATH."""

    clone: Path
    environment: Mapping[str, str]

    def run(self, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]  # as GitHub calls it
        own = {**self.environment, **environment}
        return subprocess.run(command, cwd=self.clone, env=own, capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A clone of what is in the work tree now, whose origin is a repository beside it; packages come from our own environment."""
    where = tmp_path_factory.mktemp("ci")
    clone, origin = where / "clone", where / "origin.git"
    venv(where / "venv")
    git("init", "--quiet", "--bare", str(origin), cwd=where)
    copy_work_tree(clone)
    git("init", "--quiet", "--initial-branch=main", cwd=clone)
    git("remote", "add", "origin", str(origin), cwd=clone)
    (where / "drill").mkdir()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("FAILOVER_DRILL__")},
        **QUICK,
        "PATH": f"{where / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIPELINE_WORKSPACE": str(where),
        "GITHUB_STEP_SUMMARY": str(where / "summary.md"),
    }
    return Workplace(clone, environment)


def venv(where: Path) -> None:
    """Make an environment that finds the packages of ours, and installs into itself."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(where)], check=True)
    site = next((where / "lib").glob("python*/site-packages"))
    (site / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    for script in ("pytest",):  # a package that is there already leaves its command where it was installed
        shutil.copy(HERE / script, where / "bin" / script)
        text = (HERE / script).read_text("utf-8").split("\n", 1)[1]
        (where / "bin" / script).write_text(f"#!{where / 'bin' / 'python'}\n{text}", "utf-8")


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True, timeout=240).stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_line_that_does_not_need_azure_is_run(workplace: Workplace) -> None:
    """In the files' order: the package is installed from the clone, the local estate drilled, summary and history kept.

    A line that two files share is run once. Of what runs this test, or takes minutes, make is asked whether it would come
    this far.
    """
    done: set[str] = set()
    for line in lines():
        if line.needs_azure or line.text in done:
            continue
        done.add(line.text)
        if line.text in ASKED_OF_MAKE:
            asked, told = ASKED_OF_MAKE[line.text]
            assert told in workplace.run(asked).stdout
            continue
        ended = carried_out(workplace, line.text, **{**line.environment, "FAILOVER_DRILL": "."})
        assert ended.returncode == 0, f"{line.file.name}: {line.name}\n{ended.stdout}{ended.stderr}"
        if "##vso" in ended.stdout:
            summary = re.search(r"##vso\[task\.uploadsummary\](.+)", ended.stdout)
            assert summary is not None
            assert "recovery time" in Path(summary[1]).read_text("utf-8").lower()
    assert any("--junitxml" in text for text in done)
    assert 'name="verdict" value="MET"' in (workplace.clone / "junit.xml").read_text("utf-8")
    assert "MET" in Path(workplace.environment["GITHUB_STEP_SUMMARY"]).read_text("utf-8")
    assert len(runs_on_the_branch(workplace.clone)) == 1
    next_night(workplace)


def carried_out(workplace: Workplace, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line; a drill anew, as if it had not been, where its instrument says that this machine was too busy for it."""
    for _ in range(TRIES):
        ended = workplace.run(text, **environment)
        unfit = None if ended.returncode == 0 else unfit_run(workplace.clone)
        if unfit is None:
            break
        shutil.rmtree(unfit)
    return ended


def unfit_run(clone: Path) -> Path | None:
    """The newest run, where its instrument was not fit."""
    found = sorted((clone / "reports").glob("*/*/findings.json"), key=lambda path: path.stat().st_mtime_ns)
    fit = not found or json.loads(found[-1].read_text("utf-8"))["instrument"]["fit"]
    return None if fit else found[-1].parent


def runs_on_the_branch(clone: Path) -> list[str]:
    listed = git("ls-remote", "origin", "refs/heads/drill-history", cwd=clone)
    git("fetch", "--quiet", "origin", "drill-history", cwd=clone)
    assert listed
    names = git("ls-tree", "-r", "--name-only", "FETCH_HEAD", cwd=clone).splitlines()
    assert all(name.startswith("reports/") for name in names)
    return [name for name in names if name.endswith("/journal.jsonl")]


def next_night(workplace: Workplace) -> None:
    """In a new clone the run of the night before comes back unchanged; a second one joins it; an idle night pushes nothing."""
    (before,) = (workplace.clone / "reports").glob("*/*/journal.jsonl")
    drill = before.parent.parent
    shutil.move(drill, workplace.clone / "moved")
    assert workplace.run(
        "deploy/history.sh bring && failover-drill verify " + shlex.quote(str(before.parent))
    ).stdout.endswith("unchanged since it was sealed\n")
    shutil.copytree(before.parent, drill / "2099-01-01T00-00-00Z")
    assert workplace.run("bash deploy/history.sh keep").returncode == 0
    assert len(runs_on_the_branch(workplace.clone)) == 2
    tip = git("rev-parse", "FETCH_HEAD", cwd=workplace.clone)
    assert workplace.run("bash deploy/history.sh keep").returncode == 0
    assert tip == git("rev-parse", "FETCH_HEAD", cwd=workplace.clone)
    assert git("rev-list", "--count", "drill-history", cwd=workplace.clone.parent / "origin.git").strip() == "2"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_lines_that_need_azure_do_with_the_estate(workplace: Workplace, tmp_path: Path) -> None:
    """Both nightly files give Azure the same three lines; they pass, in order, where [target.sandbox] is the local estate."""
    if not (Path(workplace.environment["PATH"].split(os.pathsep)[0]) / "failover-drill").exists():
        assert workplace.run("python -m pip install .").returncode == 0  # where this test runs alone
    with estate(tmp_path / "estate") as stage:
        here = {
            **managed_identity(stage),
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "FAILOVER_DRILL__TARGET__SANDBOX": toml(described(stage)),
            "FAILOVER_DRILL__SAFETY__SUBSCRIPTIONS": toml([stage.ready["subscription_id"]]),
        }
        for line, twin in zip(*(azure_lines(file) for file in NIGHTLY), strict=True):
            assert line.text == twin.text
            ended = carried_out(workplace, line.text, **{**line.environment, **here})
            assert ended.returncode == 0, f"{line.name}\n{ended.stdout}{ended.stderr}"
        assert {"WebApps_Stop", "WebApps_Start", "Endpoints_Update"} <= {e["operation"] for e in stage.truth("write")}


def azure_lines(file: Path) -> list[Line]:
    """The lines of one nightly file that need Azure, less what GitHub or Azure Pipelines would fill in."""
    found = [line for line in lines() if line.file == file and line.needs_azure]
    assert [line.name for line in found] == ["Azure: preflight", "Azure: drill", "Azure: restore"]
    return [replace(line, environment={"TARGET": line.environment["TARGET"]}) for line in found]


def toml(value: object) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


def test_history_without_an_origin(tmp_path: Path) -> None:
    """Where the origin cannot be reached the script fails: a night whose history is lost must not look like the first one."""
    git("init", "--quiet", cwd=tmp_path)
    git("remote", "add", "origin", str(tmp_path / "nowhere"), cwd=tmp_path)
    done = subprocess.run([str(ROOT / "deploy" / "history.sh"), "bring"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0


def test_a_night_without_a_run(tmp_path: Path) -> None:
    """Where preflight ended the night there is no run, and nothing is pushed."""
    git("init", "--quiet", "--bare", "origin", cwd=tmp_path)
    git("init", "--quiet", "suite", cwd=tmp_path)
    suite = tmp_path / "suite"
    git("remote", "add", "origin", str(tmp_path / "origin"), cwd=suite)
    for act in ("bring", "keep"):
        subprocess.run([str(ROOT / "deploy" / "history.sh"), act], cwd=suite, check=True)
    assert git("ls-remote", "origin", cwd=suite) == ""


def test_the_restore_job_always_runs_and_comes_last() -> None:
    """In both nightly files the last job depends on the drill, runs whatever that came to, and restores."""
    github = yaml.safe_load((ROOT / "deploy" / "github" / "nightly.yml").read_text("utf-8"))
    name, job = list(github["jobs"].items())[-1]
    assert (name, job["needs"], job["if"]) == ("restore", "drill", "always()")
    assert "failover-drill restore" in [step.get("run") for step in job["steps"]]
    assert github["concurrency"]["cancel-in-progress"] is False
    pipeline = yaml.safe_load((ROOT / "deploy" / "azure-pipelines" / "nightly.yml").read_text("utf-8"))
    last = pipeline["stages"][-1]["jobs"][-1]
    assert (last["job"], last["dependsOn"], last["condition"]) == ("restore", "drill", "always()")
    assert "failover-drill restore" in [step.get("inputs", {}).get("inlineScript") for step in last["steps"]]


# ---- the image -----------------------------------------------------------------------------------------------------


def instruction(word: str) -> str:
    text = (ROOT / "deploy" / "Containerfile").read_text("utf-8").replace("\\\n", "")
    (found,) = re.findall(rf"^{word} (.+)$", text, re.MULTILINE)
    return str(found)


def test_the_image_installs_and_starts(workplace: Workplace) -> None:
    """Without an engine: the RUN line's pip and install, with their paths moved, and then ENTRYPOINT with CMD in a suite."""
    bin_directory = Path(workplace.environment["PATH"].split(os.pathsep)[0])
    pip, entry, *rest = [part.strip() for part in instruction("RUN").split("&&")]
    moved = {"/src": str(workplace.clone), "/usr/local/bin": str(bin_directory)}
    for command in (pip, entry):
        for path, other in moved.items():
            command = command.replace(path, other)
        done = workplace.run(command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [each.split()[0] for each in rest] == ["rm", "useradd"]
    words: list[Any] = [*yaml.safe_load(instruction("ENTRYPOINT")), *yaml.safe_load(instruction("CMD"))]
    done = workplace.run(shlex.join(words))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failover.feature" in done.stdout
    assert "nothing to put back" in done.stdout


@pytest.mark.parametrize(("restored", "code"), [(0, 7), (1, 1)])
def test_the_entry_passes_signals_and_statuses_on(tmp_path: Path, restored: int, code: int) -> None:
    """TERM reaches the drill, which ends in its own time; then `restore` runs; its failure counts, else the drill's status."""
    script(tmp_path / "pytest", "trap 'echo undone; exit 7' TERM; echo began; while :; do sleep 0.05; done")
    script(tmp_path / "failover-drill", f"echo restored; exit {restored}")
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    entry = subprocess.Popen(
        [str(ROOT / "deploy" / "drill-and-restore.sh")], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert entry.stdout is not None
    assert entry.stdout.readline() == "began\n"
    time.sleep(0.1)
    entry.send_signal(signal.SIGTERM)
    said, _ = entry.communicate(timeout=120)
    assert (entry.returncode, said) == (code, "undone\nrestored\n")


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(0o755)
