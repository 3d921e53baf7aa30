"""How close the samples of a run are, and how fast good answers come: in the whole run, and at any moment of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from failover_drill.strand import Ints

CELL_NS = 250_000_000
CELLS_BEFORE = 4
"""A cell and this many before it are what *nearby* means: a second or a little more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How close the samples are, and how fast good answers come: half of them within `usual_ns`, 99 % within `slow_ns`."""

    gap_ns: int
    usual_ns: int = 0
    slow_ns: int = 0
    limit_ns: int = 1_000_000_000  # an answer later than this is bad


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The slowest good answer in each cell of `CELL_NS` of absolute time: mergeable, small, and exact.

    Answers that took two attempts are left out: their time is that of an outage, not of answering.
    """

    first_cell: int
    slowest_ns: Ints

    @classmethod
    def of(cls, sent_ns: Ints, took_ns: Ints) -> Ceiling:
        """Fold good samples, given when they were sent and how long they took."""
        if not len(sent_ns):
            return cls(0, np.zeros(0, np.int64))
        cells = sent_ns // CELL_NS
        first = int(cells.min())
        slowest = np.zeros(int(cells.max()) - first + 1, np.int64)
        np.maximum.at(slowest, cells - first, took_ns)
        return cls(first, slowest)

    def then(self, other: Ceiling) -> Ceiling:
        if not len(self.slowest_ns) or not len(other.slowest_ns):
            return self if len(self.slowest_ns) else other
        first = min(self.first_cell, other.first_cell)
        end = max(each.first_cell + len(each.slowest_ns) for each in (self, other))
        slowest = np.zeros(end - first, np.int64)
        for each in (self, other):
            begin = each.first_cell - first
            part = slowest[begin : begin + len(each.slowest_ns)]
            np.maximum(part, each.slowest_ns, out=part)
        return Ceiling(first, slowest)

    def before(self, instants_ns: Ints) -> Ints:
        """Return the slowest good answer in the cell of each instant and the `CELLS_BEFORE` before it; 0 where none was."""
        if not len(self.slowest_ns):
            return np.zeros(len(instants_ns), np.int64)
        padded = np.concatenate(
            [np.zeros(CELLS_BEFORE, np.int64), self.slowest_ns, np.zeros(CELLS_BEFORE + 1, np.int64)]
        )
        widest = np.lib.stride_tricks.sliding_window_view(padded, CELLS_BEFORE + 1).max(axis=1)
        at = instants_ns // CELL_NS - self.first_cell
        return np.asarray(np.where(at < 0, 0, widest[np.clip(at, 0, len(widest) - 1)]), np.int64)
