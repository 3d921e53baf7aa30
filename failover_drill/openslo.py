"""Objectives from and to OpenSLO (https://github.com/OpenSLO/OpenSLO, apiVersion openslo/v1, kind SLO). Pure.

OpenSLO knows the objective and its window. What it does not know (recovery time, data loss, the share one drill may cost)
travels in annotations `failover-drill/…`, which other tools leave alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml

from failover_drill.errors import SettingsError
from failover_drill.facts import Objectives
from failover_drill.moments import span

ANNOTATIONS = {"rto": "rto_s", "rpo": "rpo_s", "stabilisation": "stabilisation_s"}


def read(text: str, where: str, name: str = "") -> Objectives:
    """Return the objectives of the SLO called `name`, or of the only one. Raises SettingsError naming `where` and the key."""
    return _objectives(_chosen(text, where, name), where)


def read_with_service(text: str, where: str, name: str = "") -> tuple[str, Objectives]:
    """Return what `read` does, and before it the service that it is an objective of. Raises SettingsError, also without one."""
    slo = _chosen(text, where, name)
    service = str((slo.get("spec") or {}).get("service") or "")
    if not service:
        raise SettingsError(f"{where}, spec.service: is missing; the public host name would be right")
    return service, _objectives(slo, where)


def _chosen(text: str, where: str, name: str) -> Mapping[str, Any]:
    try:
        documents = [each for each in yaml.safe_load_all(text) if isinstance(each, dict)]
    except yaml.YAMLError as error:
        raise SettingsError(f"{where}: is no YAML: {' '.join(str(error).split())}") from None
    found = {_name(each): each for each in documents if each.get("kind") == "SLO"}
    if not found:
        raise SettingsError(f"{where}: holds no document of kind SLO")
    if name not in found and (name or len(found) > 1):
        raise SettingsError(f"{where}: which SLO? It holds {', '.join(sorted(found))}")
    slo = found[name] if name else next(iter(found.values()))
    if not str(slo.get("apiVersion", "")).startswith("openslo/v1"):
        raise SettingsError(f"{where}, apiVersion: {slo.get('apiVersion')!r} should be openslo/v1")
    return slo


def _name(document: Mapping[str, Any]) -> str:
    return str((document.get("metadata") or {}).get("name", ""))


def _objectives(slo: Mapping[str, Any], where: str) -> Objectives:
    spec = slo.get("spec") or {}
    told: dict[str, Any] = {"availability": _target(spec, where), "window_s": _window(spec, where)}
    annotations = (slo.get("metadata") or {}).get("annotations") or {}
    for key, field in ANNOTATIONS.items():
        if f"failover-drill/{key}" in annotations:
            told[field] = span(str(annotations[f"failover-drill/{key}"]), f"{where}, failover-drill/{key}")
    if "failover-drill/drill-share" in annotations:
        told["drill_share"] = _fraction(
            annotations["failover-drill/drill-share"], f"{where}, failover-drill/drill-share"
        )
    return replace(Objectives(), **told)


def _target(spec: Mapping[str, Any], where: str) -> float:
    objectives = spec.get("objectives") or [{}]
    if len(objectives) > 1:
        raise SettingsError(f"{where}, spec.objectives: has {len(objectives)} of them; a drill is held against one")
    first = objectives[0]
    if "targetPercent" in first:
        return _fraction(first["targetPercent"], f"{where}, spec.objectives[0].targetPercent", scale=100)
    return _fraction(first.get("target"), f"{where}, spec.objectives[0].target")


def _fraction(value: object, where: str, scale: int = 1) -> float:
    try:
        read = float(str(value)) / scale
    except ValueError:
        read = -1.0
    if not 0 < read < 1:
        raise SettingsError(f"{where}: {value!r} should lie above 0 and below {scale}")
    return round(read, 12)


def _window(spec: Mapping[str, Any], where: str) -> float:
    windows = spec.get("timeWindow") or [{}]
    first = windows[0] if isinstance(windows, list) else windows
    if not first.get("isRolling", True):
        raise SettingsError(f"{where}, spec.timeWindow: calendar windows are not supported; set isRolling: true")
    return span(str(first.get("duration", "")), f"{where}, spec.timeWindow[0].duration")


def write(objectives: Objectives, name: str, service: str) -> str:
    """Return the objectives as an OpenSLO document."""
    annotations = {f"failover-drill/{key}": getattr(objectives, field) for key, field in ANNOTATIONS.items()}
    told = {key: f"{value:g}s" for key, value in annotations.items() if value is not None}
    document = {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {
            "name": name,
            "annotations": {**told, "failover-drill/drill-share": f"{objectives.drill_share:g}"},
        },
        "spec": {
            "service": service,
            "indicator": {
                "metadata": {"name": f"{name}-availability"},
                "spec": {
                    "ratioMetric": {
                        "counter": True,
                        "good": {"metricSource": {"type": "failover-drill", "spec": {"samples": "good"}}},
                        "total": {"metricSource": {"type": "failover-drill", "spec": {"samples": "good and bad"}}},
                    }
                },
            },
            "timeWindow": [{"duration": _duration(objectives.window_s), "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [{"displayName": "answered well", "target": round(objectives.availability, 12)}],
        },
    }
    return yaml.safe_dump(document, sort_keys=False)


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    return f"{seconds:g}s"
