"""When no drill may start: dates, spans of dates, and windows of the week. Pure: the instant is an argument.

[calendar]
timezone = "Europe/Berlin"
blocked_dates = ["2026-12-24", "2026-12-20/2027-01-03"]
blocked_windows = ["Fri 16:00-24:00", "Mon-Thu 08:00-10:00", "daily 23:00-01:00"]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WINDOW = re.compile(r"(?P<days>daily|[A-Za-z]{3}(?:-[A-Za-z]{3})?) (?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d)")


def span(text: str) -> tuple[date, date]:
    """Read "2026-12-24" or "2026-12-20/2027-01-03", both ends included. Raises ValueError."""
    first, _, last = text.partition("/")
    try:
        found = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    except ValueError:
        raise ValueError('must be dates such as "2026-12-24" or "2026-12-20/2027-01-03"') from None
    if found[1] < found[0]:
        raise ValueError("must not end before it begins")
    return found


def window(text: str) -> tuple[frozenset[int], int, int]:
    """Read "Fri 16:00-24:00": days of the week, first and last minute; a window may run over midnight. Raises ValueError."""
    match = WINDOW.fullmatch(text.strip())
    if match is None:
        raise ValueError('must be such as "Fri 16:00-24:00", "Mon-Thu 08:00-10:00" or "daily 23:00-01:00"')
    return _days(match["days"].lower()), _minute(match["from"]), _minute(match["to"])


def _days(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(7))
    first, _, last = text.partition("-")
    if {first, last or first} - set(DAYS):
        raise ValueError(f"days are {', '.join(d.title() for d in DAYS)} or daily")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return frozenset((begin + i) % 7 for i in range((end - begin) % 7 + 1))


def _minute(text: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    if hours * 60 + minutes > 24 * 60 or minutes > 59:
        raise ValueError("times are from 00:00 to 24:00")
    return hours * 60 + minutes


def blocked(at: datetime, dates: Iterable[str], windows: Iterable[str]) -> str:
    """Return the entry that forbids drills at *at*, a time of day where the calendar is kept; "" where none does."""
    for text in dates:
        first, last = span(text)
        if first <= at.date() <= last:
            return text
    for text in windows:
        if _within(at, *window(text)):
            return text
    return ""


def _within(at: datetime, days: frozenset[int], begin: int, end: int) -> bool:
    minute, today = at.hour * 60 + at.minute, at.weekday()
    if begin < end:
        return today in days and begin <= minute < end
    yesterday = (at - timedelta(days=1)).weekday()
    return (today in days and minute >= begin) or (yesterday in days and minute < end)
