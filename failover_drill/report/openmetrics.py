"""Key figures as OpenMetrics text, for a push gateway.

Only gauges are used and names carry their unit, so that the older Prometheus text format reads the same document.

    curl --data-binary @metrics.txt http://gateway:9091/metrics/job/failover-drill/drill/failover
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from failover_drill.report.figures import Figure, key_figures, predicted_segments

PREFIX = "failover_drill"
UNITS = {"seconds": "seconds", "ratio": "ratio"}
VERDICTS = ("MET", "MISSED", "INCONCLUSIVE")


def openmetrics(findings: Mapping[str, Any]) -> str:
    """Return the figures of a run; each sample has the label `drill`, bounded ones also `bound`."""
    drill = str(findings["drill"]["name"])
    lines: list[str] = []
    for figure in key_figures(findings):
        lines += _family(figure, drill)
    lines += _segments(findings, drill)
    lines += _head("verdict", "1 for the verdict that was reached.", "")
    lines += [
        _sample("verdict", {"drill": drill, "verdict": each}, float(findings["verdict"] == each)) for each in VERDICTS
    ]
    lines += _head("ended_timestamp_seconds", "When the run ended, since the epoch.", "seconds")
    lines += [_sample("ended_timestamp_seconds", {"drill": drill}, findings["drill"]["ended"])]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _family(figure: Figure, drill: str) -> Iterator[str]:
    unit = UNITS.get(figure.unit, "")
    name = f"{figure.key.removesuffix('_share')}_{unit}" if unit else figure.key
    values = {"estimate": figure.value, "at_least": figure.at_least, "at_most": figure.at_most}
    known = {bound: value for bound, value in values.items() if value is not None}
    if not known:
        return
    yield from _head(name, f"{figure.label}.", unit)
    for bound, value in known.items():
        yield _sample(name, {"drill": drill, "bound": bound}, value)


def _segments(findings: Mapping[str, Any], drill: str) -> Iterator[str]:
    segments = findings["recovery"]["segments"]
    if segments:
        yield from _head("segment_seconds", "Parts of the recovery time; they sum to it.", "seconds")
    for each in segments:
        yield _sample("segment_seconds", {"drill": drill, "segment": each["name"]}, each["took_s"])
    predicted = predicted_segments(findings)
    if predicted:
        yield from _head("predicted_segment_seconds", "Their predicted means, and 99 % intervals.", "seconds")
    for name, took in predicted.items():
        for bound, value in zip(("estimate", "at_least", "at_most"), (took["mean_s"], *took["inner_99"]), strict=True):
            yield _sample("predicted_segment_seconds", {"drill": drill, "segment": name, "bound": bound}, value)


def _head(name: str, text: str, unit: str) -> list[str]:
    lines = [f"# TYPE {PREFIX}_{name} gauge"]
    if unit:
        lines.append(f"# UNIT {PREFIX}_{name} {unit}")
    return [*lines, f"# HELP {PREFIX}_{name} {_escaped(text)}"]


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{PREFIX}_{name}{{{pairs}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
