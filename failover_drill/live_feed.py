"""What a run writes down, as it is written: each look reads only what was added since the last one.

journal.jsonl, resolutions.jsonl    whole lines
writes.jsonl                        whole lines
samples-N.bin                       whole records
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from failover_drill import journal, record
from failover_drill.errors import JournalError
from failover_drill.facts import Resolution, SampleTable
from failover_drill.live import News
from failover_drill.sample_header import read_header
from failover_drill.samples import tail
from failover_drill.traffic import WRITES


class Feed:
    """One run's directory, looked at again and again. The chain of the journal is not checked: `verify` does that."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._offsets: dict[Path, int] = {}
        self._timeout_s: float | None = None

    def look(self) -> News:
        """Return what is new. What is not there yet, or not any more, is not waited for."""
        entries = tuple(_entry(row) for row in self._lines(self.directory / journal.FILE))
        answers = tuple(_resolution(row) for row in self._lines(self.directory / record.RESOLUTIONS))
        writes = tuple(record.write_of(row) for row in self._lines(self.directory / WRITES))
        return News(entries, answers, tuple(self._samples()), writes, self._timeout())

    def _lines(self, path: Path) -> Iterator[dict[str, Any]]:
        try:
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                chunk = file.read()
        except FileNotFoundError:
            return
        whole = chunk[: chunk.rfind(b"\n") + 1]
        self._offsets[path] = self._offsets.get(path, 0) + len(whole)
        for line in whole.splitlines():
            yield json.loads(line)

    def _samples(self) -> Iterator[SampleTable]:
        for path in sorted(self.directory.glob("samples-*.bin")):
            records, offset = tail(path, self._offsets.get(path, 0))
            if not len(records):
                continue
            try:
                header = read_header(path)
            except JournalError:
                continue  # archived, or about to be: it is looked at again, or is over
            self._offsets[path] = offset
            if header.report.offset_ns:
                records = records.copy()
                records["intended_ns"] -= header.report.offset_ns
            yield SampleTable(records, header.names)

    def _timeout(self) -> float:
        """Return how long a request may take: what the plan of the traffic says, once it is written."""
        if self._timeout_s is None:
            try:
                self._timeout_s = float(json.loads((self.directory / "traffic.json").read_text("utf-8"))["timeout_s"])
            except (OSError, ValueError, KeyError):
                return News().timeout_s
        return self._timeout_s


def _entry(row: dict[str, Any]) -> journal.Entry:
    row.pop("hash", None)
    return journal.Entry(row.pop("n"), row.pop("t"), row.pop("kind"), row)


def _resolution(row: dict[str, Any]) -> Resolution:
    return Resolution(**{**row, "addresses": tuple(row["addresses"]), "cnames": tuple(row["cnames"])})
