"""Commands over stored runs: report, history, record, compare, slo. They read runs and never change one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from failover_drill import history as store
from failover_drill import journal, openslo, paper, settings, wording
from failover_drill.clock import SystemClock
from failover_drill.compliance import Promised, comply
from failover_drill.errors import DrillError, SettingsError
from failover_drill.ledger import DOWNTIME, MAINTENANCE, Entry, Run
from failover_drill.moments import moment

MONTH_S = 30 * 86_400

Reports = Annotated[
    Path | None, typer.Option("--reports", metavar="DIR", help="where runs are kept; else where drill.toml says")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="write there; its suffix says in which form")]
When = Annotated[str | None, typer.Option(metavar="TIME", help="a date or time, UTC unless it says otherwise")]


def register(app: typer.Typer) -> None:
    """Add the commands to `failover-drill`."""
    app.command()(report)
    app.command()(history)
    app.command()(record)
    app.command()(compare)
    slo = typer.Typer(help="Objectives from and to OpenSLO.", no_args_is_help=True)
    slo.command("read")(slo_read)
    slo.command("write")(slo_write)
    app.add_typer(slo, name="slo")


def report(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="a run's directory; the newest where none is named")
    ] = None,
    since: When = None,
    until: When = None,
    slo: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="for a period: an OpenSLO objective that stands, whatever runs say"),
    ] = None,
    reports: Reports = None,
    out: Out = None,
) -> None:
    """Report one run; or, with --since or --until, what a period cost of the error budget.

    Prints Markdown, or writes the form that FILE's name asks for: .html .md .json .csv .pdf, and for a run also
    .cucumber and .metrics.
    """
    if since is None and until is None and slo is not None:
        raise SettingsError("report: --slo needs a period: --since, --until")
    if since is None and until is None:
        forms = run_forms(run or settings.runs_kept(reports) / "latest")
    elif run is not None:
        raise SettingsError("report: name a RUN, or a period with --since and --until, not both")
    else:
        forms = _period_forms(settings.runs_kept(reports), since, until, slo)
    _give(forms, out)


def _give(forms: paper.Forms, out: Path | None) -> None:
    if out is None:
        typer.echo(forms[".md"](), nl=False)
    else:
        paper.put(out, forms)
        typer.echo(f"wrote {out}", err=True)


def run_forms(directory: Path) -> paper.Forms:
    """Return what makes each form of a run's report. What is wrong with the record is said in each."""
    from failover_drill.report import csv, cucumber, html, markdown, openmetrics

    findings, remarks = findings_of(directory)
    for each in remarks:
        typer.echo(each, err=True)
    return {
        ".html": lambda: html(findings, remarks),
        ".md": lambda: markdown(findings, remarks),
        ".json": lambda: json.dumps(findings, indent=1) + "\n",
        ".csv": lambda: csv(findings),
        ".cucumber": lambda: cucumber(findings, **_playbook(directory)),
        ".metrics": lambda: openmetrics(findings),
    }


def _playbook(directory: Path) -> Mapping[str, str]:
    """Return the names of the run's playbook, as its own cucumber.json has them; none where its journal cannot be read."""
    from failover_drill.record import playbook_of

    try:
        return playbook_of(directory)
    except DrillError:
        return {}


def findings_of(directory: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return a run's findings, and a line for each thing that is wrong with its record.

    Where findings.json is absent or torn the facts are judged again; nothing is guessed. Raises DrillError where that fails, too.
    """
    if not directory.is_dir():
        raise SettingsError(f"{directory}: there is no such run; `failover-drill history` lists them")
    remarks: list[str] = []
    try:
        findings: Mapping[str, Any] = store.read_findings(directory)
    except DrillError as error:
        if "has schema" in str(error):
            raise
        remarks.append(f"{error}: this report was judged now, from the facts")
        findings = _judged(directory)
    try:
        remarks += journal.verify(directory)
    except DrillError as error:
        remarks.append(str(error))
    return findings, tuple(remarks)


def _judged(directory: Path) -> Mapping[str, Any]:
    from failover_drill import record as records
    from failover_drill.findings import analyse

    return analyse(records.read_ended(directory), records.read_objectives(directory)).to_dict()


def _period_forms(reports: Path, since: str | None, until: str | None, slo: Path | None) -> paper.Forms:
    from failover_drill.report.compliance import compliance_csv, compliance_html, compliance_json, compliance_markdown

    end = moment(until, "--until") if until else SystemClock().wall_s()
    begin = moment(since, "--since") if since else end - MONTH_S
    if begin >= end:
        raise SettingsError(f"--since: {wording.rfc3339(begin)} should be before --until, {wording.rfc3339(end)}")
    promised = () if slo is None else (_promised(slo),)
    refreshed = store.refresh(reports)
    books = comply(store.runs(reports), store.entries(reports / store.INCIDENTS), begin, end, promised)
    remarks = [f"not counted: {each}" for each in refreshed.problems]
    for each in remarks:
        typer.echo(each, err=True)
    return {
        ".html": lambda: compliance_html(books, remarks),
        ".md": lambda: compliance_markdown(books, remarks),
        ".json": lambda: compliance_json(books, remarks),
        ".csv": lambda: compliance_csv(books, remarks),
    }


def _promised(file: Path) -> Promised:
    service, objectives = openslo.read_with_service(_text_of(file), str(file))
    return Promised(service, objectives.availability, objectives.window_s)


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None


def history(
    reports: Reports = None,
    drill: Annotated[str | None, typer.Option(metavar="NAME", help="only runs of this drill")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="make the store anew from the run directories")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List the stored runs, newest last. The store is brought up to date first."""
    kept = settings.runs_kept(reports)
    refreshed = store.refresh(kept, rebuild=rebuild)
    for each in refreshed.problems:
        typer.echo(each, err=True)
    chosen = [run for run in store.runs(kept) if drill in (None, run.drill)]
    if as_json:
        typer.echo(json.dumps([asdict(run) for run in chosen], indent=1))
        return
    for run in chosen:
        typer.echo(_line(run))
    typer.echo(f"{wording.plural(len(chosen), 'run')}; {refreshed.read} read anew", err=True)


def _line(run: Run) -> str:
    recovery, predicted = (
        "-" if each is None else wording.duration(each.estimate_s) for each in (run.recovery, run.predicted)
    )
    scale = "" if run.time_scale == 1 else f"  time scale {run.time_scale:g}"
    trouble = "  interrupted" if run.interrupted else ""
    trouble += "" if run.record == "unchanged" else "  record not intact: see `failover-drill verify`"
    spent = wording.duration(run.consumed.estimate_s)
    figures = f"recovery {recovery:>10}  predicted {predicted:>10}  spent {spent:>10}"
    if run.data_loss is not None:
        figures += f"  data loss {wording.duration(run.data_loss.estimate_s):>8}"
    return f"{run.directory:<48}  {run.verdict:<12}  {figures}{scale}{trouble}"


def record(
    began: Annotated[str | None, typer.Option("--from", metavar="TIME", help="when it began")] = None,
    ended: Annotated[str | None, typer.Option("--to", metavar="TIME", help="when it ended")] = None,
    reason: Annotated[str, typer.Option(help="what it was, for whoever reads the report")] = "",
    share: Annotated[float, typer.Option(help="share of the users that were out, above 0 and up to 1")] = 1.0,
    service: Annotated[str, typer.Option(help="the host name it concerns; every service where none is named")] = "",
    source: Annotated[str, typer.Option(help="who says so: a ticket, a person")] = "",
    maintenance: Annotated[
        bool, typer.Option("--maintenance", help="a window that does not count, not downtime")
    ] = False,
    table: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="take many from a table instead")] = None,
    reports: Reports = None,
) -> None:
    """Record downtime that was found elsewhere, or a maintenance window, in reports/incidents.csv."""
    if table is not None:
        if not table.exists():
            raise SettingsError(f"--csv: {table} does not exist")
        new = store.entries(table)
    else:
        new = (_entered(began, ended, reason, share, service, source, MAINTENANCE if maintenance else DOWNTIME),)
    kept = settings.runs_kept(reports)
    if not kept.is_dir():
        raise SettingsError(f"--reports: {kept} is no directory")
    book = kept / store.INCIDENTS
    known = store.entries(book)
    fresh = [each for each in new if each not in known]
    store.record(book, fresh)
    skipped = f", {len(new) - len(fresh)} known already" if len(new) > len(fresh) else ""
    typer.echo(f"recorded {len(fresh)} in {book}{skipped}")


def _entered(
    began: str | None, ended: str | None, reason: str, share: float, service: str, source: str, kind: str
) -> Entry:
    if began is None or ended is None or not reason:
        raise SettingsError("record: needs --from, --to and --reason, or --csv FILE")
    if not 0 < share <= 1:
        raise SettingsError(f"--share: {share:g} should be above 0 and up to 1")
    entry = Entry(kind, moment(began, "--from"), moment(ended, "--to"), reason, share, service, source)
    if entry.ended <= entry.began:
        raise SettingsError("--to: should be after --from")
    return entry


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="a run's directory")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="another one's")],
    out: Out = None,
) -> None:
    """Put two runs side by side: figures, segments, and what their bounds allow to be told. Forms: .md .html .pdf."""
    from failover_drill.report.compare import comparison_html, comparison_markdown

    (one, of_one), (two, of_two) = findings_of(first), findings_of(second)
    remarks = (*(f"first: {each}" for each in of_one), *(f"second: {each}" for each in of_two))
    for each in remarks:
        typer.echo(each, err=True)
    _give(
        {".md": lambda: comparison_markdown(one, two, remarks), ".html": lambda: comparison_html(one, two, remarks)},
        out,
    )


def slo_read(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="an OpenSLO document")],
    name: Annotated[str, typer.Option(help="which SLO, where the file holds several")] = "",
) -> None:
    """Print an OpenSLO objective as the [objectives] table of drill.toml."""
    read = openslo.read(_text_of(file), str(file), name)
    typer.echo("[objectives]")
    typer.echo(f"availability = {read.availability * 100:.10g}")
    typer.echo(f"window_days = {read.window_s / 86_400:g}")
    typer.echo(f"rto_s = {read.rto_s:g}")
    if read.rpo_s is not None:
        typer.echo(f"rpo_s = {read.rpo_s:g}")
    typer.echo(f"drill_share = {read.drill_share * 100:g}")
    typer.echo(f"stabilisation_s = {read.stabilisation_s:g}")


def slo_write(
    service: Annotated[str, typer.Argument(help="the name of the service")],
    name: Annotated[str, typer.Option(help="the name of the SLO")] = "availability",
    file: Annotated[Path, typer.Option("--settings", metavar="FILE", help="the settings to read")] = Path("drill.toml"),
) -> None:
    """Print the objectives of drill.toml as an OpenSLO document."""
    read = settings.load(file)
    typer.echo(openslo.write(read.objectives_of(read.drill.target), name, service), nl=False)
