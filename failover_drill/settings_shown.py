"""The settings in force, as a report may show them: one line each, what could be a secret left out. Pure.

traffic.mix.fresh   70        notify.slack   https://hooks.slack.com/… (the rest is left out)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel

from failover_drill.traffic import TrafficPlan

SECRET = re.compile(
    r"token|secret|passw|credential|authori[sz]ation|cookie|signature|\bsas\b|(api|access|account)_?key", re.I
)
LEFT_OUT = "(left out)"


def shown(settings: BaseModel, target: str) -> dict[str, str]:
    """Return each setting by its dotted name; of the targets, the one that is drilled alone; what is not set is left out."""
    plain = settings.model_dump(mode="json")
    plain["target"] = {name: table for name, table in plain.get("target", {}).items() if name == target}
    return dict(_lines("", plain))


def asked_for(plan: TrafficPlan) -> dict[str, str]:
    """Return what an observation was asked for, as drill.toml would name it; no header, body or address of a request."""
    told: dict[str, object] = {
        "rate": plan.rate,
        "mix": "/".join(f"{share:g}" for share in plan.mix.values()),
        "caches": plan.caches,
        "timeout_s": plan.timeout_s,
        "slow_s": plan.slow_s,
        "expect_status": ",".join(f"{low}-{high}" for low, high in plan.expect_status),
        "method": plan.method,
        "resolvers": ", ".join(plan.resolvers) or "the system's own",
        "workers": plan.workers,
        "seed": plan.seed,
    }
    return {f"traffic.{name}": f"{value:g}" if isinstance(value, float) else str(value) for name, value in told.items()}


def _lines(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _lines(f"{name}.{key}" if name else str(key), each)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for index, each in enumerate(value, 1):
            yield from _lines(f"{name}.{index}", each)
    elif value not in (None, "", []):
        yield name, LEFT_OUT if SECRET.search(name) else _text(value)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}"
    return _without_rest(value) if isinstance(value, str) and "://" in value else str(value)


def _without_rest(url: str) -> str:
    """Return where a URL leads, without what may be a secret: user, path, query (webhooks carry theirs in the path)."""
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    return bare if url.rstrip("/") == bare else f"{bare}/… (the rest is left out)"
