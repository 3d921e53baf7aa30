"""The samples of one run on disk: written by recorder.py in the load process, read while it runs, archived when it is done.

    samples-N.bin      records of `SAMPLE_DTYPE`, appended; N is the worker
    samples-N.json     what the small integers mean, the clock, and what the worker says of itself
    samples-N.now      while it runs: the worker's counts, overwritten in place with each write of records
    samples.parquet    all workers, in order of sending, once archived

A worker that died leaves all but its last half second; what it should have sent since counts as lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from failover_drill.errors import JournalError
from failover_drill.facts import SAMPLE_DTYPE, SampleNames, SampleRecords, SampleTable, WorkerReport
from failover_drill.sample_header import Header, NameTable, read_header, write_header


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
    whole = len(chunk) - len(chunk) % SAMPLE_DTYPE.itemsize
    return np.frombuffer(chunk[:whole], SAMPLE_DTYPE), offset + whole


def read_headers(run_dir: Path) -> tuple[Header, ...]:
    """Return the headers of all files of samples of a run, archived or not; none where it has no samples."""
    paths = sorted(run_dir.glob("samples-*.bin"), key=_worker_of)
    archived = run_dir / "samples.parquet"
    if paths or not archived.exists():
        return tuple(read_header(path) for path in paths)
    _, told = _parquet().read(archived)
    return tuple(Header.from_json(text, str(archived)) for text in told)


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
    write_header(path, replace(header, report=report, written_ns=died_ns))


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
