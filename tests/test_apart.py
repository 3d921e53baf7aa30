"""A signal that strikes amid a control-plane call leaves the client whole, and the call unsent where it was not sent yet."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from failover_drill import interrupts
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.settings import Settings
from failover_drill.target import Target
from failover_drill.targets import open_target
from tests.servers import eventually
from tests.stage import COLD, Estate, estate

STRIKES = 1_500
HUNG_S = 60.0  # a read of this estate takes some ms


class Struck(KeyboardInterrupt):
    """Ours, and no person's."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path / "estate", COLD) as running:
        yield running


@pytest.fixture
def target(stage: Estate, tmp_path: Path) -> Iterator[Target]:
    with open_target(Settings(), "local", stage.file, tmp_path / "log") as (opened, _):
        yield opened


@contextmanager
def signalled() -> Iterator[None]:
    """Have SIGUSR1 do what ends a drill."""

    def strike(*_: Any) -> None:
        interrupts.deliver(Struck())

    before = signal.signal(signal.SIGUSR1, strike)
    try:
        yield
    finally:
        interrupts.heed()
        signal.signal(signal.SIGUSR1, before)


def strike_in(seconds: float) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGUSR1)).start()


def test_no_strike_leaves_the_client_hanging(target: Target) -> None:
    """Struck at random instants of a call, the client answers the next one each time: no lock of its pool stays taken."""
    platform, drawn = ArmPlatform(target), random.Random(1)
    platform.tags(target.profile_id)
    struck = 0
    with signalled():
        for _ in range(STRIKES):
            try:
                strike_in(drawn.uniform(0.0, 0.004))
                while True:
                    platform.tags(target.profile_id)
            except Struck:
                struck += 1
            interrupts.heed()
            answered = threading.Thread(target=platform.tags, args=(target.profile_id,), daemon=True)
            answered.start()
            answered.join(HUNG_S)
            assert not answered.is_alive(), f"the client hangs after {struck} strikes"
    assert struck == STRIKES


def test_an_abandoned_write_is_not_sent(target: Target, stage: Estate) -> None:
    """A call that waits for its token ends at once when it is struck, and is not sent when the token comes at last."""
    stage.control("POST", "/_faults", {"kind": "identity_down", "how": "error", "duration_s": 3})
    platform = ArmPlatform(target)
    with signalled():
        strike_in(1.0)
        began = time.monotonic()
        with pytest.raises(Struck):
            platform.stop(target.primary.app_id)
        assert time.monotonic() - began < HUNG_S / 2
    assert platform.app_state(target.primary.app_id).state == "Running"  # waits for a token as long
    assert eventually(lambda: not [each for each in threading.enumerate() if each.name == "call"])
    assert stage.writes() == []
