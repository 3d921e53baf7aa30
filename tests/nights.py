"""A history of nightly runs, as run directories: what the books are kept of."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.report_cases import met

DAY = 86_400
FIRST = 1_760_000_400  # 2025-10-09T09:00:00Z
WATCHED_S = 600


def nights(
    count: int, factor: Callable[[int], float] = lambda night: 1.0, seed: int = 1, noise: float = 0.08
) -> list[dict[str, Any]]:
    """Return findings of `count` nightly drills: recovery about 40 s with noise, times `factor(night)`; whole-second outages."""
    chance = np.random.default_rng(seed)
    return [
        _night(night, factor(night) * float(chance.normal(1, noise)), int(chance.integers(5, 60)))
        for night in range(count)
    ]


def _night(night: int, pace: float, out_s: int) -> dict[str, Any]:
    findings = _copy()
    began = FIRST + night * DAY
    segments = {
        "disable primary": 2.0,
        "enable secondary": 8.0,
        "switch DNS": 1.0,
        "propagate": 27.0 * pace,
        "drain": 2.0,
    }
    total = sum(segments.values())
    exact = {"estimate_s": float(out_s), "at_least_s": out_s - 0.1, "at_most_s": out_s + 0.1}
    outage = findings["downtime"]["outages"][0] | {
        "began": began + 120,
        "ended": began + 120 + out_s,
        "lost_s": float(out_s),
    }
    findings["drill"] |= {"run": f"night-{night:03d}", "began": began, "ended": began + WATCHED_S + 30}
    findings["traffic"] |= {"began": began, "ended": began + WATCHED_S}
    findings["slo"] |= {"consumed": exact}
    findings["downtime"] |= {"outages": [outage], "user_weighted": exact}
    findings["recovery"] |= {"time_s": total, "at_least_s": total - 0.01, "at_most_s": total + 0.01}
    findings["recovery"]["segments"] = [
        findings["recovery"]["segments"][0] | {"name": name, "took_s": took, "took_ns": round(took * 1e9)}
        for name, took in segments.items()
    ]
    return findings


@cache
def _text() -> str:
    findings = met()
    findings["timeline"] |= {name: [] for name, column in findings["timeline"].items() if isinstance(column, list)}
    findings["timeline"] |= {"buckets": 0}
    return json.dumps(findings)


def _copy() -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(_text())
    return copied


def write(reports: Path, history: list[dict[str, Any]]) -> Path:
    """Write each run's findings.json as drills do, and return `reports`."""
    for findings in history:
        directory = reports / "failover" / findings["drill"]["run"]
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "findings.json").write_text(json.dumps(findings), "utf-8")
    return reports
