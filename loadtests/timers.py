"""Wait for an instant to within a tenth of a millisecond, without blocking the other greenlets.

libev rounds its timers up to whole milliseconds, which at 1000 requests/s is a whole slot; a timerfd is exact.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import time
from typing import Any, Protocol

import gevent

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1


class Timer(Protocol):
    def until(self, instant_ns: int) -> None:
        """Return at, or shortly after, an instant of CLOCK_MONOTONIC; the hub runs meanwhile."""

    def close(self) -> None: ...


class TimerFd:
    """A Linux timerfd in gevent's loop. (`os.timerfd_create` needs Python 3.13.)"""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._hub: Any = gevent.get_hub()
        self._watcher = self._hub.loop.io(self._fd, 1)

    def until(self, instant_ns: int) -> None:
        at = struct.pack("qqqq", 0, 0, instant_ns // 10**9, instant_ns % 10**9)
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, at, None)
        self._hub.wait(self._watcher)
        os.read(self._fd, 8)

    def close(self) -> None:
        if self._fd >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._fd)
            self._fd = -1


class SleepTimer:
    """The same from gevent's own sleep, up to a millisecond late; for systems without timerfd."""

    def until(self, instant_ns: int) -> None:
        gevent.sleep(max(0.0, (instant_ns - time.monotonic_ns()) / 1e9))

    def close(self) -> None:
        pass


def exact_timer() -> Timer:
    return TimerFd() if sys.platform == "linux" else SleepTimer()
