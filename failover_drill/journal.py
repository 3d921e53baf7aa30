"""The drill's own record: append-only, one writer, hash-chained, synced to disk before anything is changed.

    {"n":0,"t":…,"kind":"header", …,"hash":h0}      h0 = sha256("" + line 0 without its hash)
    {"n":1,"t":…,"kind":"promise",…,"hash":h1}      h1 = sha256(h0 + line 1 without its hash)
    …
    {"n":k,"t":…,"kind":"seal","files":{name: sha256},"hash":hk}   written last: it covers every other file of the run

The writer holds a lock on the file for as long as it lives, so that others learn of its death from the kernel (`alone_with`).
`t` is CLOCK_MONOTONIC in ns. `append(..., sync=True)` returns only when the line is on the disk: a promise that can be lost
is no promise. A line that cannot be written, on a full disk say, is none: what a try left of it is cut off by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover_drill.errors import JournalError
from failover_drill.interrupts import held

FILE = "journal.jsonl"
RESTORATIONS = "restoration-*.jsonl"
FORMAT = "failover-drill/journal/1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal. `t_ns` is CLOCK_MONOTONIC of the writer's host."""

    n: int
    t_ns: int
    kind: str
    fields: Mapping[str, Any]


class Journal:
    """The one writer of one journal file. Thread-safe by being given to one thread."""

    def __init__(self, path: Path) -> None:
        """Create *path*; raises JournalError where it cannot be created or locked, or exists already."""
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalError(f"{path}: cannot be written: {error.strerror}") from None
        _keep_the_name(path)
        self.path = path
        self.entries: list[Entry] = []  # what is written; whoever writes need not read it again
        self._size = 0
        self._hash = ""

    def append(self, kind: str, fields: Mapping[str, Any], *, t_ns: int | None = None, sync: bool = False) -> Entry:
        """Write one line; with *sync*, return only once it is on the disk. Raises JournalError where it cannot be written."""
        entry = Entry(len(self.entries), time.monotonic_ns() if t_ns is None else t_ns, kind, fields)
        with held():
            line, digest = _chained(entry, self._hash)
            self._write(line, sync=sync)
            self._hash = digest
            self.entries.append(entry)
        return entry

    def _write(self, line: bytes, *, sync: bool) -> None:
        try:
            os.ftruncate(
                self._fd, self._size
            )  # a part of a line, or one that never reached the disk, would break the chain
            left = line
            while left:
                left = left[os.write(self._fd, left) :]
            if sync:
                os.fsync(self._fd)
        except OSError as error:
            raise JournalError(f"{self.path}: cannot be written: {error.strerror}") from None
        self._size += len(line)

    def seal(self) -> None:
        """Cover every other file of the run with one last line; nothing may be written after it."""
        self.append("seal", {"files": digests(self.path.parent, but=self.path.name)}, sync=True)
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _keep_the_name(path: Path) -> None:
    """Have the names of the file and of the directories made for it on the disk, too, where the file system can be asked to."""
    for directory in path.absolute().parents[:3]:
        with contextlib.suppress(OSError):
            fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _chained(entry: Entry, previous: str) -> tuple[bytes, str]:
    """Return the line and its hash."""
    body = json.dumps({"n": entry.n, "t": entry.t_ns, "kind": entry.kind, **entry.fields}, separators=(",", ":"))
    digest = hashlib.sha256((previous + body).encode()).hexdigest()
    return f'{body[:-1]},"hash":"{digest}"}}\n'.encode(), digest


def read(path: Path) -> list[Entry]:
    """Return the entries of a journal, checking the chain; a torn last line (the writer was killed) is left out.

    Raises JournalError where the file is absent, or a line was changed, removed or reordered.
    """
    return list(_verified(path, _lines(path)))


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(f"{path}: cannot be read: {error.strerror}") from None


def _verified(path: Path, lines: list[bytes]) -> Iterator[Entry]:
    previous = ""
    *whole, torn = lines
    for number, line in enumerate(whole):
        head, mark, tail = line.rpartition(b',"hash":"')
        body = head.decode("utf-8", "replace") + "}"
        previous = hashlib.sha256((previous + body).encode()).hexdigest()
        if not mark or tail != f'{previous}"}}'.encode():
            raise JournalError(
                f"{path}: line {number + 1} does not follow from the lines before it: changed, missing or reordered"
            )
        yield _entry(path, number, body)
    if torn and any(b'"kind":"seal"' in line for line in whole):
        raise JournalError(f"{path}: something was added after the seal")


def _entry(path: Path, number: int, body: str) -> Entry:
    fields = json.loads(body)
    if fields.pop("n") != number:
        raise JournalError(f"{path}: line {number + 1} is out of order")
    return Entry(number, fields.pop("t"), fields.pop("kind"), fields)


@contextmanager
def alone_with(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the writer's lock on a journal; yield False at once where it is held and *wait* is False.

    Waiting ends when the writer has closed the journal, or has died by any means. Raises JournalError where there is none.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise JournalError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)


def digests(directory: Path, *, but: str) -> dict[str, str]:
    """Return the SHA-256 of every file below *directory*, by relative name, leaving out *but*."""
    files = sorted(p for p in directory.rglob("*") if p.is_file())
    return {
        str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
        if str(p.relative_to(directory)) != but
    }


def verify(directory: Path) -> list[str]:
    """Return what is wrong with a stored run, one line each; nothing where every byte is as it was sealed.

    Where a guardian or a restoration wrote after the drill, the newest seal counts: it covers the older journals, too.
    Raises JournalError where the run has no journal or a chain is broken.
    """
    journals = {path: read(path) for path in journals_of(directory)}
    sealed = [path for path, entries in journals.items() if any(e.kind == "seal" for e in entries)]
    if not sealed:
        return [f"{directory}: the run was never sealed: it did not end by itself"]
    newest = sealed[-1]
    if journals[newest][-1].kind != "seal":
        return [f"{newest}: lines follow the seal"]
    return list(_compare(journals[newest][-1].fields["files"], digests(directory, but=newest.name)))


def journals_of(directory: Path) -> list[Path]:
    """Return the drill's journal and those of whoever put things back after it, oldest first."""
    return [directory / FILE, *sorted(directory.glob(RESTORATIONS))]


def _compare(sealed: Mapping[str, str], found: Mapping[str, str]) -> Iterable[str]:
    for name in sorted({*sealed, *found}):
        if name not in found:
            yield f"{name}: missing"
        elif name not in sealed:
            yield f"{name}: not part of the run as it was sealed"
        elif sealed[name] != found[name]:
            yield f"{name}: changed since it was sealed"
