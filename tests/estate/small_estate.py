"""The data plane of an estate, in this process's event loop: regions, monitor, name server. No control plane."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype

from local_estate.certs import Authority
from local_estate.delays import Delays
from local_estate.nameserver import NameServer
from local_estate.prober import Monitor
from local_estate.regions import Regions
from local_estate.topology import Endpoint, Kind, Probe, Profile, WebApp, World
from local_estate.truth import Truth

HOST = "www.proseware.example"
FQDN = "proseware-drill.trafficmanager.net"
NO_DELAYS = Delays(0, 0, 0, 60, 60, 0)


def app(name: str, location: str, **more: Any) -> WebApp:
    return WebApp("rg", name, location, f"{name}.azurewebsites.net", host_names=(HOST,), **more)


def azure_endpoint(name: str, of: WebApp, priority: int) -> Endpoint:
    resource_id = f"/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/{of.name}"
    return Endpoint(name, Kind.AZURE, of.default_host, resource_id, priority=priority, location=of.location)


def two_regions(ttl: int = 5, probe: Probe | None = None) -> World:
    """East US before West US 3, both running, Priority."""
    world = World("s")
    east, west = app("app-east", "East US"), app("app-west", "West US 3")
    world.put_app(east)
    world.put_app(west)
    endpoints = azure_endpoint("east", east, 1), azure_endpoint("west", west, 2)
    shot = probe or Probe(path="/health", interval_s=10, timeout_s=9, tolerated=1)
    world.put_profile(Profile("rg", "drill", "proseware-drill", ttl=ttl, probe=shot, endpoints=endpoints))
    return world


@dataclass
class SmallEstate:
    world: World
    truth: Truth
    authority: Authority
    regions: Regions
    monitor: Monitor
    names: NameServer

    def put_app(self, name: str, **changes: Any) -> None:
        self.world.put_app(replace(self.world.apps["rg", name], **changes))

    def put_profile(self, **changes: Any) -> None:
        self.world.put_profile(replace(self.world.profiles["rg", "drill"], **changes))

    def put_endpoint(self, name: str, **changes: Any) -> None:
        old = self.world.profiles["rg", "drill"].endpoints
        self.put_profile(endpoints=tuple(replace(e, **changes) if e.name == name else e for e in old))

    def events(self, event: str, **having: Any) -> list[dict[str, Any]]:
        found = [e for e in self.truth.read() if e["event"] == event and having.items() <= e.items()]
        return sorted(found, key=lambda e: e["t_ns"])

    async def get(self, region: str, path: str = "/", host: str = HOST, timeout_s: float = 60.0) -> Answer:
        return await get(self.regions.address_of(region), self.regions.http_port, path, host, timeout_s)

    async def addresses(self, name: str = HOST, port: int | None = None) -> list[str]:
        response = await resolve(port or self.names.port, name)
        return [r.to_text() for rrset in response.answer if rrset.rdtype == dns.rdatatype.A for r in rrset]


@contextlib.asynccontextmanager
async def small_estate(
    directory: Path, world: World | None = None, *, delays: Delays = NO_DELAYS, time_scale: float = 12.0, **more: Any
) -> AsyncIterator[SmallEstate]:
    """Run one; *more* goes to Regions. Intervals and timeouts of probes are divided by *time_scale*, *delays* are not."""
    world = world or two_regions()
    truth = Truth(directory / "truth.jsonl")
    addresses = {"eastus": "127.0.1.1", "westus3": "127.0.2.1"}
    regions = Regions(world, truth=truth, run_dir=directory, delays=delays, addresses=addresses, **more)
    authority = Authority(directory)
    monitor = Monitor(
        world,
        truth=truth,
        address_of=regions.address_of,
        http_port=regions.http_port,
        https_port=regions.https_port,
        delays=delays,
        time_scale=time_scale,
    )
    names = NameServer(
        world,
        monitor,
        truth=truth,
        address_of=regions.address_of,
        aliases={HOST: FQDN},
        propagation_s=delays.dns_propagation_s,
    )
    monitor.on_change.append(names.changed)
    try:
        await regions.start(authority)
        monitor.start()
        await names.start()
        yield SmallEstate(world, truth, authority, regions, monitor, names)
    finally:
        await monitor.stop()
        await names.stop()
        await regions.stop()
        truth.close()


@dataclass(frozen=True)
class Answer:
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.line.split()[1])


async def get(
    address: str, port: int, path: str = "/", host: str = HOST, timeout_s: float = 60.0, **tls: Any
) -> Answer:
    """Ask for *path* on a connection of its own. Raises OSError, TimeoutError."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(address, port, **tls)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return await read_answer(reader)
        finally:
            writer.transport.abort()


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.rstrip("\r\n").split("\r\n")
    headers = {k.lower(): v for k, _, v in (h.partition(": ") for h in rest)}
    return Answer(line, headers, await reader.readexactly(int(headers["content-length"])))


async def resolve(port: int, name: str, rtype: str = "A", timeout_s: float = 30.0, **query: Any) -> dns.message.Message:
    """Ask over UDP, in this process."""
    wire = dns.message.make_query(name, rtype, **query).to_wire()
    return dns.message.from_wire(await datagram(port, wire, timeout_s))


async def datagram(port: int, wire: bytes, timeout_s: float = 30.0) -> bytes:
    """Send one datagram and return the first that comes back. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bytes] = loop.create_future()

    class Once(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _addr: tuple[str | Any, int]) -> None:
            if not came.done():
                came.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Once, remote_addr=("127.0.0.1", port))
    try:
        transport.sendto(wire)
        return await asyncio.wait_for(came, timeout_s)
    finally:
        transport.close()


async def eventually(condition: Any, within_s: float = 90.0) -> None:
    """Wait until *condition()* is true. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run *scenario* in an event loop of its own."""
    asyncio.run(scenario)
