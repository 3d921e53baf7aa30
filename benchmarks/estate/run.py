"""How fast the estate's data plane is: a regional site beside nginx, the name server, and the time until ready.

    python benchmarks/estate/run.py [--seconds 4] [--rounds 3] [site] [dns] [ready]

Servers are pinned to core 0, the load to core 1 (needs wrk, nginx, dnsperf and taskset). Site and nginx take turns, so that what
else the machine does strikes both; the ratio is the figure to trust. CPU per request is of the serving process alone: a million
divided by it is what a core that is not shared would serve.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SERVER_CORE, LOAD_CORE = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")

NGINX = """\
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{
    listen 127.0.0.1:{port}; default_type application/json;
    location / {{
      add_header X-Region eastus;
      return 200 '{{"region":"eastus","app":"proseware-eastus","version":"1","instance":"0123456789ab","served":123,"path":"/"}}';
    }}
  }}
}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["site", "dns", "ready", []], default=[])
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    wanted = args.what or ["site", "dns", "ready"]
    print(
        f"machine: {_machine()}\ncommit: {_commit()}\ncommand: python benchmarks/estate/run.py {' '.join(sys.argv[1:])}"
    )
    if "ready" in wanted:
        ready(args.rounds * 3)
    if "site" in wanted or "dns" in wanted:
        with estate() as line:
            if "site" in wanted:
                site(line, args.seconds, args.rounds)
            if "dns" in wanted:
                names(line, args.seconds, args.rounds)


def ready(rounds: int) -> None:
    """Time from spawning the estate to its ready line, not pinned."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        with estate(pinned=False):
            times.append(time.perf_counter() - began)
    print(
        f"ready: median {statistics.median(times):.2f} s, min {min(times):.2f}, max {max(times):.2f} ({rounds} starts)"
    )


def site(line: dict[str, Any], seconds: int, rounds: int) -> None:
    """Requests per second over 16 kept connections: the region, nginx, the region, …"""
    app = line["web_apps"][0]
    pid = _region_pid(line, app["address"])
    ours, theirs, costs = [], [], []
    with tempfile.TemporaryDirectory() as directory, nginx(Path(directory)) as port:
        for _ in range(rounds):
            before = _cpu_s(pid)
            rate = _wrk(f"http://{app['address']}:{line['http_port']}/", line["public_host"], seconds)
            costs.append((_cpu_s(pid) - before) / (rate * seconds) * 1e6)
            ours.append(rate)
            theirs.append(_wrk(f"http://127.0.0.1:{port}/", line["public_host"], seconds))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(
        f"site: {_spread(ours)} requests/s on one core, {_cost(costs)};"
        f" nginx {_spread(theirs)}; ratio median {statistics.median(ratios):.2f}"
    )


def names(line: dict[str, Any], seconds: int, rounds: int) -> None:
    """Questions per second over UDP and TCP: the public name, the profile, a site, AAAA, and a name that is not there."""
    address, port = line["dns"].split(":")
    questions = [
        f"{line['public_host']} A", f"{line['profile_fqdn']} A", f"{line['web_apps'][0]['default_host_name']} A",
        f"{line['public_host']} AAAA", "nobody.trafficmanager.net A",
    ]  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(questions) + "\n")
        file.flush()
        for mode in ("udp", "tcp"):
            command = [
                "taskset", "-c", LOAD_CORE, "dnsperf", "-s", address, "-p", port, "-d", file.name, "-m", mode,
                "-c", "4", "-q", "20", "-l", str(seconds),
            ]  # fmt: skip
            rates, costs, lost = [], [], 0
            for _ in range(rounds):
                before = _cpu_s(line["pid"])
                out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                rates.append(float(_found(r"Queries per second:\s+([\d.]+)", out)))
                costs.append((_cpu_s(line["pid"]) - before) / (rates[-1] * seconds) * 1e6)
                lost += int(_found(r"Queries lost:\s+(\d+)", out))
            print(f"dns over {mode}: {_spread(rates)} questions/s on one core, {_cost(costs)}, {lost} lost")


@contextmanager
def estate(*, pinned: bool = True) -> Iterator[dict[str, Any]]:
    """Run an estate, all of it on the servers' core where *pinned*; yield its ready line."""
    command = [sys.executable, "-m", "local_estate"]
    if pinned:
        command = ["taskset", "-c", SERVER_CORE, *command]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@contextmanager
def nginx(directory: Path) -> Iterator[int]:
    port = 31999
    conf = directory / "nginx.conf"
    conf.write_text(NGINX.format(directory=directory, port=port))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    command = ["taskset", "-c", SERVER_CORE, program, "-p", str(directory), "-c", str(conf), "-e", "stderr"]
    with subprocess.Popen(command) as process:
        time.sleep(0.3)
        try:
            yield port
        finally:
            process.terminate()


def _wrk(url: str, host: str, seconds: int) -> float:
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c16", f"-d{seconds}s", "-H", f"Host: {host}", url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"wrk saw errors:\n{out}")
    return float(_found(r"Requests/sec:\s+([\d.]+)", out))


def _region_pid(line: dict[str, Any], address: str) -> int:
    """Find the region's process by its command line, among the children of the estate."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == line["pid"] and address.encode() in words:
                return int(entry.name)
    raise SystemExit(f"no process serves {address}")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _spread(values: list[float]) -> str:
    return f"median {statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def _cost(costs: list[float]) -> str:
    each = statistics.median(costs)
    return f"{each:.0f} us of CPU each ({1e6 / each:,.0f} per CPU second)"


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"{pattern!r} not in:\n{text}")
    return match.group(1)


def _machine() -> str:
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()}-core VM, {system}, load before {load}"


def _commit() -> str:
    return subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()


if __name__ == "__main__":
    main()
