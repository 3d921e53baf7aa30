"""How figures are written."""

from __future__ import annotations

import re
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill import wording
from failover_drill.outages import Bounds

SECONDS = st.floats(min_value=0, max_value=1e7, allow_nan=False)
SIZES = {"ms": 1e-3, "s": 1, "min": 60, "h": 3600, "days": 86_400}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "not known"),
        (0.0, "0 s"),
        (0.00002, "under 0.1 ms"),
        (0.0007, "0.7 ms"),
        (0.43, "430 ms"),
        (0.9996, "1.00 s"),
        (7.819, "7.82 s"),
        (59.996, "60.00 s"),
        (75.2, "75.20 s"),
        (119.996, "2 min 00.0 s"),
        (60.0, "60 s"),
        (259.2, "4 min 19.2 s"),
        (300.0, "5 min"),
        (86_400.0, "24 h"),
        (2592.0, "43 min 12 s"),
        (3599.96, "1 h"),
        (3600.0, "1 h"),
        (3725.2, "1 h 2 min 5 s"),
        (30 * 86_400.0, "30 days"),
        (-2.5, "−2.50 s"),
    ],
)
def test_durations_read_like_this(seconds: float | None, text: str) -> None:
    """A duration is written with the units a person would choose, and never rounds up into a wrong unit."""
    assert wording.duration(seconds) == text


@given(SECONDS)
def test_a_written_duration_is_the_duration(seconds: float) -> None:
    """Reading a written duration back gives the duration, to the precision that was written."""
    text = wording.duration(seconds)
    if text == "under 0.1 ms":
        assert seconds < 0.0001
        return
    read = sum(float(value) * SIZES[unit] for value, unit in re.findall(r"([\d.]+) (days|min|ms|h|s)", text))
    finest = SIZES[re.findall(r"days|min|ms|h|s", text)[-1]]
    assert read == pytest.approx(seconds, abs=finest * 0.51, rel=1e-9)


@given(st.floats(min_value=0, max_value=1, allow_nan=False))
def test_a_share_never_rounds_to_all_or_nothing(fraction: float) -> None:
    """Only 0 is written 0 %, only 1 is written 100 %."""
    text = wording.share(fraction)
    assert (text == "100 %") == (fraction * 100 == 100.0)
    assert (text == "0 %") == (fraction == 0.0)


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (None, "not known"),
        (0.999, "99.9 %"),
        (0.99998, "99.998 %"),
        (0.00216, "0.216 %"),
        (0.1, "10 %"),
        (0.905, "90.5 %"),
    ],
)
def test_shares_read_like_this(fraction: float | None, text: str) -> None:
    """A share is a percentage with as many digits as it needs."""
    assert wording.share(fraction) == text


def test_an_open_bound_is_said_in_words() -> None:
    """What has no upper bound says so; it never reads like an exact figure."""
    assert wording.bounds(1.5, None) == "at least 1.50 s, no upper bound"
    assert wording.bounded(2.0, 1.5, 2.5) == "2 s (1.50 s to 2.50 s)"
    assert wording.bounded(None, None, None) == "not known"


def test_instants_are_utc() -> None:
    """Instants are written in UTC, whatever the machine's zone."""
    assert wording.clock(1795401010.7504) == "02:30:10.750"
    assert wording.moment(1795401010.75) == "23 Nov 2026, 02:30:10 UTC"
    assert wording.rfc3339(1795401010.75) == "2026-11-23T02:30:10.750Z"


def test_nanoseconds_read_as_seconds_do() -> None:
    """A measured length in nanoseconds, and its bounds, read as the same figure does in seconds."""
    assert wording.seconds(7_836_000_000) == wording.duration(7.836)
    assert wording.spread(Bounds(7.8e9, 7.79e9, 7.81e9)) == wording.bounded(7.8, 7.79, 7.81)
    assert wording.spread(Bounds(7.8e9, 7.7e9, inf)) == wording.bounded(7.8, 7.7, None)


def test_bounds_that_read_the_same_are_not_repeated() -> None:
    """Where both bounds are the same figure to the precision written, the estimate stands alone."""
    assert wording.bounded(7.801, 7.799, 7.803) == "7.80 s"
    assert wording.bounded(480.0, 479.99, 480.01) == "8 min"


def test_what_has_no_end_says_so() -> None:
    """An endless time and an infinite share have words of their own."""
    assert wording.duration(inf) == "an unknown time"
    assert wording.share(inf) == "more than all"
