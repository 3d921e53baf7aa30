"""The store of runs follows the run directories; its commands say in one line what is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from csv import DictReader
from io import StringIO
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from failover_drill import books, history
from failover_drill.errors import DrillError, SettingsError
from failover_drill.ledger import DOWNTIME, Entry, summarise
from failover_drill.report.comparison import compare
from tests.nights import nights, write
from tests.report_cases import CASES

app = typer.Typer()
books.register(app)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return write(tmp_path, nights(6))


def ask(*arguments: str | Path) -> tuple[str, str]:
    """Run a command, and return what it printed and what it said on stderr."""
    done = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_the_store_gives_back_what_the_runs_hold(reports: Path) -> None:
    """A run read from the store equals the run read from its directory, to the last bit."""
    history.refresh(reports)
    for run in history.runs(reports):
        findings = history.read_findings(reports / run.directory)
        assert run == summarise(findings, run.directory, run.seal, run.record)


def test_a_store_made_anew_is_the_same(reports: Path) -> None:
    """Throwing the store away loses nothing: made again from the directories it is the same; so is a damaged one."""
    history.refresh(reports)
    before = history.runs(reports)
    (reports / history.STORE).unlink()
    assert history.refresh(reports).read == 6
    assert history.runs(reports) == before
    (reports / history.STORE).write_bytes(b"this is no database at all, but long enough to look like a file" * 100)
    assert history.refresh(reports).read == 6
    assert history.runs(reports) == before
    assert history.refresh(reports, rebuild=True).read == 6


def test_only_what_changed_is_read_again(reports: Path) -> None:
    """A second look reads nothing; a changed run is read again; a run that is gone leaves the store."""
    assert history.refresh(reports).read == 6
    assert history.refresh(reports).read == 0
    path = reports / "failover" / "night-002" / "findings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"verdict": "MISSED"}))
    assert history.refresh(reports).read == 1
    shutil.rmtree(reports / "failover" / "night-003")
    assert history.refresh(reports).runs == 5
    assert [run.verdict for run in history.runs(reports)] == ["MET", "MET", "MISSED", "MET", "MET"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"schema": "failover-drill/findings/2", "dri', "torn or unreadable"),
        ('{"schema": "failover-drill/findings/9"}', "this version reads 'failover-drill/findings/2' and older"),
        ('{"schema": "failover-drill/findings/2"}', "lacks 'drill'"),
        ("[]", "has schema None"),
        (None, "has no findings.json"),
    ],
)
def test_a_broken_run_is_said_in_one_line_and_the_others_count(reports: Path, content: str | None, said: str) -> None:
    """A torn, newer, partial or unfinished run is named in one line, counts for nothing, and hides no other run."""
    directory = reports / "failover" / "night-001"
    (directory / "journal.jsonl").write_text("")
    if content is None:
        (directory / "findings.json").unlink()
    else:
        (directory / "findings.json").write_text(content)
    refreshed = history.refresh(reports)
    (problem,) = refreshed.problems
    assert said in problem
    assert "night-001" in problem
    assert "\n" not in problem
    assert refreshed.runs == 5
    text, told = ask("report", "--since", "2025-10-01", "--until", "2025-12-01", "--reports", reports)
    assert "> **About the record:** not counted:" in text
    assert f"not counted: {problem}" in told


def test_a_record_that_was_changed_is_marked(reports: Path) -> None:
    """A run without an intact, sealed journal is listed, with what is wrong with its evidence."""
    history.refresh(reports)
    run = history.runs(reports)[0]
    assert run.seal == ""
    assert "journal.jsonl" in run.record
    page, said = ask("report", reports / run.directory)
    assert "> **About this record:**" in page
    assert "journal.jsonl" in said


def test_history_lists_runs(reports: Path) -> None:
    """`history` prints a line for each run, oldest first, and JSON on request."""
    listed, said = ask("history", "--reports", reports)
    assert [line.split()[0] for line in listed.splitlines()] == [f"failover/night-{i:03d}" for i in range(6)]
    assert "6 runs; 6 read anew" in said
    assert len(json.loads(ask("history", "--reports", reports, "--json")[0])) == 6
    assert ask("history", "--reports", reports, "--drill", "nothing")[0] == ""


def test_data_loss_is_kept(reports: Path) -> None:
    """A run that measured data loss tells it in the list, in the table of the period and in its CSV; the others tell none."""
    path = reports / "failover" / "night-001" / "findings.json"
    findings = json.loads(path.read_text("utf-8"))
    findings["recovery"]["data_loss"] = CASES["lossy"]()["recovery"]["data_loss"]
    path.write_text(json.dumps(findings), "utf-8")
    test_the_store_gives_back_what_the_runs_hold(reports)
    listed = ask("history", "--reports", reports)[0].splitlines()
    assert ["data loss   9.90 s" in line for line in listed] == [False, True, False, False, False, False]
    period = ("report", "--since", "2025-10-01", "--until", "2026-01-01", "--reports", reports)
    rows = ask(*period)[0].splitlines()
    (head,) = [line.split("|") for line in rows if line.startswith("| Run |")]
    (row,) = [line.split("|") for line in rows if "night-001" in line]
    assert row[head.index(" Data loss ")] == " 9.90 s "
    ask(*period, "--out", reports / "c.csv")
    told = {each["run"]: each["data_loss_s"] for each in DictReader(StringIO((reports / "c.csv").read_text("utf-8")))}
    assert (told["night-001"], told["night-002"]) == ("9.9", "")


def test_a_damaged_record_is_marked_wherever_it_is_shown(reports: Path, tmp_path: Path) -> None:
    """The list marks a run whose record is not intact; two runs side by side say of which, and why; so does stderr."""
    assert "record not intact" in ask("history", "--reports", reports)[0]
    one, two = (reports / "failover" / f"night-00{i}" for i in (1, 2))
    table, said = ask("compare", one, two)
    assert f"> **About the record:** second: {two}".replace("_", r"\_") in table
    assert f"first: {one}" in said
    ask("compare", one, two, "--out", tmp_path / "two.html")
    assert (tmp_path / "two.html").read_text("utf-8").count("About the record:") == 2


def test_recorded_downtime_is_charged(reports: Path) -> None:
    """`record` appends to incidents.csv; the next compliance report charges it; recording it again changes nothing."""
    told: list[str | Path] = [
        "record",
        "--from",
        "2025-10-20T10:00",
        "--to",
        "2025-10-20T11:30:00+01:00",
        "--reason",
        "disk, full",
        "--reports",
        reports,
    ]
    ask(*told)
    assert "1 known already" in ask(*told)[0]
    assert history.entries(reports / "incidents.csv") == (Entry(DOWNTIME, 1760954400.0, 1760956200.0, "disk, full"),)
    rows = ask("report", "--since", "2025-10-01", "--until", "2025-12-01", "--reports", reports)[0]
    assert "| Spent in incidents recorded by hand | 30 min |" in rows


def test_a_table_of_incidents_is_taken_in(reports: Path, tmp_path: Path) -> None:
    """`record --csv` takes many at once, with shares, services and maintenance windows."""
    table = tmp_path / "found.csv"
    table.write_text(
        "kind,began,ended,reason,share\n,2025-10-20,2025-10-21,a,0.5\nmaintenance,2025-11-01,2025-11-02,b,\n"
    )
    assert "recorded 2" in ask("record", "--csv", table, "--reports", reports)[0]
    assert [(each.kind, each.share) for each in history.entries(reports / "incidents.csv")] == [
        ("downtime", 0.5),
        ("maintenance", 1.0),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("outage,2025-10-20,2025-10-21,x,1", "line 2, kind: 'outage' should be downtime or maintenance"),
        (",yesterday,2025-10-21,x,1", "line 2, began: 'yesterday' should be a date or a time"),
        (",2025-10-21,2025-10-20,x,1", "line 2: ended should be after began"),
        (",2025-10-20,2025-10-21,x,7", "line 2, share: '7' should be a fraction"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    """A wrong value in incidents.csv is named by file, line and column, with what would be right."""
    table = tmp_path / "incidents.csv"
    table.write_text(f"kind,began,ended,reason,share\n{line}\n")
    with pytest.raises(DrillError) as error:
        history.entries(table)
    assert said in str(error.value)
    assert str(table) in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "nowhere"], "there is no such run"),
        (["report", "--since", "soon"], "--since: 'soon' should be a date or a time"),
        (["report", "--since", "2026-01-02", "--until", "2026-01-01"], "should be before --until"),
        (["report", "RUN", "--since", "2026-01-02"], "not both"),
        (["report", "RUN", "--out", "report.docx"], "it should end in .csv, .cucumber, .html"),
        (["record", "--from", "2026-01-01"], "needs --from, --to and --reason"),
        (["record", "--csv", "nowhere.csv"], "does not exist"),
        (["history", "--reports", "nowhere"], "there is no such directory of runs"),
        (["slo", "read", "nowhere.yaml"], "cannot be read"),
        (["report", "--slo", "slo.yaml"], "--slo needs a period"),
        (["report", "--since", "2025-10-01", "--slo", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
    ],
)
def test_bad_arguments_are_one_line(reports: Path, arguments: list[str], said: str) -> None:
    """Each bad argument is answered by one line that names it and says what would be right."""
    run = str(reports / "failover" / "night-001")
    with pytest.raises((SettingsError, DrillError)) as error:
        CliRunner().invoke(app, [run if each == "RUN" else each for each in arguments], catch_exceptions=False)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_every_form_of_a_period_and_of_a_run_is_written(reports: Path, tmp_path: Path) -> None:
    """`--out` writes the form that the file's name asks for."""
    for suffix, begins in ((".html", "<!doctype"), (".md", "# Error budget"), (".json", "{"), (".csv", "row,")):
        ask(
            "report",
            "--since",
            "2025-10-01",
            "--until",
            "2026-01-01",
            "--reports",
            reports,
            "--out",
            tmp_path / f"c{suffix}",
        )
        assert (tmp_path / f"c{suffix}").read_text().lstrip().startswith(begins)
    run = reports / "failover" / "night-001"
    for suffix, begins in ((".html", "<!doctype"), (".csv", "drill,"), (".cucumber", "["), (".metrics", "# TYPE")):
        ask("report", run, "--out", tmp_path / f"r{suffix}")
        assert (tmp_path / f"r{suffix}").read_text().lstrip().startswith(begins)
    assert not set(run.iterdir()) - {run / "findings.json"}, "reporting a run must not write into it"


def test_comparing_says_only_what_the_bounds_allow() -> None:
    """A figure is better or worse only where the bounds of both runs have no value in common."""
    told = {row.label: row.told for row in compare(CASES["met"](), CASES["missed"]())}
    assert told["Recovery time"] == "worse"
    assert told["Downtime, weighted by users"] == ""
    back = {row.label: row.told for row in compare(CASES["missed"](), CASES["met"]())}
    assert back["Recovery time"] == "better"
    near = CASES["met"]()
    near["recovery"]["time_s"] += 0.001
    near["recovery"]["at_most_s"] += 0.001
    assert {row.label: row.told for row in compare(CASES["met"](), near)}["Recovery time"] == ""


def test_two_runs_side_by_side(reports: Path, tmp_path: Path) -> None:
    """`compare` prints a table of both runs, and writes a page with their segments."""
    one, two = (reports / "failover" / f"night-00{i}" for i in (1, 2))
    table, _ = ask("compare", one, two)
    rows = list(DictReader(StringIO(table[table.index("| Figure") :].replace(" ", "")), delimiter="|"))
    assert any(row["Figure"] == "propagate" for row in rows)
    ask("compare", one, two, "--out", tmp_path / "two.html")
    assert 'id="chart-segments"' in (tmp_path / "two.html").read_text()


def test_the_books_need_no_cloud_and_no_load_generator() -> None:
    """Reading reports loads neither the Azure SDK nor Locust: it starts at once, and anywhere."""
    code = "import sys, failover_drill.books; print([m for m in ('azure', 'locust', 'gevent', 'bokeh') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
