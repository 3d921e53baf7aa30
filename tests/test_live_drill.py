"""The live view of real drills: on a terminal of 80x24 and one of 200x50, and beside it on the page, in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from failover_drill import journal
from failover_drill.books import run_forms
from failover_drill.cli import main
from tests.chromium import browser, faults, needs_chromium
from tests.stage import COLD, QUICK, ROOT, TRIES, Drilled, estate, latest
from tests.terminal import Terminal, needs_tmux

pytestmark = [pytest.mark.slow, needs_tmux, needs_chromium]

ADDRESS = re.compile(r"live: (http://127\.0\.0\.1:\d+/\S+/)")


TELLING = """addEventListener("DOMContentLoaded", () => {
  if (!location.pathname.endsWith("/")) return;  // the report
  const tell = () => window.shown(document.body.innerText);
  new MutationObserver(tell).observe(document.body, {childList: true, subtree: true, characterData: true, attributes: true});
  tell();
})"""
"""Has the live page itself tell each of its states: none is missed, however seldom somebody looks."""


@dataclass
class Followed:
    """A drill, and what was to be seen of it."""

    where: Path
    screens: list[list[str]] = field(default_factory=list)
    drawn: str = ""
    pages: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""
    left_at: str = ""
    report: str = ""
    everything: str = ""
    code: int = -1
    cursor: str = ""

    @property
    def run(self) -> Path:
        found = latest(self.where)
        assert found is not None, self.everything
        return found

    @property
    def findings(self) -> dict[str, Any]:
        return Drilled(0, self.everything, self.run).findings


def follow(where: Path, chromium: Any, size: tuple[int, int], *arguments: str, interrupt: bool = False) -> Followed:
    """Run a drill to its end on a terminal of this size, and look at terminal and page as it goes on."""
    told, struck = Followed(where), False
    own = {**os.environ, **QUICK, "FAILOVER_DRILL__DRILL__REPORTS": str(where / "reports"), "PYTHONPATH": str(ROOT)}
    own |= {"GITHUB_STEP_SUMMARY": str(where / "summary.md")}
    with estate(where / "estate", COLD) as running:
        given = ["features/failover.feature", "-p", "no:randomly", "--live", "--estate", str(running.file), *arguments]
        command = ["env", "-C", str(ROOT), sys.executable, "-m", "pytest", *given]
        with Terminal(where, command, size, own) as terminal:
            terminal.until(lambda: ADDRESS.search(terminal.everything()) is not None)
            found = ADDRESS.search(terminal.everything())
            assert found is not None
            told.address = found[1]
            page = opened(chromium, told)
            while not terminal.ended:
                told.screens.append(terminal.lines())
                if not struck and "users are out" in terminal.drawn:
                    struck = True
                    if interrupt:
                        terminal.press("C-c")
                    elif find_spec("axe_playwright_python"):
                        told.faults = faults(page)
                page.wait_for_timeout(200)
            told.everything, told.drawn = terminal.everything(), terminal.drawn
            told.code, told.cursor = terminal.status, terminal.state("cursor_flag")
            page.wait_for_selector("html[data-charts=drawn]", state="attached", timeout=120_000)
            told.left_at, told.report = page.url, page.inner_text("body")
            page.context.close()
    (where / "screens.txt").write_text("\n========\n".join("\n".join(each) for each in told.screens), "utf-8")
    return told


def opened(chromium: Any, told: Followed) -> Any:
    page = chromium.new_context(viewport={"width": 1100, "height": 900}).new_page()
    page.on("request", lambda request: told.requests.append(request.url))
    page.on("pageerror", lambda error: told.complaints.append(str(error)))
    page.on("console", lambda said: told.complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.expose_function("shown", lambda text: told.pages.append(text))
    page.add_init_script(TELLING)
    page.goto(told.address)
    return page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def whole(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """A drill to its own end, at 80x24."""
    for _ in range(TRIES):  # anew where the instrument says that this machine was too busy for it
        where = tmp_path_factory.mktemp("whole")
        told = follow(where, chromium, (80, 24), f"--junitxml={where / 'junit.xml'}")
        if told.findings["instrument"]["fit"]:
            break
    return told


@pytest.fixture(scope="module")
def interrupted(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """A drill ended by Ctrl-C while users are out, at 200x50, with -v."""
    where = tmp_path_factory.mktemp("interrupted")
    return follow(where, chromium, (200, 50), "-v", interrupt=True)


PANEL = re.compile(r"^ recovery |^ proseware-failover · ", re.MULTILINE)


def test_the_panel_follows_the_drill(whole: Followed) -> None:
    """At 80x24 one panel, never two, tells step, recovery time, users, who serves them, DNS, outage, budget and actions."""
    assert PANEL.search(whole.drawn)
    assert all(len(PANEL.findall("\n".join(lines))) <= 2 for lines in whole.screens)  # one may be drawn half
    seen = whole.drawn
    for words in (
        "steady state", "failing over", "users are out", "of 60 s allowed", "served by", "authority",
        "OUT for at least", "lost,", "✓ stop app", "undo: ", "since the first change",
        " data loss not known yet, 15 s allowed", "writes acknowledged", "acknowledged writes",
    ):  # fmt: skip
        assert words in seen, words
    assert set(re.findall(r"(eastus|westus3) \d+ %", seen)) == {"eastus", "westus3"}


def test_pytest_stays_readable(whole: Followed) -> None:
    """What pytest says is there from its first line to its last, no panel is left over, and the cursor is back."""
    lines = whole.everything.splitlines()
    assert "test session starts" in whole.everything
    assert "1 passed" in whole.everything, whole.everything
    assert any(line == "." for line in lines)
    assert whole.findings["verdict"] in whole.everything
    assert not any(map(PANEL.search, lines))
    assert (whole.code, whole.cursor) == (0, "1")


def test_the_page_shows_the_same(whole: Followed) -> None:
    """The page updates by itself, with what the terminal shows, asks for nothing but itself, and complains of nothing."""
    seen = "\n".join(whole.pages)
    for words in (
        "steady state",
        "failing over",
        "OUT",
        "of 60 s allowed",
        "authority",
        "stop app",
        "to come",
        "Data loss",
        "acknowledged writes",
    ):
        assert words in seen, words
    assert whole.complaints == []
    assert {url.split("?")[0].removeprefix(whole.address) for url in whole.requests} == {
        "",
        "state.json",
        "report.html",
    }


def test_axe_finds_nothing_serious_on_the_page(whole: Followed) -> None:
    """While users are out, the accessibility checker axe finds no serious or critical fault on the live page."""
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    assert whole.faults == []


def test_the_page_ends_as_the_report(whole: Followed) -> None:
    """When the drill is over the page is the finished report, still readable after the server is gone."""
    assert whole.left_at == f"{whole.address}report.html"
    assert whole.findings["verdict"] in whole.report
    assert "Where the time went" in whole.report


def test_every_form_is_there_and_sealed(whole: Followed) -> None:
    """Cucumber JSON, metrics and figures are left with the run, and the seal covers each of them."""
    assert journal.verify(whole.run) == []
    [feature] = json.loads((whole.run / "cucumber.json").read_text("utf-8"))
    [scenario] = feature["elements"]
    assert (feature["uri"], scenario["name"]) == (
        "features/failover.feature",
        "The web app fails over by the playbook",
    )
    assert {each["result"]["status"] for each in scenario["steps"]} == {"passed"}
    assert run_forms(whole.run)[".cucumber"]() == (whole.run / "cucumber.json").read_text("utf-8")
    recovery = repr(whole.findings["recovery"]["time_s"])
    assert recovery in (whole.run / "metrics.txt").read_text("utf-8")
    assert recovery in (whole.run / "figures.csv").read_text("utf-8")


def test_ci_finds_its_forms(whole: Followed) -> None:
    """The JUnit case carries verdict and figures, and the job's summary is report.md."""
    case = ET.parse(whole.where / "junit.xml").find(".//testcase")
    assert case is not None
    properties = {each.get("name"): each.get("value") for each in case.iterfind("properties/property")}
    assert properties["verdict"] == whole.findings["verdict"]
    assert properties["recovery_time_s"] == repr(whole.findings["recovery"]["time_s"])
    summary = (whole.where / "summary.md").read_text("utf-8")
    assert summary.strip() == (whole.run / "report.md").read_text("utf-8").strip()


def torn(run: Path) -> None:
    (run / "findings.json").write_text((run / "findings.json").read_text("utf-8")[:2_000], "utf-8")


def incomplete(run: Path) -> None:
    (run / "findings.json").unlink()


def newer(run: Path) -> None:
    findings = json.loads((run / "findings.json").read_text("utf-8"))
    (run / "findings.json").write_text(json.dumps(findings | {"schema": "failover-drill/findings/9"}), "utf-8")


def tampered(run: Path) -> None:
    findings = json.loads((run / "findings.json").read_text("utf-8"))
    (run / "findings.json").write_text(json.dumps(findings | {"verdict": "MISSED"}), "utf-8")


def without_journal(run: Path) -> None:
    (run / "journal.jsonl").unlink()


def empty(run: Path) -> None:
    for path in run.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "code", "told", "shown"),
    [
        (lambda _: None, 0, "", "recovery time"),
        (torn, 0, "is torn or unreadable", "judged now, from the facts"),
        (incomplete, 0, "has no findings.json", "judged now, from the facts"),
        (newer, 1, "has schema 'failover-drill/findings/9'", ""),
        (tampered, 0, "changed since it was sealed", "changed since it was sealed"),
        (without_journal, 0, "journal.jsonl: cannot be read", "journal.jsonl: cannot be read"),
        (empty, 1, "journal.jsonl: cannot be read", ""),
    ],
)
def test_a_spoilt_run_is_shown_as_far_as_it_goes(
    whole: Followed,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    code: int,
    told: str,
    shown: str,
) -> None:
    """`failover-drill report RUN` of a damaged run says what is wrong in one line, and marks what it can show all the same."""
    run = tmp_path / "run"
    shutil.copytree(whole.run, run)
    spoil(run)
    monkeypatch.setattr(sys, "argv", ["failover-drill", "report", str(run)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == code
    assert told in err
    assert all(line.count("Traceback") == 0 and len(line) < 400 for line in err.splitlines())
    assert shown in out.replace("\\", "")
    assert bool(out) == (code == 0)


def test_a_wide_terminal_shows_all_steps(interrupted: Followed) -> None:
    """At 200x50 every step stands beside the rest, marked as passed, under way or to come."""
    assert "✓ Given the estate is in steady state" in interrupted.drawn
    assert "· Then the estate is in steady state again" in interrupted.drawn


def test_passed_steps_are_told_with_v(interrupted: Followed) -> None:
    """With -v each Gherkin step is printed as it passes, above the panel, and stays."""
    assert re.search(r"^ +\d+\.\d s  ✓ Given the estate is in steady state$", interrupted.everything, re.MULTILINE)


def test_ctrl_c_ends_it_cleanly(interrupted: Followed) -> None:
    """Ctrl-C puts the estate back, takes the panel away, gives the cursor back, and leaves pytest's own last words."""
    assert "KeyboardInterrupt" in interrupted.everything
    assert not any(map(PANEL.search, interrupted.everything.splitlines()))
    assert (interrupted.code, interrupted.cursor) == (2, "1")
    assert "interrupted, putting back" in interrupted.drawn
    assert interrupted.findings["drill"]["restored"] == "yes"
    assert journal.verify(interrupted.run) == []


def test_the_page_ends_as_a_report_of_an_interruption(interrupted: Followed) -> None:
    """After Ctrl-C the page becomes the report, too, which says first that the drill was interrupted."""
    assert interrupted.left_at == f"{interrupted.address}report.html"
    assert interrupted.report.index("Interrupted") < interrupted.report.index("Where the time went")
    statuses = [
        each["result"]["status"]
        for each in json.loads((interrupted.run / "cucumber.json").read_text("utf-8"))[0]["elements"][0]["steps"]
    ]
    assert statuses[-1] == "skipped"
