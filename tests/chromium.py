"""A real browser for tests of pages; tests that need one are skipped where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
needs_chromium = pytest.mark.skipif(EXECUTABLE is None, reason="no chromium on this machine")


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)
        try:
            yield launched
        finally:
            launched.close()


def faults(page: Any) -> list[tuple[str, str]]:
    """What the accessibility checker axe finds serious or critical on a page: rule, and the first element. Skips without axe."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]


class Opened:
    """A page opened from a file, with everything that it asked for and said."""

    def __init__(self, browser: Any, file: Path, *, width: int = 1200, height: int = 900, **options: Any) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", **options
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-charts=drawn]", state="attached", timeout=60_000)
        self.page.wait_for_timeout(150)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
