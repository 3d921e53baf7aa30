"""`failover-drill observe URL`: measure a service for a time, without touching anything.

    URL ──check──► TrafficPlan ──► Load (Locust, a process of its own) ──samples──► live view
                                                                        └────────► analyse ──► verdict, files, exit status

Exit status: 0 met, 1 missed, 2 inconclusive, 254 bad arguments.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

import typer
from rich.console import Console

from failover_drill.adapters.load import Load
from failover_drill.adapters.reach import addresses_of, check_ca_file, check_certificate, unreachable
from failover_drill.clock import anchor
from failover_drill.errors import DrillError, SettingsError
from failover_drill.facts import ClockAnchor, Facts, Objectives, Population
from failover_drill.findings import Findings, Verdict, analyse
from failover_drill.observe_view import say, view
from failover_drill.observing import Watched
from failover_drill.samples import archive, read_samples
from failover_drill.selftest_record import newest
from failover_drill.settings_shown import asked_for
from failover_drill.traffic import DEFAULT_MIX, TrafficPlan

EXIT = {Verdict.MET: 0, Verdict.MISSED: 1, Verdict.INCONCLUSIVE: 2}
GLANCE_S = 0.5
LOOK_S = 1.0
"""An observation of a service that is out begins no later than this for it."""

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)")
_STATUSES = re.compile(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*")


@dataclass(frozen=True, slots=True)
class Observation:
    """What was asked for. `lasting_s` None: until interrupted."""

    plan: TrafficPlan
    objectives: Objectives
    lasting_s: float | None = None
    json_file: Path | None = None
    report_dir: Path | None = None
    quiet: bool = False


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="observe")(command)


def command(
    url: Annotated[str, typer.Argument(metavar="URL", help="what to ask for, such as https://www.example.org/health")],
    lasting: Annotated[
        str, typer.Option("--for", metavar="TIME", help="how long: 90, 90s, 5m; else until Ctrl-C")
    ] = "",
    rate: Annotated[float, typer.Option(help="requests per second")] = 50.0,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="the whole of a request, name look-up included")] = "5s",
    slow: Annotated[str, typer.Option(metavar="TIME", help="an answer later than this is bad")] = "1s",
    resolver: Annotated[list[str], typer.Option(metavar="IP:PORT", help="name server to ask; may be repeated")] = [],  # noqa: B006
    host: Annotated[str, typer.Option(metavar="NAME", help="the Host header to send, where it is not the URL's")] = "",
    expect: Annotated[str, typer.Option(metavar="WHAT", help="status ranges (200-299,401), or text in the body")] = "",
    mix: Annotated[str, typer.Option(metavar="MIX", help="fresh/keepalive/sticky clients, in percent")] = "70/25/5",
    slo: Annotated[float, typer.Option(metavar="PERCENT", help="the availability promised")] = 99.9,
    window: Annotated[str, typer.Option(metavar="TIME", help="… over this time")] = "30d",
    share: Annotated[float, typer.Option(metavar="PERCENT", help="of the error budget that this may cost")] = 100.0,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="certificates to trust instead of the system's")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="write findings.json there")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write samples, findings and reports there")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="no live view, only what changes and the verdict")
    ] = False,
) -> None:
    """Measure a service for a time, without touching anything; beside a manual failover, a deployment, an incident.

    The error budget of --slo over --window is what may be lost: MET (0) where the downtime is surely within it, MISSED (1)
    where it is surely beyond, INCONCLUSIVE (2) where neither can be told.
    """
    parts = url_of(url)
    if not 0.01 <= rate <= 1e5:
        raise SettingsError(f"--rate {rate:g}: must be from 0.01 to 100000 requests per second")
    plan = TrafficPlan(
        url=f"{parts.scheme}://{parts.netloc}/",
        out_dir="",
        rate=rate,
        resolvers=tuple(resolver),
        mix=mix_of(mix),
        timeout_s=duration_s(timeout, "--timeout"),
        slow_s=duration_s(slow, "--slow"),
        headers={"Host": host} if host else {},
        paths=(((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), 1.0),),
        ca_file=str(ca) if ca else None,
        **expected(expect),
    )
    wanted = Observation(
        plan=plan,
        objectives=objectives_of(slo, window, share, plan.mix),
        lasting_s=duration_s(lasting, "--for") if lasting else None,
        json_file=json_file,
        report_dir=report,
        quiet=quiet,
    )
    findings = observe(wanted, Console(stderr=False, highlight=False))
    raise typer.Exit(EXIT[findings.verdict])


def url_of(text: str) -> SplitResult:
    """Read the URL. Raises SettingsError where it has no scheme or no host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SettingsError(f"{text!r}: must be a URL such as https://www.example.org/health")
    return parts


def duration_s(text: str, option: str) -> float:
    """Read "90", "90s", "1.5m", "30d". Raises SettingsError, also for zero."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not float(found[1]) > 0:
        raise SettingsError(f"{option} {text!r}: must be a time above zero, such as 90s, 5m or 30d")
    return float(found[1]) * _UNITS[found[2]]


def mix_of(text: str) -> Mapping[str, float]:
    """Read "70/25/5" (fresh/keepalive/sticky), "fresh=70,sticky=30" or "fresh"."""
    names = list(DEFAULT_MIX)
    wrong = SettingsError(f"--mix {text!r}: must be like 70/25/5 ({'/'.join(names)}), fresh=70,sticky=30 or fresh")
    try:
        if "/" in text:
            return dict(zip(names, map(float, text.split("/")), strict=True))
        pairs = [each.partition("=") for each in text.split(",")]
        found = {name.strip(): float(value or 100) for name, _, value in pairs}
    except ValueError:
        raise wrong from None
    if not found or set(found) - set(names):
        raise wrong
    return found


def expected(text: str) -> dict[str, Any]:
    """Read status ranges ("200-299,401"), or text that the body must hold."""
    if not text:
        return {}
    if not _STATUSES.fullmatch(text):
        return {"expect_content": text}
    ranges = [each.partition("-") for each in text.split(",")]
    return {"expect_status": tuple((int(low), int(high or low)) for low, _, high in ranges)}


def objectives_of(slo: float, window: str, share: float, mix: Mapping[str, float]) -> Objectives:
    """Return what is judged: the budget of the whole window, on the clients that honour the TTL where there are any."""
    if not 0 < slo < 100:
        raise SettingsError(f"--slo {slo:g}: must be a percentage between 0 and 100, such as 99.9")
    if not 0 < share <= 100:
        raise SettingsError(f"--share {share:g}: must be a percentage above 0 and up to 100")
    present = [Population[name.upper()] for name, part in mix.items() if part > 0]
    honouring = tuple(each for each in present if each is not Population.STICKY)
    return Objectives(
        availability=round(slo / 100, 12),
        window_s=duration_s(window, "--window"),
        drill_share=share / 100,
        judged=honouring or tuple(present),
    )


def observe(wanted: Observation, console: Console) -> Findings:
    """Measure, show, judge and write. Raises SettingsError before anything is sent, DrillError where traffic can't start."""
    plan = wanted.plan
    if away := check(wanted):
        console.print(f"nobody answers at {away}; measuring all the same", soft_wrap=True, markup=False)
    with contextlib.ExitStack() as stack:
        directory = wanted.report_dir or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="failover-drill-"))
        )
        plan = _placed(plan, directory)
        over = stack.enter_context(told_to_stop())
        load, began = Load(), anchor()
        load.start(plan, directory)
        with contextlib.closing(_Stopping(load)):
            watch(load, wanted, over, console)
        findings = analyse(facts_of(plan, directory, began), wanted.objectives)
        write(findings, wanted)
    say(findings, console)
    return findings


def check(wanted: Observation) -> str:
    """Look at everything that can be wrong before the first request goes out. Raises SettingsError.

    Returns why the target can't be reached now, if so: that is no error, it is what will be measured.
    """
    plan = wanted.plan
    if wanted.report_dir is not None and any(wanted.report_dir.glob("samples*")):
        raise SettingsError(f"{wanted.report_dir}: holds an earlier observation; name another directory")
    check_writable(wanted)
    addresses = addresses_of(plan.host, plan.port, plan.resolvers, plan.timeout_s)
    if plan.ca_file is not None:
        check_ca_file(plan.ca_file)
    away = unreachable(plan.port, addresses, min(plan.timeout_s, LOOK_S))
    if plan.https and not away:
        check_certificate(plan.host, plan.port, addresses, plan.ca_file, plan.timeout_s)
    return away


def check_writable(wanted: Observation) -> None:
    """Raise SettingsError where what was asked for could not be written in the end."""
    for path in (wanted.json_file, wanted.report_dir / "findings.json" if wanted.report_dir else None):
        if path is not None:
            _check_writable(path, make=path is not wanted.json_file)


def _check_writable(path: Path, make: bool) -> None:
    try:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        with path.open("a"):
            pass
        if fresh:
            path.unlink()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror}") from None


def _placed(plan: TrafficPlan, directory: Path) -> TrafficPlan:
    made = json.loads(plan.to_json())
    return TrafficPlan.from_json(json.dumps(made | {"out_dir": str(directory)}))


@contextlib.contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Yield an event that INT, TERM and HUP set: the normal end of an observation without --for."""
    over = threading.Event()
    before = {
        each: signal.signal(each, lambda *_: over.set()) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stopping:
    """Ends the traffic, however the watching ended."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def close(self) -> None:
        self._load.stop()


def watch(load: Load, wanted: Observation, over: threading.Event, console: Console) -> None:
    """Show what comes in until the time is up, a signal says so, or the load process is gone."""
    until = None if wanted.lasting_s is None else time.monotonic() + wanted.lasting_s
    watched = Watched(round((wanted.plan.timeout_s + 2) * 1e9))
    what = f"{wanted.plan.url.rstrip('/')}{wanted.plan.paths[0][0]} at {wanted.plan.rate:g}/s"
    with view(console, what, wanted.objectives, quiet=wanted.quiet) as show:
        while load.alive and not over.wait(_left(until)):
            for _, batch in load.live():
                if len(batch.records):
                    watched = watched.then(batch, wanted.objectives)
            show(watched, None if until is None else until - time.monotonic())
            if until is not None and time.monotonic() >= until:
                break


def _left(until: float | None) -> float:
    return GLANCE_S if until is None else max(0.0, min(GLANCE_S, until - time.monotonic()))


def facts_of(plan: TrafficPlan, directory: Path, began: ClockAnchor) -> Facts:
    """Read back what the load process wrote down."""
    samples, workers = read_samples(directory)
    control, control_workers = read_samples(directory, kind="control")
    return Facts(
        drill="observe",
        run=time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(began.wall_ns / 1e9)),
        anchor=began,
        primary="",
        secondary="",
        interval_ns=plan.gap_ns,
        samples=samples,
        control=control,
        workers=workers,
        control_workers=control_workers,
        latency_limit_ns=round(plan.slow_s * 1e9),
        environment={
            "failover-drill": version("failover-drill"),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "url": plan.url.rstrip("/") + plan.paths[0][0],
        },
        settings=asked_for(plan),
        self_test=newest(Path("reports")),
    )


def write(findings: Findings, wanted: Observation) -> None:
    """Write what was asked for. Raises DrillError where the file cannot be written after all."""
    try:
        if wanted.json_file is not None:
            wanted.json_file.write_text(
                json.dumps(findings.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8"
            )
        if wanted.report_dir is not None:
            from failover_drill import reports  # charts take a second to import; most observations draw none

            archive(wanted.report_dir)
            reports.write_reports(wanted.report_dir, findings)
    except OSError as error:
        raise DrillError(f"{error.filename}: cannot be written: {error.strerror}") from None
