"""The load process as a process: how it starts, ends, is killed, dies with its parent; and plain Locust without us."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import trustme

from failover_drill import clock
from failover_drill.adapters.load import Load
from failover_drill.errors import DrillError
from failover_drill.facts import Facts, Objectives, Outcome
from failover_drill.findings import analyse
from failover_drill.samples import read_samples
from failover_drill.traffic import TrafficPlan
from tests.servers import Authority, Site, eventually, free_port, loop_thread

ROOT = Path(__file__).parent.parent
LOCUSTFILE = ROOT / "loadtests" / "locustfile.py"
EAST = "127.0.1.14"


@pytest.fixture
def site() -> Iterator[Site]:
    with loop_thread() as thread:
        running = Site("eastus", EAST).start(thread)
        yield running
        running.close()


def plan_for(site: Site, tmp_path: Path, **settings: Any) -> TrafficPlan:
    given: dict[str, Any] = {"url": f"http://{EAST}:{site.port}/", "out_dir": str(tmp_path), "rate": 100.0}
    return TrafficPlan(**(given | {"timeout_s": 15.0, "slow_s": 15.0} | settings))


def locusts_of(run_dir: Path) -> list[psutil.Process]:
    """Return the processes that were started with the plan in *run_dir*."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("FAILOVER_DRILL_PLAN") == str(run_dir / "traffic.json"):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def test_kill_in_the_middle_leaves_readable_samples_and_a_count_of_the_loss(site: Site, tmp_path: Path) -> None:
    """SIGKILL costs the newest samples, which are counted; all before them can be read."""
    load = Load()
    load.start(plan_for(site, tmp_path), tmp_path)
    time.sleep(2.0)
    (process,) = locusts_of(tmp_path)
    process.send_signal(signal.SIGKILL)
    assert eventually(lambda: not load.alive)
    load.stop()
    noticed = time.monotonic_ns()
    table, (report,) = read_samples(tmp_path)
    last = table.records["intended_ns"].max()
    assert not report.finished
    assert report.scheduled > report.recorded == len(table.records) > 20
    assert report.scheduled - report.recorded <= 2 + (noticed - last) * 100 // 1_000_000_000
    assert set(table.records["outcome"]) == {Outcome.OK}


def test_parent_s_death_ends_it_without_loss(site: Site, tmp_path: Path) -> None:
    """When the process that started the traffic is killed, the traffic ends by itself, and in order."""
    plan = plan_for(site, tmp_path)
    program = (
        "import sys, os, signal, time; from pathlib import Path\n"
        "from failover_drill.adapters.load import Load; from failover_drill.traffic import TrafficPlan\n"
        f"load = Load(); load.start(TrafficPlan.from_json({plan.to_json()!r}), Path({str(tmp_path)!r}))\n"
        "time.sleep(0.5); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=60)
    assert eventually(lambda: not locusts_of(tmp_path))
    _, (report,) = read_samples(tmp_path)
    assert report.finished
    assert report.scheduled == report.recorded > 10


def test_stop_twice_and_stop_before_start_are_harmless(site: Site, tmp_path: Path) -> None:
    """Whoever cleans up need not know how far things had come."""
    load = Load()
    load.stop()
    load.kill()
    load.start(plan_for(site, tmp_path), tmp_path)
    assert load.alive
    with pytest.raises(DrillError, match="already running"):
        load.start(plan_for(site, tmp_path), tmp_path)
    load.stop()
    load.stop()
    assert not locusts_of(tmp_path)


def test_samples_can_be_seen_while_it_runs(site: Site, tmp_path: Path) -> None:
    """A live view gets each sample once, soon after it was taken, with its names."""
    seen: list[int] = []
    with Load() as load:
        load.start(plan_for(site, tmp_path), tmp_path)

        def look() -> bool:
            for _, table in load.live():
                seen.extend(table.records["intended_ns"].tolist())
                assert {table.names.regions[i] for i in table.records["region"]} <= {"eastus"}
            return len(seen) > 100

        assert eventually(look)
        load.stop()
    recorded = read_samples(tmp_path)[0].records["intended_ns"].tolist()
    assert len(seen) == len(set(seen))
    assert set(seen) <= set(recorded)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"url": "https://www.proseware.example/", "ca_file": "/nowhere/ca.pem"}, "No such file or directory"),
        ({"out_dir": "/proc/nowhere"}, "No such file or directory"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(site: Site, tmp_path: Path, settings: dict[str, Any], why: str) -> None:
    """A load process that cannot do its work makes one line of error, at once, and leaves nothing behind."""
    load = Load()
    with pytest.raises(DrillError) as refusal:
        load.start(plan_for(site, tmp_path, **settings), tmp_path)
    assert why in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not locusts_of(tmp_path)


def locust(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start plain Locust, as its users do, in an empty directory."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("FAILOVER_DRILL", "PYTHONPATH"))
    }
    return subprocess.Popen(
        [sys.executable, "-m", "locust", *arguments],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_plain_locust_measures_by_itself(site: Site, tmp_path: Path) -> None:
    """`locust -f loadtests/locustfile.py --host … --headless -t 4` alone records a run, with drill.toml's traffic."""
    (tmp_path / "drill.toml").write_text("[traffic]\nrate = 40\nmix = { fresh = 100, keepalive = 0, sticky = 0 }\n")
    running = locust(tmp_path, "-f", str(LOCUSTFILE), "--host", f"http://{EAST}:{site.port}", "--headless", "-t", "4")
    said, _ = running.communicate(timeout=200)
    (run_dir,) = (tmp_path / "reports" / "load").iterdir()
    table, (report,) = read_samples(run_dir)
    assert running.returncode == 0, said
    assert report.finished
    assert report.scheduled == report.recorded == report.locust_requests
    assert 20 < len(table.records) < 40 * 60
    assert set(table.records["population"]) == {0}
    assert np.diff(np.sort(table.records["intended_ns"])).max() == 25_000_000
    assert f"failover-drill measure {run_dir}" in said
    judged = measured(str(run_dir), "--json", str(tmp_path / "f.json"), "--report")
    instrument = json.loads((tmp_path / "f.json").read_text("utf-8"))["instrument"]
    told = (0, "MET") if instrument["fit"] else (2, "INCONCLUSIVE")  # nobody lets it go first: it may have been late
    assert (judged.returncode, judged.stdout.split()[0], judged.stderr) == (*told, "")
    assert instrument["fit"] or all("was late" in each for each in instrument["reasons"]), instrument["reasons"]
    assert instrument["recorded"] == len(table.records)
    assert (run_dir / "report.html").exists()
    again = measured(str(run_dir))
    assert (again.returncode, again.stdout.split()[0]) == told


def test_measuring_what_is_no_run_of_locust_is_one_line(tmp_path: Path) -> None:
    """A directory without a plan, or without samples, is named, and what would be right; exit status 254."""
    bare = measured(str(tmp_path))
    (tmp_path / "traffic.json").write_text(TrafficPlan("http://127.0.0.1/", "").to_json())
    empty = measured(str(tmp_path))
    assert (bare.returncode, empty.returncode) == (254, 254)
    assert "traffic.json: No such file or directory; name what Locust wrote" in bare.stderr
    assert "holds no samples" in empty.stderr
    assert (bare.stderr.count("\n"), empty.stderr.count("\n")) == (1, 1)


def measured(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from failover_drill.cli import main; main()", "measure", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_plain_locust_without_target_says_so(tmp_path: Path) -> None:
    """Without a target plain Locust ends with one clear line, not a traceback."""
    running = locust(tmp_path, "-f", str(LOCUSTFILE), "--headless", "-t", "1")
    said, _ = running.communicate(timeout=200)
    assert running.returncode == 2
    assert "no target: give --host" in said
    assert "Traceback" not in said


def test_web_page_starts_stops_and_starts_again(site: Site, tmp_path: Path) -> None:
    """Locust's web page drives the traffic as usual; totals still agree when statistics are reset and after a second start."""
    port = free_port("127.0.0.1")
    running = locust(
        tmp_path, "-f", str(LOCUSTFILE), "--host", f"http://{EAST}:{site.port}", "--web-host", "127.0.0.1",
        "--web-port", str(port),
    )  # fmt: skip
    page = f"http://127.0.0.1:{port}"
    try:
        assert eventually(lambda: listening(port), 120)
        for n in (1, 2):
            ask(f"{page}/swarm", data=b"user_count=1&spawn_rate=1")
            assert eventually(lambda n=n: site.requests > 40 * n)  # type: ignore[misc]
            assert ask(f"{page}/stats/reset", data=b"") == "ok"
            ask(f"{page}/stop", data=b"")
            assert json.loads(ask(f"{page}/stats/requests"))["state"] in ("stopped", "stopping", "cleanup")
    finally:
        running.send_signal(signal.SIGTERM)
        said, _ = running.communicate(timeout=120)
    (run_dir,) = (tmp_path / "reports" / "load").iterdir()
    table, (report,) = read_samples(run_dir)
    assert report.scheduled == report.recorded == report.locust_requests == len(table.records) > 60, said


FOREIGN = """
from locust import FastHttpUser, HttpUser, User, constant, task
from loadtests.locustfile import *
from loadtests.users import MeasuredUser

class Shopper(FastHttpUser):
    wait_time = constant(0.05)
    @task
    def shop(self):
        self.client.get("/shop", name="shop")

class Member(MeasuredUser):
    wait_time = constant(0.05)
    @task
    def belong(self):
        self.client.get("/member", name="member")

class Reader(HttpUser):
    wait_time = constant(0.05)
    @task
    def read(self):
        with self.client.get("/read", name="read", catch_response=True) as answer:
            if answer.content and b"hello" not in answer.content:
                answer.failure("no greeting")

class Caller(User):
    wait_time = constant(0.05)
    @task
    def call(self):
        tell = self.environment.events.request.fire
        tell(request_type="RPC", name="untimed", response_time=None, response_length=0, response=object())
        tell(request_type="RPC", name="long", response_time=100000.5, response_length=0)
"""


@pytest.mark.parametrize(
    ("mode", "shop", "read"),
    [("ok", Outcome.OK, Outcome.OK), ("503", Outcome.HTTP_ERROR, Outcome.HTTP_ERROR),
     ("wrong", Outcome.OK, Outcome.WRONG_CONTENT), ("refuse", Outcome.REFUSED, Outcome.REFUSED)],
)  # fmt: skip
def test_users_of_other_people_are_measured_too(
    site: Site, tmp_path: Path, mode: str, shop: Outcome, read: Outcome
) -> None:
    """User classes written the usual Locust way run beside the schedule and leave samples of their own names."""
    mine = tmp_path / "mine.py"
    mine.write_text(FOREIGN)
    site.become(mode)
    everybody, met = {"/", "shop", "read", "member", "untimed", "long"}, set[str]()
    with Load(locustfile=mine, users=9) as load:
        load.start(plan := plan_for(site, tmp_path, rate=50.0), tmp_path)
        assert eventually(lambda: everybody <= recorded(load, met))
        load.stop()
    table, (report,) = read_samples(tmp_path)
    paths = np.array(table.names.paths)[table.records["path"]]
    assert set(paths) == everybody
    assert set(table.records["outcome"][paths == "untimed"]) == {Outcome.OK}
    assert set(table.records["outcome"][paths == "long"]) == {Outcome.SLOW}
    assert table.records["took_us"][paths == "long"].min() == 100_000_501
    assert set(table.records["outcome"][paths == "shop"]) == {shop}
    assert set(table.records["outcome"][paths == "member"]) == {shop}
    assert set(table.records["outcome"][paths == "read"]) == {read}
    assert report.scheduled == report.recorded == report.locust_requests
    assert report.locust_failures == np.count_nonzero((table.records["outcome"] != Outcome.OK) & (paths != "long"))
    control, _ = read_samples(tmp_path, "control")
    facts = Facts("test", "1", clock.anchor(), "", "", plan.gap_ns, table, control, workers=(report,))
    assert analyse(facts, Objectives()).instrument.locust_agrees


def recorded(load: Load, before: set[str]) -> set[str]:
    """The names under which anything was recorded so far, those of *before* among them."""
    for _, table in load.live():
        before |= {table.names.paths[i] for i in np.unique(table.records["path"])}
    return before


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(url: str, data: bytes | None = None) -> str:
    try:
        with urllib.request.urlopen(url, data=data, timeout=60) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        error.close()
        raise


MEMBERS = """
from locust import constant, task
from loadtests.locustfile import *
from loadtests.users import MeasuredUser

class Member(MeasuredUser):
    wait_time = constant(0.05)
    @task
    def belong(self):
        self.client.get("/member", name="member")
"""


def test_measured_users_resolve_and_verify_as_the_plan_says(tmp_path: Path) -> None:
    """A `MeasuredUser` finds a name that only the plan's name server knows, trusts only its CA, and never repeats."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("www.proseware.example").configure_cert(context)
    (tmp_path / "mine.py").write_text(MEMBERS)
    with loop_thread() as thread:
        secure = Site("eastus", EAST, tls=context).start(thread)
        names = Authority({"www.proseware.example": (60, (EAST,))}).start(thread)
        plan = plan_for(
            secure, tmp_path, url=f"https://www.proseware.example:{secure.port}/", resolvers=(names.address,),
            ca_file=str(tmp_path / "ca.pem"), rate=20.0, mix={"fresh": 1},
        )  # fmt: skip
        with Load(locustfile=tmp_path / "mine.py", users=3) as load:
            load.start(plan, tmp_path)
            assert eventually(lambda: secure.paths.count("/member") > 20)
            secure.become("silent")
            met = secure.paths.count("/member")
            assert eventually(lambda: secure.paths.count("/member") > met + 20)
            load.stop()
        table, _ = read_samples(tmp_path)
        secure.close()
        names.close()
    member = np.array(table.names.paths)[table.records["path"]] == "member"
    outcomes = table.records["outcome"][member]
    assert np.count_nonzero(outcomes == Outcome.OK) > 10
    assert set(outcomes) == {Outcome.OK, Outcome.RESET}
    assert secure.paths.count("/member") == np.count_nonzero(member)
