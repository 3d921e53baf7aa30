"""Findings of every kind a report must be able to tell, made from the documented example by changing what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from failover_drill.predicted import within
from failover_drill.report import html

EXAMPLE = Path(__file__).parent / "data" / "findings_example.json"
Findings = dict[str, Any]


def met() -> Findings:
    """A planned failover, in real time, every objective met."""
    loaded: Findings = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    return loaded


def missed() -> Findings:
    """The TTL was too long for the objective: 300 s of 480 s."""
    findings = met()
    findings["verdict"] = "MISSED"
    findings["reasons"] = ["recovery took 8 min 0.0 s, beyond the 60 s allowed (at least 7 min 59.9 s)"]
    findings["judgements"][1] |= {"verdict": "MISSED", "reason": findings["reasons"][0]}
    _recovery_of(findings, 480.0)
    findings["notes"].insert(
        0, {"topic": "dns", "text": "The TTL of 300 s is 62 % of the recovery time.", "figure": 0.62, "unit": "share"}
    )
    return findings


def _recovery_of(findings: Findings, total_s: float) -> None:
    recovery = findings["recovery"]
    stretch = total_s / recovery["time_s"]
    at = recovery["began"]
    for segment in recovery["segments"]:
        took = round(segment["took_s"] * stretch, 9)
        segment |= {"began": at, "ended": at + took, "took_s": took, "took_ns": round(took * 1e9)}
        at += took
    recovery |= {"time_s": total_s, "time_ns": round(total_s * 1e9), "ended": recovery["began"] + total_s}
    recovery |= {"at_least_s": total_s - 0.05, "at_most_s": total_s + 0.05}
    _measured(findings["forecast"]["recovery"], total_s)
    for segment, took in zip(findings["forecast"]["segments"], recovery["segments"], strict=True):
        _measured(segment["took"], took["took_s"])


def _measured(predicted: Findings, measured_s: float) -> None:
    intervals = [(low, high) for low, high in (predicted[f"inner_{share}"] for share in (50, 95, 99))]
    held = None if predicted["measured_within"] is None else within(measured_s, intervals)
    predicted |= {"measured_s": measured_s, "measured_within": held}


def inconclusive() -> Findings:
    """The generator could not keep its schedule; and nothing could be forecast."""
    findings = met()
    findings["forecast"] = None
    findings["verdict"] = "INCONCLUSIVE"
    findings["reasons"] = ["the generator's lag p99 of 31 ms is above one gap of 5 ms"]
    findings["instrument"] |= {"fit": False, "reasons": list(findings["reasons"]), "lost": 12, "coverage": 8988 / 9000}
    return findings


def interrupted() -> Findings:
    """SIGTERM arrived before the endpoint was switched; the service never came back within the run."""
    findings = met()
    findings["verdict"] = "INCONCLUSIVE"
    findings["reasons"] = ["interrupted by SIGTERM: the drill was not completed"]
    findings["drill"]["interrupted"] = "SIGTERM"
    for step in findings["steps"][4:]:
        step |= {"outcome": "not run", "began": None, "ended": None, "took_s": None}
    findings["steps"][3] |= {"outcome": "interrupted"}
    _never_recovered(findings)
    return findings


def _never_recovered(findings: Findings) -> None:
    forecast = findings["forecast"]
    for predicted in (forecast["recovery"], forecast["downtime"], *(each["took"] for each in forecast["segments"])):
        predicted |= {"measured_s": None, "measured_within": None}
    findings["recovery"] |= {"recovered": False, "ended": None, "time_s": None, "time_ns": None, "at_least_s": 34.5}
    findings["recovery"] |= {"at_most_s": None, "segments": []}
    open_end = {"estimate_s": 34.5, "at_least_s": 34.4, "at_most_s": None}
    findings["downtime"]["user_weighted"] = open_end
    findings["slo"] |= {"consumed": open_end, "consumed_share": 34.5 / 2592, "consumed_share_at_least": 34.4 / 2592}
    findings["slo"] |= {"consumed_share_at_most": None}
    findings["downtime"]["outages"][0] |= {"open_end": True, "at_most_s": None, "ended_latest": None}


def aborted() -> Findings:
    """An abort condition ended the drill, as the forecast had said."""
    findings = interrupted()
    never = "the secondary's endpoint is Disabled: Traffic Manager has nowhere to turn to"
    findings["forecast"] |= {"kind": "hang", "never": never, "recovery": None, "downtime": None, "segments": []}
    findings["drill"]["interrupted"] = "aborted: availability under 50 % for 20 s"
    findings["reasons"] = ["aborted: availability under 50 % for 20 s"]
    return findings


def failed() -> Findings:
    """A change was refused, and the estate could not be put back; names try to break out of every format."""
    findings = met()
    findings["verdict"] = "MISSED"
    findings["reasons"] = ["step failed: the endpoint update was refused"]
    error = "HttpResponseError: (Forbidden) <b>no</b> | `write` on *profile*\n  File adapters/arm.py, line 1"
    findings["steps"][4] |= {"outcome": "failed", "error": error}
    for step in findings["steps"][5:]:
        step |= {"outcome": "not run", "began": None, "ended": None, "took_s": None}
    findings["actions"][2] |= {"outcome": "failed", "error": error, "after": {}}
    findings["drill"] |= {"restored": "app proseware-eastus: state is Stopped, was Running"}
    findings["drill"] |= {"name": "fail|over </script><img src=http://127.0.0.1:9/x>"}
    return findings


def compressed() -> Findings:
    """Time ran ten times faster in the estate."""
    findings = met()
    findings["drill"]["time_scale"] = 10.0
    return findings


def lossy() -> Findings:
    """Replication stood still: acknowledged writes are missing, some outcomes are unknown, and nobody knows since when."""
    findings = met()
    findings["verdict"] = "MISSED"
    findings["reasons"] = [
        "data loss: at least 9.9 s: 99 of 480 acknowledged writes are not in westus3, beyond the 5 s allowed"
    ]
    judgement = {"objective": "data loss", "verdict": "MISSED", "reason": findings["reasons"][0], "limit_s": 5.0}
    findings["judgements"].append(judgement | {"at_least_s": 9.9, "at_most_s": None})
    findings["slo"]["rpo_s"] = 5.0
    began = findings["recovery"]["began"]
    findings["recovery"]["data_loss"] = {
        "acknowledged": 480, "lost": 99, "loss": {"estimate_s": 9.9, "at_least_s": 9.9, "at_most_s": None},
        "refused": 120, "unknown": 3, "arrived": 1, "first_lost": began - 9.8, "last_lost": began + 0.1,
        "read_back": began + 40.0, "region": "westus3",
    }  # fmt: skip
    return findings


def observed() -> Findings:
    """Nothing was done to the service, it was watched; and it was never out."""
    findings = met()
    findings["drill"] |= {"kind": "observation", "name": "observe", "primary": "", "secondary": "", "restored": ""}
    nothing = {"estimate_s": 0.0, "at_least_s": 0.0, "at_most_s": 0.012}
    findings["forecast"] = None
    findings["recovery"] |= {"occurred": False, "recovered": False, "began": None, "began_by": "", "ended": None}
    findings["recovery"] |= {
        "time_s": None,
        "time_ns": None,
        "at_least_s": None,
        "at_most_s": None,
        "segments": [],
        "milestones": [],
    }
    findings["downtime"] |= {
        "user_weighted": nothing,
        "full_outage": nothing,
        "worst_client": None,
        "outages": [],
        "full_outages": [],
    }
    findings["slo"] |= {
        "consumed": nothing,
        "consumed_share": 0.0,
        "consumed_share_at_least": 0.0,
        "events_affordable": None,
    }
    findings |= {"steps": [], "actions": [], "monitor": []}
    findings["dns"] |= {
        "strips": [],
        "authority_switched": None,
        "last_switched": None,
        "propagation_s": None,
        "ttl_s": None,
    }
    return findings


def empty() -> Findings:
    """The load process died before its first sample."""
    findings = observed()
    findings["verdict"] = "INCONCLUSIVE"
    findings["reasons"] = ["no samples: the load process died"]
    none = {"good": 0, "bad": 0, "cut": 0, "share": None, "low": None, "high": None}
    no_latency = {"p50_s": None, "p95_s": None, "p99_s": None, "max_s": None}
    findings["traffic"] |= {
        "began": None,
        "ended": None,
        "overall": none,
        "judged": none,
        "latency": no_latency,
        "outcomes": {},
    }
    findings["traffic"] |= {"populations": [], "regions": [], "paths": []}
    findings["timeline"] |= {
        "buckets": 0,
        "good": [],
        "bad": [],
        "availability": [],
        "rate_per_s": [],
        "p50_s": [],
        "p95_s": [],
    }
    findings["timeline"] |= {"p99_s": [], "regions": [], "populations": []}
    findings["downtime"] |= {"blind_spot_s": None}
    findings["instrument"] |= {
        "fit": False,
        "reasons": ["no samples"],
        "coverage": 0.0,
        "recorded": 0,
        "lag": None,
        "workers": [],
    }
    return findings


CASES: dict[str, Callable[[], Findings]] = {
    each.__name__: each
    for each in (met, missed, inconclusive, interrupted, aborted, failed, compressed, lossy, observed, empty)
}


@cache
def page_of(case: str) -> str:
    """The HTML report of a case, made once for all tests."""
    return html(CASES[case]())
