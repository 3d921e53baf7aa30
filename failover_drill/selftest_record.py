"""Where a self-test's outcome is kept, and how it is read back for the reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "selftest.json"


def newest(reports: Path) -> Mapping[str, Any]:
    """Return the newest self-test kept under `reports`, or an empty mapping where there is none that can be read."""
    try:
        told = json.loads((reports / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told.get("summary", {}) if isinstance(told, dict) else {}
