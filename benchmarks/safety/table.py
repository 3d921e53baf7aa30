"""What was found, as the table that README shows. Made from the log's lines alone, so that a run may be taken in parts."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]
HEAD = (
    "| set | signal | trials | in a call | good | to undo | to restored | to lock freed | to report "
    "| done twice |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def read(logs: Iterable[Path]) -> list[Line]:
    """Return the trials that logs hold; one that was carried out again counts as it came out last."""
    lines = [json.loads(line) for log in logs if log.exists() for line in log.read_text("utf-8").splitlines()]
    return list({(line["seed"], line["of"], line["n"]): line for line in lines}.values())


def table(found: Sequence[Line]) -> str:
    """Return one line for each set and signal, and one for all. Times are medians and, behind them, the most."""
    reached = [line for line in found if line["reached"]]
    groups = sorted({(line["set"], line["signal"]) for line in reached})
    rows = [_row(*group, [f for f in reached if (f["set"], f["signal"]) == group]) for group in groups]
    return "\n".join([HEAD, *rows, _row("all", "", reached)])


def _row(name: str, signal: str, own: Sequence[Line]) -> str:
    times = ["" if name == "all" else spread(own, key) for key in ("began_s", "restored_s", "freed_s", "reported_s")]
    cells = [name, signal, len(own), sum(f["in_call"] for f in own), sum(f["good"] for f in own)]
    return "| " + " | ".join(str(cell) for cell in (*cells, *times, sum(len(f["doubled"]) for f in own))) + " |"


def spread(found: Sequence[Line], key: str) -> str:
    """Return median and most of a time, "–" where none was taken."""
    seconds = [f[key] for f in found if f[key] is not None]
    return f"{statistics.median(seconds):.1f} / {max(seconds):.1f} s" if seconds else "–"


def summary(found: Sequence[Line]) -> list[str]:
    """Say on what it was measured, and what proves nothing or was bad, one line each."""
    loads = [f["load"] for f in found]
    commits = sorted({f["commit"] for f in found})
    said = [f"{len(found)} trials; commit {', '.join(commits)}; load average {min(loads):.0f}-{max(loads):.0f}"]
    missed = sum(not f["reached"] for f in found)
    if missed:
        said.append(f"{missed} drills ended before their instant came, three times each: they prove nothing")
    return said + [f"BAD: {json.dumps(f, ensure_ascii=False)}" for f in found if f["reached"] and not f["good"]]
