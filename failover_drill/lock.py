"""One drill at a time on one target: a tag that other machines see, and a file lock that other processes here do.

    failover-drill-lock = "2026-11-23T03-13-36Z ann@build7 until 2026-11-23T05:13:36Z"

    read ── another's, not expired ──► refused, nothing written
      │ none, or expired
    write (promised first) ─► wait ─► read again ── not ours: the other was later, and has it ──► refused
      │ ours                                                     before every deed it is read once more
    drill … put back, compared, and then freed: removed if its value is still ours

ARM has no compare-and-swap for tags. Of two that write at once the later one keeps the tag, and both look only after `settle_s`,
when both writes have landed. A write that takes longer than that loses the race twice: the first drill finds its lock gone
before its next deed, aborts and undoes.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from failover_drill.errors import Unsafe
from failover_drill.target import resource_name

FORM = re.compile(r"(?P<run>\S+) (?P<owner>\S+) until (?P<until>\S+)")
VALUE_MAX = 256  # of an Azure tag's value


@dataclass(frozen=True, slots=True)
class Lock:
    """Who drills, in which run, and until when the lock counts (epoch seconds)."""

    run: str
    owner: str
    until_s: float

    def __str__(self) -> str:
        until = datetime.fromtimestamp(self.until_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.run} {self.owner} until {until}"[:VALUE_MAX]


def owner() -> str:
    """Return who runs this drill, where: user, host and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}:{os.getpid()}".replace(" ", "_")[:120]


def parse(value: str) -> Lock | None:
    """Read a tag's value; None where it is no lock of ours, which then counts as one that does not expire."""
    match = FORM.fullmatch(value)
    try:
        until = datetime.fromisoformat(match["until"]) if match else None
    except ValueError:
        return None
    return Lock(match["run"], match["owner"], until.timestamp()) if match and until and until.tzinfo else None


def refusal(value: str, now_s: float) -> str:
    """Say why a tag's value forbids a drill; "" where there is none, or it has expired."""
    lock = parse(value)
    if not value or (lock is not None and lock.until_s <= now_s):
        return ""
    if lock is None:
        return f"the profile's tag failover-drill-lock is {value!r}, which no drill wrote: remove it if nobody drills"
    return (
        f"another drill holds the lock: run {lock.run} of {lock.owner}, {value.rpartition(' until ')[2]} at the latest"
    )


@contextmanager
def alone_here(target: str) -> Iterator[None]:
    """Hold this machine's lock on a target; Unsafe where another process of this user does. Freed by our death, too."""
    directory = Path(tempfile.gettempdir()) / f"failover-drill-{os.getuid()}"
    path = directory / f"{hashlib.sha256(target.lower().encode()).hexdigest()[:24]}.lock"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unsafe(f"{path}: this machine's lock cannot be had: {error.strerror}; see to it, or set TMPDIR") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Unsafe(f"another drill of {resource_name(target)} runs on this machine: one at a time") from None
    try:
        yield
    finally:
        os.close(fd)
