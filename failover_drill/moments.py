"""Instants and lengths as people type them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from failover_drill.errors import SettingsError

LENGTHS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def moment(text: str, where: str) -> float:
    """Return epoch seconds of "2026-11-23", "2026-11-23T02:30", "2026-11-23T02:30:10.5Z", "…+01:00". Without a zone: UTC.

    Raises SettingsError naming `where`.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{where}: {text!r} should be a date or a time, such as 2026-11-23T02:30:00Z") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def span(text: str, where: str) -> float:
    """Return seconds of "90s", "15m", "24h", "30d", "4w". Raises SettingsError naming `where`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)", text.strip())
    if not found:
        raise SettingsError(f"{where}: {text!r} should be a length of time, such as 90s, 15m, 24h or 30d")
    return float(found[1]) * LENGTHS[found[2]]
