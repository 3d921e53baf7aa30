"""The archive of a run's samples: Parquet, zstd, deltas. About 5 bytes a sample, and exactly what the records held."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from failover_drill.errors import JournalError
from failover_drill.facts import SAMPLE_DTYPE, SampleNames, SampleTable


def write(path: Path, table: SampleTable, headers: Sequence[str]) -> None:
    """Write *table*, and what the workers said of themselves, to *path*."""
    names = SAMPLE_DTYPE.names or ()
    stored = [name for name in names if name != "spare"]
    schema = pa.schema(
        [(name, pa.from_numpy_dtype(SAMPLE_DTYPE[name])) for name in stored],
        metadata={"names": json.dumps(asdict(table.names)), "headers": json.dumps(list(headers))},
    )
    wide = [name for name in stored if SAMPLE_DTYPE[name].itemsize >= 4]  # delta packs 32 and 64 bits only
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[name for name in stored if name not in wide],
        column_encoding=dict.fromkeys(wide, "DELTA_BINARY_PACKED"),
        write_statistics=False,
    ) as writer:
        for rows in _slices(len(table.records)):
            columns = [pa.array(np.ascontiguousarray(table.records[name][rows])) for name in stored]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _slices(length: int, step: int = 1 << 20) -> Iterator[slice]:
    return (slice(begin, begin + step) for begin in range(0, length, step))


def read(path: Path) -> tuple[SampleTable, tuple[str, ...]]:
    """Return the samples at *path* and their workers' headers. Raises `JournalError` where it is no archive."""
    try:
        with pq.ParquetFile(path) as file:
            said = file.schema_arrow.metadata or {}
            names = SampleNames(**{key: tuple(value) for key, value in json.loads(said[b"names"]).items()})
            headers = tuple(json.loads(said[b"headers"]))
            records = np.zeros(file.metadata.num_rows, SAMPLE_DTYPE)
            begin = 0
            for batch in file.iter_batches(1 << 18):
                for name in batch.schema.names:
                    records[name][begin : begin + len(batch)] = batch.column(name).to_numpy()
                begin += len(batch)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise JournalError(f"{path}: not an archive of samples ({error})") from None
    return SampleTable(records, names), headers
