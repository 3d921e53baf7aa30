"""The data of one region: a small key-value store behind every app, for data probes, and its replication to the other regions.

    PUT /data/KEY            201 or 200 once kept: the write is acknowledged       body up to 1 KiB
    GET /data/KEY            200 with the body as written, or 404
    GET /data?prefix=TEXT    200 {"region": …, "keys": [those that begin so, in order]}

The store outlives a stop of the app, and takes in what other regions send meanwhile. What the app had still to send does not
outlive it; the process takes everything with it.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from local_estate.replication import Outbox, Pace
from local_estate.truth import Truth

PATH = b"/data"
KEY = re.compile(r"[A-Za-z0-9._~-]{1,128}")
MOST_KEYS = 200_000
MOST_BYTES = 1024  # of one value
BATCH = 64  # writes in one line to the other process: at most 400 kB of JSON

Send = Callable[[Sequence[Sequence[Any]]], None]


class Reply(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: bytes


def is_data(url: bytes) -> bool:
    """Whether a request's target is the store's."""
    return url.startswith(PATH) and url[len(PATH) : len(PATH) + 1] in (b"", b"/", b"?")


class Ledger:
    """One region's store and outbox. *send* takes rows [key, value, seq] to every other region."""

    def __init__(self, region: str, truth: Truth, send: Send) -> None:
        self._region, self._truth, self._send = region, truth, send
        self._kept: dict[str, str] = {}
        self._outbox = Outbox()
        self._timer: asyncio.TimerHandle | None = None

    # ---- what clients ask -----------------------------------------------------------------------------------------

    def answer(self, app: str, method: bytes, url: bytes, body: bytes) -> Reply:
        """Carry out a request for the store through *app*; a PUT is kept when this returns."""
        path, _, query = url.decode("latin-1").partition("?")
        key = path[len(PATH) :].removeprefix("/")
        if method == b"PUT":
            return self._put(app, key, body)
        if method != b"GET":
            return _refused(405, "the data probe knows GET and PUT")
        return self._listed(query) if not key else self._got(key)

    def _put(self, app: str, key: str, body: bytes) -> Reply:
        if not KEY.fullmatch(key):
            return _refused(400, "a key is 1 to 128 of A-Z a-z 0-9 . _ ~ -")
        if len(body) > MOST_BYTES:
            return _refused(413, f"a value is at most {MOST_BYTES} bytes")
        if len(self._kept) >= MOST_KEYS or len(self._outbox.waiting) >= MOST_KEYS:
            return _refused(507, f"the store is full: it takes {MOST_KEYS} keys, and sends as many late")
        status = 200 if key in self._kept else 201
        self._kept[key] = value = body.decode("latin-1")
        written = self._outbox.put(app, key, value, time.monotonic_ns())
        self._truth.write("written", t_ns=written.at_ns, region=self._region, app=app, key=key, seq=written.seq)
        self._arm()
        return Reply(status, _json({"key": key, "region": self._region}))

    def _got(self, key: str) -> Reply:
        value = self._kept.get(key)
        return _refused(404, "there is no such key") if value is None else Reply(200, value.encode("latin-1"))

    def _listed(self, query: str) -> Reply:
        prefix = parse_qs(query).get("prefix", [""])[0]
        return Reply(
            200, _json({"region": self._region, "keys": sorted(k for k in self._kept if k.startswith(prefix))})
        )

    # ---- replication ----------------------------------------------------------------------------------------------

    def receive(self, rows: Iterable[Sequence[Any]], sender: str) -> None:
        """Keep what another region sends, [key, value, …] each."""
        arrived = {str(row[0]): str(row[1]) for row in rows}
        self._kept.update(arrived)
        self._truth.write("replicated", region=self._region, sender=sender, keys=list(arrived))

    def set_pace(self, pace: Pace) -> None:
        self._outbox.pace = pace
        self._arm()

    def lose(self, app: str, why: str) -> None:
        """*app* ended: what it had still to send is lost."""
        lost = self._outbox.lose(app)
        if lost:
            self._truth.write("lost", region=self._region, app=app, keys=[each.key for each in lost], why=why)

    def dump(self) -> Iterable[Sequence[Sequence[Any]]]:
        """Yield everything kept, in batches of rows, for a region that begins anew."""
        rows = [[key, value, 0] for key, value in self._kept.items()]
        return (rows[at : at + BATCH] for at in range(0, len(rows), BATCH))

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        due_ns = self._outbox.due_ns()
        if due_ns is not None:
            wait_s = max(0.0, (due_ns - time.monotonic_ns()) / 1e9)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._send_due)

    def _send_due(self) -> None:
        leaving = [[each.key, each.value, each.seq] for each in self._outbox.take(time.monotonic_ns())]
        for at in range(0, len(leaving), BATCH):
            self._send(leaving[at : at + BATCH])
        self._arm()


def _refused(status: int, why: str) -> Reply:
    return Reply(status, _json({"error": why}))


def _json(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()
