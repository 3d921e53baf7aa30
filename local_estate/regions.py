"""The regions of the estate: one real process each, told what it serves, and killed, suspended and brought back on request.

    World (apps) ──listen──> Regions ──delays──> pipe ──> python -m local_estate.site (eastus   127.0.1.1)
                                 └──────────────> pipe ──> python -m local_estate.site (westus3  127.0.2.1)

What an app really does follows its `state` in the World after the delays of `Delays`: stop -> 403; start -> no more 403, then
requests wait for the cold start, then answers. Truth: the region's process stamps what it does; whoever kills or suspends it
stamps here, just before the signal is sent.

For faults:  `await regions.set_behaviour("eastus", Behaviour(Kind.SLOW, slow_s=2), key="fault-7")`; with None instead: undone;
`kill`, `hang`, `resume`, `respawn`; `schedule` for scripted outages. Behaviours outlive a respawn. All raise RegionError.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_estate import ports
from local_estate.behaviour import Behaviour
from local_estate.delays import Delays
from local_estate.topology import WebApp, World
from local_estate.truth import Truth

if TYPE_CHECKING:  # cryptography takes 150 ms to import: the processes boot meanwhile
    from local_estate.certs import Authority

ANSWER_WITHIN_S = 10.0
_SLOT_BYTES = 64 * 8


class RegionError(Exception):
    """A region cannot do what was asked; the message is one line."""


@dataclass(slots=True, eq=False)
class Region:
    """One region's process as its parent sees it."""

    name: str
    address: str
    last_good: Path
    instance: str
    process: asyncio.subprocess.Process | None = None
    hung: bool = False
    serving: dict[str, bool] = field(default_factory=dict)  # app -> good answers, as the process last said
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    reader: asyncio.Task[None] | None = None
    pushed: str = ""  # the last table of apps and certificates, to push only changes

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None


@dataclass(slots=True, eq=False)
class Runtime:
    """What an app really does: running, starting or stopped, and the timer of its next change."""

    slot: int
    state: str
    wish: str
    timer: asyncio.TimerHandle | None = None


class Regions:
    """All regional processes of an estate.

    *addresses* maps regions to loopback addresses; a region met later gets the next free 127.0.N.1. *delays* are scaled already.
    *has_certificate(app, host)* says whether a custom host name of an app has a certificate there; *version_of(app)* is the app
    version told in answers. Ports of 0 are picked.
    """

    def __init__(
        self,
        world: World,
        *,
        truth: Truth,
        run_dir: Path,
        delays: Delays,
        addresses: Mapping[str, str],
        http_port: int = 0,
        https_port: int = 0,
        has_certificate: Callable[[WebApp, str], bool] = lambda _app, _host: True,
        version_of: Callable[[WebApp], str] = lambda _app: "1",
        cut_in_flight: bool = False,
    ) -> None:
        self.world = world
        self._truth = truth
        self._run_dir = run_dir
        self._delays = delays
        self._addresses = dict(addresses)
        self._held = [ports.hold(self._addresses.values(), http_port), ports.hold(self._addresses.values(), https_port)]
        self._has_certificate = has_certificate
        self._version_of = version_of
        self._cut_in_flight = cut_in_flight
        self._regions: dict[str, Region] = {}
        self._runtimes: dict[tuple[str, str], Runtime] = {}
        self._authority: Authority | None = None
        self._next_id = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    # ---- what others ask ------------------------------------------------------------------------------------------

    @property
    def http_port(self) -> int:
        return self._held[0].port

    @property
    def https_port(self) -> int:
        return self._held[1].port

    def address_of(self, region: str) -> str:
        """Return the loopback address of *region*; a new one gets the next free 127.0.N.1."""
        if region not in self._addresses:
            taken = set(self._addresses.values())
            free = next(a for a in (f"127.0.{n}.1" for n in range(1, 255)) if a not in taken)
            for held in self._held:
                held.add(free)
            self._addresses[region] = free
        return self._addresses[region]

    def is_serving(self, app: WebApp) -> bool:
        """Whether good answers can be had from *app* just now."""
        region = self._regions.get(app.region)
        return bool(region and region.alive and not region.hung and region.serving.get(app.name))

    def runtime_of(self, app: WebApp) -> str:
        """Return what the front end does for *app*: running, starting or stopped."""
        runtime = self._runtimes.get(app.key)
        return runtime.state if runtime else "stopped"

    def state(self) -> dict[str, Any]:
        """Return each region's process as JSON for /_state."""
        return {
            r.name: {
                "address": r.address,
                "pid": r.process.pid if r.process and r.alive else None,
                "alive": r.alive,
                "hung": r.hung,
                "serving": r.serving,
                "behaviours": {k: b.to_json() for k, b in r.behaviours.items()},
            }
            for r in self._regions.values()
        }

    # ---- life -----------------------------------------------------------------------------------------------------

    async def spawn(self) -> None:
        """Start the processes of all configured regions, not yet serving: the earlier, the sooner `start` is done."""
        await asyncio.gather(*(self._spawn(self._region(name)) for name in self._addresses))

    async def start(self, authority: Authority) -> None:
        """Tell every region what it serves, and open the ports. From now on changes of the World are followed."""
        self._authority = authority
        if not self._regions:
            await self.spawn()
        self._follow_world()
        await asyncio.gather(*(self._open(region) for region in self._regions.values()))
        self.world.listeners.append(lambda _world: self._changed())

    async def stop(self) -> None:
        """End all processes and let go of the ports."""
        self._stopping = True
        for runtime in self._runtimes.values():
            if runtime.timer:
                runtime.timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*(self._end(r) for r in self._regions.values()))
        for held in self._held:
            held.release()

    # ---- what faults ask ------------------------------------------------------------------------------------------

    async def kill(self, region: str) -> int:
        """Kill the region's process (SIGKILL): new connections are refused. Return the truth's stamp, ns."""
        return await self._signalled(self._living(region), signal.SIGKILL, "killed")

    async def hang(self, region: str) -> int:
        """Suspend the region's process (SIGSTOP): the kernel still accepts, nothing is answered."""
        found = self._living(region)
        at_ns = await self._signalled(found, signal.SIGSTOP, "hung")
        found.hung = True
        return at_ns

    async def resume(self, region: str) -> int:
        """Let a suspended region go on (SIGCONT)."""
        found = self._living(region)
        if not found.hung:
            raise RegionError(f"region {region} is not suspended")
        at_ns = time.monotonic_ns()
        found.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
        found.hung = False
        self._tell_serving(found, True, "resumed", at_ns)
        self._truth.write("region", region=region, what="resumed", pid=found.process.pid)  # type: ignore[union-attr]
        return at_ns

    async def respawn(self, region: str) -> None:
        """Bring a killed region back on the same address and port, with the behaviours it had."""
        found = self._named(region)
        if found.alive:
            raise RegionError(f"region {region} is alive (process {found.process.pid})")  # type: ignore[union-attr]
        await self._spawn(found)
        await self._open(found)

    async def set_behaviour(self, region: str, behaviour: Behaviour | None, *, key: str = "fault") -> int:
        """Put *behaviour* on *region* under *key*, or with None take it away. Return the switch's stamp, ns.

        On a region that is dead it takes effect with `respawn`, on a suspended one with `resume`; the stamp is then now.
        """
        found = self._named(region)
        found.behaviours.pop(key, None)
        if behaviour is not None:
            found.behaviours[key] = behaviour
        raw = behaviour.to_json() if behaviour else None
        return int(
            (await self._ask(found, {"do": "behave", "key": key, "behaviour": raw})).get("t_ns", time.monotonic_ns())
        )

    async def schedule(
        self, region: str, switches: Iterable[tuple[int, Behaviour | None]], *, key: str = "schedule"
    ) -> None:
        """Have *region* follow a script: from each absolute time (ns of CLOCK_MONOTONIC) on, behave so under *key*."""
        script = [[at_ns, b.to_json() if b else None] for at_ns, b in switches]
        await self._ask(self._named(region), {"do": "schedule", "key": key, "switches": script})

    async def restart(self, app: WebApp) -> None:
        """Recycle *app*: requests wait for its cold start. For ARM's restart and for changed settings."""
        runtime = self._runtimes.get(app.key)
        if runtime is None or runtime.state == "stopped":
            return
        self._cancel(runtime)
        self._begin(runtime, "restarting")

    async def served(self, region: str) -> dict[str, int]:
        """Return how many good answers each app of *region* gave."""
        return dict((await self._ask(self._named(region), {"do": "count"})).get("served", {}))

    # ---- following the World --------------------------------------------------------------------------------------

    def _changed(self) -> None:
        self._follow_world()
        for region in {app.region for app in self.world.apps.values()} - self._regions.keys():
            self._later(self._appear(region))
        self._push_all("changed")

    def _follow_world(self) -> None:
        for key in self._runtimes.keys() - self.world.apps.keys():
            self._cancel(self._runtimes.pop(key))
        for key, app in self.world.apps.items():
            runtime = self._runtimes.get(key)
            wish = "running" if app.state == "Running" else "stopped"
            if runtime is None:
                self._runtimes[key] = Runtime(self._free_slot(app.region), wish, wish)
            elif runtime.wish != wish:
                runtime.wish = wish
                self._head_for(runtime)

    def _free_slot(self, region: str) -> int:
        apps = self.world.apps
        taken = {r.slot for k, r in self._runtimes.items() if k in apps and apps[k].region == region}
        return next(n for n in range(_SLOT_BYTES // 8) if n not in taken)

    def _head_for(self, runtime: Runtime) -> None:
        """The wish changed: what has not yet taken effect no longer will; then wait for what now shall."""
        self._cancel(runtime)
        if runtime.wish == "stopped" and runtime.state != "stopped":
            self._after(runtime, self._delays.stop_effect_s, lambda: self._become(runtime, "stopped", "stopped"))
        elif runtime.wish == "running" and runtime.state == "stopped":
            self._after(runtime, self._delays.start_effect_s, lambda: self._begin(runtime, "starting"))
        elif runtime.wish == "running" and runtime.state == "starting":
            self._begin(runtime, "starting")

    def _begin(self, runtime: Runtime, why: str) -> None:
        if self._delays.cold_start_s > 0:
            self._become(runtime, "starting", why)
        self._after(runtime, self._delays.cold_start_s, lambda: self._become(runtime, "running", "started"))

    def _become(self, runtime: Runtime, state: str, why: str) -> None:
        runtime.state = state
        self._push_all(why)

    def _after(self, runtime: Runtime, wait_s: float, then: Callable[[], None]) -> None:
        if wait_s <= 0:
            then()
        else:
            runtime.timer = asyncio.get_running_loop().call_later(wait_s, then)

    def _cancel(self, runtime: Runtime) -> None:
        if runtime.timer:
            runtime.timer.cancel()
            runtime.timer = None

    def _push_all(self, why: str) -> None:
        for region in self._regions.values():
            self._push(region, why)

    def _push(self, region: Region, why: str) -> None:
        """Send the table of apps where it changed; not waited for: the pipe keeps the order."""
        if not region.alive or self._authority is None:
            return
        commands = [self._certificates(region), {"do": "apps", "apps": self._apps(region)}]
        text = json.dumps(commands)
        if text != region.pushed:
            region.pushed = text
            for command in commands:
                self._send(region, {**command, "why": why})

    def _apps(self, region: Region) -> list[dict[str, Any]]:
        return [
            {
                "name": app.name,
                "hosts": [app.default_host, _scm_host(app.default_host), *app.host_names],
                "state": self._runtimes[app.key].state,
                "slot": self._runtimes[app.key].slot,
                "affinity": app.affinity,
                "https_only": app.https_only,
                "version": self._version_of(app),
            }
            for app in self._apps_of(region)
        ]

    def _apps_of(self, region: Region) -> list[WebApp]:
        return [a for a in self.world.apps.values() if a.region == region.name and a.key in self._runtimes]

    def _certificates(self, region: Region) -> dict[str, Any]:
        authority = self._authority
        assert authority is not None
        hosts = {
            host: str(authority.host_pem(host))
            for app in self._apps_of(region)
            for host in app.host_names
            if self._has_certificate(app, host)
        }
        return {"do": "certificates", "default": str(authority.default_site_pem(self._addresses)), "hosts": hosts}

    # ---- processes ------------------------------------------------------------------------------------------------

    def _region(self, name: str) -> Region:
        if name not in self._regions:
            path = self._run_dir / f"last-good-{name}.bin"
            self._regions[name] = Region(name, self.address_of(name), path, secrets.token_hex(32))
        return self._regions[name]

    def _named(self, name: str) -> Region:
        if name not in self._regions:
            raise RegionError(f"no region {name!r}; there are: {', '.join(sorted(self._regions))}")
        return self._regions[name]

    def _living(self, name: str) -> Region:
        found = self._named(name)
        if not found.alive:
            raise RegionError(f"region {name} has no living process; respawn it first")
        return found

    async def _appear(self, name: str) -> None:
        try:
            region = self._region(name)
            await self._spawn(region)
            await self._open(region)
        except (RegionError, ports.CannotBind) as error:
            print(f"local_estate: region {name} cannot appear: {error}", file=sys.stderr, flush=True)

    async def _spawn(self, region: Region) -> None:
        region.last_good.unlink(missing_ok=True)
        region.instance = secrets.token_hex(32)
        region.hung, region.pushed, region.serving = False, "", {}
        region.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "local_estate.site",
            "--region", region.name, "--address", region.address, "--truth", str(self._truth.path),
            "--http-port", str(self.http_port), "--https-port", str(self.https_port),
            "--last-good", str(region.last_good), "--instance", region.instance,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": _package_path()}, start_new_session=True, limit=1 << 20,
        )  # fmt: skip
        self._truth.write("region", region=region.name, what="spawned", pid=region.process.pid)
        region.reader = asyncio.get_running_loop().create_task(self._read(region, region.process))

    async def _open(self, region: Region) -> None:
        await self._ask(region, {"do": "settings", "cut_in_flight": self._cut_in_flight})
        self._push(region, "spawned")
        for key, behaviour in region.behaviours.items():
            await self._ask(region, {"do": "behave", "key": key, "behaviour": behaviour.to_json()})
        await self._ask(region, {"do": "listen"})

    async def _read(self, region: Region, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            message = json.loads(line)
            region.serving = message.get("serving", region.serving)
            future = region.waiting.pop(message.get("id") or 0, None)
            if future and not future.done():
                future.set_result(message)
        await process.wait()
        if region.process is process and any(region.serving.values()) and not self._stopping:
            self._lost(region, "died")
        for future in region.waiting.values():
            if not future.done():
                future.set_result({"ok": True})
        region.waiting.clear()

    def _send(self, region: Region, command: Mapping[str, Any]) -> None:
        assert region.process is not None
        assert region.process.stdin is not None
        region.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _ask(self, region: Region, command: Mapping[str, Any]) -> dict[str, Any]:
        """Send *command* and wait for its answer; a dead or suspended region's is `{}`."""
        if not region.alive:
            return {}
        self._next_id += 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        region.waiting[self._next_id] = future
        self._send(region, {**command, "id": self._next_id})
        if region.hung:
            return {}
        try:
            answer = await asyncio.wait_for(future, ANSWER_WITHIN_S)
        except TimeoutError:
            raise RegionError(
                f"region {region.name} did not answer its control pipe in {ANSWER_WITHIN_S:g} s"
            ) from None
        if not answer["ok"]:
            raise RegionError(f"region {region.name}: {answer['error']}")
        return answer

    async def _signalled(self, region: Region, number: signal.Signals, what: str) -> int:
        assert region.process is not None
        process, served = region.process, {} if region.hung else dict(region.serving)
        at_ns = time.monotonic_ns()
        process.send_signal(number)
        if not region.hung:
            self._tell_serving(region, False, what, at_ns)
        if number == signal.SIGKILL:
            region.serving = {}  # before the reader sees the end, which would otherwise tell the truth twice
            await process.wait()
        self._truth.write("region", region=region.name, what=what, pid=process.pid)
        self._tell_last_good(region, served)
        return at_ns

    def _lost(self, region: Region, what: str) -> None:
        self._tell_serving(region, False, what, time.monotonic_ns())
        self._tell_last_good(region, region.serving)
        self._truth.write("region", region=region.name, what=what, pid=region.process.pid if region.process else None)
        region.serving = {}

    def _tell_serving(self, region: Region, serving: bool, why: str, at_ns: int) -> None:
        for app, good in region.serving.items():
            if good:
                self._truth.write("serving", t_ns=at_ns, region=region.name, app=app, serving=serving, why=why)

    def _tell_last_good(self, region: Region, served: Mapping[str, bool]) -> None:
        slots = {a.name: self._runtimes[a.key].slot for a in self._apps_of(region)}
        with contextlib.suppress(OSError):
            stamps = struct.unpack(f"<{_SLOT_BYTES // 8}q", region.last_good.read_bytes())
            for app, good in served.items():
                if good and app in slots and stamps[slots[app]]:
                    self._truth.write("last_good", t_ns=stamps[slots[app]], region=region.name, app=app)

    async def _end(self, region: Region) -> None:
        process = region.process
        if process is None:
            return
        if region.alive:
            if region.hung:
                process.kill()
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 2)
            except TimeoutError:
                process.kill()
                await process.wait()
        if region.reader:
            await region.reader

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _scm_host(host: str) -> str:
    name, _, rest = host.partition(".")
    return f"{name}.scm.{rest}"


def _package_path() -> str:
    here = str(Path(__file__).resolve().parent.parent)
    rest = os.environ.get("PYTHONPATH")
    return f"{here}{os.pathsep}{rest}" if rest else here
