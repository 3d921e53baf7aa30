"""The history of runs: an SQLite file beside them, made from the run directories and made again at any time.

    reports/<drill>/<UTC time>/findings.json ─┐
    reports/incidents.csv                     ─┴─► reports/history.sqlite ──► history, compare, report --since

The runs and incidents.csv are the truth; the store only saves reading them again. A run is read anew where its
findings.json changed since (size or time of change); a run that is gone leaves the store.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from failover_drill import journal
from failover_drill.errors import DrillError, JournalError
from failover_drill.findings_form import OLDER, SCHEMA
from failover_drill.ledger import DOWNTIME, MAINTENANCE, Bounded, Entry, Loss, Run, summarise
from failover_drill.moments import moment
from failover_drill.wording import rfc3339

STORE = "history.sqlite"
INCIDENTS = "incidents.csv"
FINDINGS = "findings.json"
FORM = 3  # of the tables; another one is dropped and made again
TABLES = """
CREATE TABLE run (
  directory TEXT PRIMARY KEY, stamp TEXT NOT NULL, drill TEXT, run TEXT, kind TEXT, service TEXT, began REAL, ended REAL,
  watched_began REAL, watched_ended REAL, verdict TEXT, interrupted TEXT, restored TEXT, fit INTEGER, time_scale REAL,
  objective REAL, window_s REAL, rto_s REAL, consumed_s REAL, consumed_at_least_s REAL, consumed_at_most_s REAL,
  recovery_s REAL, recovery_at_least_s REAL, recovery_at_most_s REAL,
  data_loss_s REAL, data_loss_at_least_s REAL, data_loss_at_most_s REAL,
  predicted_s REAL, predicted_at_least_s REAL, predicted_at_most_s REAL, seal TEXT, record TEXT);
CREATE TABLE segment (directory TEXT NOT NULL REFERENCES run ON DELETE CASCADE, place INTEGER, name TEXT, took_s REAL);
CREATE TABLE loss (directory TEXT NOT NULL REFERENCES run ON DELETE CASCADE, began REAL, ended REAL, lost_s REAL);
CREATE INDEX run_began ON run (began);
CREATE INDEX segment_run ON segment (directory);
CREATE INDEX loss_run ON loss (directory);
"""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What bringing the store up to date found."""

    runs: int
    read: int  # read anew
    problems: tuple[str, ...]  # one line for each run that could not be taken in whole


def refresh(reports: Path, *, rebuild: bool = False) -> Refreshed:
    """Bring the store up to date with the run directories; `rebuild` reads every run anew."""
    with _store(reports) as store:
        if rebuild:
            store.execute("DELETE FROM run")
        known = dict(store.execute("SELECT directory, stamp FROM run").fetchall())
        found = {str(path.relative_to(reports)): path / FINDINGS for path in _directories(reports)}
        store.executemany("DELETE FROM run WHERE directory = ?", [(gone,) for gone in known.keys() - found.keys()])
        problems, read = [], 0
        for directory, path in found.items():
            stamp = _stamp(path)
            if known.get(directory) == stamp:
                continue
            read += 1
            try:
                _keep(store, read_run(path.parent, directory), stamp)
            except DrillError as error:
                store.execute("DELETE FROM run WHERE directory = ?", (directory,))
                problems.append(str(error))
        (count,) = store.execute("SELECT count(*) FROM run").fetchone()
    return Refreshed(count, read, tuple(problems))


def runs(reports: Path) -> tuple[Run, ...]:
    """Return every run of the store, oldest first."""
    with _store(reports) as store:
        segments, losses = _by_run(store, "segment"), _by_run(store, "loss")
        rows = store.execute("SELECT * FROM run ORDER BY began, directory").fetchall()
    return tuple(_run(row, segments.get(row["directory"], []), losses.get(row["directory"], [])) for row in rows)


def read_run(directory: Path, name: str) -> Run:
    """Return what the books keep of one run, with the state of its record. Raises DrillError where it cannot be read."""
    findings = read_findings(directory)
    try:
        return summarise(findings, name, *_evidence(directory))
    except (KeyError, TypeError) as error:
        raise DrillError(
            f"{directory / 'findings.json'}: lacks {error}: not whole; `failover-drill judge` makes it again"
        ) from None


def read_findings(directory: Path) -> dict[str, Any]:
    """Return a run's findings.json. Raises DrillError, in one line, where it is absent, torn, or of another schema."""
    path = directory / FINDINGS
    try:
        findings = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DrillError(
            f"{directory}: has no findings.json: the run did not get that far; judge it from its facts"
        ) from None
    except (OSError, ValueError) as error:
        raise DrillError(f"{path}: is torn or unreadable ({error}); judge the run again from its facts") from None
    schema = findings.get("schema") if isinstance(findings, dict) else None
    if schema in OLDER:
        return {**findings, "forecast": None, "settings": {}}
    if schema != SCHEMA:
        raise DrillError(f"{path}: has schema {schema!r}; this version reads {SCHEMA!r} and older")
    checked: dict[str, Any] = findings
    return checked


def _evidence(directory: Path) -> tuple[str, str]:
    """Return the hash that commits to the whole run, and what checking the record found."""
    try:
        wrong = journal.verify(directory)
        last = (directory / journal.FILE).read_bytes().splitlines()[-1]
        return json.loads(last)["hash"], "; ".join(wrong) or "unchanged"
    except (JournalError, OSError, ValueError, LookupError) as error:
        return "", str(error)


def _directories(reports: Path) -> list[Path]:
    """Return the directories of runs, also of those that have facts and no findings."""
    told = {path.parent for name in (FINDINGS, journal.FILE) for path in reports.glob(f"*/*/{name}")}
    return sorted(path for path in told if not path.parent.is_symlink())


def _stamp(path: Path) -> str:
    """What tells a changed run: its findings and its journal, by size and time of change."""
    told = (file.stat() if file.exists() else None for file in (path, path.with_name(journal.FILE)))
    return " ".join("-" if each is None else f"{each.st_size}@{each.st_mtime_ns}" for each in told)


@contextmanager
def _store(reports: Path) -> Iterator[sqlite3.Connection]:
    """The store, made where there is none; a damaged one is made again, since the runs are the truth."""
    if not reports.is_dir():
        raise DrillError(f"{reports}: there is no such directory of runs")
    path = reports / STORE
    try:
        store = _opened(path)
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        store = _opened(path)
    try:
        with store:
            yield store
    finally:
        store.close()


def _opened(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path, timeout=30)
    store.row_factory = sqlite3.Row
    try:
        store.execute("PRAGMA foreign_keys = ON")
        (form,) = store.execute("PRAGMA user_version").fetchone()
        if form != FORM:
            for table in ("loss", "segment", "run"):
                store.execute(f"DROP TABLE IF EXISTS {table}")
            store.executescript(TABLES)
            store.execute(f"PRAGMA user_version = {FORM}")
    except sqlite3.DatabaseError:
        store.close()
        raise
    return store


BOUNDED = ("consumed", "recovery", "data_loss", "predicted")
PLAIN = [each.name for each in fields(Run) if each.name not in (*BOUNDED, "losses", "segments")]


def _keep(store: sqlite3.Connection, run: Run, stamp: str) -> None:
    row: dict[str, Any] = {name: getattr(run, name) for name in PLAIN} | {"stamp": stamp}
    for name, bounded in zip(BOUNDED, (run.consumed, run.recovery, run.data_loss, run.predicted), strict=True):
        for part in ("estimate_s", "at_least_s", "at_most_s"):
            row[_column(name, part)] = None if bounded is None else getattr(bounded, part)
    store.execute("DELETE FROM run WHERE directory = ?", (run.directory,))
    store.execute(f"INSERT INTO run ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    segments = [(run.directory, place, name, took_s) for place, (name, took_s) in enumerate(run.segments)]
    store.executemany("INSERT INTO segment VALUES (?, ?, ?, ?)", segments)
    store.executemany(
        "INSERT INTO loss VALUES (?, ?, ?, ?)", [(run.directory, *asdict(each).values()) for each in run.losses]
    )


def _column(name: str, part: str) -> str:
    return f"{name}_{part}".replace("_estimate", "")


def _by_run(store: sqlite3.Connection, table: str) -> dict[str, list[sqlite3.Row]]:
    order = "place" if table == "segment" else "began"
    found: dict[str, list[sqlite3.Row]] = {}
    for row in store.execute(f"SELECT * FROM {table} ORDER BY directory, {order}"):
        found.setdefault(row["directory"], []).append(row)
    return found


def _run(row: sqlite3.Row, segments: Sequence[sqlite3.Row], losses: Sequence[sqlite3.Row]) -> Run:
    plain = {name: row[name] for name in PLAIN} | {"fit": bool(row["fit"])}
    bounded = {
        name: Bounded(*(row[_column(name, part)] for part in ("estimate_s", "at_least_s", "at_most_s")))
        for name in BOUNDED
        if row[_column(name, "estimate_s")] is not None
    }
    return Run(
        **plain,
        consumed=bounded["consumed"],
        recovery=bounded.get("recovery"),
        data_loss=bounded.get("data_loss"),
        predicted=bounded.get("predicted"),
        segments=tuple((each["name"], each["took_s"]) for each in segments),
        losses=tuple(Loss(each["began"], each["ended"], each["lost_s"]) for each in losses),
    )


COLUMNS = [each.name for each in fields(Entry)]


def entries(file: Path) -> tuple[Entry, ...]:
    """Return what was recorded by hand; nothing where there is no file. Raises DrillError naming file, line and column."""
    if not file.exists():
        return ()
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = {"began", "ended", "reason"} - set(reader.fieldnames or ())
        if missing:
            raise DrillError(
                f"{file}: lacks the column {sorted(missing)[0]}; its first line should be {','.join(COLUMNS)}"
            )
        return tuple(_entry(row, f"{file}, line {reader.line_num}") for row in reader)


def _entry(row: Mapping[str, str | None], where: str) -> Entry:
    told = {name: (row.get(name) or "").strip() for name in COLUMNS}
    kind = told["kind"] or DOWNTIME
    if kind not in (DOWNTIME, MAINTENANCE):
        raise DrillError(f"{where}, kind: {kind!r} should be {DOWNTIME} or {MAINTENANCE}")
    try:
        share = float(told["share"] or 1)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise DrillError(f"{where}, share: {told['share']!r} should be a fraction above 0 and up to 1")
    began, ended = (moment(told[name], f"{where}, {name}") for name in ("began", "ended"))
    if ended <= began:
        raise DrillError(f"{where}: ended should be after began")
    return Entry(kind, began, ended, told["reason"], share, told["service"], told["source"])


def record(file: Path, new: Sequence[Entry]) -> None:
    """Append entries to incidents.csv, which is made where there is none."""
    entries(file)  # what is there must be readable before more is added
    fresh = not file.exists()
    with file.open("a", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        if fresh:
            writer.writeheader()
        for each in new:
            writer.writerow(asdict(each) | {"began": rfc3339(each.began), "ended": rfc3339(each.ended)})
