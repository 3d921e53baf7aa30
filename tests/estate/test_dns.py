"""The name server on the wire: what each question is answered with, over UDP and TCP, and what changes when."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import struct
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from local_estate.nameserver import DnsFault, DnsKind, NameServer
from local_estate.places import Place, SourceMap
from local_estate.topology import Endpoint, Health, Kind, Profile, Status, Subnet, World
from local_estate.truth import Truth
from tests.estate.running import QUICK, running
from tests.estate.small_estate import FQDN, HOST, NO_DELAYS, datagram, resolve, run, small_estate, two_regions

EAST = "app-east.azurewebsites.net"
WEST = "app-west.azurewebsites.net"
SOA_TM = "trafficmanager.net. 30 IN SOA tm1.dns-tm.com. hostmaster.trafficmanager.net. 2003080800 900 300 2419200 30"


class Healthy:
    """A monitor that finds everything online."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.down: set[str] = set()

    def healths(self) -> dict[tuple[tuple[str, str], str], Health]:
        return {(p.key, e.name.lower()): self._health(e) for p in self._world.profiles.values() for e in p.endpoints}

    def _health(self, endpoint: Endpoint) -> Health:
        if endpoint.status is Status.DISABLED:
            return Health.DISABLED
        return Health.DEGRADED if endpoint.name in self.down else Health.ONLINE


@contextlib.asynccontextmanager
async def name_server(directory: Path, world: World | None = None, **more: Any) -> Any:
    """Run a name server without regions, at 127.0.1.1 and 127.0.2.1; yield it with its world and its truth."""
    world = world or two_regions(ttl=20)
    truth = Truth(directory / "truth.jsonl")
    addresses = {"eastus": "127.0.1.1", "westus3": "127.0.2.1"}
    server = NameServer(
        world, Healthy(world), truth=truth, address_of=addresses.__getitem__, aliases={HOST: FQDN}, **more
    )
    await server.start()
    try:
        yield server, world, truth
    finally:
        await server.stop()
        truth.close()


def shown(message: dns.message.Message) -> tuple[str, list[str], list[str]]:
    """Return rcode, answer and authority as text."""
    return (
        dns.rcode.to_text(message.rcode()),
        [line for rrset in message.answer for line in rrset.to_text().splitlines()],
        [line for rrset in message.authority for line in rrset.to_text().splitlines()],
    )


CUSTOM = f"{HOST}. 300 IN CNAME {FQDN}."
PROFILE = f"{FQDN}. 20 IN CNAME {EAST}."
SITE = f"{EAST}. 30 IN A 127.0.1.1"
SOA_SITES = "azurewebsites.net. 30 IN SOA ns1-08.azure-dns.com. azuredns-hostmaster.microsoft.com. 2003080800 900 300 2419200 30"


@pytest.mark.parametrize(
    ("name", "rtype", "expected"),
    [
        (HOST, "A", ("NOERROR", [CUSTOM, PROFILE, SITE], [])),
        (HOST, "AAAA", ("NOERROR", [CUSTOM, PROFILE], [SOA_SITES])),
        (HOST, "CNAME", ("NOERROR", [CUSTOM], [])),
        (FQDN, "A", ("NOERROR", [PROFILE, SITE], [])),
        (FQDN, "CNAME", ("NOERROR", [PROFILE], [])),
        (FQDN, "ANY", ("NOERROR", [PROFILE], [])),
        (EAST, "A", ("NOERROR", [SITE], [])),
        (EAST, "AAAA", ("NOERROR", [], [SOA_SITES])),
        ("app-east.scm.azurewebsites.net", "A", ("NOERROR", ["app-east.scm.azurewebsites.net. 30 IN A 127.0.1.1"], [])),
        ("scm.azurewebsites.net", "A", ("NOERROR", [], [SOA_SITES])),  # nothing itself, something beneath
        ("nobody.trafficmanager.net", "A", ("NXDOMAIN", [], [SOA_TM])),
        ("trafficmanager.net", "SOA", ("NOERROR", [SOA_TM], [])),
        ("trafficmanager.net", "A", ("NOERROR", [], [SOA_TM])),
        ("www.example.org", "A", ("REFUSED", [], [])),
        ("net", "NS", ("REFUSED", [], [])),
        (".", "NS", ("REFUSED", [], [])),
    ],
)
def test_each_question_has_its_answer(tmp_path: Path, name: str, rtype: str, expected: Any) -> None:
    """The chain, the type table, NXDOMAIN and NODATA with their SOA, REFUSED: `aa` set on all but REFUSED, `ra` never."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, _, _):
            response = await resolve(server.port, name, rtype)
            assert shown(response) == expected
            assert bool(response.flags & dns.flags.AA) == (expected[0] != "REFUSED")
            assert not response.flags & dns.flags.RA

    run(scenario())


@pytest.mark.parametrize(
    ("name", "rtype", "expected"),
    [
        (HOST, "A", ("NOERROR", [CUSTOM], [])),
        (FQDN, "A", ("NOERROR", [PROFILE], [])),
        (FQDN, "AAAA", ("NOERROR", [PROFILE], [])),
        (EAST, "A", ("NOERROR", [SITE], [])),
        (EAST, "AAAA", ("NOERROR", [], [SOA_SITES])),
        ("nobody.trafficmanager.net", "A", ("NXDOMAIN", [], [SOA_TM])),
        ("www.example.org", "A", ("REFUSED", [], [])),
    ],
)
def test_the_cname_alone_is_given_where_that_is_asked_for(tmp_path: Path, name: str, rtype: str, expected: Any) -> None:
    """As Traffic Manager's own servers do it: one record, nothing of another zone."""

    async def scenario() -> None:
        async with name_server(tmp_path, beyond=False) as (server, _, _):
            assert shown(await resolve(server.port, name, rtype)) == expected

    run(scenario())


def test_a_resolver_puts_together_what_the_authority_gives_in_parts(tmp_path: Path) -> None:
    """With the CNAME alone from the authority, a resolver in front still leads to the region; the truth log knows the end."""
    with running(tmp_path, {**QUICK, "tm": {"dns_answer": "cname"}, "resolver": {"count": 1}}) as estate:
        address = estate.app("eastus")["address"]
        assert estate.lookup() == ("NOERROR", ())
        assert estate.lookup(server=estate.ready["resolvers"][0]) == ("NOERROR", (address,))
        assert estate.control("GET", "/_state").json["answers"][estate.ready["public_host"]] == [address]
        assert estate.said() == ""


def test_the_servers_of_a_zone(tmp_path: Path) -> None:
    """NS of trafficmanager.net are the four that Azure has."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, _, _):
            _, answer, _ = shown(await resolve(server.port, "trafficmanager.net", "NS"))
            assert {line.split()[-1] for line in answer} == {
                "tm1.dns-tm.com.", "tm2.dns-tm.com.", "tm1.edgedns-tm.info.", "tm2.edgedns-tm.info.",
            }  # fmt: skip

    run(scenario())


@pytest.mark.parametrize(
    ("change", "rcode"),
    [
        ({"status": Status.DISABLED}, "NXDOMAIN"),
        ({"endpoints": ()}, "NXDOMAIN"),
    ],
)
def test_no_endpoint_to_give_is_nxdomain_under_the_custom_name_too(tmp_path: Path, change: Any, rcode: str) -> None:
    """A disabled profile is NXDOMAIN with Traffic Manager's SOA; through the custom name the CNAME stays (RFC 6604)."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, world, _):
            world.put_profile(replace(world.profiles["rg", "drill"], **change))
            assert shown(await resolve(server.port, FQDN)) == (rcode, [], [SOA_TM])
            assert shown(await resolve(server.port, HOST)) == (rcode, [CUSTOM], [SOA_TM])

    run(scenario())


@pytest.mark.parametrize(
    ("target", "rtype", "expected"),
    [
        ("192.0.2.7", "A", [f"{FQDN}. 20 IN A 192.0.2.7"]),
        ("192.0.2.7", "ANY", [f"{FQDN}. 20 IN A 192.0.2.7"]),
        ("192.0.2.7", "AAAA", []),
        ("192.0.2.7", "CNAME", []),
        ("2001:db8::7", "AAAA", [f"{FQDN}. 20 IN AAAA 2001:db8::7"]),
        ("2001:db8::7", "A", []),
        ("2001:db8::7", "CNAME", []),
        ("www.contoso.example", "A", [f"{FQDN}. 20 IN CNAME www.contoso.example."]),
        ("www.contoso.example", "AAAA", [f"{FQDN}. 20 IN CNAME www.contoso.example."]),
    ],
)
def test_the_query_type_table_of_external_endpoints(
    tmp_path: Path, target: str, rtype: str, expected: list[str]
) -> None:
    """Addresses answer only for their type, names with a CNAME that is not followed out of our zones."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, world, _):
            endpoint = Endpoint("out", Kind.EXTERNAL, target)
            world.put_profile(replace(world.profiles["rg", "drill"], endpoints=(endpoint,)))
            rcode, answer, authority = shown(await resolve(server.port, FQDN, rtype))
            assert (rcode, answer) == ("NOERROR", expected)
            assert authority == ([] if expected else [SOA_TM])

    run(scenario())


def test_multi_value_gives_addresses_of_the_type_asked_for(tmp_path: Path) -> None:
    """A gives up to maxReturn IPv4 addresses, AAAA the IPv6 ones, CNAME nothing."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, world, _):
            targets = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
            endpoints = tuple(Endpoint(f"e{n}", Kind.EXTERNAL, t) for n, t in enumerate(targets))
            profile = replace(world.profiles["rg", "drill"], routing="MultiValue", max_return=8, endpoints=endpoints)
            world.put_profile(profile)
            _, answer, _ = shown(await resolve(server.port, FQDN, "A"))
            assert {line.split()[-1] for line in answer} == set(targets[:2])
            _, answer, _ = shown(await resolve(server.port, FQDN, "AAAA"))
            assert [line.split()[-1] for line in answer] == ["2001:db8::1"]
            assert shown(await resolve(server.port, FQDN, "CNAME")) == ("NOERROR", [], [SOA_TM])

    run(scenario())


def test_weighted_answers_are_drawn_anew_for_each_question(tmp_path: Path) -> None:
    """Two equal weights: both targets come up, though the questions are the same."""

    async def scenario() -> None:
        async with name_server(tmp_path, rng=random.Random(3)) as (server, world, truth):
            world.put_profile(replace(world.profiles["rg", "drill"], routing="Weighted"))
            seen = {shown(await resolve(server.port, FQDN))[1][-1].split()[-1] for _ in range(40)}
            assert seen == {"127.0.1.1", "127.0.2.1"}
            told = [e for e in truth.read() if e["event"] == "answer" and e["name"] == FQDN]
            assert told[-1]["answer"] == ["127.0.1.1", "127.0.2.1"]

    run(scenario())


def test_client_subnet_decides_and_its_scope_comes_back(tmp_path: Path) -> None:
    """Performance by EDNS client subnet: the nearest region, with the scope of the map; where it does not matter, scope 0."""

    async def scenario() -> None:
        sources = SourceMap((("10.1.0.0/16", Place("eastus")), ("10.2.0.0/16", Place("westus3"))))
        async with name_server(tmp_path, sources=sources) as (server, world, _):
            for routing, scopes in (("Performance", (16, 16)), ("Priority", (0, 0))):
                world.put_profile(replace(world.profiles["rg", "drill"], routing=routing))
                seen = []
                for address in ("10.1.2.0", "10.2.3.0"):
                    subnet = dns.edns.ECSOption(address, 24)
                    response = await resolve(server.port, FQDN, options=[subnet])
                    (back,) = (o for o in response.options if isinstance(o, dns.edns.ECSOption))
                    assert (back.address, back.srclen) == (address, 24)
                    seen.append((shown(response)[1][-1].split()[-1], back.scopelen))
                away = "127.0.2.1" if routing == "Performance" else "127.0.1.1"
                assert seen == [("127.0.1.1", scopes[0]), (away, scopes[1])]

    run(scenario())


def test_subnet_routing_takes_the_askers_own_address_without_client_subnet(tmp_path: Path) -> None:
    """Who asks from 127.0.0.1 is routed as 127.0.0.1; a subnet that matches nobody is NXDOMAIN."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, world, _):
            profile = world.profiles["rg", "drill"]
            mine, other = (
                replace(profile.endpoints[1], subnets=(Subnet(net, scope=8),)) for net in ("127.0.0.0", "10.0.0.0")
            )
            world.put_profile(replace(profile, routing="Subnet", endpoints=(mine,)))
            assert shown(await resolve(server.port, FQDN))[1][-1].split()[-1] == "127.0.2.1"
            world.put_profile(replace(profile, routing="Subnet", endpoints=(other,)))
            assert shown(await resolve(server.port, FQDN))[0] == "NXDOMAIN"

    run(scenario())


def test_ttl_zero_is_served_as_zero(tmp_path: Path) -> None:
    """TTL 0 of a profile is what the answer says."""

    async def scenario() -> None:
        async with name_server(tmp_path, two_regions(ttl=0)) as (server, _, _):
            assert shown(await resolve(server.port, FQDN))[1][0] == f"{FQDN}. 0 IN CNAME {EAST}."

    run(scenario())


def test_the_case_of_the_question_is_kept(tmp_path: Path) -> None:
    """A question in mixed case comes back as it was asked, in question and answer."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, _, _):
            response = await resolve(server.port, "WwW.pRoSeWaRe.ExAmPlE")
            assert response.question[0].name.to_text() == "WwW.pRoSeWaRe.ExAmPlE."
            assert response.answer[0].name.to_text() == "WwW.pRoSeWaRe.ExAmPlE."

    run(scenario())


def test_edns_other_classes_and_other_opcodes(tmp_path: Path) -> None:
    """Payload 1232; BADVERS above version 0; NOTIMP for NOTIFY; REFUSED for class CH and for zone transfers."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, _, _):
            assert (await resolve(server.port, FQDN, use_edns=0)).payload == 1232
            assert (await resolve(server.port, FQDN, use_edns=False)).edns == -1
            assert (await resolve(server.port, FQDN, use_edns=1)).rcode() == dns.rcode.BADVERS
            assert (await resolve(server.port, "version.bind", "TXT", rdclass="CH")).rcode() == dns.rcode.REFUSED
            assert (await resolve(server.port, "trafficmanager.net", "AXFR")).rcode() == dns.rcode.REFUSED
            notify = dns.message.make_query(FQDN, "SOA")
            notify.set_opcode(dns.opcode.NOTIFY)
            answer = dns.message.from_wire(await datagram(server.port, notify.to_wire()))
            assert answer.rcode() == dns.rcode.NOTIMP

    run(scenario())


def test_what_does_not_fit_a_datagram_is_cut_and_comes_whole_over_tcp(tmp_path: Path) -> None:
    """Forty addresses: TC over UDP without EDNS, all of them over TCP."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, world, _):
            endpoints = tuple(Endpoint(f"e{n}", Kind.EXTERNAL, f"192.0.2.{n}") for n in range(40))
            profile = replace(world.profiles["rg", "drill"], routing="MultiValue", max_return=40, endpoints=endpoints)
            world.put_profile(profile)
            cut = await resolve(server.port, FQDN, use_edns=False)
            assert (bool(cut.flags & dns.flags.TC), len(cut.answer)) == (True, 0)
            whole = await over_tcp(server.port, dns.message.make_query(FQDN, "A").to_wire())
            assert len(dns.message.from_wire(whole).answer[0]) == 40

    run(scenario())


async def over_tcp(port: int, wire: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(struct.pack("!H", len(wire)) + wire)
    (size,) = struct.unpack("!H", await reader.readexactly(2))
    answer = await reader.readexactly(size)
    writer.close()
    return answer


def test_a_change_is_answered_after_the_propagation_delay_and_the_truth_has_the_instant(tmp_path: Path) -> None:
    """Until the delay is over the old answer is given, then the new one; two changes arrive one after the other."""

    async def scenario() -> None:
        async with name_server(tmp_path, propagation_s=0.4) as (server, world, truth):
            profile = world.profiles["rg", "drill"]
            changed_ns = time.monotonic_ns()
            world.put_profile(
                replace(
                    profile, endpoints=(replace(profile.endpoints[0], status=Status.DISABLED), profile.endpoints[1])
                )
            )
            seen: list[tuple[int, int, str]] = []
            while not seen or seen[-1][2] != "127.0.2.1":
                before_ns = time.monotonic_ns()
                address = shown(await resolve(server.port, HOST))[1][-1].split()[-1]
                seen.append((before_ns, time.monotonic_ns(), address))
                await asyncio.sleep(0.005)
            (told,) = (e for e in truth.read() if e["event"] == "answer" and e["name"] == HOST and e["previous"])
            assert (told["previous"], told["answer"]) == (["127.0.1.1"], ["127.0.2.1"])
            assert told["t_ns"] - changed_ns >= 0.39e9
            # No old answer was asked for after the stamp, no new one came before it.
            assert all(asked <= told["t_ns"] for asked, _, address in seen if address == "127.0.1.1")
            assert all(came >= told["t_ns"] for _, came, address in seen if address == "127.0.2.1")

    run(scenario())


def test_a_profile_that_comes_and_goes_is_in_the_truth(tmp_path: Path) -> None:
    """A new profile's name begins to be answered, a deleted one's ceases: both are answer changes."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, world, truth):
            other = replace(world.profiles["rg", "drill"], name="other", relative_name="other")
            world.put_profile(other)
            assert shown(await resolve(server.port, "other.trafficmanager.net"))[0] == "NOERROR"
            world.drop_profile(other.key)
            assert shown(await resolve(server.port, "other.trafficmanager.net"))[0] == "NXDOMAIN"
            told = [e["answer"] for e in truth.read() if e["event"] == "answer" and e["name"] == other.fqdn]
            assert told == [["127.0.1.1"], []]

    run(scenario())


class TestFaults:
    def test_silent(self, tmp_path: Path) -> None:
        """A silent server reads and says nothing; undone, it answers."""

        async def scenario() -> None:
            async with name_server(tmp_path) as (server, _, _):
                server.dns_fault("f", DnsFault(DnsKind.SILENT))
                with pytest.raises(TimeoutError):
                    await resolve(server.port, HOST, timeout_s=0.3)
                server.dns_fault("f", None)
                assert shown(await resolve(server.port, HOST))[0] == "NOERROR"

        run(scenario())

    def test_servfail_for_a_share(self, tmp_path: Path) -> None:
        """SERVFAIL strikes the share it is given, keeping id and question."""

        async def scenario() -> None:
            async with name_server(tmp_path, rng=random.Random(5)) as (server, _, _):
                server.dns_fault("f", DnsFault(DnsKind.SERVFAIL, 0.5))
                answers = [await resolve(server.port, HOST) for _ in range(40)]
                assert {shown(a)[0] for a in answers} == {"SERVFAIL", "NOERROR"}
                assert {a.question[0].name.to_text() for a in answers} == {f"{HOST}."}

        run(scenario())

    def test_stale(self, tmp_path: Path) -> None:
        """Stale answers stay as they were; when the fault goes the change shows at once, and in the truth only then."""

        async def scenario() -> None:
            async with name_server(tmp_path) as (server, world, truth):
                server.dns_fault("f", DnsFault(DnsKind.STALE))
                world.put_profile(replace(world.profiles["rg", "drill"], ttl=99, status=Status.DISABLED))
                assert shown(await resolve(server.port, FQDN)) == ("NOERROR", [PROFILE, SITE], [])
                assert len([e for e in truth.read() if e["name"] == FQDN]) == 1
                server.dns_fault("f", None)
                assert shown(await resolve(server.port, FQDN))[0] == "NXDOMAIN"
                assert [e["rcode"] for e in truth.read() if e["name"] == FQDN] == ["NOERROR", "NXDOMAIN"]

        run(scenario())

    def test_a_wrong_share_is_refused(self) -> None:
        """A share beyond 1 is refused with what would be right."""
        with pytest.raises(ValueError, match="share must be from 0 to 1"):
            DnsFault(DnsKind.SILENT, 2)


def test_a_target_that_is_no_host_name_is_servfail(tmp_path: Path) -> None:
    """An endpoint whose target cannot be a name does not bring the server down."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, world, _):
            endpoint = Endpoint("bad", Kind.EXTERNAL, f"{'x' * 80}..example")
            world.put_profile(replace(world.profiles["rg", "drill"], endpoints=(endpoint,)))
            assert shown(await resolve(server.port, FQDN))[0] == "SERVFAIL"
            assert shown(await resolve(server.port, EAST))[0] == "NOERROR"

    run(scenario())


def test_fuzzed_datagrams_and_cut_tcp_frames_leave_it_serving(tmp_path: Path, caplog: Any) -> None:
    """After 10 000 broken datagrams and 300 cut TCP frames it still answers, and no exception was logged."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, _, _):
            loop = asyncio.get_running_loop()
            unhandled: list[Any] = []
            loop.set_exception_handler(lambda _loop, context: unhandled.append(context))
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=("127.0.0.1", server.port)
            )
            for number, wire in enumerate(broken_questions(random.Random(9), 10_000)):
                transport.sendto(wire)
                if number % 50 == 0:
                    await asyncio.sleep(0.001)
            transport.close()
            for wire in broken_questions(random.Random(10), 300):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(struct.pack("!H", len(wire) + 5) + wire)
                await writer.drain()
                writer.close()
            await asyncio.sleep(0.1)
            assert shown(await resolve(server.port, HOST))[0] == "NOERROR"
            assert unhandled == []

    run(scenario())
    assert caplog.records == []


def broken_questions(rng: random.Random, count: int) -> Iterable[bytes]:
    good = dns.message.make_query(HOST, "A", use_edns=0, options=[dns.edns.ECSOption("10.1.2.0", 24)]).to_wire()
    for _ in range(count):
        kind = rng.randrange(3)
        if kind == 0:
            yield rng.randbytes(rng.randrange(1, 300))
        elif kind == 1:
            yield good[: rng.randrange(1, len(good))]
        else:
            broken = bytearray(good)
            for _ in range(rng.randrange(1, 5)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            yield bytes(broken)


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_dig_agrees(tmp_path: Path, transport: str) -> None:
    """What dig shows over UDP and TCP is the chain, NXDOMAIN and REFUSED, without a complaint of its own."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, _, _):
            short = await dig(server.port, transport, "+short", HOST)
            assert short.split() == [f"{FQDN}.", f"{EAST}.", "127.0.1.1"]
            for name, status in ((HOST, "NOERROR"), ("no.trafficmanager.net", "NXDOMAIN"), ("example.org", "REFUSED")):
                out = await dig(server.port, transport, "+norecurse", "+subnet=10.1.2.0/24", name)
                assert f"status: {status}," in out
                assert "WARNING" not in out
                assert ("flags: qr aa;" in out) == (status != "REFUSED")

    run(scenario())


async def dig(port: int, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "dig", "@127.0.0.1", "-p", str(port), "+time=30", "+tries=1", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode()


def test_an_endpoint_change_is_seen_on_the_wire_of_a_whole_data_plane(tmp_path: Path) -> None:
    """With real sites and a real monitor: disable the primary, and after the propagation delay the secondary is answered."""

    async def scenario() -> None:
        async with small_estate(tmp_path, delays=replace(NO_DELAYS, dns_propagation_s=2.0)) as estate:
            assert await estate.addresses() == ["127.0.1.1"]
            estate.put_endpoint("east", status=Status.DISABLED)
            assert await estate.addresses() == ["127.0.1.1"]
            async with asyncio.timeout(90):
                while await estate.addresses() != ["127.0.2.1"]:
                    await asyncio.sleep(0.05)

    run(scenario())


def test_a_profile_in_two_groups_may_share_nothing_but_the_name(tmp_path: Path) -> None:
    """Profiles are told apart by their DNS name, not by their resource name."""

    async def scenario() -> None:
        async with name_server(tmp_path) as (server, world, _):
            twin = Profile("rg2", "drill", "twin", ttl=7, endpoints=world.profiles["rg", "drill"].endpoints[1:])
            world.put_profile(twin)
            assert shown(await resolve(server.port, "twin.trafficmanager.net"))[1] == [
                f"twin.trafficmanager.net. 7 IN CNAME {WEST}.", f"{WEST}. 30 IN A 127.0.2.1",
            ]  # fmt: skip

    run(scenario())
