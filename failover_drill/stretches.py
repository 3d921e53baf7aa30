"""Arithmetic of stretches of time: (began, ended) in epoch seconds, half open. Pure.

union        ──██──████──          overlapping ones merged, in order
minus        ──█─────███──         what is left of a after b is taken out
within       ────[█████]──         cut to a period
"""

from __future__ import annotations

from collections.abc import Iterable

Stretch = tuple[float, float]


def union(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Return the same time as disjoint stretches in order."""
    merged: list[Stretch] = []
    for began, ended in sorted(each for each in stretches if each[1] > each[0]):
        if merged and began <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ended))
        else:
            merged.append((began, ended))
    return tuple(merged)


def minus(stretches: Iterable[Stretch], taken: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Return the time of `stretches` that is in none of `taken`."""
    left = union(stretches)
    for began, ended in union(taken):
        left = tuple(
            piece for a, b in left for piece in ((a, min(b, began)), (max(a, ended), b)) if piece[1] > piece[0]
        )
    return left


def within(stretches: Iterable[Stretch], period: Stretch) -> tuple[Stretch, ...]:
    """Return the time of `stretches` that lies in `period`."""
    return union((max(a, period[0]), min(b, period[1])) for a, b in stretches)


def length(stretches: Iterable[Stretch]) -> float:
    """Return the seconds in `stretches`, each counted once."""
    return sum(ended - began for began, ended in union(stretches))
