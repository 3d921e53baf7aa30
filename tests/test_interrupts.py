"""An interruption never cuts a journal's line in two, and is never lost."""

from __future__ import annotations

import signal
import types
from pathlib import Path

import pytest

from failover_drill import interrupts
from failover_drill.journal import Journal, read


def test_delivered_at_once_outside() -> None:
    """Where nothing is held an interruption strikes at once."""
    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        interrupts.deliver(KeyboardInterrupt("SIGINT"))


def test_delivered_at_the_end_inside() -> None:
    """What may not be cut is finished first, also where it is nested."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _interrupted_inside(done)
    assert done == ["inner", "outer"]


def _interrupted_inside(done: list[str]) -> None:
    with interrupts.held():
        with interrupts.held():
            interrupts.deliver(KeyboardInterrupt("SIGINT"))
            done.append("inner")
        done.append("outer")


def test_the_chain_survives_signals(tmp_path: Path) -> None:
    """Interrupted a hundred times while it writes, the journal still verifies, line by line."""

    def on_alarm(_: int, __: types.FrameType | None) -> None:
        interrupts.deliver(KeyboardInterrupt("SIGVTALRM"))

    journal, interrupted = Journal(tmp_path / "journal.jsonl"), 0
    before = signal.signal(signal.SIGVTALRM, on_alarm)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.004, 0.004)
    try:
        while interrupted < 100:
            try:
                while True:
                    journal.append("note", {"round": interrupted})
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        journal.close()
    assert len(read(tmp_path / "journal.jsonl")) > 100
