"""The regions of the estate: one real process each, told what it serves, and killed, suspended and brought back on request.

    World (apps) ──listen──> Regions ──delays──> Region ──pipe──> python -m local_estate.site (eastus   127.0.1.1)
                                 └──────────────> Region ──pipe──> python -m local_estate.site (westus3  127.0.2.1)

What an app really does follows its `state` in the World after the delays of `Delays`: stop -> 403; start -> no more 403, then
requests wait for the cold start, then answers. Truth: the region's process stamps what it does; whoever kills or suspends it
stamps here, just before the signal is sent.

For faults:  `await regions.set_behaviour("eastus", Behaviour(Kind.SLOW, slow_s=2), key="fault-7")`; with None instead: undone;
`kill`, `hang`, `resume`, `respawn`; `schedule` for scripted outages; `relay.hinder` for replication. Behaviours
outlive a respawn. All raise RegionError.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_estate import ports
from local_estate.behaviour import Behaviour
from local_estate.delays import Delays
from local_estate.region import SLOTS, Region, RegionError
from local_estate.relay import Relay
from local_estate.replication import STEADY, Pace
from local_estate.topology import WebApp, World
from local_estate.truth import Truth

if TYPE_CHECKING:  # cryptography takes 150 ms to import: the processes boot meanwhile
    from local_estate.certs import Authority


__all__ = ["RegionError", "Regions"]


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
        pace: Pace = STEADY,
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
        self.relay = Relay(self._regions, truth, pace)
        self._runtimes: dict[tuple[str, str], Runtime] = {}
        self._authority: Authority | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- what others ask ------------------------------------------------------------------------------------------

    @property
    def http_port(self) -> int:
        return self._held[0].port

    @property
    def https_port(self) -> int:
        return self._held[1].port

    def address_of(self, region: str) -> str:
        """Return the loopback address of *region*; a new one gets the next free 127.0.N.1. Raises CannotBind."""
        if region not in self._addresses:
            self._addresses[region] = self._free_address()
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
        return {region.name: region.state() for region in self._regions.values()}

    # ---- life -----------------------------------------------------------------------------------------------------

    async def spawn(self) -> None:
        """Start the processes of all configured regions, not yet serving: the earlier, the sooner `start` is done."""
        await asyncio.gather(*(self._region(name).spawn() for name in self._addresses))

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
        for runtime in self._runtimes.values():
            if runtime.timer:
                runtime.timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*(r.end() for r in self._regions.values()))
        for held in self._held:
            held.release()

    # ---- what faults ask ------------------------------------------------------------------------------------------

    async def kill(self, region: str) -> int:
        """Kill the region's process (SIGKILL): new connections are refused. Return the truth's stamp, ns."""
        return await self._living(region).kill()

    async def hang(self, region: str) -> int:
        """Suspend the region's process (SIGSTOP): the kernel still accepts, nothing is answered."""
        return self._living(region).hang()

    async def resume(self, region: str) -> int:
        """Let a suspended region go on (SIGCONT)."""
        return self._living(region).resume()

    async def respawn(self, region: str) -> None:
        """Bring a killed region back on the same address and port, with the behaviours it had."""
        found = self._named(region)
        if found.alive:
            raise RegionError(f"region {region} is alive (process {found.process.pid})")  # type: ignore[union-attr]
        await found.spawn()
        self.relay.seed(found)
        await self._open(found)

    async def heal(self) -> None:
        """Bring back every region whose process is dead, whoever killed it."""
        for name in [name for name, region in self._regions.items() if not region.alive]:
            await self.respawn(name)

    async def set_behaviour(self, region: str, behaviour: Behaviour | None, *, key: str = "fault") -> int:
        """Put *behaviour* on *region* under *key*, or with None take it away. Return the switch's stamp, ns.

        On a region that is dead it takes effect with `respawn`, on a suspended one with `resume`; the stamp is then now.
        """
        found = self._named(region)
        found.behaviours.pop(key, None)
        if behaviour is not None:
            found.behaviours[key] = behaviour
        raw = behaviour.to_json() if behaviour else None
        return int((await found.ask({"do": "behave", "key": key, "behaviour": raw})).get("t_ns", time.monotonic_ns()))

    async def schedule(
        self, region: str, switches: Iterable[tuple[int, Behaviour | None]], *, key: str = "schedule"
    ) -> None:
        """Have *region* follow a script: from each absolute time (ns of CLOCK_MONOTONIC) on, behave so under *key*."""
        script = [[at_ns, b.to_json() if b else None] for at_ns, b in switches]
        await self._named(region).ask({"do": "schedule", "key": key, "switches": script})

    async def restart(self, app: WebApp) -> None:
        """Recycle *app*: requests wait for its cold start. For ARM's restart and for changed settings."""
        runtime = self._runtimes.get(app.key)
        if runtime is None or runtime.state == "stopped":
            return
        self._cancel(runtime)
        self._begin(runtime, "restarting")

    async def served(self, region: str) -> dict[str, int]:
        """Return how many good answers each app of *region* gave."""
        return dict((await self._named(region).ask({"do": "count"})).get("served", {}))

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

    def _free_address(self) -> str:
        """Hold the ports on the first 127.0.N.1 where both are free. Raises CannotBind."""
        taken = set(self._addresses.values())
        for address in (f"127.0.{n}.1" for n in range(1, 255)):
            if address in taken:
                continue
            try:
                for held in self._held:
                    held.add(address)
            except ports.PortTaken:
                for held in self._held:
                    held.drop(address)
                continue
            return address
        raise ports.CannotBind(
            f"no address from 127.0.1.1 to 127.0.254.1 has ports {self.http_port} and {self.https_port} free"
        )

    def _free_slot(self, region: str) -> int:
        apps = self.world.apps
        taken = {r.slot for k, r in self._runtimes.items() if k in apps and apps[k].region == region}
        return next((n for n in range(SLOTS) if n not in taken), SLOTS - 1)

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
        region.slots = {a.name: self._runtimes[a.key].slot for a in self._apps_of(region)}
        commands = [self._certificates(region), {"do": "apps", "apps": self._apps(region)}]
        text = json.dumps(commands)
        if text != region.pushed:
            region.pushed = text
            for command in commands:
                region.send({**command, "why": why})

    def _apps(self, region: Region) -> list[dict[str, Any]]:
        return [
            {
                "name": app.name,
                "hosts": [app.default_host, _scm_host(app.default_host), *app.host_names, *self.world.names_to(app)],
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
            both = self.http_port, self.https_port
            region = Region(name, self.address_of(name), both, path, self._truth)
            region.heard, region.bury = self.relay.heard, self.relay.bury
            self._regions[name] = region
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
            await region.spawn()
            await self._open(region)
        except (RegionError, ports.CannotBind) as error:
            print(f"local_estate: region {name} cannot appear: {error}", file=sys.stderr, flush=True)

    async def _open(self, region: Region) -> None:
        await region.ask({"do": "settings", "cut_in_flight": self._cut_in_flight})
        await region.ask(self.relay.pace_of(region))
        self._push(region, "spawned")
        for key, behaviour in region.behaviours.items():
            await region.ask({"do": "behave", "key": key, "behaviour": behaviour.to_json()})
        await region.ask({"do": "listen"})

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _scm_host(host: str) -> str:
    name, _, rest = host.partition(".")
    return f"{name}.scm.{rest}"
