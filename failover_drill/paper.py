"""Writing a report in the form its name asks for; PDF through an installed Chromium."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from failover_drill.errors import DrillError, SettingsError

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--window-size=900,1200",
    "--virtual-time-budget=20000",
    "--no-pdf-header-footer",
)
PATIENCE_S = 60.0

Forms = Mapping[str, Callable[[], str]]
"""What makes each form, by the suffix of the file: ".html", ".md", …"""


def put(out: Path, forms: Forms) -> None:
    """Write the form that the name of `out` asks for. Raises SettingsError where there is none, DrillError on failure."""
    suffix = out.suffix.lower()
    if suffix == ".pdf" and ".html" in forms:
        _print(forms[".html"](), out)
        return
    if suffix not in forms:
        known = ", ".join(sorted([*forms, *([".pdf"] if ".html" in forms else [])]))
        raise SettingsError(f"{out}: cannot tell the form from its name; it should end in {known}")
    _write(out, forms[suffix]())


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise DrillError(f"{out}: cannot be written: {error.strerror}") from None


def _print(page: str, out: Path) -> None:
    browser = next((found for found in map(shutil.which, CHROMIUM) if found), None)
    if browser is None:
        raise DrillError(
            f"{out}: a PDF needs Chromium or Chrome; neither is installed. Open the .html and print it instead"
        )
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "report.html"
        source.write_text(page, "utf-8")
        # The page is our own and asks the network for nothing; in containers Chromium's sandbox cannot start.
        command = [
            browser,
            *FLAGS,
            "--no-sandbox",
            f"--user-data-dir={scratch}/profile",
            f"--print-to-pdf={out.resolve()}",
        ]
        try:
            done = subprocess.run([*command, source.as_uri()], capture_output=True, timeout=PATIENCE_S, check=False)
        except subprocess.TimeoutExpired:
            raise DrillError(f"{out}: {browser} did not print within {PATIENCE_S:g} s") from None
    if done.returncode or not out.exists():
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise DrillError(f"{out}: {browser} could not print it: {said[-1] if said else done.returncode}")
