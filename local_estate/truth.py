"""The truth log: what the estate really did, stamped by whoever did it, one JSON line per event.

    main process ──┐
    region eastus ─┼── O_APPEND, one write per line ──> truth.jsonl
    region westus3 ┘

Every line has `t_ns` (CLOCK_MONOTONIC, the clock that samples use, too), `wall_ns` (ns since 1970) and `event`:

    serving     region, app, serving, why   stamped before good answers cease, and before the first one can be given
    first_good  region, app                 the first good answer after `serving` became true
    last_good   region, app                 the last good answer before it became false
    answer      name, answer, previous, targets, rcode     the authority's final addresses for a name changed
    monitor     profile, endpoint, before, after           endpoint is null where the profile's own status changed
    write       method, path, status, operation            a control-plane write
    written     region, app, key, seq       a write to the region's data was acknowledged
    replicated  region, sender, keys        the region keeps writes that another one took
    lost        region, app, keys, why      acknowledged there, and no other region will get them; app null: all apps
    fault       id, kind, on
    region      region, pid, what           a region's process was spawned, killed, hung, resumed, or died

`first_good` and `last_good` are written when known, with the `t_ns` of the answer itself: sort by `t_ns` when that matters.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class Truth:
    """An open truth log. Several processes may hold one file: each line is a single append."""

    def __init__(self, path: Path | str) -> None:
        """Open *path* for appending, creating it with mode 0600. Raises OSError."""
        self.path = Path(path)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, event: str, *, t_ns: int | None = None, **fields: object) -> int:
        """Append one event and return its stamp, ns of CLOCK_MONOTONIC: *t_ns*, or now where it is left out."""
        now_ns = time.monotonic_ns()
        at_ns = now_ns if t_ns is None else t_ns
        wall_ns = time.time_ns() - (now_ns - at_ns)
        line = json.dumps({"t_ns": at_ns, "wall_ns": wall_ns, "event": event, **fields}, separators=(",", ":"))
        os.write(self._fd, line.encode() + b"\n")
        return at_ns

    def read(self) -> list[dict[str, Any]]:
        """Return all events so far, of every process, in the order written."""
        return read(self.path)

    def close(self) -> None:
        os.close(self._fd)


def read(path: Path | str) -> list[dict[str, Any]]:
    """Return the events in the truth log *path*; a last line still being written is left out."""
    whole, _, _ = Path(path).read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]
