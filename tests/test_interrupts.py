"""An interruption never cuts a journal's line in two, and is never lost."""

from __future__ import annotations

import gc
import signal
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover_drill import interrupts, plugin
from failover_drill.journal import Journal, read


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """What these tests interrupt is nobody else's concern."""
    yield
    interrupts.heed()


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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_a_destructor_swallowed_is_raised_at_the_next_look() -> None:
    """Python drops what is raised inside a destructor; the drill looks, and is interrupted all the same, until it has heeded."""

    class Struck:
        def __del__(self) -> None:
            interrupts.deliver(KeyboardInterrupt("SIGTERM"))

    struck = Struck()
    del struck
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            interrupts.look()
    interrupts.heed()
    interrupts.look()


def test_looking_waits_for_what_may_not_be_cut() -> None:
    """Inside what is held a look raises nothing."""
    looked: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _looking_inside(looked)
    assert looked == ["nothing"]
    with pytest.raises(KeyboardInterrupt):
        interrupts.look()


def _looking_inside(looked: list[str]) -> None:
    with interrupts.held():
        interrupts.deliver(KeyboardInterrupt("SIGINT"))
        interrupts.look()
        looked.append("nothing")


def test_pytest_does_not_see_the_way_it_came(request: pytest.FixtureRequest) -> None:
    """It would draw that for seconds, fail at a line that has no number, and complain of a file that was just opened."""
    call = plugin.pytest_runtest_call(request.node)
    next(call)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM") as caught:
        call.throw(_struck_far_down())
    gc.collect()  # pytest makes errors of what is complained of now
    assert "_struck_far_down" not in [entry.name for entry in caught.traceback]
    assert caught.value.__context__ is None


def _struck_far_down() -> KeyboardInterrupt:
    """Interrupted while one error was handled, with a file open."""
    file = Path(__file__).open()  # noqa: SIM115
    try:
        try:
            raise OSError(file.name)
        except OSError:
            interrupts.deliver(KeyboardInterrupt("SIGTERM"))
    except KeyboardInterrupt as interruption:
        return interruption
    raise AssertionError


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
