"""Rights: does a role allow an action? As Azure's custom roles: actions minus notActions, `*` matches anything. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def allowed(action: str, actions: Iterable[str], not_actions: Iterable[str] = ()) -> bool:
    """Return whether a role with *actions* and *not_actions* may do *action*; "" needs no right."""
    if not action:
        return True
    return any(_matches(a, action) for a in actions) and not any(_matches(a, action) for a in not_actions)


def _matches(pattern: str, action: str) -> bool:
    return _compiled(pattern).fullmatch(action) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.I)
