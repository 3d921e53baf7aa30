"""drill.toml and the environment, read once, into typed settings. Nothing else in the harness reads configuration.

    drill.toml ── tomllib ──► environment overrides (FAILOVER_DRILL__TRAFFIC__RATE=200) ──► pydantic ──► Settings

Every error is one line: file, key, value, what would be right.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from failover_drill.errors import SettingsError
from failover_drill.facts import Objectives
from failover_drill.notify import CHANNELS, NotifyTable
from failover_drill.settings_tables import (
    AbortTable,
    CalendarTable,
    DrillTable,
    ObjectivesTable,
    SafetyTable,
    Table,
    TrafficTable,
    WaitTable,
    WatchTable,
)
from failover_drill.settings_targets import AzureTarget, LocalTarget, TargetTable
from failover_drill.target import Target

ENVIRONMENT_PREFIX = "FAILOVER_DRILL__"
WORDS = {  # for people who know TOML and not pydantic
    "tuple_type": "should be a list",
    "too_short": "should name one at least",
    "model_type": "should be a table",
    "mapping_type": "should be a table",
}


class Settings(Table):
    """All of drill.toml. `estate` is handed to the local estate as its configuration, unread."""

    drill: DrillTable = DrillTable()
    objectives: ObjectivesTable = ObjectivesTable()
    traffic: TrafficTable = TrafficTable()
    watch: WatchTable = WatchTable()
    wait: WaitTable = WaitTable()
    safety: SafetyTable = SafetyTable()
    calendar: CalendarTable = CalendarTable()
    abort: AbortTable = AbortTable()
    notify: NotifyTable = NotifyTable()
    target: Mapping[str, TargetTable] = Field(default_factory=lambda: {"local": LocalTarget()})
    estate: Mapping[str, Any] = Field(default_factory=dict)

    def objectives_for(self, target: Target) -> Objectives:
        """Return what a drill of *target* is judged against."""
        own = self.objectives.values()
        return own if target.rpo_s is None else replace(own, rpo_s=target.rpo_s)

    def objectives_of(self, target: str) -> Objectives:
        """Return the same by the name of its [target.NAME]."""
        own, table = self.objectives.values(), self.target.get(target)
        return own if table is None or table.rpo_s is None else replace(own, rpo_s=table.rpo_s)

    def for_playbook(self, name: str) -> Settings:
        """Return the settings of one playbook's drills, named after it: runs are compared with their like."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
        return self.model_copy(update={"drill": self.drill.model_copy(update={"name": f"{self.drill.name}-{plain}"})})


def schema() -> dict[str, Any]:
    """Return the JSON Schema of drill.toml, for editors that complete and check TOML."""
    found = Settings.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "drill.toml of failover-drill", **found}


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read *path* and lay the environment over it.

    Raises SettingsError, in one line, where the file is absent, is not TOML, or holds a wrong key or value.
    """
    raw = _read(path)
    overrides = _overrides(os.environ if environment is None else environment)
    for dotted, value in overrides:
        _lay_over(raw, dotted, value)
    targets = raw.setdefault("target", {})
    if not isinstance(targets, dict):
        raise SettingsError(f"{path}: target = {targets!r}: should be a table of targets, such as [target.local]")
    targets.setdefault("local", {"kind": "local"})
    for name, table in targets.items():
        if isinstance(table, dict) and "kind" not in table:
            raise SettingsError(f'{path}: target.{name}.kind is missing; "local" or "azure" would be right')
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(_located(error, path, [dotted for dotted, _ in overrides])) from None


def runs_kept(asked: Path | None, file: Path = Path("drill.toml")) -> Path:
    """Return where runs are kept: *asked*, else [drill] reports of the drill.toml that is here, and of the environment.

    Nothing else is read: at night a run must be found whatever is wrong with the rest. Raises SettingsError where the file
    is no TOML, since the usual place may then be the wrong one.
    """
    if asked is not None:
        return asked
    raw = _read(file) if file.exists() else {}
    for dotted, value in _overrides(os.environ):
        if dotted == ["drill", "reports"]:
            _lay_over(raw, dotted, value)
    table = raw.get("drill", {})
    found = table.get("reports", DrillTable().reports) if isinstance(table, dict) else None
    if not isinstance(found, str):
        raise SettingsError(f"{file}: drill.reports = {found!r}: should be the path of a directory")
    return Path(found)


def check_azure(given: Mapping[str, Any]) -> None:
    """Raise SettingsError, in one line, where a key that is *given* for an Azure target has a wrong value."""
    try:
        AzureTarget.model_validate({"kind": "azure", **given})
    except ValidationError as error:
        wrong = [_explain_one(dict(e)) for e in error.errors(include_url=False) if e["type"] != "missing"]
        if wrong:
            raise SettingsError("; ".join(wrong)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; `failover-drill` needs a drill.toml here") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None


def _overrides(environment: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Return ([table, key], value) for each FAILOVER_DRILL__TABLE__KEY in the environment."""
    return [
        (name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"), value)
        for name, value in sorted(environment.items())
        if name.startswith(ENVIRONMENT_PREFIX)
    ]


def _lay_over(raw: dict[str, Any], dotted: list[str], value: str) -> None:
    table = raw
    for key in dotted[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise SettingsError(f"{ENVIRONMENT_PREFIX}{'__'.join(dotted).upper()}: {key} is not a table")
    table[dotted[-1]] = _toml_value(value)


def _toml_value(text: str) -> Any:
    """Read an environment value as TOML would (numbers, booleans, arrays), else as the text itself."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _located(error: ValidationError, path: Path, overrides: list[list[str]]) -> str:
    """Put pydantic's findings in one line: where from, key = value: what would be right."""
    lines: dict[str, list[str]] = {}
    for one in error.errors(include_url=False):
        keys = _keys(one["loc"])
        of = next((dotted for dotted in overrides if all(a == b for a, b in zip(dotted, keys, strict=False))), None)
        source = str(path) if of is None else ENVIRONMENT_PREFIX + "__".join(of).upper()
        lines.setdefault(source, []).append(_explain_one(dict(one)))
    return "; ".join(f"{source}: {'; '.join(found)}" for source, found in lines.items())


def _keys(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that lead to a value: pydantic's own place without the kind that it chose for a target."""
    kind = 2 if loc[0] == "target" and loc[2:3] in {("local",), ("azure",)} else len(loc)
    return [str(part) for at, part in enumerate(loc) if at != kind]


def _explain_one(error: dict[str, Any]) -> str:
    where = ".".join(_keys(error["loc"]))
    if error["type"] == "union_tag_invalid":
        return f'{where}.kind = {error["ctx"]["tag"]!r}: should be "local" or "azure"'
    shown = "(not shown)" if _is_secret(error["loc"]) else _brief(error["input"])
    if error["type"] == "extra_forbidden":
        return f"{where} = {shown}: there is no such key"
    if error["type"] == "missing":
        return f"{where} is missing"
    message = WORDS.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"{where} = {shown}: {message[0].lower()}{message[1:]}"


def _brief(value: Any) -> str:
    """Return the value as it is shown: of a whole table the names of its keys are enough."""
    return f"{{{', '.join(value)}}}" if isinstance(value, dict) and len(repr(value)) > 80 else repr(value)


def _is_secret(where: tuple[object, ...]) -> bool:
    """Could the value be an address of [notify], also one under a misspelt key?"""
    return where[0] == "notify" and (
        len(where) == 1 or where[1] not in NotifyTable.model_fields or where[1] in CHANNELS
    )
