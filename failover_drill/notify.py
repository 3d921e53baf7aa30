"""[notify]: who is told how a drill ended, and in which words. Pure: it makes messages; notify_post.py sends them.

    findings.json, as a plain dictionary ──► Notification ──► JSON of our own, Slack's blocks, Teams' Adaptive Card

The addresses are secrets: whoever has one may write to the channel. They are `SecretStr` until the moment of sending.
"""

from __future__ import annotations

import json
import string
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer, field_validator

CHANNELS = ("webhook", "slack", "teams")
PLACES = {"drill", "run"}
SLACK_TEXT, TEAMS_TEXT = 2_900, 8_000  # characters; Slack takes 3000 in a section, Teams 28 KB in all
COLOURS = {"MET": "good", "MISSED": "attention", "INCONCLUSIVE": "warning"}
MARKS = {"MET": "✅", "MISSED": "❌", "INCONCLUSIVE": "⚠️"}


class NotifyTable(BaseModel):
    """[notify]: addresses, the verdicts that are worth a message, and how to link the report."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)

    webhook: SecretStr = SecretStr("")
    slack: SecretStr = SecretStr("")
    teams: SecretStr = SecretStr("")
    on: tuple[Literal["met", "missed", "inconclusive"], ...] = ("missed", "inconclusive")
    link: str = ""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10

    @field_validator(*CHANNELS)
    @classmethod
    def address(cls, secret: SecretStr) -> SecretStr:
        """Take https, and http on loopback only: a secret must not cross a network in the clear."""
        parts = urlsplit(secret.get_secret_value())
        loopback = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
        if secret and not (parts.hostname and (parts.scheme == "https" or loopback)):
            raise ValueError("must be an address that begins with https://")
        return secret

    @field_validator("link")
    @classmethod
    def template(cls, text: str) -> str:
        try:
            unknown = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None} - PLACES
        except ValueError:
            unknown = {text}
        if unknown:
            raise ValueError("may hold {drill} and {run}, and no other braces")
        return text

    @field_serializer(*CHANNELS, when_used="json")
    def hidden(self, secret: SecretStr) -> str:
        return "(a secret)" if secret else ""

    def addresses(self) -> dict[str, SecretStr]:
        """Return the addresses that are set, by channel."""
        return {name: getattr(self, name) for name in CHANNELS if getattr(self, name)}

    def handed_over(self) -> str:
        """Return all of it as JSON, addresses included: for a pipe to a process of ours, never for a file."""
        told = {name: secret.get_secret_value() for name, secret in self.addresses().items()}
        return json.dumps({**self.model_dump(exclude=set(CHANNELS)), **told})


class Figure(BaseModel):
    """What was measured against what is allowed, seconds. `estimate` or `at_most` null: without bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    estimate: float | None
    at_least: float | None
    at_most: float | None
    allowed: float


class Notification(BaseModel):
    """How one drill ended. This, as JSON, is the body that `[notify] webhook` gets (docs/notification.schema.json)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["failover-drill/notification/1"] = Field(
        default="failover-drill/notification/1", serialization_alias="schema"
    )
    drill: str
    run: str
    target: str
    primary: str
    secondary: str
    verdict: Literal["MET", "MISSED", "INCONCLUSIVE"]
    reasons: tuple[str, ...]
    began: datetime
    ended: datetime
    recovery_time_s: Figure | None = Field(description="null where nothing disruptive was done")
    downtime_s: Figure
    budget_share: float = Field(description="of the window's error budget; 1 is all of it")
    interrupted: str = Field(description="what ended the drill early; empty where nothing did")
    restored: str = Field(
        description='"yes", or how the estate differs from what it was; empty where nothing was changed'
    )
    time_scale: float
    report: str = Field(description="[notify] link filled in, else the path of report.html on the machine that drilled")


def notification(findings: Mapping[str, Any], report: str) -> Notification:
    """Return what is told of a run, from its findings.json."""
    drill, slo, recovery = findings["drill"], findings["slo"], findings["recovery"]
    return Notification(
        drill=drill["name"],
        run=drill["run"],
        target=findings["environment"].get("target", ""),
        primary=drill["primary"],
        secondary=drill["secondary"],
        verdict=findings["verdict"],
        reasons=tuple(findings["reasons"]),
        began=datetime.fromtimestamp(drill["began"], UTC),
        ended=datetime.fromtimestamp(drill["ended"], UTC),
        recovery_time_s=_recovery(recovery) if recovery["occurred"] else None,
        downtime_s=_figure(slo["consumed"], "estimate_s", slo["allowed_s"]),
        budget_share=slo["consumed_share"],
        interrupted=drill["interrupted"],
        restored=drill["restored"],
        time_scale=drill["time_scale"],
        report=report,
    )


def _recovery(recovery: Mapping[str, Any]) -> Figure:
    return _figure(recovery, "time_s", recovery["rto_s"])


def _figure(bounds: Mapping[str, Any], estimate: str, allowed_s: float) -> Figure:
    return Figure(
        estimate=bounds[estimate], at_least=bounds["at_least_s"], at_most=bounds["at_most_s"], allowed=allowed_s
    )


# ---- words ---------------------------------------------------------------------------------------------------------


def headline(told: Notification) -> str:
    """Return verdict, drill and target in one line."""
    return f"{told.verdict}: {told.drill}" + (f" on {told.target}" if told.target else "")


def figures(told: Notification) -> list[tuple[str, str]]:
    """Return what was measured, name and words each."""
    recovery = told.recovery_time_s
    return [
        ("recovery time", _words(recovery) if recovery else "nothing was taken out of service"),
        ("downtime", f"{_words(told.downtime_s)}; {told.budget_share:.2%} of the error budget"),
        ("regions", f"{told.primary} → {told.secondary}"),
        ("put back", told.restored or "nothing was changed"),
        *([("interrupted", told.interrupted)] if told.interrupted else []),
        *([("time scale", f"{told.time_scale:g}")] if told.time_scale != 1 else []),
    ]


def _words(figure: Figure) -> str:
    if figure.estimate is None:
        return f"without end: {figure.at_least or 0:.1f} s or more, {figure.allowed:g} s allowed"
    most = "?" if figure.at_most is None else f"{figure.at_most:.1f}"
    return f"{figure.estimate:.1f} s ({figure.at_least or 0:.1f} to {most}), {figure.allowed:g} s allowed"


# ---- shapes --------------------------------------------------------------------------------------------------------


def plain(told: Notification) -> dict[str, Any]:
    """Return the JSON of our own."""
    return told.model_dump(mode="json", by_alias=True)


def slack(told: Notification) -> dict[str, Any]:
    """Return a message for Slack's incoming webhooks: blocks, and a text for where no blocks are shown."""
    reasons = "\n".join(f"• {reason}" for reason in told.reasons)
    shown = "\n".join(f"*{name}*: {_escaped(words)}" for name, words in figures(told))
    head = f"{MARKS[told.verdict]} {headline(told)}"
    return {
        "text": head,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": head[:150]}},
            *([_section(_escaped(reasons))] if reasons else []),
            _section(shown),
            _section(_report(told)),
        ],
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:SLACK_TEXT]}}


def _report(told: Notification) -> str:
    linked = told.report.startswith("https://")
    return f"<{_escaped(told.report)}|Report>" if linked else f"Report: `{_escaped(told.report)}`"


def _escaped(text: str) -> str:
    """Escape what Slack reads as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(told: Notification) -> dict[str, Any]:
    """Return a message for a Teams workflow ("when a webhook request is received"): one Adaptive Card."""
    linked = told.report.startswith("https://")
    facts = [{"title": name, "value": words[:TEAMS_TEXT]} for name, words in figures(told)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _block(headline(told), size="large", weight="bolder", color=COLOURS[told.verdict]),
            *(_block(reason) for reason in told.reasons[:10]),
            {"type": "FactSet", "facts": facts if linked else [*facts, {"title": "report", "value": told.report}]},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Report", "url": told.report}] if linked else [],
    }
    return {
        "type": "message",
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        ],
    }


def _block(text: str, **looks: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text[:TEAMS_TEXT], "wrap": True, **looks}


SHAPES = {"webhook": plain, "slack": slack, "teams": teams}


def schema_text() -> str:
    """Return docs/notification.schema.json; `python -m failover_drill.notify` prints it."""
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Notification.model_json_schema(mode="serialization", by_alias=True),
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
