"""`failover-drill forecast`: read the profile, say how long a failover will take, planned and unplanned. Reads only.

target ──► predict.read ──► forecast, formulas, what-if ──► table, or --json
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from failover_drill import forecast_words
from failover_drill.forecast import RUNS, Forecast, Kind, ProfileSettings, forecast
from failover_drill.predict import clients_of, read
from failover_drill.settings import Settings, load
from failover_drill.target import Target

if TYPE_CHECKING:
    from failover_drill.adapters.estate import Control

WORDS = {
    Kind.PLANNED: "planned, by the playbook",
    Kind.REFUSED: "region refuses or errs",
    Kind.HANG: "region hangs",
    Kind.STOPPED: "app is stopped",
}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="forecast")(command)


def command(
    target: Annotated[str | None, typer.Option(metavar="NAME", help="which [target.NAME] of drill.toml")] = None,
    estate: Annotated[Path | None, typer.Option(metavar="READY.json", help="the local estate's ready line")] = None,
    file: Annotated[Path, typer.Option("--settings", metavar="FILE", help="the settings to read")] = Path("drill.toml"),
    kind: Annotated[list[Kind], typer.Option(help="only this kind of failover; may be repeated")] = [],  # noqa: B006
    runs: Annotated[int, typer.Option(min=100, max=1_000_000, help="failovers to play")] = RUNS,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same figures")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Predict the recovery time from the profile: its distribution, the published formulas, what would shorten it."""
    from failover_drill.adapters.arm import ArmPlatform  # the SDKs take a second to import; most commands need none

    settings = load(file)
    with opened(settings, target, estate) as (found, control):
        state = control.call("GET", "/_state") if control else {}
        profile, delays = read(ArmPlatform(found), found, state)
    clients = clients_of(settings, found)
    told = {each: forecast(profile, delays, each, clients, runs=runs, seed=seed) for each in kind or Kind}
    advice = {
        each: forecast_words.what_if(profile, delays, each, clients, runs=min(runs, RUNS), seed=seed) for each in told
    }
    if as_json:
        typer.echo(json.dumps(_plain(found, profile, told, advice), indent=1, allow_nan=False))
    else:
        show(Console(highlight=False), found, profile, told, advice)


@contextmanager
def opened(settings: Settings, name: str | None, estate: Path | None) -> Iterator[tuple[Target, Control | None]]:
    """Yield the target, as `open_target`; an estate that is started for it leaves nothing behind."""
    from failover_drill.targets import open_target

    with (
        tempfile.TemporaryDirectory(prefix="failover-drill-") as place,
        open_target(settings, name or settings.drill.target, estate, Path(place) / "estate.log") as found,
    ):
        yield found


# ---- what is printed -----------------------------------------------------------------------------------------------


def show(
    console: Console,
    target: Target,
    profile: ProfileSettings,
    told: Mapping[Kind, Forecast],
    advice: Mapping[Kind, tuple[forecast_words.Variant, ...]],
) -> None:
    """Print the forecast as tables; narrow lines, so that they survive a log."""
    console.print(f"{target.profile_fqdn}: {settings_line(profile)}", soft_wrap=True, markup=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("recovery time", "half within", "95 %", "99 %", "downtime"):
        table.add_column(heading, justify="left" if heading == "recovery time" else "right")
    for kind, each in told.items():
        if not each.never:
            at = each.recovery.at
            table.add_row(WORDS[kind], *(_s(v) for v in (at[0.5], at[0.95], at[0.99], each.downtime.mean_s)))
    console.print(table)
    for kind, each in told.items():
        if each.never:
            console.print(f"{WORDS[kind]}: never. {each.never}", soft_wrap=True, markup=False)
    console.print("published formulas, unplanned:", style="dim")
    for formula in forecast_words.formulas(profile):
        console.print(f"  {formula.words} = {formula.seconds:g} s ({formula.name})", soft_wrap=True, markup=False)
    for kind, variants in advice.items():
        if variants:
            console.print(f"what if, {WORDS[kind]}:", style="dim")
        for variant in variants:
            console.print(f"  {variant.words}", soft_wrap=True, markup=False)


def settings_line(profile: ProfileSettings) -> str:
    scale = f", time scale {profile.time_scale:g}" if profile.time_scale != 1 else ""
    return (
        f"interval {profile.interval_s:g} s, timeout {profile.timeout_s:g} s, tolerated {profile.tolerated}, "
        f"TTL {profile.ttl_s:g} s, secondary {'running' if profile.secondary_running else 'stopped'} and its endpoint "
        f"{'Enabled' if profile.secondary_enabled else 'Disabled'}{scale}"
    )


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _plain(
    target: Target,
    profile: ProfileSettings,
    told: Mapping[Kind, Forecast],
    advice: Mapping[Kind, tuple[forecast_words.Variant, ...]],
) -> dict[str, Any]:
    return {
        "target": target.name,
        "profile_id": target.profile_id,
        "profile": asdict(profile),
        "formulas": [asdict(each) for each in forecast_words.formulas(profile)],
        "forecasts": [
            {**each.to_dict(), "what_if": [variant.to_dict() for variant in advice[kind]]}
            for kind, each in told.items()
        ],
    }
