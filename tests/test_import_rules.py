"""The import rules of architecture.md §2 are enforced, not hoped for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("failover_drill", "local_estate", "steps", "loadtests")


def lint(where: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=300, env={"PYTHONPATH": "."})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_rules_hold(tree: Path) -> None:
    """The tree as it is keeps every contract."""
    outcome = lint(tree)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("failover_drill/slo.py", "import failover_drill.journal"),
        ("failover_drill/drill.py", "import azure.mgmt.web"),
        ("failover_drill/adapters/load.py", "import locust"),
        ("failover_drill/adapters/estate.py", "import local_estate.topology"),
        ("local_estate/topology.py", "import failover_drill.facts"),
        ("loadtests/locustfile.py", "import local_estate.topology"),
        ("steps/dns.py", "import failover_drill.adapters.arm"),
        ("failover_drill/drill.py", "import pytest"),
    ],
)
def test_a_violation_is_red(tree: Path, module: str, line: str) -> None:
    """Each rule, broken in one line, makes `make lint` fail."""
    with (tree / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    assert lint(tree).returncode != 0
