"""What a run's journal and the estate's write log tell of a strike."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from failover_drill.journal import Entry
from tests.stage import latest

TAGS = "/providers/microsoft.resources/tags/"


class Growing:
    """A run's journal as it grows; read anew only where it did: looking must not cost what the drill needs."""

    def __init__(self, where: Path) -> None:
        self._where, self._path, self._size = where, Path(), 0
        self._lines: list[dict[str, Any]] = []

    def lines(self) -> list[dict[str, Any]]:
        if not self._path.name:
            directory = latest(self._where)
            self._path = directory / "journal.jsonl" if directory else Path()
        if self._path.name and self._path.stat().st_size != self._size:
            text = self._path.read_text("utf-8")
            self._size, self._lines = len(text.encode()), [json.loads(x) for x in text.split("\n")[:-1]]
        return self._lines


def in_call(entries: Sequence[Entry], at_ns: int) -> bool:
    """Was a promise written, and its outcome not yet?"""
    promised = {e.fields["id"] for e in entries if e.kind == "promise" and e.t_ns <= at_ns}
    known = {e.fields["id"] for e in entries if e.kind == "outcome" and e.t_ns <= at_ns}
    return bool(promised - known)


def undo_after_s(entries: Sequence[Entry], at_ns: int) -> float | None:
    """Return how long after *at_ns* anybody began to put back, 0 where that was under way; None where nobody did."""
    if any(e.t_ns < at_ns and _undoing(e) for e in entries):
        return 0.0
    after = [e.t_ns for e in entries if e.t_ns >= at_ns and _undoing(e)]
    return round((min(after) - at_ns) / 1e9, 2) if after else None


def must_name(entries: Sequence[Entry], at_ns: int, signal: str) -> str:
    """Return the word that the report of a drill struck at *at_ns* must hold; "" where the drill was over by then."""
    last = max((len(e.fields["steps"]) - 1 for e in entries if e.kind == "plan"), default=0)
    earlier = [e for e in entries if e.t_ns < at_ns]
    if signal == "KILL":
        return "" if any(e.kind == "seal" for e in earlier) else "guardian"
    ended = [e.fields for e in earlier if e.kind == "step ends"]
    over = any(e["index"] == last or e["outcome"] == "failed" for e in ended)
    return "" if over or signal == "none" else f"SIG{signal}"


def _undoing(entry: Entry) -> bool:
    undo = entry.kind == "promise" and entry.fields["purpose"] == "undo"
    return undo or entry.kind in {"interrupted", "redeemed", "restored"}


def last_writes_s(writes: Sequence[dict[str, Any]], since_s: float) -> tuple[float, float]:
    """Return when the estate was last changed, but for the lock, and at all: after *since_s* of CLOCK_MONOTONIC, 0 if before."""
    shift = time.monotonic() - time.time() - since_s
    done = [(e["wall_ns"] / 1e9 + shift, TAGS in e["path"].lower()) for e in writes if e.get("carried_out")]
    last = [
        round(max((at for at, tag in done if not (tag and but_tags)), default=0.0), 2) for but_tags in (True, False)
    ]
    return max(0.0, last[0]), max(0.0, last[1])


def doubled(writes: list[dict[str, Any]]) -> list[str]:
    """Return each start or stop of an app that was carried out though it was so already."""
    last: dict[str, str] = {}
    twice = []
    for write in writes:
        app, _, verb = write["path"].lower().rpartition("/")
        if verb in {"start", "stop"}:
            if last.get(app) == verb:
                twice.append(f"{verb} {app.rpartition('/')[2]}")
            last[app] = verb
    return twice
