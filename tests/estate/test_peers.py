"""Tools of others, unmodified, against a running estate. Skipped where they are not installed; CI installs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.estate.running import QUICK, ROOT, Running, environment, running

AZ = os.environ.get("FAILOVER_DRILL_AZ") or shutil.which("az")
CHAOS = os.environ.get("FAILOVER_DRILL_CHAOS") or shutil.which("chaos")


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, QUICK) as estate:
        (tmp_path / "ready.json").write_text(json.dumps(dict(estate.ready)))
        yield estate
        assert estate.said() == ""


def script(estate: Running, name: str, tmp_path: Path, **more: str) -> str:
    """Run a script of examples/ and return what it printed."""
    env = {**environment(estate), "PYTHON": sys.executable, "HOME": str(tmp_path), **more}
    command = [str(ROOT / "examples" / name), str(tmp_path / "ready.json")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=550, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(AZ is None, reason="az is not installed (set FAILOVER_DRILL_AZ, or put az on PATH)")
def test_the_az_cli_does_the_drill(estate: Running, tmp_path: Path) -> None:
    """az registers the cloud, logs in, shows and updates profile, endpoint and a tag, and stops and starts an app."""
    said = script(estate, "az_cli.sh", tmp_path, AZ=AZ or "").split("\n--- ")
    profile, endpoint, tag, app = (part.split() for part in said[1:5])
    assert profile[1:] == ["proseware", "7", "5", "false"]
    assert endpoint[1:5] == ["Disabled", "Disabled", "Enabled", "CheckingEndpoint"]
    assert tag == ["tag", "a", "run", "until", "03:17", "failover-drill"]  # there, and then removed by its value
    assert [word for word in app if word in {"Running", "Stopped"}] == ["Running", "Stopped", "Running"]
    operations = [w["operation"] for w in estate.writes()]
    assert operations == [
        *["Profiles_CreateOrUpdate"] * 2,
        *["Endpoints_CreateOrUpdate"] * 2,
        *["Tags_UpdateAtResource"] * 2,
        *["WebApps_Stop", "WebApps_Start", "WebApps_Restart"],
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(CHAOS is None, reason="chaos is not installed (set FAILOVER_DRILL_CHAOS, or put chaos on PATH)")
def test_chaostoolkit_stops_and_starts_through_the_proxy(estate: Running, tmp_path: Path) -> None:
    """chaostoolkit-azure finds the app by query, stops it and starts it, through the CONNECT proxy."""
    journal = tmp_path / "journal.json"
    script(estate, "chaostoolkit.sh", tmp_path, CHAOS=CHAOS or "", JOURNAL=str(journal))
    run = json.loads(journal.read_text("utf-8"))["run"]
    assert [(r["activity"]["name"], r["status"]) for r in run] == [
        ("stop-the-primary", "succeeded"),
        ("one-app-matches", "succeeded"),
        ("start-the-primary", "succeeded"),
    ]
    assert [w["operation"] for w in estate.writes()] == ["WebApps_Stop", "WebApps_Start"]
