"""What a report says first: what went wrong with the drill itself, then the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from failover_drill import wording

SIGNS = {"MET": "✓", "MISSED": "✕", "INCONCLUSIVE": "?"}
MEANINGS = {
    "MET": "every objective was met, upper bounds included",
    "MISSED": "an objective was missed, lower bound included",
    "INCONCLUSIVE": "the measurement does not decide it",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to know before the verdict is read."""

    word: str
    text: str


def alerts(findings: Mapping[str, Any], remarks: Sequence[str] = ()) -> tuple[Alert, ...]:
    """Return what a reader must know first, gravest first."""
    drill = findings["drill"]
    found = [Alert("About this record", each) for each in remarks]
    if drill["restored"] not in ("", "yes"):
        found.append(
            Alert("Not restored", f"the estate still differs from its state at the start: {drill['restored']}")
        )
    if drill["interrupted"]:
        word = "Aborted" if "abort" in drill["interrupted"].lower() else "Interrupted"
        found.append(Alert(word, f"this drill did not end by itself: {drill['interrupted']}"))
    failed = [each for each in findings["steps"] if each["outcome"] == "failed"]
    if failed:
        first = failed[0]
        found.append(Alert("Failed step", f"“{first['keyword']} {first['text']}”: {first_line(first['error'])}"))
    if not findings["instrument"]["fit"]:
        reasons = "; ".join(findings["instrument"]["reasons"]) or "see below"
        found.append(Alert("Instrument not fit", reasons))
    return tuple(found)


def first_line(text: str) -> str:
    """Return the first line of an error that is not empty."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")


def time_scale(findings: Mapping[str, Any]) -> str:
    """Return the sentence that a compressed run opens with; "" in real time."""
    scale = findings["drill"]["time_scale"]
    if scale == 1:
        return ""
    return (
        f"Time scale {wording.number(scale)}: probe intervals and platform delays of the estate ran "
        f"{wording.number(scale)} times faster than in real time; DNS TTLs did not."
    )


def title(findings: Mapping[str, Any]) -> str:
    """Return "failover: MET", with interruption first."""
    drill = findings["drill"]
    states = [each.word.lower() for each in alerts(findings) if each.word in ("Not restored", "Aborted", "Interrupted")]
    return f"{drill['name']}: {', '.join([*states, findings['verdict']])}"


def subtitle(findings: Mapping[str, Any]) -> str:
    """Return what was run, from where to where, when and for how long."""
    drill = findings["drill"]
    way = f"{drill['primary']} → {drill['secondary']}, " if drill["primary"] and drill["secondary"] else ""
    kind = "Observation" if drill["kind"] == "observation" else "Drill"
    return f"{kind}, {way}{wording.moment(drill['began'])}, {wording.duration(drill['duration_s'])}"
