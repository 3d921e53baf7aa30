"""Caching resolvers: the estate's own with an exact clock, and a real unbound where there is one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_estate.nameserver import DnsFault, DnsKind, NameServer
from local_estate.recursion import Answer, Learnt, Memory, Missing, Policy
from local_estate.resolver import Resolver
from local_estate.topology import Status, World
from local_estate.unbound import configuration
from local_estate.zone import Record
from tests.estate.small_estate import FQDN, HOST, resolve, run, two_regions
from tests.estate.test_dns import name_server, over_tcp, shown
from tests.servers import free_port

EAST = "app-east.azurewebsites.net"
A = Record("a.example", 20, "A", "127.0.1.1")
SOA = Record("example", 300, "SOA", "ns1.example. hostmaster.example. 1 900 300 2419200 30")


class TestMemory:
    """The pure cache: the time is an argument."""

    def test_a_record_counts_down_and_is_gone_at_its_ttl(self) -> None:
        """At 20 s the record is missing, just before it is there; its TTL is what is left, rounded up."""
        memory = Memory()
        memory.learn(100.0, "a.example", "A", Learnt(((A,),)))
        for now, left in ((100.0, 20), (105.5, 15), (119.0, 1), (119.9, 1)):
            assert memory.answer(now, "A.Example", "A") == Answer("NOERROR", (replace(A, ttl=left),))
        assert memory.answer(120.0, "a.example", "A") == Missing("a.example", "A")

    def test_only_the_link_that_ran_out_is_missing(self) -> None:
        """Of a chain each record set has a life of its own."""
        memory = Memory()
        www = Record("www.example", 300, "CNAME", "p.example.")
        profile = Record("p.example", 5, "CNAME", "a.example.")
        memory.learn(0.0, "www.example", "A", Learnt(((www,), (profile,), (A,))))
        assert isinstance(memory.answer(4.9, "www.example", "A"), Answer)
        assert memory.answer(5.0, "www.example", "A") == Missing("p.example", "A")

    def test_nxdomain_is_kept_for_the_minimum_for_all_types_and_nodata_for_one(self) -> None:
        """Negative answers last the lesser of the SOA's TTL and its minimum, here 30 s."""
        memory = Memory()
        memory.learn(0.0, "no.example", "A", Learnt((), "NXDOMAIN", SOA))
        assert memory.answer(29.0, "no.example", "AAAA") == Answer("NXDOMAIN", (), (replace(SOA, ttl=1),))
        assert isinstance(memory.answer(30.0, "no.example", "A"), Missing)
        memory.learn(0.0, "a.example", "AAAA", Learnt((), "NOERROR", SOA))
        assert memory.answer(1.0, "a.example", "AAAA") == Answer("NOERROR", (), (replace(SOA, ttl=29),))
        assert isinstance(memory.answer(1.0, "a.example", "A"), Missing)

    def test_ttl_zero_serves_the_question_at_hand_and_is_not_kept(self) -> None:
        """What was freshly learnt answers; the next question asks again."""
        memory = Memory()
        fresh = memory.learn(0.0, "a.example", "A", Learnt(((replace(A, ttl=0),),)))
        assert memory.answer(0.0, "a.example", "A", fresh) == Answer("NOERROR", (replace(A, ttl=0),))
        assert isinstance(memory.answer(0.0, "a.example", "A"), Missing)

    @pytest.mark.parametrize(
        ("policy", "lifetime"),
        [
            (Policy(), 20),
            (Policy(floor_s=60), 60),
            (Policy(factor=2), 40),
            (Policy(overstay_s=7), 27),
            (Policy(cap_s=10), 10),
        ],
    )
    def test_policies_stretch_and_cut(self, policy: Policy, lifetime: float) -> None:
        """A record of 20 s lives as long as the policy says."""
        memory = Memory(policy)
        memory.learn(0.0, "a.example", "A", Learnt(((A,),)))
        assert isinstance(memory.answer(lifetime - 0.001, "a.example", "A"), Answer)
        assert isinstance(memory.answer(lifetime, "a.example", "A"), Missing)

    @given(st.integers(0, 1000), st.floats(0, 2000), st.floats(0, 100), st.floats(0, 100))
    def test_law_no_answer_outlives_its_ttl_plus_what_the_policy_adds(
        self, ttl: int, age: float, floor: float, overstay: float
    ) -> None:
        """Served exactly while its age is less than max(ttl, floor) + overstay, and never with a TTL beyond what is left."""
        memory = Memory(Policy(floor_s=floor, overstay_s=overstay))
        memory.learn(0.0, "a.example", "A", Learnt(((replace(A, ttl=ttl),),)))
        found = memory.answer(age, "a.example", "A")
        lifetime = max(ttl, floor) + overstay
        assert isinstance(found, Answer) == (age < lifetime)
        if isinstance(found, Answer):
            assert 0 < found.records[0].ttl < lifetime - age + 1

    def test_a_loop_of_aliases_is_servfail(self) -> None:
        """Two names that are each other's alias end in SERVFAIL."""
        memory = Memory()
        one, two = (
            Record("one.example", 60, "CNAME", "two.example."),
            Record("two.example", 60, "CNAME", "one.example."),
        )
        memory.learn(0.0, "one.example", "A", Learnt(((one,), (two,))))
        assert memory.answer(1.0, "one.example", "A") == Answer("SERVFAIL")


@asynccontextmanager
async def in_front(directory: Path, ttl: int = 20, policy: Policy | None = None) -> AsyncIterator[Any]:
    """Run an authority and a resolver in front of it on a clock that only we move; yield (resolver, world, move, server)."""
    now = [1000.0]

    def move(seconds: float) -> None:
        now[0] += seconds

    async with name_server(directory, two_regions(ttl=ttl)) as (server, world, _):
        resolver = Resolver(("127.0.0.1", server.port), policy, lambda: now[0])
        await resolver.start()
        try:
            yield resolver, world, move, server
        finally:
            await resolver.stop()


def swap(world: World) -> None:
    """Disable the primary, so that the secondary is answered."""
    profile = world.profiles["rg", "drill"]
    first, second = profile.endpoints
    world.put_profile(replace(profile, endpoints=(replace(first, status=Status.DISABLED), second)))


async def address(port: int, name: str = HOST) -> str:
    return shown(await resolve(port, name))[1][-1].split()[-1]


def test_an_endpoint_change_is_seen_when_the_ttl_ran_out_and_not_before(tmp_path: Path) -> None:
    """The old address until the TTL of the profile's record is over, then the new one; the TTL counts down."""

    async def scenario() -> None:
        async with in_front(tmp_path) as (resolver, world, move, _):
            assert await address(resolver.port) == "127.0.1.1"
            asked = resolver.asked
            move(8)
            swap(world)
            move(11.9)
            response = await resolve(resolver.port, HOST)
            assert response.flags & dns.flags.RA
            assert not response.flags & dns.flags.AA
            assert [line.split()[1] for line in shown(response)[1]] == ["281", "1", "11"]
            assert resolver.asked == asked
            move(0.1)
            assert await address(resolver.port) == "127.0.2.1"

    run(scenario())


def test_a_ttl_change_holds_from_the_next_refresh_on(tmp_path: Path) -> None:
    """A TTL cut from 20 to 2 helps only once the old record ran out."""

    async def scenario() -> None:
        async with in_front(tmp_path) as (resolver, world, move, _):
            await address(resolver.port)
            world.put_profile(replace(world.profiles["rg", "drill"], ttl=2))
            move(19)
            assert shown(await resolve(resolver.port, FQDN))[1][0].split()[1] == "1"
            move(1)
            assert shown(await resolve(resolver.port, FQDN))[1][0].split()[1] == "2"
            swap(world)
            move(2)
            assert await address(resolver.port) == "127.0.2.1"

    run(scenario())


def test_a_repaired_name_stays_gone_for_the_negative_ttl(tmp_path: Path) -> None:
    """All endpoints disabled by mistake: after the repair the resolver still says NXDOMAIN, for 30 s."""

    async def scenario() -> None:
        async with in_front(tmp_path) as (resolver, world, move, _):
            profile = world.profiles["rg", "drill"]
            world.put_profile(replace(profile, status=Status.DISABLED))
            assert shown(await resolve(resolver.port, HOST))[0] == "NXDOMAIN"
            world.put_profile(profile)
            move(29.9)
            assert shown(await resolve(resolver.port, HOST))[0] == "NXDOMAIN"
            move(0.1)
            assert await address(resolver.port) == "127.0.1.1"

    run(scenario())


def test_ttl_zero_is_asked_each_time(tmp_path: Path) -> None:
    """With TTL 0 a change is seen at once."""

    async def scenario() -> None:
        async with in_front(tmp_path, ttl=0) as (resolver, world, _, _):
            assert await address(resolver.port) == "127.0.1.1"
            swap(world)
            assert await address(resolver.port) == "127.0.2.1"

    run(scenario())


def test_overstaying_holds_for_what_is_cached_already_and_can_be_undone(tmp_path: Path) -> None:
    """The fault of a resolver that overstays: 30 s beyond the TTL, until the fault goes."""

    async def scenario() -> None:
        async with in_front(tmp_path) as (resolver, world, move, _):
            await address(resolver.port)
            swap(world)
            resolver.overstay("f1", 30)
            move(49)
            assert await address(resolver.port) == "127.0.1.1"
            resolver.overstay("f1", None)
            assert await address(resolver.port) == "127.0.2.1"

    run(scenario())


def test_a_silent_authority_is_servfail_and_the_cache_goes_on(tmp_path: Path) -> None:
    """What is cached is still answered; what is not is SERVFAIL."""

    async def scenario() -> None:
        async with in_front(tmp_path) as (resolver, _, move, server):
            await address(resolver.port)
            server.dns_fault("f", DnsFault(DnsKind.SERVFAIL))
            assert await address(resolver.port) == "127.0.1.1"
            move(20)
            assert shown(await resolve(resolver.port, HOST))[0] == "SERVFAIL"
            server.dns_fault("f", None)
            assert await address(resolver.port) == "127.0.1.1"

    run(scenario())


def test_many_who_miss_the_same_ask_upstream_once(tmp_path: Path) -> None:
    """Fifty questions at once for one name are one question upstream."""

    async def scenario() -> None:
        async with in_front(tmp_path) as (resolver, _, _, _):
            await asyncio.gather(*(resolve(resolver.port, FQDN) for _ in range(50)))
            assert resolver.asked == 1

    run(scenario())


def test_tcp_and_refusals(tmp_path: Path) -> None:
    """The resolver answers over TCP, too; other zones it cannot get are SERVFAIL; garbage does not stop it."""

    async def scenario() -> None:
        async with in_front(tmp_path) as (resolver, _, _, _):
            wire = await over_tcp(resolver.port, dns.message.make_query(HOST, "A").to_wire())
            assert shown(dns.message.from_wire(wire))[1][-1].endswith("127.0.1.1")
            assert shown(await resolve(resolver.port, "example.org"))[0] == "SERVFAIL"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for n in range(200):
                    sock.sendto(os.urandom(n + 1), ("127.0.0.1", resolver.port))
            assert await address(resolver.port) == "127.0.1.1"

    run(scenario())


def test_the_program_says_where_it_is_and_ends_on_sigterm(tmp_path: Path) -> None:
    """`python -m local_estate.resolver` prints one JSON line, answers, and ends with status 0."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, _, _):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "local_estate.resolver", "--upstream", f"127.0.0.1:{server.port}", "--floor", "60",
                stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).resolve().parents[2],
            )  # fmt: skip
            assert process.stdout is not None
            ready = json.loads(await process.stdout.readline())
            port = int(ready["resolver"].rpartition(":")[2])
            assert shown(await resolve(port, FQDN))[1][0] == f"{FQDN}. 60 IN CNAME {EAST}."
            process.terminate()
            assert await process.wait() == 0

    run(scenario())


@pytest.mark.parametrize("upstream", ["8.8.8.8:53", "127.0.0.1", "127.0.0.1:0", "localhost:53"])
def test_an_upstream_that_is_not_on_loopback_is_refused(upstream: str) -> None:
    """One line says what is wrong and what would be right."""
    command = [sys.executable, "-m", "local_estate.resolver", "--upstream", upstream]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2], check=False)
    assert done.returncode == 2
    assert "must be a loopback address and a port, as in 127.0.0.1:5300" in done.stderr


UNBOUND = shutil.which("unbound") or next((p for p in ("/usr/sbin/unbound",) if Path(p).exists()), None)


@pytest.mark.skipif(UNBOUND is None, reason="unbound is not installed")
def test_a_real_unbound_sees_endpoint_and_ttl_changes_when_it_should(tmp_path: Path) -> None:
    """Not before the record in its cache could run out, and some time after that."""

    async def scenario() -> None:
        async with name_server(tmp_path, two_regions(ttl=3)) as (server, world, _), unbound(tmp_path, server) as port:
            asked = time.monotonic()
            known = shown(await resolve(port, HOST))[1]
            left_s = int(next(line for line in known if line.startswith(FQDN)).split()[1])
            assert known[-1].split()[-1] == "127.0.1.1"
            swap(world)
            assert await _until_address(port, "127.0.2.1") - asked >= left_s - 1  # it counts in whole seconds
            profile = world.profiles["rg", "drill"]
            world.put_profile(replace(profile, ttl=1))
            async with asyncio.timeout(90):
                while int(shown(await resolve(port, FQDN))[1][0].split()[1]) > 1:
                    await asyncio.sleep(0.05)
            assert shown(await resolve(port, "nobody.trafficmanager.net"))[0] == "NXDOMAIN"
            assert shown(await resolve(port, "example.org"))[0] == "REFUSED"

    run(scenario())


@asynccontextmanager
async def unbound(directory: Path, server: NameServer) -> AsyncIterator[int]:
    """Run a real unbound in front of *server*; yield its port."""
    port = free_port("127.0.0.1")
    conf = directory / "unbound.conf"
    conf.write_text(configuration(("127.0.0.1", server.port), port, directory, ["proseware.example"]))
    assert UNBOUND is not None
    process = await asyncio.create_subprocess_exec(UNBOUND, "-d", "-c", str(conf))
    try:
        for _ in range(400):
            try:
                await resolve(port, FQDN, timeout_s=0.2)
                break
            except (TimeoutError, OSError):
                await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _until_address(port: int, wanted: str) -> float:
    async with asyncio.timeout(90):
        while await address(port) != wanted:
            await asyncio.sleep(0.05)
    return time.monotonic()
