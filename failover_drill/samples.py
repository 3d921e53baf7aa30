"""The samples of one run on disk: written by the load process, read while it runs, archived when it is done.

    samples-N.bin      records of `SAMPLE_DTYPE`, appended; N is the worker
    samples-N.json     what the small integers mean, the clock, and what the worker says of itself
    samples-N.now      while it runs: the worker's counts, overwritten in place with each write of records
    samples.parquet    all workers, in order of sending, once archived

Fixed records, one write per half second: the writer may cost at most 5 % of the generator (measurement.md §7). The
JSON is renamed into place before any record that needs it is written, so a reader never meets an unknown number; and
only then, because a rename can keep the whole process waiting for the disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import ModuleType

import numpy as np

from failover_drill.errors import JournalError
from failover_drill.facts import (
    SAMPLE_DTYPE,
    UNPLANNED_LANE,
    ClockAnchor,
    Population,
    SampleNames,
    SampleRecords,
    SampleTable,
    WorkerReport,
)

RECORD = struct.Struct("<qIIHHHHBBBBBBH")
_REST = struct.Struct("<HHHHBBBBBBH")  # a record without its times
UNPLANNED = struct.Struct("<qII16s")  # when it was sent, 0, how long it took in µs, and `Recorder.unplanned_rest`
assert RECORD.size == UNPLANNED.size == SAMPLE_DTYPE.itemsize
_COUNTS = struct.Struct("<8q")  # written_ns, scheduled, recorded, Locust's requests and failures, unsent, offset, bound
ROOM = 8192  # records held in one piece,
_MOST_WAITING = 64  # and pieces waiting for the disk: 16 MB at most
_MOST_NAMES = 255  # an index into a table of names is one byte
LATEST_US = 2**32 - 1
_SCHEMA = 1


def now_anchor() -> ClockAnchor:
    """Read both clocks at one instant."""
    return ClockAnchor(wall_ns=time.time_ns(), mono_ns=time.monotonic_ns())


class NameTable:
    """Names to one-byte indices, in order of appearance. The last index means "any other" once it is full."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._index = {name: i for i, name in enumerate(self.names)}
        self.get = self._index.get  # None for a name that was never met; a call less than `index`

    def index(self, name: str) -> int:
        found = self.get(name)
        return self._add(name) if found is None else found

    def _add(self, name: str) -> int:
        if len(self.names) >= _MOST_NAMES:
            name = "(other)"
            if name in self._index:
                return self._index[name]
        self._index[name] = len(self.names)
        self.names.append(name)
        return self._index[name]


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
        self.anchor = anchor or now_anchor()
        self.regions, self.addresses, self.paths = NameTable([""]), NameTable([""]), NameTable(paths)
        self.scheduled = self.recorded = self.lost = self.unsent = 0
        self.locust_requests = self.locust_failures = 0
        self.offset_ns, self.offset_bound_ns = offset_ns, offset_bound_ns
        self._waiting: deque[bytes] = deque()
        run_dir.mkdir(parents=True, exist_ok=True)
        self.path = run_dir / f"{kind}-{worker}.bin"
        self._header = self.path.with_suffix(".json")
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
            _replace(self._header, self.header(finished=True).to_json())
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
            _replace(self._header, self.header(finished=False).to_json())
            self._explained = names
        counts = (
            time.monotonic_ns(), self.scheduled, self.recorded, self.locust_requests, self.locust_failures, self.unsent,
            self.offset_ns, self.offset_bound_ns,
        )  # fmt: skip
        os.pwrite(self._counts, _COUNTS.pack(*counts), 0)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands beside one file of records. `written_ns` is when: the last sign of life of a worker that died."""

    report: WorkerReport
    names: SampleNames
    anchor: ClockAnchor
    rate: float
    written_ns: int

    def to_json(self) -> str:
        return json.dumps({"schema": _SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, text: str, where: str) -> Header:
        """Raises `JournalError` naming *where*."""
        try:
            given = json.loads(text)
            if given["schema"] > _SCHEMA:
                raise JournalError(f"{where}: schema {given['schema']} is newer than this program's {_SCHEMA}")
            known = {f.name for f in fields(WorkerReport)}
            return cls(
                report=WorkerReport(**{k: v for k, v in given["report"].items() if k in known}),
                names=SampleNames(**{k: tuple(v) for k, v in given["names"].items()}),
                anchor=ClockAnchor(**given["anchor"]),
                rate=float(given["rate"]),
                written_ns=int(given["written_ns"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise JournalError(f"{where}: not the header of a file of samples ({error})") from None


def read_samples(run_dir: Path, kind: str = "samples") -> tuple[SampleTable, tuple[WorkerReport, ...]]:
    """Return all samples of *kind* ("samples" or "control") in order of sending, and what each worker said of itself.

    Times are moved to the harness's clock. A torn last record is left out; as the worker that wrote it counted it as
    scheduled, it shows as lost. No samples at all is an empty table. Raises `JournalError` where a file is unreadable.
    """
    archived = run_dir / f"{kind}.parquet"
    paths = sorted(run_dir.glob(f"{kind}-*.bin"), key=_worker_of)
    if not paths and archived.exists():
        return _read_archive(archived)
    parts = [_read_part(path) for path in paths]
    return _merge(parts), tuple(header.report for header, _ in parts)


def tail(path: Path, offset: int = 0) -> tuple[SampleRecords, int]:
    """Return the whole records from byte *offset* on, and the offset to go on from. A missing file has none."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            chunk = file.read()
    except FileNotFoundError:
        return np.empty(0, SAMPLE_DTYPE), offset
    whole = len(chunk) - len(chunk) % RECORD.size
    return np.frombuffer(chunk[:whole], SAMPLE_DTYPE), offset + whole


def read_header(path: Path) -> Header:
    """Return the header beside the file of records at *path*, up to date. Raises `JournalError`."""
    beside = path.with_suffix(".json")
    try:
        header = Header.from_json(beside.read_text(), str(beside))
    except OSError as error:
        raise JournalError(f"{beside}: {error.strerror}") from None
    return header if header.report.finished else _counted(header, path.with_suffix(".now"))


def read_headers(run_dir: Path) -> tuple[Header, ...]:
    """Return the headers of all files of samples of a run, archived or not; none where it has no samples."""
    paths = sorted(run_dir.glob("samples-*.bin"), key=_worker_of)
    archived = run_dir / "samples.parquet"
    if paths or not archived.exists():
        return tuple(read_header(path) for path in paths)
    _, told = _parquet().read(archived)
    return tuple(Header.from_json(text, str(archived)) for text in told)


def _counted(header: Header, counts: Path) -> Header:
    """Return the header of a worker that has not finished, with its last counts."""
    try:
        written_ns, scheduled, recorded, requests, failures, unsent, offset, bound = _COUNTS.unpack(counts.read_bytes())
    except (OSError, struct.error):
        return header
    report = replace(
        header.report, scheduled=scheduled, recorded=recorded, locust_requests=requests, locust_failures=failures,
        unsent=unsent, offset_ns=offset, offset_bound_ns=bound,
    )  # fmt: skip
    return replace(header, report=report, written_ns=written_ns)


def note_death(path: Path, died_ns: int) -> None:
    """Count what a worker that died should have sent between its last sign of life and *died_ns*.

    To be called by whoever saw it die, once; a worker that finished is left alone.
    """
    header = read_header(path)
    if header.report.finished:
        return
    missed = max(0, int((died_ns - header.written_ns) / 1e9 * header.rate))
    report = replace(header.report, scheduled=header.report.scheduled + missed)
    path.with_suffix(".now").unlink(missing_ok=True)
    _replace(path.with_suffix(".json"), replace(header, report=report, written_ns=died_ns).to_json())


def archive(run_dir: Path) -> tuple[Path, ...]:
    """Turn the records of a finished run into Parquet, read that back, only then remove them. Returns the archives."""
    made = []
    for kind in ("samples", "control"):
        paths = sorted(run_dir.glob(f"{kind}-*.bin"), key=_worker_of)
        if paths:
            made.append(_archive(run_dir / f"{kind}.parquet", paths))
    return tuple(made)


def _archive(target: Path, paths: Sequence[Path]) -> Path:
    parts = [_read_part(path) for path in paths]
    table = _merge(parts)
    headers = [header.to_json() for header, _ in parts]
    spare = target.with_suffix(".parquet.new")
    _parquet().write(spare, table, headers)
    again, _ = _read_archive(spare)
    if not np.array_equal(again.records, table.records):
        raise JournalError(f"{spare}: reads back differently from what was written; the records are kept")
    spare.replace(target)
    for path in paths:
        path.unlink()
        path.with_suffix(".json").unlink()
        path.with_suffix(".now").unlink(missing_ok=True)
    return target


def _read_archive(path: Path) -> tuple[SampleTable, tuple[WorkerReport, ...]]:
    table, headers = _parquet().read(path)
    return table, tuple(Header.from_json(text, str(path)).report for text in headers)


def _parquet() -> ModuleType:
    """Load what knows Parquet: only now, because the load process would carry its 40 MB for nothing."""
    from failover_drill import parquet

    return parquet


def _read_part(path: Path) -> tuple[Header, SampleRecords]:
    header = read_header(path)
    records, _ = tail(path)
    if header.report.offset_ns:
        records = records.copy()
        records["intended_ns"] -= header.report.offset_ns
    # one that died may have written more than its last counts knew of
    scheduled = header.report.scheduled if header.report.finished else max(header.report.scheduled, len(records))
    return replace(header, report=replace(header.report, recorded=len(records), scheduled=scheduled)), records


def _merge(parts: Sequence[tuple[Header, SampleRecords]]) -> SampleTable:
    tables = [NameTable([""]), NameTable([""]), NameTable([])]
    renamed = [_rename(records, header.names, tables) for header, records in parts]
    records = renamed[0] if len(renamed) == 1 else np.concatenate([np.empty(0, SAMPLE_DTYPE), *renamed])
    sent = records["intended_ns"] + records["late_us"].astype("<i8") * 1000
    if len(sent) > 1 and not bool(np.all(sent[1:] >= sent[:-1])):
        records = records[np.argsort(sent, kind="stable")]
    regions, addresses, paths = (tuple(table.names) for table in tables)
    return SampleTable(records, SampleNames(regions, addresses, paths or ("/",)))


def _rename(records: SampleRecords, names: SampleNames, tables: Sequence[NameTable]) -> SampleRecords:
    """Renumber the regions, addresses and paths of one worker to the common tables, which grow as needed."""
    own = zip(("region", "address", "path"), (names.regions, names.addresses, names.paths), tables, strict=True)
    for column, mine, table in own:
        renumber = np.array([table.index(name) for name in mine], dtype="u1")
        if not np.array_equal(renumber, np.arange(len(mine))):
            records = records if records.flags.writeable else records.copy()
            records[column] = renumber[records[column]]
    return records


def _worker_of(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


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


def _replace(path: Path, text: str) -> None:
    spare = path.with_suffix(".json.new")
    spare.write_text(text)
    spare.replace(path)
