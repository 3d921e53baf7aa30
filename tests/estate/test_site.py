"""A regional web app as its clients see it: pages, connections, certificates, and what faults make of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from local_estate import pages
from local_estate.behaviour import Behaviour, Kind, behaviour_from
from local_estate.delays import Delays
from local_estate.ports import CannotBind, hold
from local_estate.regions import RegionError
from tests.estate.small_estate import HOST, NO_DELAYS, app, eventually, get, read_answer, run, small_estate, two_regions

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "recordings" / "frontend"


def test_a_running_app_says_who_it_is_on_any_path(tmp_path: Path) -> None:
    """GET of any path is 200 JSON that names region, app, version and path, with the region in a header and affinity cookies."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            answer = await estate.get("eastus", '/cart?x="1"')
            body = json.loads(answer.body)
            assert (answer.line, answer.headers["x-region"]) == ("HTTP/1.1 200 OK", "eastus")
            assert (body["region"], body["app"], body["path"]) == ("eastus", "app-east", '/cart?x="1"')
            assert f"Domain={HOST}" in answer.headers["set-cookie"]
            assert (await estate.get("westus3", "/health")).status == 200

    run(scenario())


def test_a_stopped_app_gives_the_front_ends_403_and_closes(tmp_path: Path) -> None:
    """Status line, headers and length of the 403 are those that Azure was seen to send, and the connection closes."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            estate.put_app("app-east", state="Stopped")
            while (answer := await estate.get("eastus")).status == 200:
                await asyncio.sleep(0.01)
            assert answer.line == "HTTP/1.1 403 Site Disabled"
            assert list(answer.headers) == ["content-length", "connection", "content-type", "date"]
            assert tuple(answer.headers[h] for h in ("content-length", "connection", "content-type")) == (
                "1148",
                "close",
                "text/html",
            )
            assert b"<h1>Error 403 - This web app is stopped.</h1>" in answer.body
            assert (await estate.get("westus3")).status == 200

    run(scenario())


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside the project")
@pytest.mark.parametrize(
    ("ours", "recorded"),
    [(pages.STOPPED_BODY, "stopped_403_body.html"), (pages.NOT_FOUND_BODY, "notfound_404_body.html")],
)
def test_pages_are_as_long_and_titled_as_the_recorded_ones_but_not_theirs(ours: bytes, recorded: str) -> None:
    """Our pages share length and title with Azure's, not the text."""
    theirs = (RECORDINGS / recorded).read_bytes()
    title = theirs[theirs.index(b"<title>") : theirs.index(b"</title>")]
    assert title in ours
    assert len(ours) in (len(theirs), pages.NOT_FOUND_LENGTH)
    assert ours != theirs


def test_a_kept_connection_gets_the_403_on_its_next_request(tmp_path: Path) -> None:
    """A stop does not close idle connections: their next request is answered 403 and then they are closed."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            reader, writer = await asyncio.open_connection("127.0.1.1", estate.regions.http_port)
            ask = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
            writer.write(ask)
            assert (await read_answer(reader)).status == 200
            estate.put_app("app-east", state="Stopped")
            while (await estate.get("eastus")).status == 200:
                await asyncio.sleep(0.01)
            writer.write(ask)
            assert (await read_answer(reader)).status == 403
            assert await reader.read() == b""
            writer.close()

    run(scenario())


def test_an_unbound_host_gets_404_and_over_tls_a_certificate_that_does_not_match(tmp_path: Path) -> None:
    """A host name that no app has is 404 Site Not Found in clear, and a name mismatch over TLS."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            answer = await estate.get("eastus", host="www.other.example")
            assert (answer.line, answer.headers["content-length"]) == ("HTTP/1.1 404 Site Not Found", "2667")
            trust = ssl.create_default_context(cafile=str(estate.authority.ca_file))
            for host, fine in ((HOST, True), ("app-east.azurewebsites.net", True), ("www.other.example", False)):
                ask = get("127.0.1.1", estate.regions.https_port, host=host, ssl=trust, server_hostname=host)
                if fine:
                    assert (await ask).status == 200
                else:
                    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                        await ask

    run(scenario())


def test_a_region_without_the_custom_certificate_fails_tls_for_the_custom_name_only(tmp_path: Path) -> None:
    """The forgotten certificate on the secondary shows as a name mismatch there, while the primary is well."""

    async def scenario() -> None:
        async with small_estate(tmp_path, has_certificate=lambda a, _host: a.name != "app-west") as estate:
            trust = ssl.create_default_context(cafile=str(estate.authority.ca_file))
            port = estate.regions.https_port
            assert (await get("127.0.1.1", port, ssl=trust, server_hostname=HOST)).status == 200
            with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                await get("127.0.2.1", port, ssl=trust, server_hostname=HOST)

    run(scenario())


def test_https_only_redirects_plain_http(tmp_path: Path) -> None:
    """An app that takes only HTTPS answers HTTP with 301 to the estate's HTTPS port."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            estate.put_app("app-east", https_only=True)
            while (answer := await estate.get("eastus", "/a")).status == 200:
                await asyncio.sleep(0.01)
            assert (301, f"https://{HOST}:{estate.regions.https_port}/a") == (answer.status, answer.headers["location"])

    run(scenario())


def test_after_a_start_requests_wait_for_the_cold_start_and_are_then_answered(tmp_path: Path) -> None:
    """Between the end of the 403 and the end of the cold start a request is held, not refused; truth says serving only then."""

    async def scenario() -> None:
        world = two_regions()
        world.put_app(replace(world.apps["rg", "app-east"], state="Stopped"))
        delays = Delays(0, 0.1, 2.5, 60, 60, 0)
        async with small_estate(tmp_path, world, delays=delays) as estate:
            assert (await estate.get("eastus")).status == 403
            estate.put_app("app-east", state="Running")
            statuses: list[int] = []
            while not statuses or statuses[-1] != 200:
                asked_ns = time.monotonic_ns()
                statuses.append((await estate.get("eastus")).status)
            answered_ns = time.monotonic_ns()
            assert set(statuses) <= {403, 200}
            (serving,) = estate.events("serving", app="app-east", serving=True)
            assert asked_ns < serving["t_ns"] < answered_ns

    run(scenario())


def test_a_start_that_follows_a_stop_before_it_took_effect_changes_nothing(tmp_path: Path) -> None:
    """Stop and start within the delay of the stop: no request is ever refused."""

    async def scenario() -> None:
        async with small_estate(tmp_path, delays=replace(NO_DELAYS, stop_effect_s=2.0)) as estate:
            estate.put_app("app-east", state="Stopped")
            await asyncio.sleep(0.05)
            estate.put_app("app-east", state="Running")
            await asyncio.sleep(2.3)
            assert (await estate.get("eastus")).status == 200
            assert estate.events("serving", app="app-east", serving=False) == []

    run(scenario())


@pytest.mark.parametrize("cut", [False, True])
def test_a_request_under_way_at_a_stop_is_finished_or_cut_as_configured(tmp_path: Path, cut: bool) -> None:
    """In-flight requests at a stop end well by default, and are cut where so configured."""

    async def scenario() -> None:
        async with small_estate(tmp_path, cut_in_flight=cut) as estate:
            await estate.regions.set_behaviour("eastus", Behaviour(Kind.SLOW, slow_s=3.0))
            under_way = asyncio.create_task(estate.get("eastus"))
            await asyncio.sleep(1.5)
            estate.put_app("app-east", state="Stopped")
            if cut:
                with pytest.raises(asyncio.IncompleteReadError):
                    await under_way
            else:
                assert (await under_way).status == 200
            assert (await estate.get("eastus")).status == 403

    run(scenario())


class TestFaults:
    """What each behaviour does to a client; undone, all is as before."""

    @pytest.mark.parametrize(
        ("behaviour", "seen"),
        [
            (Behaviour(Kind.ERROR, status=503), 503),
            (Behaviour(Kind.ERROR, status=500), 500),
            (Behaviour(Kind.STOPPED), 403),
            (Behaviour(Kind.WRONG_CONTENT), 200),
            (Behaviour(Kind.RESET), ConnectionResetError),
            (Behaviour(Kind.HANG), TimeoutError),
        ],
    )
    def test_each_total_fault_is_seen_and_in_the_truth_and_goes_away(
        self, tmp_path: Path, behaviour: Behaviour, seen: Any
    ) -> None:
        """A total fault strikes every request from its stamp on, the truth says not serving, and taking it away heals."""

        async def scenario() -> None:
            async with small_estate(tmp_path) as estate:
                at_ns = await estate.regions.set_behaviour("eastus", behaviour, key="f1")
                if isinstance(seen, int):
                    answer = await estate.get("eastus")
                    assert seen == answer.status
                    assert b'"app"' not in answer.body
                else:
                    with pytest.raises(seen):
                        await estate.get("eastus", timeout_s=0.4)
                healed_ns = await estate.regions.set_behaviour("eastus", None, key="f1")
                assert b'"app-east"' in (await estate.get("eastus")).body
                told = [(e["t_ns"], e["serving"]) for e in estate.events("serving", app="app-east")[1:]]
                assert [(at_ns, False), (healed_ns, True)] == told

        run(scenario())

    def test_slow_adds_its_delay_and_keeps_serving(self, tmp_path: Path) -> None:
        """Two delays add up; the answers stay good, and so does the truth."""

        async def scenario() -> None:
            async with small_estate(tmp_path) as estate:
                for key in ("a", "b"):
                    await estate.regions.set_behaviour("eastus", Behaviour(Kind.SLOW, slow_s=0.2), key=key)
                before = time.monotonic()
                assert (await estate.get("eastus")).status == 200
                assert time.monotonic() - before >= 0.4
                assert estate.events("serving", serving=False) == []

        run(scenario())

    def test_a_share_strikes_some_requests(self, tmp_path: Path) -> None:
        """An error for half of the requests leaves both kinds of answer, and the app still serving."""

        async def scenario() -> None:
            async with small_estate(tmp_path) as estate:
                await estate.regions.set_behaviour("eastus", Behaviour(Kind.ERROR, share=0.5))
                assert {200, 503} == {(await estate.get("eastus")).status for _ in range(60)}
                assert estate.events("serving", serving=False) == []

        run(scenario())

    def test_flapping_switches_and_logs_each_switch(self, tmp_path: Path) -> None:
        """A flapping region alternates, beginning with down, and the truth has every switch."""

        async def scenario() -> None:
            async with small_estate(tmp_path) as estate:
                await estate.regions.set_behaviour("eastus", Behaviour(Kind.FLAPPING, up_s=0.2, down_s=0.2))
                for wanted in (503, 200, 503):
                    while (await estate.get("eastus")).status != wanted:
                        await asyncio.sleep(0.01)
                await eventually(lambda: len(estate.events("serving", app="app-east")) >= 5)
                await estate.regions.set_behaviour("eastus", None)
                assert (await estate.get("eastus")).status == 200
                told = [e["serving"] for e in estate.events("serving", app="app-east")]
                assert told == [n % 2 == 0 for n in range(len(told))]

        run(scenario())

    def test_a_schedule_is_followed_and_stamped_at_or_after_its_times(self, tmp_path: Path) -> None:
        """Scripted outages switch no earlier than asked, and the truth has the very switches."""

        async def scenario() -> None:
            async with small_estate(tmp_path) as estate:
                now_ns = time.monotonic_ns()
                times = [now_ns + n * 50_000_000 for n in (2, 4, 6, 8)]
                kinds: list[Behaviour | None] = [Behaviour(Kind.ERROR), None, Behaviour(Kind.RESET), None]
                await estate.regions.schedule("eastus", zip(times, kinds, strict=True))
                await eventually(lambda: len(estate.events("serving", app="app-east")) == 5)
                told = estate.events("serving", app="app-east")[1:]
                assert [e["serving"] for e in told] == [False, True, False, True]
                assert all(e["t_ns"] >= asked for e, asked in zip(told, times, strict=True))

        run(scenario())

    def test_a_killed_region_refuses_and_comes_back_on_the_same_port_with_its_behaviours(self, tmp_path: Path) -> None:
        """SIGKILL gives a refusal at once; a respawn serves on the same address and port, still misbehaving as told."""

        async def scenario() -> None:
            async with small_estate(tmp_path) as estate:
                assert (await estate.get("eastus")).status == 200
                await estate.regions.set_behaviour("eastus", Behaviour(Kind.ERROR, share=0.5))
                at_ns = await estate.regions.kill("eastus")
                with pytest.raises(ConnectionRefusedError):
                    await estate.get("eastus")
                with pytest.raises(RegionError, match="respawn it first"):
                    await estate.regions.kill("eastus")
                await estate.regions.respawn("eastus")
                assert {200, 503} == {(await estate.get("eastus")).status for _ in range(60)}
                told = estate.events("serving", app="app-east")
                assert [e["serving"] for e in told] == [True, False, True]
                assert at_ns == told[1]["t_ns"]
                (last,) = estate.events("last_good", app="app-east")
                assert told[0]["t_ns"] < last["t_ns"] < at_ns

        run(scenario())

    def test_a_hung_region_accepts_and_never_answers_until_resumed(self, tmp_path: Path) -> None:
        """SIGSTOP leaves clients waiting; SIGCONT answers even those."""

        async def scenario() -> None:
            async with small_estate(tmp_path) as estate:
                await estate.regions.hang("eastus")
                waiting = asyncio.create_task(estate.get("eastus"))
                with pytest.raises(TimeoutError):
                    await estate.get("eastus", timeout_s=0.3)
                await estate.regions.resume("eastus")
                assert (await waiting).status == 200
                told = [e["serving"] for e in estate.events("serving", app="app-east")]
                assert told == [True, False, True]

        run(scenario())

    def test_a_region_that_dies_of_itself_is_in_the_truth(self, tmp_path: Path) -> None:
        """Nobody announces a crash, but the truth has it."""

        async def scenario() -> None:
            async with small_estate(tmp_path) as estate:
                os.kill(estate.regions.state()["eastus"]["pid"], signal.SIGKILL)
                async with asyncio.timeout(90):
                    while not estate.events("serving", app="app-east", serving=False):
                        await asyncio.sleep(0.01)
                assert estate.events("serving", app="app-east", serving=False)[0]["why"] == "died"

        run(scenario())

    @pytest.mark.parametrize(
        ("raw", "complaint"),
        [
            ({"kind": "explode"}, "kind must be one of"),
            ({"kind": "slow", "share": 2}, "share must be from 0 to 1"),
            ({"kind": "error", "status": 200}, "status must be from 400 to 599"),
            ({"kind": "slow", "slow_s": "long"}, "slow_s must be a number"),
            ({"kind": "slow", "seconds": 1}, "unknown key 'seconds'"),
            ({}, "needs a kind"),
        ],
    )
    def test_a_wrong_behaviour_is_refused_in_one_line(self, raw: dict[str, Any], complaint: str) -> None:
        """What is wrong with a behaviour, and what would be right, is said in one line."""
        with pytest.raises(ValueError, match=complaint) as caught:
            behaviour_from(raw)
        assert "\n" not in str(caught.value)


def test_a_new_region_appears_with_its_own_process_and_address(tmp_path: Path) -> None:
    """An app put into a region that is not there yet gets a process on the next free address, and a name."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            estate.world.put_app(app("app-eu", "West Europe"))
            async with asyncio.timeout(90):
                while not estate.regions.state().get("westeurope", {}).get("serving"):
                    await asyncio.sleep(0.02)
            assert estate.regions.address_of("westeurope") == "127.0.3.1"
            assert (await estate.get("westeurope")).status == 200
            assert await estate.addresses("app-eu.azurewebsites.net") == ["127.0.3.1"]
            estate.world.drop_app(("rg", "app-eu"))
            while (await estate.get("westeurope")).status != 404:
                await asyncio.sleep(0.01)
            assert await estate.addresses("app-eu.azurewebsites.net") == []

    run(scenario())


def test_two_estates_run_at_once(tmp_path: Path) -> None:
    """Two estates on the same addresses pick different ports and do not disturb each other."""

    async def scenario() -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        async with small_estate(tmp_path / "a") as one, small_estate(tmp_path / "b") as other:
            assert one.regions.http_port != other.regions.http_port
            await one.regions.kill("eastus")
            assert (await other.get("eastus")).status == 200

    run(scenario())


def test_everything_binds_loopback_only(tmp_path: Path) -> None:
    """No socket of the estate, of any of its processes, listens or is bound outside 127.0.0.0/8."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            pids = [os.getpid(), *(s["pid"] for s in estate.regions.state().values())]
            bound = [c.laddr.ip for pid in pids for c in psutil.Process(pid).net_connections("inet") if c.laddr]
            assert bound
            assert all(ip.startswith("127.") for ip in bound)

    run(scenario())


PARENT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.estate.small_estate import small_estate
async def main():
    async with small_estate(Path(sys.argv[1])) as estate:
        if sys.argv[3] == "hung":
            await estate.regions.hang("eastus")
        print(*(s["pid"] for s in estate.regions.state().values()), flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("state", ["well", "hung"])
def test_killing_the_parent_leaves_no_region_behind(tmp_path: Path, state: str) -> None:
    """After SIGKILL of the parent every regional process goes by itself, a suspended one too."""
    here = Path(__file__).resolve().parent
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(here), state]
    env = {**os.environ, "PYTHONPATH": str(here.parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(map(_is_running, pids)):
        time.sleep(0.02)
    assert not any(map(_is_running, pids))


def _is_running(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_a_port_in_use_and_an_address_that_is_not_there_are_named(tmp_path: Path) -> None:
    """A port that is taken, and an address that is not loopback, are refused in one line that names them."""
    held = hold(["127.0.1.1"])
    try:
        with pytest.raises(CannotBind, match=f"port {held.port} on 127.0.1.1 is in use"):
            hold(["127.0.1.1"], held.port)
        with pytest.raises(CannotBind, match=r"8\.8\.8\.8 is not a loopback address"):
            hold(["8.8.8.8"])
    finally:
        held.release()


@pytest.mark.slow
def test_fuzzed_requests_leave_the_site_serving_and_nothing_in_its_log(tmp_path: Path, capfd: Any) -> None:
    """After 10 000 broken request heads, in pieces and cut off, the site still answers, and wrote nothing to stderr."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            rng = random.Random(7)
            gate = asyncio.Semaphore(64)
            await asyncio.gather(*(_throw(estate.regions.http_port, _garbage(rng), gate) for _ in range(10_000)))
            assert (await estate.get("eastus")).status == 200

    run(scenario())
    assert capfd.readouterr().err == ""


async def _throw(port: int, junk: bytes, gate: asyncio.Semaphore) -> None:
    async with gate:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.1.1", port)
            half = len(junk) // 2
            writer.write(junk[:half])
            await asyncio.sleep(0)
            writer.write(junk[half:])
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.transport.abort()


def _garbage(rng: random.Random) -> bytes:
    good = f"GET /{'x' * rng.randrange(40)} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n\r\nabc".encode()
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 400))
    if kind == 1:
        return good[: rng.randrange(1, len(good))]
    if kind == 2:
        return (
            b"GET / HTTP/1.1\r\n"
            + b"Host: a\r\n" * rng.randrange(3)
            + b"X: "
            + b"y" * rng.choice((1, 70_000))
            + b"\r\n\r\n"
        )
    broken = bytearray(good * rng.randrange(1, 4))
    for _ in range(rng.randrange(1, 6)):
        broken[rng.randrange(len(broken))] = rng.randrange(256)
    return bytes(broken)


def test_a_new_regions_address_is_one_where_both_ports_are_free(tmp_path: Path) -> None:
    """Where somebody holds the port on the next address, the one after it is taken."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            other = hold(["127.0.3.1"], estate.regions.https_port)
            try:
                assert estate.regions.address_of("westeurope") == "127.0.4.1"
            finally:
                other.release()

    run(scenario())
