"""Hold the forecast against the local estate: real probes, real DNS, real requests, time compressed.

    python -m benchmarks.forecast.validate --configurations 60 [--seed 1] [--out FILE.jsonl]

Each configuration is drawn from the seed: interval 10 or 30, tolerated 0 to 3, timeout, TTL 0 to 300, kind of fault. An estate
of its own is started at a time scale of 20 (a TTL of 15 s stands for 300 s: TTLs are not compressed); clients behind caches of
their own, which honour the TTL, ask it for a page five times a second each. The region is hurt at a random moment. Measured is
the time from there until the last request that went wrong (half the gap to the next one added); it lies inside the 99 % interval
of the forecast, or it does not; of a planned failover, given how long the operator's calls took. One line each; at the end the
share.

The secondary is asked directly all the while. Where it, which nobody hurt, once needs longer than half a second, the machine was
too busy to say anything: that run is told as unfit, and counts neither way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import json
import os
import platform
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.rdatatype

from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.direct import DirectAsker
from failover_drill.adapters.estate import Control, EstateProcess, Ready, target_of
from failover_drill.forecast import Between, Clients, Delays, Kind, ProfileSettings, forecast
from failover_drill.target import Target

SCALE = 20.0
CACHES, GAP_S, TIMEOUT_S = 10, 0.2, 1.0
FIT_S = 0.5  # the region that nobody hurt answers within this
QUIET_S = 2.0  # everybody is served for so long: it is over
LONGEST_S = 90.0


@dataclass(frozen=True, slots=True)
class Configuration:
    """One failover: unscaled settings, but for the TTL (real seconds)."""

    kind: str
    interval_s: int
    timeout_s: int
    tolerated: int
    ttl_s: int
    signal_s: float
    wait: float  # share of an interval, until the region is hurt

    @classmethod
    def drawn(cls, rng: random.Random) -> Configuration:
        interval = rng.choice((10, 30))
        return cls(
            kind=rng.choice(("refused", "errors", "hang", "stopped", "planned")),
            interval_s=interval,
            timeout_s=rng.randint(5, 9 if interval == 10 else 10),
            tolerated=rng.randint(0, 3),
            ttl_s=rng.choice((0, 1, 3, 5, 15)),
            signal_s=rng.choice((30.0, 60.0, 300.0)),
            wait=rng.random(),
        )

    def estate(self) -> dict[str, Any]:
        profile = {"ttl": self.ttl_s, "interval_s": self.interval_s, "timeout_s": self.timeout_s}
        return {
            "time_scale": SCALE,
            "profile": {**profile, "tolerated": self.tolerated},
            "delays": {"stopped_signal_s": self.signal_s},
            "regions": [{"location": "eastus"}, {"location": "westus3"}],
        }


@dataclass(slots=True)
class Cache:
    """One caching resolver and its clients. `first_good_s`: since when they are served, None while they are not."""

    server: tuple[str, int]
    host: str
    port: int
    phase: float
    address: str = ""
    expires_s: float = 0.0
    last_bad_s: float = 0.0
    goods_s: list[float] = field(default_factory=list)

    async def keep_warm(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(max(0.01, self.expires_s - time.monotonic()) if self.expires_s else GAP_S)

    async def refresh(self) -> None:
        try:
            answer = await _asked(dns.message.make_query(self.host, "A"), self.server)
        except (dns.exception.DNSException, OSError, TimeoutError):
            return
        found = [(s.ttl, r.address) for s in answer.answer if s.rdtype == dns.rdatatype.A for r in s]
        if found:
            ttl = min(s.ttl for s in answer.answer)
            kept, self.phase = ttl * self.phase, 1.0
            self.address, self.expires_s = found[0][1], time.monotonic() + kept if ttl else 0.0

    async def ask_on(self) -> None:
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                task = asyncio.create_task(self.ask())
                running.add(task)
                task.add_done_callback(running.discard)
                await asyncio.sleep(GAP_S)
        finally:
            for task in running:
                task.cancel()

    async def ask(self) -> None:
        sent_s = time.monotonic()
        if time.monotonic() >= self.expires_s:
            await self.refresh()
        if await _served(self.address, self.port, self.host):
            self.goods_s.append(sent_s)
        else:
            self.last_bad_s = max(self.last_bad_s, sent_s)

    def back_s(self, since_s: float) -> float | None:
        """Return the first good request after the last bad one; None where there is none yet."""
        if self.last_bad_s < since_s:
            return since_s
        return min((g for g in self.goods_s if g > self.last_bad_s), default=None)


async def _asked(question: dns.message.Message, server: tuple[str, int]) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.setblocking(False)
        plain.connect(server)
        async with asyncio.timeout(TIMEOUT_S):
            await loop.sock_sendall(plain, question.to_wire())
            return dns.message.from_wire(await loop.sock_recv(plain, 65_535))


async def _served(address: str, port: int, host: str) -> bool:
    writer = None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except (OSError, TimeoutError):
        return False
    finally:
        if writer:
            writer.transport.abort()


class Ruler:
    """Asks the region that nobody hurts: what is longer there is the machine's fault."""

    def __init__(self, target: Target) -> None:
        self._target, self.longest_s = target, 0.0

    async def ask_on(self) -> None:
        region = self._target.secondary
        while True:
            began_s = time.monotonic()
            await _served(region.address, self._target.port, region.default_host)
            await asyncio.sleep(0.1)
            self.longest_s = max(self.longest_s, time.monotonic() - began_s - 0.1)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds. `detected_s`: until the monitor said so, None where it never did; `call`: the operator's own pace."""

    recovery_s: float
    detected_s: float | None
    ruler_s: float
    call: Between


async def measure(ready: Ready, target: Target, configuration: Configuration) -> Measured:
    host, _, port = str(ready.fields["dns"]).rpartition(":")
    caches = [
        Cache((host, int(port)), target.public_host, target.port, (i + random.random()) / CACHES) for i in range(CACHES)
    ]
    ruler = Ruler(target)
    tasks = [asyncio.create_task(c.keep_warm()) for c in caches]
    await asyncio.sleep(0.3)
    for cache in caches:
        tasks.append(asyncio.create_task(cache.ask_on()))
        await asyncio.sleep(GAP_S / CACHES)
    try:
        await asyncio.sleep(1 + configuration.wait * configuration.interval_s / SCALE)
        tasks.append(asyncio.create_task(ruler.ask_on()))
        asked_s = time.monotonic()
        call = await asyncio.to_thread(hurt, ready, target, configuration.kind)
        recovered_s = await _all_back(caches, asked_s)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=5)
    truth = [json.loads(line) for line in Path(ready.fields["truth_log"]).read_text("utf-8").splitlines()]
    began_s = asked_s if configuration.kind == "planned" else began(truth, asked_s)
    said = (e["t_ns"] / 1e9 for e in truth if e["event"] == "monitor" and e["endpoint"] == "eastus")
    detected_s = next((at - began_s for at in said if at >= began_s), None)
    return Measured(recovered_s - began_s, detected_s, ruler.longest_s, call)


def began(truth: list[Mapping[str, Any]], asked_s: float) -> float:
    """Return when the estate says that the region was hurt, or the stop accepted."""
    told = [e["t_ns"] / 1e9 for e in truth if e["event"] in {"serving", "fault", "write"}]
    return min((at for at in told if at >= asked_s), default=asked_s)


async def _all_back(caches: list[Cache], asked_s: float) -> float:
    while time.monotonic() < asked_s + LONGEST_S:
        await asyncio.sleep(0.1)
        back = [c.back_s(asked_s) for c in caches]
        hurt_yet = any(c.last_bad_s >= asked_s for c in caches)
        if hurt_yet and all(b is not None for b in back):
            last = max(c.last_bad_s for c in caches)
            if time.monotonic() > last + QUIET_S:
                return last + GAP_S / CACHES / 2
    raise SystemExit(f"nobody was served again within {LONGEST_S:g} s")


def hurt(ready: Ready, target: Target, kind: str) -> Between:
    """Do to the primary what *kind* says; of a planned failover, all three acts. Return how long the operator's calls took."""
    control, region = ready.control, target.primary.name
    if kind == "refused":
        control.call("POST", "/_faults", {"kind": "region_lost", "region": region})
    elif kind == "hang":
        control.call("POST", "/_faults", {"kind": "region_hung", "region": region})
    elif kind == "errors":
        control.call("POST", "/_faults", {"kind": "erroring", "region": region, "status": 503})
    else:
        return operate(ArmPlatform(target), target, planned=kind == "planned")
    return Between(0, 0)


def operate(platform_: ArmPlatform, target: Target, *, planned: bool) -> Between:
    """Stop the primary; where that is planned, look at the secondary and take the primary out of DNS."""
    took = [_timed(lambda: platform_.stop(target.primary.app_id))]
    direct = DirectAsker(target)
    while planned and direct.ask(target.primary).good:
        time.sleep(0.1)
    if planned:
        took.append(_timed(lambda: platform_.app_state(target.secondary.app_id)))
        took.append(_timed(lambda: platform_.set_endpoint(target.primary.endpoint_id, enabled=False)))
    return Between(min(took), max(took))


def _timed(call: Callable[[], object]) -> float:
    began_s = time.monotonic()
    call()
    return time.monotonic() - began_s


def predicted(configuration: Configuration, state: Mapping[str, Any], call: Between) -> tuple[float, float, float]:
    """Return the ends of the forecast's 99 % interval, and its median."""
    profile = ProfileSettings(
        configuration.interval_s,
        configuration.timeout_s,
        configuration.tolerated,
        configuration.ttl_s,
        state["locations"],
        time_scale=SCALE,
    )
    kind = Kind.REFUSED if configuration.kind == "errors" else Kind(configuration.kind)
    clients = Clients(caches=CACHES, gap_s=GAP_S)
    delays = replace(Delays.of_estate(state["delays"], SCALE), call=call, poll=Between(0, 0.1))
    found = forecast(profile, delays, kind, clients).recovery
    return (*found.inner_99, found.at[0.5])


def one(configuration: Configuration) -> dict[str, Any]:
    """Play one failover on an estate of its own."""
    with tempfile.TemporaryDirectory() as place:
        config = {**configuration.estate(), "truth_log": f"{place}/truth.jsonl"}
        with EstateProcess(config, Path(place) / "estate.log") as ready, _identity(ready):
            control = ready.control
            while set(_healths(control)) != {"Online"}:
                time.sleep(0.1)
            target = target_of(ready)
            found = asyncio.run(measure(ready, target, configuration))
            low, high, middle = predicted(configuration, control.call("GET", "/_state"), found.call)
    took, ruler = found.recovery_s, found.ruler_s
    line = {name: getattr(configuration, name) for name in configuration.__dataclass_fields__}
    line |= {"measured_s": took, "detected_s": found.detected_s, "low_s": low, "median_s": middle, "high_s": high}
    return {**line, "inside": low <= took <= high, "ruler_s": ruler, "fit": ruler <= FIT_S, "load": os.getloadavg()[0]}


def _healths(control: Control) -> list[str]:
    endpoints = control.call("GET", "/_state")["profiles"][0]["endpoints"]
    return [health for _, health in endpoints.values()]


@contextlib.contextmanager
def _identity(ready: Ready) -> Any:
    os.environ.update(ready.environment)
    yield


def main() -> None:
    faulthandler.register(signal.SIGUSR1)
    parser = argparse.ArgumentParser(description="hold the forecast against the estate")
    parser.add_argument("--configurations", type=int, default=60)
    parser.add_argument("--skip", type=int, default=0, help="leave out so many of the first: they were played before")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    commit = subprocess.run(["git", "describe", "--always"], capture_output=True, text=True, check=False).stdout.strip()
    print(f"# {platform.machine()}, {os.cpu_count()} cores, commit {commit}: {' '.join(sys.argv)}")
    inside = fit = 0
    for _ in range(chosen.skip):
        Configuration.drawn(rng)
    for number in range(1, chosen.configurations + 1):
        line = one(Configuration.drawn(rng))
        fit += line["fit"]
        inside += line["fit"] and line["inside"]
        rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}
        print(json.dumps(rounded), flush=True)
        if chosen.out:
            with chosen.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
        if number % 5 == 0 or number == chosen.configurations:
            print(f"# {inside} of {fit} inside the 99 % interval; {number - fit} unfit", flush=True)


if __name__ == "__main__":
    main()
