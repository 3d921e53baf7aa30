"""Which writes of the data probe a region has: one GET to it, past all DNS, with TLS verified.

GET <data_probe>?prefix=<prefix>-   ->   {"keys": ["<prefix>-0", "<prefix>-1", …]}
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterable
from itertools import groupby

from failover_drill.adapters.direct import connection_to
from failover_drill.facts import ReadBack
from failover_drill.target import DataProbe, Region, Target

TIMEOUT_S = 5.0


class Reader:
    """`ReadBacks` over the standard library's client, for the writes whose keys begin with *prefix*."""

    def __init__(self, target: Target, probe: DataProbe, prefix: str) -> None:
        self._target, self._probe, self._prefix = target, probe, prefix

    def __call__(self, region: Region) -> ReadBack:
        at_ns = time.monotonic_ns()
        connection = connection_to(self._target, region, TIMEOUT_S)
        try:
            connection.request("GET", f"{self._probe.path}?prefix={self._prefix}-", headers=self._headers(region))
            answer = connection.getresponse()
            body = answer.read()
        except TimeoutError:
            return ReadBack(at_ns, region.name, error=f"nothing within {TIMEOUT_S:g} s")
        except (OSError, http.client.HTTPException) as error:
            return ReadBack(at_ns, region.name, error=f"{type(error).__name__}: {error}".rstrip(": "))
        finally:
            connection.close()
        if answer.status != 200:
            return ReadBack(at_ns, region.name, error=f"GET {self._probe.path} answers {answer.status} {answer.reason}")
        return self._read(at_ns, region, body)

    def _headers(self, region: Region) -> dict[str, str]:
        token = os.environ.get(self._probe.token_variable, "") if self._probe.token_variable else ""
        own = {"Host": region.default_host, "Connection": "close"}
        return own | ({"Authorization": f"Bearer {token}"} if token else {})

    def _read(self, at_ns: int, region: Region, body: bytes) -> ReadBack:
        try:
            told = json.loads(body)["keys"]
            numbers = [int(key.rpartition("-")[2]) for key in told if key.startswith(f"{self._prefix}-")]
        except (ValueError, TypeError, KeyError, AttributeError):
            return ReadBack(at_ns, region.name, error=f'GET {self._probe.path} answers no JSON such as {{"keys": […]}}')
        return ReadBack(at_ns, region.name, ranges_of(numbers))


def ranges_of(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return numbers, in any order, as ranges: first and last of each, both included."""
    runs = groupby(enumerate(sorted(set(numbers))), key=lambda pair: pair[1] - pair[0])
    found = [[number for _, number in run] for _, run in runs]
    return tuple((run[0], run[-1]) for run in found)
