"""How two snapshots of the same resources differ. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from failover_drill.target import resource_name


def drift(before: Mapping[str, Mapping[str, object]], after: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return each difference between two snapshots of the same resources, one line each. Null and absent are the same."""
    lines = []
    for resource in sorted({*before, *after}):
        was, now = flat(before.get(resource, {})), flat(after.get(resource, {}))
        for key in sorted({*was, *now}):
            if was.get(key) != now.get(key):
                lines.append(f"{resource_name(resource)}: {key} was {was.get(key)}, is {now.get(key)}")
    return lines


def flat(value: object, at: str = "") -> dict[str, str]:
    """Return every leaf of nested mappings and lists by its dotted path, as JSON writes it; without what is null."""
    if isinstance(value, Mapping) and value:
        pairs: Iterable[tuple[str, object]] = ((str(k), v) for k, v in value.items())
    elif isinstance(value, list | tuple) and value:
        pairs = ((str(i), v) for i, v in enumerate(value))
    else:
        return {} if value is None else {at: json.dumps(value)}
    found: dict[str, str] = {}
    for key, inner in pairs:
        found.update(flat(inner, f"{at}.{key}" if at else key))
    return found
