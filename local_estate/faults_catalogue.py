"""The kinds of fault, by name. A new one is a class in a faults_*.py and a line here."""

from __future__ import annotations

from typing import Any

CATALOGUE: dict[str, type[Any]] = {}
