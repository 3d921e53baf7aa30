"""Starting and ending an estate: the ready line, settings that are wrong, ports that are taken, and who outlives whom."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import psutil
import pytest

from local_estate.config import ConfigError, EstateConfig, parse
from local_estate.layout import roles
from tests.estate.running import QUICK, ROOT, refused_to_start, running, until
from tests.servers import free_port

COMMAND = [sys.executable, "-m", "local_estate"]


def test_the_ready_line_has_what_a_client_needs(tmp_path: Path) -> None:
    """One JSON line; the addresses in it answer; without settings both apps run behind one Priority profile."""
    with running(tmp_path) as estate:
        ready = estate.ready
        assert ready["resource_groups"] == ["rg-proseware-global", "rg-proseware-eastus", "rg-proseware-westus3"]
        assert [(a["region"], a["address"], a["role"], a["endpoint"]) for a in ready["web_apps"]] == [
            ("eastus", "127.0.1.1", "primary", "eastus"),
            ("westus3", "127.0.2.1", "secondary", "westus3"),
        ]
        assert (ready["time_scale"], ready["profile_fqdn"], ready["pid"]) == (
            1.0,
            "proseware.trafficmanager.net",
            estate.process.pid,
        )
        profile = estate.arm("GET", ready["profile_id"]).json
        assert profile["tags"] == {"failover-drill": "allowed"}
        monitor = profile["properties"]["monitorConfig"]
        assert (monitor["port"], monitor["path"], monitor["intervalInSeconds"]) == (ready["http_port"], "/health", 10)
        assert profile["properties"]["dnsConfig"]["ttl"] == 5
        assert all(estate.site(region).json["region"] == region for region in ("eastus", "westus3"))
        assert Path(ready["run_dir"]).stat().st_mode & 0o777 == 0o700
    assert not Path(ready["run_dir"]).exists()
    assert estate.said() == ""


def test_settings_shape_the_estate(tmp_path: Path) -> None:
    """States, endpoints, priorities, names and logs are as the settings say; a configured run directory stays."""
    config = {
        **QUICK,
        "estate": {"run_dir": str(tmp_path / "run"), "truth_log": str(tmp_path / "truth.jsonl")},
        "public_host": "shop.example.com",
        "profile": {
            "name": "shop",
            "relative_name": "shop",
            "ttl": 20,
            "interval_s": 30,
            "tolerated": 1,
            "routing": "Weighted",
        },
        "regions": [
            {"location": "North Europe", "address": "127.0.9.1", "app": "shop-eu", "state": "Stopped", "version": "7"},
            {"location": "westus", "role": "primary", "endpoint": "Disabled", "weight": 50, "host_bound": False},
        ],
    }
    with running(tmp_path, config) as estate:
        eu = estate.app("northeurope")
        assert (eu["name"], eu["address"], eu["role"]) == ("shop-eu", "127.0.9.1", "secondary")
        assert estate.arm("GET", eu["resource_id"]).json["properties"]["state"] == "Stopped"
        properties = estate.arm("GET", estate.profile).json["properties"]
        assert (properties["dnsConfig"]["ttl"], properties["trafficRoutingMethod"]) == (20, "Weighted")
        west = next(e["properties"] for e in properties["endpoints"] if e["name"] == "westus")
        assert (west["endpointStatus"], west["weight"]) == ("Disabled", 50)
        hosts = estate.arm("GET", estate.app("westus")["resource_id"]).json["properties"]["hostNames"]
        assert "shop.example.com" not in hosts
    assert (tmp_path / "run" / "ca.pem").exists()
    assert any(
        json.loads(line)["event"] == "serving" for line in (tmp_path / "truth.jsonl").read_text("utf-8").splitlines()
    )


WRONG = [
    ("time_scale = 0", "time_scale = 0", "greater than 0"),
    ("tyme_scale = 1", "tyme_scale = 1", "is not a setting; known here: time_scale, run_dir"),
    ("[profile]\nttl = -1", "profile.ttl = -1", "greater than or equal to 0"),
    ("[profile]\ninterval_s = 20", "profile.interval_s = 20", "10 or 30"),
    ("[profile]\ninterval_s = 10\ntimeout_s = 10", "profile", "timeout_s must be 5 to 9"),
    ("[profile]\nrouting = 'Random'", 'profile.routing = "Random"', "'Priority'"),
    ("[[regions]]\nlocation = 'eastus'\naddress = '10.0.0.1'", 'regions.0.address = "10.0.0.1"', "loopback"),
    ("[[regions]]\nlocation = 'eastus'\ncolour = 'red'", 'regions.0.colour = "red"', "known here: location, address"),
    ("[[regions]]\nlocation = 'eastus'\n[[regions]]\nlocation = 'East US'", "regions", "each region once"),
    (
        "[[regions]]\nlocation = 'eastus'\naddress = '127.0.2.1'\n[[regions]]\nlocation = 'westus'",
        "settings",
        "an address of its own",
    ),
    ("[[regions]]\nlocation = 'atlantis'", 'regions.0.location = "atlantis"', "a region of Azure"),
    ("regions = []", "regions = []", "at least one region"),
    ("http_port = 70000", "http_port = 70000", "65535"),
    ("public_host = 'local host'", 'public_host = "local host"', "pattern"),
    ("[delays]\nstop_effect_s = 'soon'", 'delays.stop_effect_s = "soon"', "number"),
    ("[[sources]]\nnetwork = 'home'", 'sources.0.network = "home"', "203.0.113.0/24"),
    ("estate = 1", "estate = 1", "must be a table"),
]


@pytest.mark.parametrize(("text", "key", "right"), WRONG)
def test_a_wrong_setting_is_one_line_that_names_it(text: str, key: str, right: str) -> None:
    """Key, value and what would be right, in one line."""
    with pytest.raises(ConfigError) as wrong:
        parse(tomllib.loads(text), "estate.toml")
    said = str(wrong.value)
    assert said.startswith(f"estate.toml: {key}")
    assert right in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("estate.toml", "[profile]\nttl = -1", "profile.ttl = -1"),
        ("estate.toml", "time_scale = ", "is not TOML"),
        ("estate.json", "{", "is not JSON"),
        ("estate.json", "[]", "must be a table of settings"),
    ],
)
def test_wrong_settings_end_the_program_with_2(tmp_path: Path, name: str, text: str, says: str) -> None:
    """Exit status 2, nothing on stdout, one line on stderr with the file's name and no traceback."""
    status, said = refused_to_start(tmp_path, text, name)
    assert (status, said.count("\n")) == (2, 0)
    assert str(tmp_path / name) in said
    assert says in said


def test_a_missing_file_and_a_wrong_argument_are_2(tmp_path: Path) -> None:
    """A file that is not there, and an option nobody knows."""
    for arguments in (["--config", str(tmp_path / "none.toml")], ["--fast"]):
        done = subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("key", ["arm_port", "dns_port", "http_port", "control_port", "identity_port", "proxy_port"])
def test_a_port_in_use_is_named_in_one_line(tmp_path: Path, key: str) -> None:
    """Exit status 1, with the setting or the address, and the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.1.1" if key == "http_port" else "127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        if key == "dns_port":  # UDP comes first
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.bind(("127.0.0.1", port))
                status, said = refused_to_start(tmp_path, f"{key} = {port}")
        else:
            status, said = refused_to_start(tmp_path, f"{key} = {port}")
    assert (status, said.count("\n")) == (1, 0)
    assert str(port) in said
    assert "Traceback" not in said
    assert not _children_of("local_estate.site")


AS_ON_A_MAC = """
ip link set lo up && ip address delete 127.0.0.1/8 dev lo && ip address add 127.0.0.1/32 dev lo || exit 77
exec "$@"
"""


def test_loopback_addresses_that_are_missing_are_named_with_the_command_that_adds_them() -> None:
    """On a machine that has 127.0.0.1 only, as a Mac does: one line, exit status 1, all addresses in one command."""
    alone = [shutil.which("unshare") or "unshare", "--map-root-user", "--net", "sh", "-c", AS_ON_A_MAC, "sh"]
    try:
        done = subprocess.run([*alone, *COMMAND], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare, of util-linux")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no network of our own is to be had here: {done.stderr.strip()}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "sudo ifconfig lo0 alias 127.0.1.1 up && sudo ifconfig lo0 alias 127.0.2.1 up" in done.stderr


def test_a_truth_log_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    """Exit status 1, with the path."""
    status, said = refused_to_start(tmp_path, f"truth_log = '{tmp_path}/none/truth.jsonl'")
    assert (status, said.count("\n")) == (1, 0)
    assert f"{tmp_path}/none/truth.jsonl" in said


def test_two_estates_run_at_once(tmp_path: Path) -> None:
    """Two estates on one machine share addresses and no port; each knows only itself."""
    with running(tmp_path, QUICK) as one, running(tmp_path, QUICK) as other:
        assert one.ready["http_port"] != other.ready["http_port"]
        assert one.site("eastus").status == other.site("eastus").status == 200
        assert one.arm("GET", one.profile, token=other.token).status == 401


def test_it_binds_nothing_but_loopback(tmp_path: Path) -> None:
    """Every listening socket of the estate and its regions, TCP and UDP, is on 127.0.0.0/8."""
    with running(tmp_path, {**QUICK, "resolver": {"count": 1}}) as estate:
        estate.arm("GET", estate.profile)
        main = psutil.Process(estate.process.pid)
        bound = [
            c.laddr.ip
            for p in (main, *main.children(recursive=True))
            for c in p.net_connections(kind="inet")
            if c.status in {"LISTEN", "NONE"}
        ]
        assert len(bound) >= 12
        assert [ip for ip in bound if not ip.startswith("127.")] == []


@pytest.mark.parametrize(("number", "wait_s"), [(signal.SIGTERM, 0.1), (signal.SIGINT, 0.4), (signal.SIGHUP, 0.8)])
def test_a_signal_ends_it_cleanly_at_any_time(tmp_path: Path, number: signal.Signals, wait_s: float) -> None:
    """Also while it is starting: exit status 0, no process left, nothing said, the run directory gone."""
    with (tmp_path / "err").open("wb") as errors:
        there = {**os.environ, "TMPDIR": str(tmp_path)}
        process = subprocess.Popen(COMMAND, stdout=subprocess.DEVNULL, stderr=errors, cwd=ROOT, env=there)
    try:
        until(lambda: _has_handlers(process.pid))
        time.sleep(wait_s)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(90) == 0
    finally:
        process.kill()
        process.wait()
    until(lambda: not [p for p in children if _lives(p)])
    assert (tmp_path / "err").read_text() == ""
    assert list(tmp_path.glob("local-estate-*")) == []


def _has_handlers(pid: int) -> bool:
    """Whether SIGTERM is caught by now: before that, the default ends any program at once."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & (1 << (signal.SIGTERM - 1)))


def _children_of(module: str) -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if module in " ".join(p.cmdline())]


PARENT = """
import subprocess, sys, time
p = subprocess.Popen([sys.executable, "-m", "local_estate", *sys.argv[1:]], stdout=subprocess.PIPE)
print(p.stdout.readline().decode(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("who", ["parent", "estate"])
def test_killing_the_parent_leaves_no_orphan(who: str) -> None:
    """With --exit-with-parent the estate ends with who started it; its regions end with the estate, hung ones too."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "--exit-with-parent"], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    ready = json.loads(parent.stdout.readline())
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) == 3
    family[-1].suspend()
    os.kill(parent.pid if who == "parent" else ready["pid"], signal.SIGKILL)
    try:
        until(lambda: not [p for p in family if _lives(p)])
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


def _lives(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has reaped yet does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_without_the_option_it_outlives_its_parent(tmp_path: Path) -> None:
    """Standard input ending, or the parent, is no reason to stop unless asked for."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=ROOT
    )
    assert parent.stdout is not None
    ready = json.loads(parent.stdout.readline())
    estate = psutil.Process(ready["pid"])
    parent.kill()
    parent.wait()
    parent.stdout.close()
    time.sleep(1.0)
    assert estate.is_running()
    estate.terminate()
    psutil.wait_procs([estate], timeout=90)
    assert not estate.is_running()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([None, None], ["primary", "secondary"]),
        (["secondary", None], ["secondary", "primary"]),
        ([None, "primary"], ["secondary", "primary"]),
        ([None, None, None], ["primary", "secondary", ""]),
        ([None], ["primary"]),
    ],
)
def test_roles_fall_to_the_first_regions_that_have_none(given: list[str | None], expected: list[str]) -> None:
    """A configured role is kept; the others go round in the order of the regions."""
    places = ["eastus", "westus3", "northeurope"]
    regions = [{"location": place, "role": role} for place, role in zip(places, given, strict=False)]
    config = EstateConfig.model_validate({"regions": regions})
    assert list(roles(config).values()) == expected


def test_a_fixed_port_is_used(tmp_path: Path) -> None:
    """A port that is set is the port that is used."""
    port = free_port("127.0.0.1")
    with running(tmp_path, {**QUICK, "arm_port": port}) as estate:
        assert estate.ready["arm_url"].endswith(f":{port}")


def test_the_settings_in_the_docs_are_settings() -> None:
    """The example in docs/estate.md is read without complaint."""
    text = (ROOT / "docs" / "estate.md").read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    assert parse(tomllib.loads(text), "docs/estate.md").profile.name == "proseware"
