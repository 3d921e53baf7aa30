"""What of the settings is shown to people: everything but secrets. Pure.

Secrets have no place in drill.toml; but tokens find their way into URLs, and passwords into tables that we hand on unread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "(hidden)"
SECRET_KEY = re.compile(r"secret|token|passw|api_?key|webhook|connection_?string|credential", re.IGNORECASE)


def shown(value: object, key: str = "") -> object:
    """Return plain *value* with hidden what a secret's key names, and what a URL carries beside its address."""
    if isinstance(value, Mapping):
        return {name: shown(each, str(name)) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each, key) for each in value]
    if isinstance(value, str) and value:
        return HIDDEN if SECRET_KEY.search(key) else _bare(value)
    return value


def _bare(text: str) -> str:
    """Return a URL without user, password and query; anything else as it is."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return HIDDEN
    place = parts.netloc if "@" not in parts.netloc else f"{HIDDEN}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit((parts.scheme, place, parts.path, HIDDEN if parts.query else "", ""))
