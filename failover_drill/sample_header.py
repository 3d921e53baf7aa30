"""What stands beside a file of samples: what its small integers mean, the clock, and what its worker says of itself.

samples-N.json     renamed into place before any record that needs it is written
samples-N.now      while the worker runs: its counts, overwritten in place; they are newer than the header's
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from failover_drill.errors import JournalError
from failover_drill.facts import ClockAnchor, SampleNames, WorkerReport

COUNTS = struct.Struct("<8q")  # written_ns, scheduled, recorded, Locust's requests and failures, unsent, offset, bound
_MOST_NAMES = 255  # an index into a table of names is one byte
_SCHEMA = 1


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


def read_header(path: Path) -> Header:
    """Return the header beside the file of records at *path*, up to date. Raises `JournalError`."""
    beside = path.with_suffix(".json")
    try:
        header = Header.from_json(beside.read_text(), str(beside))
    except OSError as error:
        raise JournalError(f"{beside}: {error.strerror}") from None
    return header if header.report.finished else _counted(header, path.with_suffix(".now"))


def _counted(header: Header, counts: Path) -> Header:
    """Return the header of a worker that has not finished, with its last counts."""
    try:
        written_ns, scheduled, recorded, requests, failures, unsent, offset, bound = COUNTS.unpack(counts.read_bytes())
    except (OSError, struct.error):
        return header
    report = replace(
        header.report, scheduled=scheduled, recorded=recorded, locust_requests=requests, locust_failures=failures,
        unsent=unsent, offset_ns=offset, offset_bound_ns=bound,
    )  # fmt: skip
    return replace(header, report=report, written_ns=written_ns)


def write_header(path: Path, header: Header) -> None:
    """Put *header* beside the file of records at *path*, in one piece: a reader meets the old one or the new one."""
    beside = path.with_suffix(".json")
    spare = beside.with_suffix(".json.new")
    spare.write_text(header.to_json())
    spare.replace(beside)
