"""What the load process is to do, as one frozen value that travels between processes as JSON.

The harness builds a `TrafficPlan` from the settings, writes it to a file, and names the file to the load process in
the environment variable `FAILOVER_DRILL_PLAN`. Nothing here reads a clock, a socket or a file.

    lane k % lanes    one virtual client: a population, a name cache, its own connections
    slot k            one request, due at begin_ns + k / rate, sent by lane k % lanes
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlsplit

from failover_drill.errors import SettingsError
from failover_drill.facts import Population

PLAN_VARIABLE = "FAILOVER_DRILL_PLAN"
PLAN_FILE = "traffic.json"  # in the run's directory
WRITES = "writes.jsonl"  # in `out_dir`: what became of each write of the data probe
DEFAULT_MIX = {"fresh": 0.70, "keepalive": 0.25, "sticky": 0.05}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_MOST_PATHS = 255  # a path's index is one byte of a sample


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """Everything the load process needs to know. Raises `SettingsError`, in one line, where it makes no sense.

    `url` is what clients ask for: scheme, host and port; its path, where it has one, precedes every path of `paths`.
    `resolvers` are the name servers that the clients' caches ask, each "ip:port"; empty means the system's own.
    `mix` gives each population's share; shares are relative, so 70/25/5 and 0.7/0.25/0.05 mean the same.
    `begin_ns` is the CLOCK_MONOTONIC instant of slot 0 (0: as soon as the process is ready).
    `control_url` None means a loopback responder inside the load process.
    `write_path` is where the data probe writes, under keys that begin with `write_prefix`; empty: there is none.
    """

    url: str
    out_dir: str
    rate: float = 50.0  # requests per second, all workers together
    resolvers: tuple[str, ...] = ()
    mix: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_MIX))
    lanes: int = 100  # virtual clients
    caches: int = 50  # independent name caches
    ttl_floor_s: float = 0.0  # what some resolvers do to TTLs: a minimum,
    ttl_factor: float = 1.0  # a stretch,
    ttl_overstay_s: float = 0.0  # and an overstay (unbound keeps an entry for TTL + 1 s)
    dns_timeout_s: float = 2.0
    timeout_s: float = 5.0  # total deadline of a request, name lookup included
    slow_s: float = 1.0  # an answer later than this is not good
    expect_status: tuple[tuple[int, int], ...] = ((200, 399),)
    expect_content: str | None = None  # must occur in the body
    paths: tuple[tuple[str, float], ...] = (("/", 1.0),)
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    region_header: str = "X-Region"
    regions: Mapping[str, str] = field(default_factory=dict)  # address -> region
    ca_file: str | None = None
    begin_ns: int = 0
    max_in_flight: int = 0  # per worker; 0: as many as the process may open files
    control_url: str | None = None
    control_rate: float = 10.0
    write_path: str = ""
    write_rate: float = 10.0  # writes per second
    write_prefix: str = "drill"
    write_token: str = ""  # the environment variable that holds a bearer token for it
    workers: int = 1  # load processes in all; more than one get a Locust master beside them
    remote_workers: int = 0  # of these, how many join from elsewhere (`locust -f …/locustfile.py --worker`)
    master_host: str = "127.0.0.1"  # where the master waits for workers: anyone who reaches it is trusted
    master_port: int = 0  # 0: any free one
    seed: int = 0

    def __post_init__(self) -> None:
        for check in (_check_url, _check_numbers, _check_mix, _check_expectations, _check_paths, _check_resolvers):
            check(self)

    @property
    def host(self) -> str:
        """The host name that clients ask for, and verify the certificate of."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def https(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @property
    def prefix(self) -> str:
        """The path of `url`, which precedes every path of the plan."""
        return urlsplit(self.url).path.rstrip("/")

    @property
    def gap_ns(self) -> int:
        """The gap between two slots of the whole grid, ns."""
        return round(1e9 / self.rate)

    def slot_ns(self, k: int) -> int:
        """Return the instant at which slot *k* is due. Computed from k, so that rounding never adds up."""
        return self.begin_ns + int(k * 1e9 / self.rate)

    def lanes_for(self, workers: int) -> int:
        """Return the number of lanes, rounded up so that each lane belongs to one of *workers* processes."""
        return -(-self.lanes // workers) * workers

    def accepts(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self.expect_status)

    def control(self, url: str, workers: int = 1) -> TrafficPlan:
        """Return the plan of the control stream: same clock, one client and a low rate *per worker*, another target."""
        return replace(
            self,
            url=self.control_url or url,
            rate=min(self.control_rate, self.rate) * workers,
            resolvers=self.resolvers if self.control_url else (),
            mix={"fresh": 1.0},
            lanes=workers,
            caches=1,
            expect_status=((200, 399),),
            expect_content=None,
            paths=(("/", 1.0),),
            method="GET",
            headers={},
            body="",
            ca_file=None,
            workers=1,
            remote_workers=0,
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrafficPlan:
        """Return the plan in *text*. Raises `SettingsError` where it is no plan."""
        try:
            given = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"traffic plan is not JSON: {error}") from None
        if not isinstance(given, dict):
            raise SettingsError("traffic plan is not a JSON object")
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise SettingsError(f"traffic plan has no key {unknown[0]!r}; it knows {', '.join(sorted(known))}")
        if missing := {"url", "out_dir"} - set(given):
            raise SettingsError(f"traffic plan lacks {', '.join(sorted(missing))}")
        try:
            return cls(**{key: _tuples(value) for key, value in given.items()})
        except (TypeError, ValueError) as error:
            raise SettingsError(f"traffic plan holds a value of the wrong kind: {error}") from None


def lane_populations(mix: Mapping[str, float], lanes: int) -> tuple[Population, ...]:
    """Return the population of each lane, each population spread as evenly over the lanes as its share allows.

    Evenly, because a population's own sampling grid is only as uniform as its lanes are.
    """
    shares = {Population[name.upper()]: share / sum(mix.values()) for name, share in mix.items() if share > 0}
    owed = dict.fromkeys(shares, 0.0)
    chosen = []
    for _ in range(lanes):
        owed = {population: debt + shares[population] for population, debt in owed.items()}
        due = max(owed, key=lambda population: (owed[population], -population))
        owed[due] -= 1
        chosen.append(due)
    return tuple(chosen)


def server_address(text: str) -> tuple[str, int]:
    """Split "ip:port" or "[ip6]:port" (port 53 where none is given). Raises `SettingsError`."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.lstrip(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        ipaddress.ip_address(host)
        if not 0 < int(port) < 65536:
            raise ValueError
    except ValueError:
        raise SettingsError(f"traffic: resolver {text!r} is not ip:port, such as 127.0.0.1:53") from None
    return host, int(port)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _refuse(key: str, value: object, right: str) -> SettingsError:
    return SettingsError(f"traffic: {key} = {value!r}: {right}")


def _check_url(plan: TrafficPlan) -> None:
    right = "must be http://host[:port]/ or https://host[:port]/"
    try:
        parts = urlsplit(plan.url)
        port = parts.port
    except ValueError:
        raise _refuse("url", plan.url, right) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _refuse("url", plan.url, right)
    if parts.username or parts.password:
        raise SettingsError("traffic: url must not carry a user name or password; use headers")


def _check_numbers(plan: TrafficPlan) -> None:
    for key, low, high in (
        ("rate", 0.01, 1e5),
        ("control_rate", 0.01, 1e3),
        ("write_rate", 0.01, 1e3),
        ("timeout_s", 0.01, 3600.0),
        ("slow_s", 0.001, 3600.0),
        ("dns_timeout_s", 0.01, 60.0),
        ("ttl_floor_s", 0.0, 86_400.0),
        ("ttl_factor", 0.0, 1000.0),
        ("ttl_overstay_s", 0.0, 86_400.0),
        ("lanes", 1, 50_000),
        ("caches", 1, 10_000),
        ("workers", 1, 1000),
        ("remote_workers", 0, 1000),
        ("master_port", 0, 65535),
        ("max_in_flight", 0, 1_000_000),
    ):
        value = getattr(plan, key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise _refuse(key, value, f"must be a number from {low:g} to {high:g}")
    if plan.remote_workers > plan.workers:
        raise _refuse("remote_workers", plan.remote_workers, f"must be at most workers = {plan.workers}")
    for key in ("lanes", "caches", "workers", "remote_workers", "master_port", "max_in_flight", "seed", "begin_ns"):
        if not isinstance(getattr(plan, key), int):
            raise _refuse(key, getattr(plan, key), "must be a whole number")


def _check_mix(plan: TrafficPlan) -> None:
    names = ", ".join(p.name.lower() for p in Population)
    if unknown := sorted(set(plan.mix) - {p.name.lower() for p in Population}):
        raise _refuse("mix", unknown[0], f"no such population; there are {names}")
    if any(share < 0 for share in plan.mix.values()) or not sum(plan.mix.values()) > 0:
        raise _refuse("mix", dict(plan.mix), "shares must not be negative, and one must be above 0")


def _check_expectations(plan: TrafficPlan) -> None:
    if plan.method not in _METHODS:
        raise _refuse("method", plan.method, f"must be one of {', '.join(_METHODS)}")
    if not plan.expect_status:
        raise _refuse("expect_status", plan.expect_status, "must name at least one range, such as 200-399")
    for low, high in plan.expect_status:
        if not 100 <= low <= high <= 599:
            raise _refuse("expect_status", f"{low}-{high}", "must be a range within 100-599")
    for name, value in plan.headers.items():
        if not name or any(c in "\r\n\0" for c in name + value) or ":" in name:
            raise _refuse("headers", name, "must be one header name and one line of value")


def _check_paths(plan: TrafficPlan) -> None:
    if not 0 < len(plan.paths) <= _MOST_PATHS:
        raise _refuse("paths", f"{len(plan.paths)} paths", f"must be 1 to {_MOST_PATHS}")
    for path, weight in plan.paths:
        if not path.startswith("/") or any(c.isspace() or not c.isprintable() for c in path):
            raise _refuse("paths", path, "must begin with / and hold no blank")
        if not path.isascii():
            raise _refuse("paths", path, "must be percent-encoded")
        if not weight > 0:
            raise _refuse("paths", f"{path} weight {weight}", "weight must be above 0")


def _check_resolvers(plan: TrafficPlan) -> None:
    _each_address(plan.resolvers)
    for address in plan.regions:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise _refuse("regions", address, "must map IP addresses to regions") from None


def _each_address(resolvers: Sequence[str]) -> None:
    for resolver in resolvers:
        server_address(resolver)
