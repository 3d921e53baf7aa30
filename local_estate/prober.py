"""Traffic Manager's monitor at work: probes go out, healths change, listeners hear of it. The rules are in monitor.py.

    World ──listen──> Watch per endpoint ──one task per location──> probe ──> Vote ──> monitor.step ──> truth, on_change
                           ▲ stopped / restart signals of App Service, after their delays

The next probe of a location waits the interval after the previous one *ended*, as the worst case of azure-facts §3.5 has it:
(interval + timeout) x (tolerated + 1). Locations start spread over one interval. Nothing but loopback is ever contacted: a
target that is neither of the estate nor a loopback address is unreachable.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from local_estate import monitor, routing
from local_estate.delays import Delays
from local_estate.monitor import Event, Vote
from local_estate.ports import CannotBind
from local_estate.probes import PROBES, Shot
from local_estate.routing import Healths, ProfileKey
from local_estate.topology import Endpoint, Health, Kind, Probe, Profile, Status, WebApp, World
from local_estate.truth import Truth

LOCATIONS = 3
BELOW_STANDARD = frozenset({"free", "shared", "basic", "dynamic", "consumption"})  # azure-facts §1.5

Key = tuple[ProfileKey, str]


@dataclass(slots=True, eq=False)
class Watch:
    """One endpoint under watch."""

    profile: Profile
    endpoint: Endpoint
    vote: Vote
    health: Health = Health.DISABLED
    word: Event = Event.DISABLED  # the operator's, as last applied
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    signal: asyncio.TimerHandle | None = None  # App Service's, on its way
    signal_event: Event | None = None


class Monitor:
    """Keep the health of every endpoint. *delays* are scaled already; intervals and timeouts are divided by *time_scale* here.

    *address_of* maps a region to its address; *http_port*, *https_port* are those of the sites, which stand for 80 and 443 there.
    *lookup* finds the address of a name in the estate's zones (default: the apps' own host names).
    *on_change* is called after a health changed. Construct and `start` before the name server starts, so that it hears first.
    """

    def __init__(
        self,
        world: World,
        *,
        truth: Truth,
        address_of: Callable[[str], str],
        http_port: int,
        https_port: int,
        delays: Delays,
        time_scale: float = 1.0,
        locations: int = LOCATIONS,
        lookup: Callable[[str], str | None] | None = None,
    ) -> None:
        self.on_change: list[Callable[[], None]] = []
        self.lookup = lookup or self._site_address
        self._world, self._truth, self._address_of = world, truth, address_of
        self._ports = {80: http_port, 443: https_port}
        self._delays, self._scale, self._locations = delays, time_scale, locations
        self._watches: dict[Key, Watch] = {}
        self._healths: dict[Key, Health] = {}
        self._profiles: dict[ProfileKey, Health] = {}
        self._running = False

    # ---- what others ask ------------------------------------------------------------------------------------------

    def health_of(self, profile_key: ProfileKey, endpoint_name: str) -> Health:
        """Return an endpoint's monitor status; of one unknown, CheckingEndpoint."""
        return self._healths.get((profile_key, endpoint_name.lower()), Health.CHECKING_ENDPOINT)

    def profile_health(self, profile_key: ProfileKey) -> Health:
        """Return a profile's monitor status; of one unknown, Inactive."""
        return self._profiles.get(profile_key, Health.INACTIVE)

    def healths(self) -> Healths:
        """Return all endpoints' healths, for routing."""
        return self._healths

    # ---- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to probe; follow the World from now on."""
        self._running = True
        self._world.listeners.append(lambda _world: self._follow_world())
        self._follow_world()

    async def stop(self) -> None:
        self._running = False
        tasks = [task for watch in self._watches.values() for task in watch.tasks]
        for watch in self._watches.values():
            self._still(watch)
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- following the World --------------------------------------------------------------------------------------

    def _follow_world(self) -> None:
        wanted = {
            (profile.key, endpoint.name.lower()): (profile, endpoint)
            for profile in self._world.profiles.values()
            for endpoint in profile.endpoints
            if endpoint.kind is not Kind.NESTED
        }
        for key in self._watches.keys() - wanted.keys():
            self._still(self._watches.pop(key))
        for key, (profile, endpoint) in wanted.items():
            self._update(key, profile, endpoint)
        self._settle()

    def _update(self, key: Key, profile: Profile, endpoint: Endpoint) -> None:
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = Watch(profile, endpoint, Vote(self._locations))
        moved = (watch.profile.probe, watch.endpoint.target, watch.endpoint.headers) != (
            profile.probe, endpoint.target, endpoint.headers,
        )  # fmt: skip
        watch.profile, watch.endpoint = profile, endpoint
        word = monitor.operator_event(profile, endpoint)
        if word is not watch.word:
            watch.word = word
            watch.health = monitor.step(watch.health, word)
            watch.vote.reset()
            self._still(watch)
        elif moved:
            watch.vote.reset()
            self._still(watch)
        self._signals(watch)
        self._probe_or_not(watch)

    def _probe_or_not(self, watch: Watch) -> None:
        probed = watch.health in monitor.PROBED
        if probed and not watch.tasks and self._running:
            loop = asyncio.get_running_loop()
            watch.tasks = [loop.create_task(self._probe_on(watch, n)) for n in range(self._locations)]
        elif not probed and watch.tasks:
            self._quiet(watch)

    def _still(self, watch: Watch) -> None:
        self._quiet(watch)
        self._unsignal(watch)

    def _quiet(self, watch: Watch) -> None:
        for task in watch.tasks:
            if task is not _current():
                task.cancel()
        watch.tasks = []

    # ---- App Service's signals ------------------------------------------------------------------------------------

    def _signals(self, watch: Watch) -> None:
        """Set the timer of the signal that is due: a stopped app is told after a while, a restart too (§3.6)."""
        due = self._due(watch)
        if due is watch.signal_event:
            return
        self._unsignal(watch)
        if due is None:
            return
        wait_s = self._delays.stopped_signal_s if due is Event.APP_STOPPED else self._delays.restart_noticed_s
        watch.signal_event = due
        watch.signal = asyncio.get_running_loop().call_later(wait_s, self._signalled, watch, due)

    def _due(self, watch: Watch) -> Event | None:
        if watch.endpoint.kind is not Kind.AZURE or not watch.endpoint.target_resource_id:
            return None
        if self._can_run(watch.endpoint):
            return Event.APP_RESTARTED if watch.health is Health.STOPPED else None
        return Event.APP_STOPPED if watch.health in monitor.PROBED else None

    def _can_run(self, endpoint: Endpoint) -> bool:
        if "/providers/microsoft.web/sites/" not in (endpoint.target_resource_id or "").lower():
            return True
        app = self._app(endpoint)
        return app is not None and app.state == "Running" and app.sku.lower() not in BELOW_STANDARD

    def _signalled(self, watch: Watch, event: Event) -> None:
        watch.signal = watch.signal_event = None
        self._happened(watch, event)

    def _unsignal(self, watch: Watch) -> None:
        if watch.signal:
            watch.signal.cancel()
        watch.signal = watch.signal_event = None

    # ---- probing --------------------------------------------------------------------------------------------------

    async def _probe_on(self, watch: Watch, location: int) -> None:
        await asyncio.sleep(watch.profile.probe.interval_s / self._scale * location / self._locations)
        while True:
            probe = watch.profile.probe
            success = await self._success(watch, probe)
            event = watch.vote.heard(location, success, probe.tolerated)
            if event is not None:
                self._happened(watch, event)
            if watch.health not in monitor.PROBED:
                return
            await asyncio.sleep(probe.interval_s / self._scale)

    async def _success(self, watch: Watch, probe: Probe) -> bool:
        endpoint, started_s = watch.endpoint, asyncio.get_running_loop().time()
        timeout_s = probe.timeout_s / self._scale
        where = self._where(endpoint, probe.port)
        if where is None:
            await asyncio.sleep(max(0.0, started_s + timeout_s - asyncio.get_running_loop().time()))
            return False
        headers = {h.name.lower(): (h.name, h.value) for h in (*probe.headers, *endpoint.headers)}
        shot = Shot(*where, endpoint.target, probe.path or "/", timeout_s, tuple(headers.values()))
        status = await PROBES[probe.protocol.upper()](shot)
        return monitor.is_success(probe, status) if probe.protocol.upper() != "TCP" else status == 200

    def _where(self, endpoint: Endpoint, port: int) -> tuple[str, int] | None:
        """Return address and port to probe, None where the target is not on loopback."""
        app = self._app(endpoint) if endpoint.kind is Kind.AZURE else None
        if endpoint.kind is Kind.AZURE and app is None:
            return None
        address = self._address(app) if app else self._external(endpoint.target)
        if address is None:
            return None
        return address, self._ports.get(port, port) if address in self._own_addresses() else port

    def _external(self, target: str) -> str | None:
        try:
            loopback = ipaddress.IPv4Address(target).is_loopback
        except ValueError:
            return self.lookup(target.lower().rstrip("."))
        return target if loopback else None

    def _own_addresses(self) -> set[str]:
        return {address for app in self._world.apps.values() if (address := self._address(app))}

    def _address(self, app: WebApp) -> str | None:
        try:
            return self._address_of(app.region)
        except CannotBind:  # a region that cannot appear: unreachable
            return None

    def _site_address(self, name: str) -> str | None:
        for app in self._world.apps.values():
            if name in (app.default_host.lower(), *(h.lower() for h in app.host_names)):
                return self._address(app)
        return None

    def _app(self, endpoint: Endpoint) -> WebApp | None:
        match (endpoint.target_resource_id or "").lower().strip("/").split("/"):
            case [_, _, _, group, _, _, _, name]:
                return self._world.apps.get((group, name))
            case [_, _, _, group, _, _, _, name, "slots", slot]:
                return self._world.apps.get((group, f"{name}/{slot}"))
        return None

    # ---- what comes of it -----------------------------------------------------------------------------------------

    def _happened(self, watch: Watch, event: Event) -> None:
        before, watch.health = watch.health, monitor.step(watch.health, event)
        if watch.health is before:
            return
        if event is Event.APP_RESTARTED:
            watch.vote.reset()
        self._signals(watch)
        self._probe_or_not(watch)
        self._settle()

    def _settle(self) -> None:
        """Work out nested endpoints and profiles, log what changed, tell the listeners."""
        healths: dict[Key, Health] = {key: watch.health for key, watch in self._watches.items()}
        profiles: dict[ProfileKey, Health] = {}
        for profile in self._world.profiles.values():
            self._work_out(profile, healths, profiles, frozenset())
        changed = self._tell(healths, profiles)
        self._healths, self._profiles = healths, profiles
        if changed:
            for told in self.on_change:
                told()

    def _work_out(
        self, profile: Profile, healths: dict[Key, Health], done: dict[ProfileKey, Health], above: frozenset[ProfileKey]
    ) -> Health:
        if profile.key in done:
            return done[profile.key]
        for endpoint in profile.endpoints:
            if endpoint.kind is Kind.NESTED:
                healths[profile.key, endpoint.name.lower()] = self._nested(profile, endpoint, healths, done, above)
        found = [healths[profile.key, e.name.lower()] for e in profile.endpoints]
        done[profile.key] = monitor.profile_health(profile.status, found)
        return done[profile.key]

    def _nested(
        self,
        profile: Profile,
        endpoint: Endpoint,
        healths: dict[Key, Health],
        done: dict[ProfileKey, Health],
        above: frozenset[ProfileKey],
    ) -> Health:
        if endpoint.status is Status.DISABLED:
            return Health.DISABLED
        if profile.status is Status.DISABLED:
            return Health.INACTIVE
        child = routing.child_of(endpoint, self._world.profiles)
        if child is None or child.key in above or child.key == profile.key:
            return Health.STOPPED
        own = self._work_out(child, healths, done, above | {profile.key})
        return monitor.nested(
            own, [healths[child.key, e.name.lower()] for e in child.endpoints], endpoint.min_child or 1
        )

    def _tell(self, healths: Mapping[Key, Health], profiles: Mapping[ProfileKey, Health]) -> bool:
        changed = False
        names = {key: p.name for key, p in self._world.profiles.items()}
        endpoints = {(p.key, e.name.lower()): e.name for p in self._world.profiles.values() for e in p.endpoints}
        for key in {**self._healths, **healths}:
            before, after = self._healths.get(key), healths.get(key)
            if before is not after:
                changed = True
                name = names.get(key[0], key[0][1])
                self._truth.write(
                    "monitor", profile=name, endpoint=endpoints.get(key, key[1]), before=before, after=after
                )
        for profile in {**self._profiles, **profiles}:
            was, now = self._profiles.get(profile), profiles.get(profile)
            if was is not now:
                changed = True
                self._truth.write(
                    "monitor", profile=names.get(profile, profile[1]), endpoint=None, before=was, after=now
                )
        return changed


def _current() -> asyncio.Task[None] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
