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
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from failover_drill import blocked_times
from failover_drill.errors import SettingsError
from failover_drill.facts import Objectives, Population
from failover_drill.notify import CHANNELS, NotifyTable
from failover_drill.setting_types import (
    Address,
    Audience,
    Cloud,
    HostName,
    HttpsUrl,
    NameServer,
    ProbePath,
    ResourceName,
    SlotName,
    SubscriptionId,
    VariableName,
)
from failover_drill.target import DataProbe, Target

ENVIRONMENT_PREFIX = "FAILOVER_DRILL__"
WORDS = {  # for people who know TOML and not pydantic
    "tuple_type": "should be a list",
    "too_short": "should name one at least",
    "model_type": "should be a table",
    "mapping_type": "should be a table",
}

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Share = Annotated[float, Field(ge=0, le=100)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Path_ = Annotated[str, Field(pattern=r"^/\S*$")]


def status_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Read "200-399,404" as ((200, 399), (404, 404)).

    Raises ValueError where the text is not of that form or a status is not one.
    """
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", part.strip())
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise ValueError('must be statuses and ranges such as "200-399,404"')
        found.append((int(match[1]), int(match[2] or match[1])))
    return tuple(found)


class Table(BaseModel):
    """One table of drill.toml. An unknown key is an error: a misspelt limit must not be no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)


class DrillTable(Table):
    """[drill]: what the names of runs begin with, the playbook's following, and where they are kept."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "proseware"
    reports: str = "reports"
    target: str = "local"


class ObjectivesTable(Table):
    """[objectives]: what a drill is judged against. Shares in percent, as people write them."""

    availability: Annotated[float, Field(gt=0, lt=100)] = 99.9
    window_days: Annotated[float, Field(gt=0, le=366)] = 30
    rto_s: Seconds = 60
    rpo_s: Seconds | None = None
    drill_share: Annotated[float, Field(gt=0, le=100)] = 10
    stabilisation_s: Seconds = 10
    judged: Annotated[tuple[Literal["fresh", "keepalive", "sticky"], ...], Field(min_length=1)] = ("fresh", "keepalive")

    def values(self) -> Objectives:
        """Return them as fractions and seconds."""
        return Objectives(
            availability=self.availability / 100,
            window_s=self.window_days * 86_400,
            rto_s=self.rto_s,
            rpo_s=self.rpo_s,
            drill_share=self.drill_share / 100,
            stabilisation_s=self.stabilisation_s,
            judged=tuple(Population[name.upper()] for name in self.judged),
        )


class PathTable(Table):
    """One path that users ask for, and how often beside the others."""

    path: Path_ = "/"
    weight: Annotated[float, Field(gt=0)] = 1


class MixTable(Table):
    """[traffic.mix]: the share of each client population, in percent."""

    fresh: Share = 70
    keepalive: Share = 25
    sticky: Share = 5

    @model_validator(mode="after")
    def whole(self) -> MixTable:
        if abs(self.fresh + self.keepalive + self.sticky - 100) > 1e-6:
            raise ValueError("fresh, keepalive and sticky must sum to 100")
        return self


class TrafficTable(Table):
    """[traffic]: the synthetic users."""

    rate: Annotated[float, Field(gt=0, le=20_000)] = 100
    mix: MixTable = MixTable()
    caches: Annotated[int, Field(ge=1, le=1000)] = 50
    lanes: Annotated[int, Field(ge=1, le=10_000)] = 100
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    timeout_s: Seconds = 5
    slow_s: Seconds = 1
    settle_s: Seconds = 5
    method: Literal["GET", "HEAD", "POST"] = "GET"
    paths: tuple[PathTable, ...] = (PathTable(),)
    expect_status: str = "200-399"
    expect_content: str = ""
    region_header: str = "X-Region"
    ttl_floor_s: Annotated[float, Field(ge=0, le=86_400)] = 0
    ttl_overstay_s: Annotated[float, Field(ge=0, le=86_400)] = 0
    control_url: str = ""
    seed: int = 1
    locustfile: str = ""
    """A locustfile of your own that holds ours: its users run beside the measured ones."""
    own_users: Annotated[int, Field(ge=0, le=100_000)] = 1
    """How many users of your own classes there are."""

    @field_validator("expect_status")
    @classmethod
    def ranges(cls, text: str) -> str:
        status_ranges(text)
        return text


class WatchTable(Table):
    """[watch]: how often DNS and the monitor are looked at, and how long one look may take."""

    dns_interval_s: Seconds = 0.2
    monitor_interval_s: Seconds = 1
    timeout_s: Seconds = 2


class WaitTable(Table):
    """[wait]: how long the drill waits for each thing before it says that it did not happen."""

    confirm_s: Seconds = 60
    serve_s: Seconds = 60
    complete_s: Seconds = 120
    restore_s: Seconds = 120
    poll_s: Seconds = 0.1


class SafetyTable(Table):
    """[safety]: what must be so before anything is changed (docs/safety.md)."""

    subscriptions: tuple[SubscriptionId, ...] = ()
    kill_switch: str = "STOP-DRILLS"
    lock: Literal["tag", "local"] = "tag"
    lock_s: Annotated[float, Field(ge=60, le=86_400)] = 7_200
    lock_settle_s: Annotated[float, Field(ge=0, le=60)] = 2
    check_rights: bool = True
    doubt_s: Annotated[float, Field(ge=0, le=600)] = 10
    patience_s: Annotated[float, Field(ge=0, le=86_400)] = 3_600


class CalendarTable(Table):
    """[calendar]: when no drill may start."""

    timezone: str = "UTC"
    blocked_dates: tuple[str, ...] = ()
    blocked_windows: tuple[str, ...] = ()

    @field_validator("timezone")
    @classmethod
    def known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError('must be a time zone such as "UTC" or "Europe/Berlin"') from None
        return name

    @field_validator("blocked_dates")
    @classmethod
    def spans(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            blocked_times.span(text)
        return texts

    @field_validator("blocked_windows")
    @classmethod
    def windows(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            blocked_times.window(text)
        return texts


class AbortTable(Table):
    """[abort]: what ends a drill early, its undo beginning at once. Absent: no such limit. Shares in percent."""

    availability_below: Annotated[float, Field(gt=0, le=100)] | None = None
    availability_for_s: Seconds = 10
    recovery_longer_than_s: Seconds | None = None
    budget_above: Annotated[float, Field(gt=0)] | None = None


class ProbedTarget(Table):
    """Any [target.NAME]: its data probe, PUT `data_probe`/KEY and GET `data_probe`?prefix=TEXT. An empty path: none."""

    data_probe: ProbePath = ""
    """The path at which the app takes and lists writes; "" for none."""
    data_probe_rate: Annotated[float, Field(gt=0, le=100)] = 10
    """Writes per second."""
    data_probe_token_variable: VariableName = ""
    """The environment variable that holds a bearer token for both; "" for none."""
    rpo_s: Seconds | None = None
    """The data loss allowed here, instead of what [objectives] says for every target."""

    @property
    def probe(self) -> DataProbe | None:
        if not self.data_probe:
            return None
        return DataProbe(self.data_probe, self.data_probe_rate, self.data_probe_token_variable)


class LocalTarget(ProbedTarget):
    """[target.NAME] with kind = "local": the harness starts the local estate itself, as [estate] says."""

    kind: Literal["local"] = "local"
    data_probe: ProbePath = "/data"
    """The path at which the app takes and lists writes; "" for none."""


class AzureRegion(Table):
    """[target.NAME.primary] and [.secondary]: one web app, or a deployment slot of it, and its endpoint in the profile."""

    app: ResourceName
    resource_group: ResourceName
    endpoint: ResourceName
    """The name of the app's endpoint in the profile."""
    slot: SlotName = ""
    """The deployment slot that the endpoint leads to; "" for the app's own, production."""
    address: Address = ""
    """Where the region's front end listens, for estates whose names the system does not resolve; "" for Azure."""


class AzureTarget(ProbedTarget):
    """[target.NAME] with kind = "azure": a pair of web apps behind a Traffic Manager profile."""

    kind: Literal["azure"]
    subscription_id: SubscriptionId
    profile: ResourceName
    """The name of the Traffic Manager profile."""
    profile_resource_group: ResourceName
    public_host: HostName
    """The name that users ask for: the custom domain, or the profile's own name."""
    primary: AzureRegion
    secondary: AzureRegion
    scheme: Literal["http", "https"] = "https"
    port: Port | None = None
    """Where users connect; the scheme's usual port where it is left out."""
    health_path: Path_ = "/health"
    resolvers: Mapping[str, NameServer] = Field(default_factory=dict)
    """Name servers that users have, by a name of your choice: watched, and asked by the synthetic users."""
    authorities: tuple[NameServer, ...] = ()
    """The name servers that answer for the profile; found by DNS where they are left out."""
    cloud: Cloud = "public"
    """"public", "china", "usgovernment", or the URL of a Resource Manager."""
    authority: HttpsUrl = ""
    """Where tokens come from; "" is the cloud's own, for a URL as cloud azure-identity's (AZURE_AUTHORITY_HOST)."""
    audience: Audience = ""
    """What tokens are asked for; "" is the cloud's own, for a URL as cloud that URL."""
    ca_file: str | None = None
    """PEM file of the CA that control plane, identity and public host have their certificates of; absent: the usual ones."""
    time_scale: Annotated[float, Field(gt=0)] = 1
    """What a local estate divides its delays by; 1 on Azure."""

    @model_validator(mode="after")
    def a_pair(self) -> AzureTarget:
        one, other = self.primary, self.secondary
        if one.endpoint.lower() == other.endpoint.lower():
            raise ValueError(f"primary and secondary have the same endpoint, {one.endpoint}")
        if _place(one) == _place(other):
            raise ValueError(f"primary and secondary are the same app, {one.app}")
        return self


def check_azure(given: Mapping[str, Any]) -> None:
    """Raise SettingsError, in one line, where a key that is *given* for an Azure target has a wrong value."""
    try:
        AzureTarget.model_validate({"kind": "azure", **given})
    except ValidationError as error:
        wrong = [_explain_one(dict(e)) for e in error.errors(include_url=False) if e["type"] != "missing"]
        if wrong:
            raise SettingsError("; ".join(wrong)) from None


def _place(region: AzureRegion) -> tuple[str, str, str]:
    return region.resource_group.lower(), region.app.lower(), region.slot.lower()


TargetTable = Annotated[LocalTarget | AzureTarget, Field(discriminator="kind")]


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
