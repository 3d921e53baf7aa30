"""Writes the samples of one worker as they come, into the files that samples.py reads.

    add ──► a buffer ──► take ──► what waits for the disk ──► write ──► samples-N.bin
            in the generator's thread                in another

Fixed records, one write per half second: the writer may cost at most 5 % of the generator (measurement.md §7). The
JSON is renamed into place before any record that needs it is written, so a reader never meets an unknown number; and
only then, because a rename can keep the whole process waiting for the disk.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from failover_drill import clock
from failover_drill.facts import SAMPLE_DTYPE, UNPLANNED_LANE, ClockAnchor, Population, SampleNames, WorkerReport
from failover_drill.sample_header import COUNTS, Header, NameTable, write_header

RECORD = struct.Struct("<qIIHHHHBBBBBBH")
_REST = struct.Struct("<HHHHBBBBBBH")  # a record without its times
UNPLANNED = struct.Struct("<qII16s")  # when it was sent, 0, how long it took in µs, and `Recorder.unplanned_rest`
assert RECORD.size == UNPLANNED.size == SAMPLE_DTYPE.itemsize
ROOM = 8192  # records held in one piece,
_MOST_WAITING = 64  # and pieces waiting for the disk: 16 MB at most
LATEST_US = 2**32 - 1


class Recorder:
    """Appends the samples of one worker. Bounded in memory; `flush` at least every half second, `close` at the end.

    What cannot be written (a full disk) waits for the next flush, and is counted in `lost` where too much waits already;
    nothing is raised into the request that made the sample. A disk can keep its writer waiting for milliseconds, which is
    a slot or more: so `take` (in the generator's thread) and `write` (in another) are also there apart.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        worker: int = 0,
        kind: str = "samples",
        rate: float = 0.0,
        paths: Sequence[str] = ("/",),
        anchor: ClockAnchor | None = None,
        offset_ns: int = 0,
        offset_bound_ns: int = 0,
    ) -> None:
        self.worker = worker
        self.rate = rate
        self.anchor = anchor or clock.anchor()
        self.regions, self.addresses, self.paths = NameTable([""]), NameTable([""]), NameTable(paths)
        self.scheduled = self.recorded = self.lost = self.unsent = 0
        self.locust_requests = self.locust_failures = 0
        self.offset_ns, self.offset_bound_ns = offset_ns, offset_bound_ns
        self._waiting: deque[bytes] = deque()
        run_dir.mkdir(parents=True, exist_ok=True)
        self.path = run_dir / f"{kind}-{worker}.bin"
        self._buffer = bytearray(RECORD.size * ROOM)
        self._held = 0
        self.unplanned: list[bytes] = []  # records of requests that nobody had scheduled: counted when they are taken
        self.closed = False
        self._explained = SampleNames(regions=())
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._counts = os.open(self.path.with_suffix(".now"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._explain()

    def add(
        self,
        intended_ns: int,
        sent_ns: int,
        done_ns: int,
        lane: int,
        resolver: int,
        status: int,
        outcome: int,
        population: int,
        region: int,
        address: int,
        path: int,
        flags: int,
    ) -> None:
        """Add one sample. Region, address and path are indices taken from this recorder's tables."""
        if self._held == ROOM:
            self.take()
        # rounded apart: sent no later, and done no earlier than it was, so that bounds made of them hold to the nanosecond
        late = (sent_ns - intended_ns) // 1000
        took = -((intended_ns + late * 1000 - done_ns) // 1000)
        RECORD.pack_into(
            self._buffer,
            self._held * RECORD.size,
            intended_ns,
            late if 0 <= late <= LATEST_US else (0 if late < 0 else LATEST_US),
            took if 0 <= took <= LATEST_US else (0 if took < 0 else LATEST_US),
            lane & 0xFFFF,
            resolver & 0xFFFF,
            status & 0xFFFF,
            self.worker,
            outcome,
            population,
            region,
            address,
            path,
            flags,
            0,
        )
        self._held += 1
        self.recorded += 1

    def unplanned_rest(self, status: int, outcome: int, region: int, path: int) -> bytes:
        """Return all but the times of a sample that nobody had scheduled: of user classes that are not ours.

        Many samples share it. Who records such adds records packed by `UNPLANNED` to `unplanned`, and calls `take` where
        there are `ROOM` of them: a call less per request.
        """
        keepalive = Population.KEEPALIVE
        return _REST.pack(UNPLANNED_LANE, 0, status & 0xFFFF, self.worker, outcome, keepalive, region, 0, path, 0, 0)

    def flush(self) -> bool:
        """Write what is held. False where that failed: it stays held, for the next time."""
        self.take()
        return self.write()

    def take(self) -> None:
        """Set aside what is held, for `write`; cheap. Where too much waits already, it is lost, and counted."""
        if self._held:
            self._set_aside(bytes(memoryview(self._buffer)[: self._held * RECORD.size]))
            self._held = 0
        if self.unplanned:
            self.scheduled += len(self.unplanned)
            self.recorded += len(self.unplanned)
            self._set_aside(b"".join(self.unplanned))
            self.unplanned.clear()

    def _set_aside(self, piece: bytes) -> None:
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(piece)
        else:
            self.recorded -= len(piece) // RECORD.size
            self.lost += len(piece) // RECORD.size

    def write(self) -> bool:
        """Write what was set aside: first the header, which the records need, then the records, a write for each chunk.

        May run in another thread than `add` and `take`, one at a time. False where it failed.
        """
        try:
            self._explain()
            while self._waiting:
                _append(self._fd, self._waiting[0])
                self._waiting.popleft()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Write the rest and the worker's last word. Safe to call twice."""
        if self.closed:
            return
        if not self.flush():
            missing = sum(map(len, self._waiting)) // RECORD.size
            self.recorded -= missing
            self.lost += missing
        os.close(self._fd)
        os.close(self._counts)
        self._fd, self.closed = -1, True
        with contextlib.suppress(OSError):  # then it reads as unfinished, which is what it is
            write_header(self.path, self.header(finished=True))
            self.path.with_suffix(".now").unlink()

    def report(self, *, finished: bool) -> WorkerReport:
        return WorkerReport(
            worker=self.worker,
            scheduled=self.scheduled,
            recorded=self.recorded,
            locust_requests=self.locust_requests,
            locust_failures=self.locust_failures,
            offset_ns=self.offset_ns,
            offset_bound_ns=self.offset_bound_ns,
            finished=finished,
            unsent=self.unsent,
        )

    def header(self, *, finished: bool) -> Header:
        names = SampleNames(tuple(self.regions.names), tuple(self.addresses.names), tuple(self.paths.names))
        return Header(self.report(finished=finished), names, self.anchor, self.rate, time.monotonic_ns())

    def _explain(self) -> None:
        """Write the header where there are names that it lacks, and the counts as they are."""
        names = SampleNames(tuple(self.regions.names), tuple(self.addresses.names), tuple(self.paths.names))
        if names != self._explained:
            write_header(self.path, self.header(finished=False))
            self._explained = names
        counts = (
            time.monotonic_ns(), self.scheduled, self.recorded, self.locust_requests, self.locust_failures, self.unsent,
            self.offset_ns, self.offset_bound_ns,
        )  # fmt: skip
        os.pwrite(self._counts, COUNTS.pack(*counts), 0)


def _append(fd: int, chunk: bytes) -> None:
    """Write all of *chunk*, or nothing of it: a disk that fills up half-way must not leave a torn record behind."""
    done = 0
    try:
        while done < len(chunk):
            done += os.write(fd, chunk[done:])
    except OSError:
        if done:
            os.ftruncate(fd, os.fstat(fd).st_size - done)
        raise
