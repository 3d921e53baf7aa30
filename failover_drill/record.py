"""One run's directory: where its facts are written, and how they are read back.

    reports/<drill>/<UTC time>/
        journal.jsonl        the drill: header, steps, promises, outcomes, milestones, seal     one writer: Drill
        resolutions.jsonl    DNS answers                                                        one writer: the watcher
        readings.jsonl       monitor statuses                                                   one writer: the watcher
        samples-*, control-* the load process's own                                            one writer each
        writes.jsonl         the data probe's, where there is one                              one writer: the load process

`read_facts` reads whatever is there, also of a run that is still going on or was killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from failover_drill import journal
from failover_drill.errors import DrillError, JournalError
from failover_drill.facts import (
    Action,
    ActionOutcome,
    ClockAnchor,
    Facts,
    Mark,
    Milestone,
    Objectives,
    Outcome,
    Population,
    ReadBack,
    Reading,
    Resolution,
    SampleRecords,
    Segment,
    StepMark,
    Write,
    WriteOutcome,
)
from failover_drill.samples import read_samples
from failover_drill.selftest_record import newest
from failover_drill.traffic import WRITES

RESOLUTIONS = "resolutions.jsonl"
READINGS = "readings.jsonl"


def new_directory(reports: Path, drill: str, anchor: ClockAnchor) -> Path:
    """Create and return `reports/<drill>/<UTC time>/`; a second run in the same second gets a number behind it.

    Raises DrillError where it cannot be created.
    """
    stamp = datetime.fromtimestamp(anchor.wall_ns / 1e9, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    for suffix in ("", *(f".{n}" for n in range(2, 100))):
        directory = reports / drill / (stamp + suffix)
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise DrillError(f"{directory}: cannot be created: {error.strerror}") from None
        return directory
    raise DrillError(f"{reports / drill / stamp}: a hundred runs began in this second")


def point_latest(reports: Path, run: Path) -> None:
    """Make `reports/latest` lead to *run*, in one step."""
    link, fresh = reports / "latest", reports / f".latest-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(run.relative_to(reports))
    fresh.replace(link)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)


def read_facts(directory: Path) -> Facts:
    """Return everything a run wrote down so far. Raises JournalError where its journal is absent, torn or has no header."""
    entries = entries_of(directory)
    header = entries[0].fields
    samples, workers = read_samples(directory)
    control, control_workers = read_samples(directory, kind="control")
    restored = [e.fields["said"] for e in entries if e.kind == "restored"]
    windows = {e.kind: e.t_ns for e in entries if e.kind in {"traffic began", "traffic ended"}}
    return Facts(
        drill=header["drill"],
        run=header["run"],
        anchor=ClockAnchor(**header["anchor"]),
        primary=header["primary"],
        secondary=header["secondary"],
        interval_ns=header["interval_ns"],
        samples=samples,
        control=control,
        workers=workers,
        control_workers=control_workers,
        resolutions=tuple(_resolutions(directory / RESOLUTIONS)),
        actions=tuple(actions_of(entries)),
        steps=tuple(steps_of(entries)),
        milestones=tuple(_milestones(entries)),
        readings=tuple(Reading(**row) for row in _rows(directory / READINGS)),
        writes=tuple(_writes(directory / WRITES)),
        read_backs=tuple(read_backs_in(entries)),
        window_ns=_window(windows, entries),
        time_scale=header["time_scale"],
        ttl_s=header["ttl_s"],
        latency_limit_ns=header["latency_limit_ns"],
        interrupted=_interrupted(entries),
        restored=restored[-1] if restored else "",
        environment=header["environment"],
        settings=header.get("settings", {}),
        self_test=newest(directory.resolve().parent.parent),
        forecasts=_forecasts(entries),
    )


def read_ended(directory: Path) -> Facts:
    """Return the facts of a run that is over; one whose record breaks off was interrupted. Raises JournalError."""
    facts = read_facts(directory)
    sealed = any(entry.kind == "seal" for path in journal.journals_of(directory) for entry in journal.read(path))
    if sealed or facts.interrupted:
        return facts
    return replace(facts, interrupted="its record breaks off: the drill was killed, or is still going on")


def entries_of(directory: Path) -> list[journal.Entry]:
    """Return the entries of the run's journals, the drill's first, all on the drill's clock.

    Raises JournalError where a chain is broken or the drill's journal has no header.
    """
    own, *others = (journal.read(path) for path in journal.journals_of(directory))
    if not own or own[0].kind != "header":
        raise JournalError(f"{directory / journal.FILE}: has no header: the run did not get that far")
    if own[0].fields["schema"] != journal.FORMAT:
        found = own[0].fields["schema"]
        raise JournalError(f"{directory / journal.FILE}: has schema {found!r}; this version reads {journal.FORMAT!r}")
    return own + [_rebased(e, own[0].fields, other[0].fields) for other in others if other for e in other[1:]]


def _rebased(entry: journal.Entry, run: Mapping[str, Any], restoration: Mapping[str, Any]) -> journal.Entry:
    """Put an entry of another boot's clock on the run's, by the wall; one of the same boot needs nothing."""
    if run["boot"] == restoration["boot"]:
        return entry
    a, b = run["anchor"], restoration["anchor"]
    shift = (b["wall_ns"] - b["mono_ns"]) - (a["wall_ns"] - a["mono_ns"])
    fields = {k: v + shift if k in {"sent_ns", "done_ns", "at_ns"} else v for k, v in entry.fields.items()}
    return journal.Entry(entry.n, entry.t_ns + shift, entry.kind, fields)


def boot_id() -> str:
    """Return what tells this boot's monotonic clock from another's; "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def regions_serving(facts: Facts, populations: Iterable[Population], last_s: float) -> set[str]:
    """Return the regions whose good answers *populations* got within the last *last_s* seconds of samples."""
    recent = _recent(facts, populations, last_s)
    good = recent[recent["outcome"] == Outcome.OK]
    return {facts.samples.names.regions[index] for index in np.unique(good["region"])} - {""}


def availability(facts: Facts, populations: Iterable[Population], last_s: float) -> float:
    """Return the share of good samples of *populations* within the last *last_s* seconds of samples; 0 where there are none."""
    recent = _recent(facts, populations, last_s)
    return float(np.mean(recent["outcome"] == Outcome.OK)) if len(recent) else 0.0


def _recent(facts: Facts, populations: Iterable[Population], last_s: float) -> SampleRecords:
    records = facts.samples.records
    known: SampleRecords = records[
        (records["outcome"] != Outcome.CUT) & np.isin(records["population"], list(populations))
    ]
    since = int(known["intended_ns"].max()) - int(last_s * 1e9) if len(known) else 0
    recent: SampleRecords = known[known["intended_ns"] >= since]
    return recent


def read_objectives(directory: Path) -> Objectives:
    """Return what the run was to be judged against, from its journal's header."""
    fields = dict(journal.read(directory / journal.FILE)[0].fields["objectives"])
    fields["judged"] = tuple(Population[name] for name in fields["judged"])
    return Objectives(**fields)


def playbook_of(directory: Path) -> dict[str, str]:
    """Return the feature, scenario and uri of the run's playbook; nothing where it had none, or its journal has no plan."""
    path = directory / journal.FILE
    plans = [e.fields for e in journal.read(path) if e.kind == "plan"] if path.exists() else []
    return dict(plans[-1].get("playbook", {})) if plans else {}


def _forecasts(entries: list[journal.Entry]) -> Mapping[str, Any]:
    """Return what was foretold last: in the header, or anew after the estate was prepared; nothing by an older version."""
    told = [entries[0].fields.get("forecasts", {}), *(e.fields for e in entries if e.kind == "forecasts")]
    newest: Mapping[str, Any] = told[-1]
    return newest


def _interrupted(entries: list[journal.Entry]) -> str:
    """Say what ended the drill, where it was not its own end; a drill that was put back by another died, or could not."""
    tried = False
    for entry in entries:
        if entry.kind == "aborted":
            return f"aborted: {entry.fields['reason']}"
        if entry.kind == "interrupted":
            return str(entry.fields["reason"])
        if entry.kind == "restored" and "by" in entry.fields:
            why = "the drill could not put everything back" if tried else "the drill's process died"
            return f"{why}; the estate was put back by {entry.fields['by']}"
        tried = tried or (entry.kind == "restored" and entry.fields["said"] != "yes")
    return ""


def _window(marks: Mapping[str, int], entries: list[journal.Entry]) -> tuple[int, int] | None:
    if "traffic began" not in marks:
        return None
    return marks["traffic began"], marks.get("traffic ended", entries[-1].t_ns)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines of a file; one cut short by a kill is left out."""
    if not path.exists():
        return
    for line in path.read_text("utf-8").split("\n")[:-1]:
        yield json.loads(line)


def _resolutions(path: Path) -> Iterator[Resolution]:
    for row in _rows(path):
        row["addresses"], row["cnames"] = tuple(row["addresses"]), tuple(row["cnames"])
        yield Resolution(**row)


def _writes(path: Path) -> Iterator[Write]:
    yield from map(write_of, _rows(path))


def write_of(row: Mapping[str, Any]) -> Write:
    """Return the write of one line of writes.jsonl."""
    return Write(**{**row, "outcome": WriteOutcome(row["outcome"])})


def read_backs_in(entries: Iterable[journal.Entry]) -> Iterator[ReadBack]:
    """Yield what a journal says each region had of the data probe's writes when it was asked."""
    for entry in entries:
        if entry.kind == "read back":
            ranges = tuple((first, last) for first, last in entry.fields["ranges"])
            yield ReadBack(entry.fields["at_ns"], entry.fields["region"], ranges, entry.fields["error"])


def _milestones(entries: Iterable[journal.Entry]) -> Iterator[Milestone]:
    for entry in entries:
        if entry.kind == "milestone":
            yield Milestone(Mark(entry.fields["mark"]), entry.fields["at_ns"], entry.fields.get("note", ""))


def actions_of(entries: Iterable[journal.Entry]) -> list[Action]:
    """Return the changes of the estate that journal entries tell of, in the order of their promises."""
    found: dict[str, Action] = {}
    for entry in entries:
        fields = entry.fields
        if entry.kind == "promise":
            found[fields["id"]] = _promised(len(found), entry)
        elif entry.kind == "outcome":
            found[fields["id"]] = replace(
                found[fields["id"]],
                sent_ns=fields["sent_ns"],
                done_ns=fields["done_ns"],
                outcome=ActionOutcome(fields["outcome"]),
                after=fields.get("after", {}),
                request_id=fields.get("request_id", ""),
                error=fields.get("error", ""),
            )
    return list(found.values())


def _promised(seq: int, entry: journal.Entry) -> Action:
    fields = entry.fields
    return Action(
        seq=seq,
        verb=fields["verb"],
        resource=fields["resource"],
        region=fields["region"],
        purpose=fields["purpose"],
        promised_ns=entry.t_ns,
        before=fields["before"],
        segment=Segment(fields["segment"]) if fields.get("segment") else None,
    )


def steps_of(entries: Iterable[journal.Entry]) -> list[StepMark]:
    """Return the scenario's steps as far as journal entries tell of them."""
    found: dict[int, StepMark] = {}
    for entry in entries:
        if entry.kind == "plan":
            found = {i: StepMark(i, s["keyword"], s["text"]) for i, s in enumerate(entry.fields["steps"])}
        elif entry.kind == "step begins":
            index = entry.fields["index"]
            found[index] = replace(found[index], began_ns=entry.t_ns, outcome="interrupted")
        elif entry.kind == "step ends":
            index = entry.fields["index"]
            found[index] = replace(
                found[index],
                ended_ns=entry.t_ns,
                outcome=entry.fields["outcome"],
                error=entry.fields.get("error", ""),
            )
    return list(found.values())
