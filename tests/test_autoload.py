"""The entry point costs nothing and changes nothing where there are no drills, and loads everything once where there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from failover_drill.autoload import plugins
from failover_drill.errors import SettingsError
from failover_drill.new_suite import command, contents
from tests.stage import ROOT

FOREIGN = """
import sys

def pytest_addoption(parser):  # names that failover-drill has, too
    for name in ("--target", "--dry-run", "--live", "--estate"):
        parser.addoption(name)
"""
SAW_NOTHING = """
import sys

def test_nothing_came_along(request):
    ours = {name for name in sys.modules if name.partition(".")[0] in {"failover_drill", "steps", "pydantic", "azure", "locust"}}
    assert ours == {"failover_drill", "failover_drill.autoload"}
    assert not request.config.pluginmanager.hasplugin("failover_drill.plugin")
"""


def collected(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    told = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    return subprocess.run(told, cwd=where, capture_output=True, text=True, timeout=240, check=False)


def test_a_project_without_drills_is_left_alone(tmp_path: Path) -> None:
    """No option is taken, no module of ours or of our libraries is loaded, no .feature file is collected."""
    (tmp_path / "conftest.py").write_text(FOREIGN, "utf-8")
    (tmp_path / "test_it.py").write_text(SAW_NOTHING, "utf-8")
    (tmp_path / "some.feature").write_text("Feature: of theirs\n  Scenario: one\n    Given nothing\n", "utf-8")
    done = collected(tmp_path, "--target", "theirs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_suite_needs_no_conftest(tmp_path: Path) -> None:
    """Where a drill.toml lies, playbooks are collected in our words, without any file of Python."""
    (tmp_path / "drill.toml").touch()
    (tmp_path / "failover.feature").write_text((ROOT / "features" / "failover.feature").read_text("utf-8"), "utf-8")
    done = collected(tmp_path, "--collect-only")
    assert "failover.feature::test_the_web_app_fails_over_by_the_playbook" in done.stdout, done.stdout + done.stderr


def test_settings_where_pytest_was_called(tmp_path: Path) -> None:
    """Without a configuration of pytest the root is where the named file lies; drill.toml is found all the same."""
    (tmp_path / "drill.toml").write_text("[traffic]\nrate = 77\n", "utf-8")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "test_it.py").write_text(
        "def test_it(drill_settings):\n    assert drill_settings.traffic.rate == 77\n", "utf-8"
    )
    done = collected(tmp_path, "below/test_it.py")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_is_loaded_twice(tmp_path: Path) -> None:
    """A conftest.py that names the plugin and the steps gets those that the entry point loaded; so does this repository's."""
    (tmp_path / "drill.toml").touch()
    (tmp_path / "conftest.py").write_text(f"pytest_plugins = {plugins()!r}\n", "utf-8")
    done = collected(tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("--yes-really") == 1
    assert collected(ROOT, "features/failover.feature", "--collect-only", "-W", "error").returncode == 0


def test_steps_of_somebody_else_are_noticed(tmp_path: Path) -> None:
    """A package `steps` of the project's own, which would hide ours, is named in the error."""
    (tmp_path / "drill.toml").touch()
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "__init__.py").touch()
    done = collected(tmp_path)
    assert done.returncode != 0
    assert f"a package named steps hides failover-drill's: rename {tmp_path / 'steps'}" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_new_lays_out_a_suite_that_is_collected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that `new` names is there, its own step is bound, and a second time nothing is overwritten."""
    suite = tmp_path / "suite"
    command(suite)
    assert f"{len(contents())} files" in capsys.readouterr().out
    assert {str(path.relative_to(suite)) for path in suite.rglob("*") if path.is_file()} == set(contents())
    done = collected(suite, "features", "--collect-only")
    assert "ours.feature::" in done.stdout, done.stdout + done.stderr
    (suite / "Makefile").unlink()
    with pytest.raises(SettingsError, match=r"README\.md: there is such a file already; nothing was written"):
        command(suite)
    assert not (suite / "Makefile").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the directory cannot be made, the line says why."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"README\.md: cannot be written: File exists"):
        command(tmp_path / "file")
