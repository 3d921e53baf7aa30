"""The whole estate, wired: the World and everything that listens to it. Made by __main__, stopped by it.

    config ──► World ◄── ARM (https) ◄── proxy            monitor ──► name server (udp, tcp)
                 └── listeners ──► monitor, regions, name server          regions ──► one process each
    identity (http)      control (http) ──► faults ──► regions, name server, ARM, identity

Regions are spawned before the heavy imports, so that they boot meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import ssl
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_estate import config as settings
from local_estate import ports
from local_estate.config import EstateConfig
from local_estate.delays import Delays
from local_estate.regions import Regions
from local_estate.replication import Pace
from local_estate.topology import WebApp, World, region_of
from local_estate.truth import Truth

if TYPE_CHECKING:  # heavy: imported while the regions boot
    from local_estate.arm import Arm
    from local_estate.faults_stage import Stage
    from local_estate.identity import Identity, Issuer
    from local_estate.nameserver import NameServer
    from local_estate.prober import Monitor
    from local_estate.resolver import Resolver
    from local_estate.wire import Door

LOOPBACK = "127.0.0.1"
VERSION = "0.1.0"


class Estate:
    """One running estate. Its parts are attributes, for faults to act on."""

    regions: Regions
    monitor: Monitor
    names: NameServer
    issuer: Issuer
    arm: Arm

    def __init__(self, config: EstateConfig) -> None:
        """Make the run directory and open the truth log. Raises OSError."""
        self.config = config
        self.run_dir = _run_dir(config)
        try:
            self.truth = Truth(config.truth_log or self.run_dir / "truth.jsonl")
        except OSError:
            self.abandon()
            raise
        self.world = World(str(config.subscription_id or uuid.uuid4()))
        self._doors: dict[str, Door] = {}
        self._stops: list[Callable[[], Awaitable[None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._resolvers: list[Resolver] = []

    async def start(self) -> dict[str, Any]:
        """Start everything; return the fields of the ready line. Raises OSError or ports.CannotBind."""
        delays = settings.delays_of(self.config).scaled(self.config.time_scale)
        self.regions = self._make_regions(delays)
        self._stops.append(self.regions.stop)
        await self.regions.spawn()
        from local_estate.certs import Authority, server_context
        from local_estate.layout import populate

        authority = Authority(self.run_dir)
        populate(self.world, self.config, self.regions.http_port, self.regions.https_port, time.time_ns())
        await self.regions.start(authority)
        await self._start_names(delays)
        await self._start_resolvers()
        await self._open_doors(server_context(authority.server_pem()))
        return await self._ready_line(authority.ca_file)

    async def stop(self) -> None:
        """End everything, newest first, and remove the run directory unless it was configured."""
        for door in self._doors.values():
            await door.close()
        for stop in reversed(self._stops):
            await stop()
        self.truth.close()
        self.abandon()

    def abandon(self) -> None:
        """Leave nothing behind but what was configured to stay."""
        if self.config.run_dir is None:
            shutil.rmtree(self.run_dir, ignore_errors=True)

    def state(self) -> dict[str, Any]:
        """What is, now: for /_state."""
        world = self.world
        return {
            "version": world.version,
            "time_scale": self.config.time_scale,
            "delays": self.config.delays.model_dump(),
            "locations": self.config.monitor.locations,
            "regions": self.regions.state(),
            "apps": [
                {
                    "name": a.name,
                    "group": a.group,
                    "region": a.region,
                    "state": a.state,
                    "front_end": self.regions.runtime_of(a),
                }
                for a in world.apps.values()
            ],
            "profiles": [
                {
                    "name": p.name,
                    "status": p.status,
                    "health": self.monitor.profile_health(p.key),
                    "endpoints": {e.name: [e.status, self.monitor.health_of(p.key, e.name)] for e in p.endpoints},
                }
                for p in world.profiles.values()
            ],
            "answers": {name: list(answer) for name, answer in self.names.answers().items()},
            "calls": self.arm.calls,
            "rights": sorted(self.arm.rights),
        }

    def _make_regions(self, delays: Delays) -> Regions:
        config = self.config
        return Regions(
            self.world,
            truth=self.truth,
            run_dir=self.run_dir,
            delays=delays,
            addresses={region_of(r.location): settings.address_of(r, i) for i, r in enumerate(config.regions)},
            http_port=config.http_port,
            https_port=config.https_port,
            has_certificate=lambda app, host: host in app.certificates,
            version_of=lambda app: app.version,
            cut_in_flight=config.cut_in_flight,
            pace=Pace(config.replication.lag_s, config.replication.paused),
        )

    async def _start_names(self, delays: Delays) -> None:
        """Monitor first, so that it hears of changes before the name server does."""
        from local_estate.nameserver import NameServer
        from local_estate.places import Place, SourceMap
        from local_estate.prober import Monitor

        config, regions = self.config, self.regions
        self.monitor = Monitor(
            self.world,
            truth=self.truth,
            address_of=regions.address_of,
            http_port=regions.http_port,
            https_port=regions.https_port,
            delays=delays,
            time_scale=config.time_scale,
            locations=config.monitor.locations,
        )
        self.names = NameServer(
            self.world,
            self.monitor,
            truth=self.truth,
            address_of=regions.address_of,
            aliases={config.public_host: f"{config.profile.relative_name}.trafficmanager.net"},
            propagation_s=delays.dns_propagation_s,
            sources=SourceMap(tuple((s.network, Place(s.region, tuple(s.geo))) for s in config.sources)),
            rng=random.Random(config.seed),
            beyond=config.tm.dns_answer == "chain",
        )
        self.monitor.on_change.append(self.names.changed)
        self.monitor.start()
        self._stops.append(self.monitor.stop)
        await _bound(self.names.start(LOOPBACK, config.dns_port), "dns_port", config.dns_port)
        self._stops.append(self.names.stop)

    async def _start_resolvers(self) -> None:
        wanted = self.config.resolver
        if not wanted.count:
            return
        from local_estate.recursion import Policy
        from local_estate.resolver import Resolver

        for _ in range(wanted.count):
            policy = Policy(wanted.floor_s, factor=wanted.factor, overstay_s=wanted.overstay_s)
            resolver = Resolver((LOOPBACK, self.names.port), policy)
            await resolver.start(LOOPBACK, 0)
            self._resolvers.append(resolver)
            self._stops.append(resolver.stop)

    async def _open_doors(self, context: ssl.SSLContext) -> None:
        from local_estate.arm import Arm
        from local_estate.control import Control
        from local_estate.faults import Faults
        from local_estate.identity import Issuer
        from local_estate.proxy import Proxy

        config = self.config
        self.issuer = Issuer(_identity(config, self.run_dir))
        self.arm = Arm(self._services(), self.issuer, self.truth)
        await self._door("arm", self.arm.handle, config.arm_port, context)
        self.arm.services.base_url = f"https://{LOOPBACK}:{self._doors['arm'].port}"
        await self._door("identity", self.issuer.managed, config.identity_port)
        faults = Faults(self._stage(), self.truth, _catalogue)
        self._stops.append(faults.stop)
        self._control_token = secrets.token_urlsafe(32)
        control = Control(self._control_token, faults, self.truth, self.state)
        await self._door("control", control.handle, config.control_port)
        proxy = Proxy((LOOPBACK, self._doors["arm"].port))
        self._proxy_port = await _bound(proxy.start(LOOPBACK, config.proxy_port), "proxy_port", config.proxy_port)
        self._stops.append(proxy.stop)

    def _stage(self) -> Stage:
        from local_estate.faults_stage import Lateness, Stage

        rng = random.Random(self.config.seed)
        return Stage(
            world=self.world,
            regions=self.regions,
            names=self.names,
            arm=self.arm,
            issuer=self.issuer,
            resolvers=self._resolvers,
            lateness=Lateness(self.world, rng),
            rng=rng,
        )

    def _services(self) -> Any:
        from local_estate.arm_call import Services

        who, config = self.issuer.who, self.config
        return Services(
            world=self.world,
            health=self.monitor,
            tenant=who.tenant,
            client_id=who.client_id,
            object_id=who.object_id,
            base_url="",
            wall_ns=time.time_ns,
            addresses=self.regions.address_of,
            delete_body=config.tm.delete_body,
            actions=tuple(config.identity.role if config.identity.role is not None else ("*",)),
            not_actions=tuple(config.identity.not_role),
            restarted=self._restarted,
        )

    async def _door(self, name: str, handler: Any, port: int, context: ssl.SSLContext | None = None) -> None:
        from local_estate import wire

        self._doors[name] = await _bound(wire.listen(handler, LOOPBACK, port, context), f"{name}_port", port)

    def _restarted(self, app: WebApp) -> None:
        task = asyncio.get_running_loop().create_task(self.regions.restart(app))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ready_line(self, ca_file: Path) -> dict[str, Any]:
        from local_estate.arm_tm_shape import profile_id

        config, who = self.config, self.issuer.who
        profile = next(iter(self.world.profiles.values()))
        return {
            "arm_url": self.arm.services.base_url,
            "ca_file": str(ca_file),
            "identity_endpoint": f"http://{LOOPBACK}:{self._doors['identity'].port}/msi/token",
            "identity_header": who.header,
            "tenant_id": who.tenant,
            "client_id": who.client_id,
            "client_secret": who.client_secret,
            "subscription_id": self.world.subscription,
            "resource_groups": [group.name for group in self.world.groups.values()],
            "dns": f"{LOOPBACK}:{self.names.port}",
            "resolvers": [f"{LOOPBACK}:{resolver.port}" for resolver in self._resolvers],
            "http_port": self.regions.http_port,
            "https_port": self.regions.https_port,
            "profile": profile.name,
            "profile_id": profile_id(self.world.subscription, profile),
            "profile_fqdn": profile.fqdn,
            "public_host": config.public_host,
            "web_apps": self._web_apps(),
            "control_url": f"http://{LOOPBACK}:{self._doors['control'].port}",
            "control_token": self._control_token,
            "proxy_url": f"http://{LOOPBACK}:{self._proxy_port}",
            "truth_log": str(self.truth.path),
            "run_dir": str(self.run_dir),
            "time_scale": config.time_scale,
            "version": VERSION,
            "pid": os.getpid(),
        }

    def _web_apps(self) -> list[dict[str, str]]:
        from local_estate.arm_sites_shape import site_id
        from local_estate.layout import roles

        role = roles(self.config)
        configured = {region_of(r.location): settings.endpoint_name(r) for r in self.config.regions}
        return [
            {
                "name": app.name,
                "resource_group": app.group,
                "region": app.region,
                "location": app.location,
                "address": self.regions.address_of(app.region),
                "default_host_name": app.default_host,
                "role": role[app.region],
                "resource_id": site_id(self.world.subscription, app),
                "endpoint": configured[app.region],
            }
            for app in self.world.apps.values()
        ]


def _catalogue() -> Mapping[str, type[Any]]:
    from local_estate.faults_catalogue import CATALOGUE

    return CATALOGUE


async def _bound(opening: Awaitable[Any], name: str, port: int) -> Any:
    """Await something that binds *port*, and say which setting it was where it cannot."""
    try:
        return await opening
    except OSError as error:
        where = f"{name} = {port} on {LOOPBACK}" if port else f"a port for {name} on {LOOPBACK}"
        raise ports.CannotBind(
            f"cannot bind {where}: {error.strerror or error}; stop what holds it, or set 0"
        ) from None


def _run_dir(config: EstateConfig) -> Path:
    if config.run_dir is None:
        return Path(tempfile.mkdtemp(prefix="local-estate-"))
    config.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in config.run_dir.glob("*.pem"):  # of an earlier run's CA, which is gone
        stale.unlink()
    return config.run_dir.resolve()


def _identity(config: EstateConfig, run_dir: Path) -> Identity:
    """A fresh principal. The signing key is kept with a configured run directory, so that tokens outlive a restart."""
    from local_estate.identity import Identity

    return Identity(
        tenant=str(config.identity.tenant_id or uuid.uuid4()),
        client_id=str(config.identity.client_id or uuid.uuid4()),
        object_id=str(uuid.uuid4()),
        client_secret=secrets.token_urlsafe(24),
        header=secrets.token_hex(16),
        key=_key(run_dir),
        lifetime_s=config.identity.token_lifetime_s,
    )


def _key(run_dir: Path) -> bytes:
    path = run_dir / "token.key"
    if path.exists():
        return path.read_bytes()
    key = secrets.token_bytes(32)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
    return key
