"""A running estate for tests: `python -m local_estate` as a process of its own, and plain clients for its doors."""

from __future__ import annotations

import http.client
import json
import os
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dns.exception
import dns.message
import dns.query
import dns.rcode

ROOT = Path(__file__).resolve().parents[2]
AUDIENCE = "https://management.azure.com"
QUICK = {
    "time_scale": 10,
    "delays": {"stop_effect_s": 0, "start_effect_s": 0, "cold_start_s": 0, "dns_propagation_s": 0},
}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """One running estate: its ready line and its doors."""

    ready: Mapping[str, Any]
    process: subprocess.Popen[bytes]
    log: Path
    _token: str = field(default="", repr=False)

    @property
    def token(self) -> str:
        self._token = self._token or self.fresh_token()
        return self._token

    def fresh_token(self, audience: str = AUDIENCE) -> str:
        answer = fetch(
            "GET",
            f"{self.ready['identity_endpoint']}?api-version=2019-08-01&resource={audience}",
            {"X-IDENTITY-HEADER": self.ready["identity_header"], "Metadata": "true"},
        )
        return str(answer.json["access_token"])

    def arm(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
        version: str = "2026-09-01",
    ) -> Answer:
        """Call ARM. `path` may begin with "~" for the subscription; the api-version is added unless it has a query."""
        path = path.replace("~", f"/subscriptions/{self.ready['subscription_id']}", 1)
        url = self.ready["arm_url"] + path + ("" if "?" in path else f"?api-version={version}")
        sent = {"Authorization": f"Bearer {self.token if token is None else token}", "Content-Type": "application/json"}
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        return fetch(method, url, {**sent, **(headers or {})}, raw, cafile=self.ready["ca_file"], timeout_s=timeout_s)

    def control(self, method: str, path: str, body: object = None, token: str | None = None) -> Answer:
        bearer = self.ready["control_token"] if token is None else token
        raw = None if body is None else json.dumps(body).encode()
        return fetch(method, self.ready["control_url"] + path, {"Authorization": f"Bearer {bearer}"}, raw)

    @contextmanager
    def fault(self, kind: str, **settings: object) -> Iterator[str]:
        """Set a fault, and undo it at the end."""
        answer = self.control("POST", "/_faults", {"kind": kind, **settings})
        assert answer.status == 201, answer.body
        try:
            yield answer.json["id"]
        finally:
            assert self.control("DELETE", f"/_faults/{answer.json['id']}").status == 200

    @property
    def profile(self) -> str:
        return str(self.ready["profile_id"])

    def app(self, region: str) -> Mapping[str, str]:
        return next(app for app in self.ready["web_apps"] if app["region"] == region)

    def site(self, region: str, path: str = "/", timeout_s: float = 60.0) -> Answer:
        """Ask a region's app directly, by its default host name."""
        app = self.app(region)
        url = f"http://{app['address']}:{self.ready['http_port']}{path}"
        return fetch("GET", url, {"Host": app["default_host_name"]}, timeout_s=timeout_s)

    def lookup(
        self, name: str | None = None, server: str | None = None, timeout_s: float = 20.0
    ) -> tuple[str, tuple[str, ...]]:
        """Ask for an A record; return the rcode and the addresses, or "TIMEOUT"."""
        host, _, port = (server or self.ready["dns"]).rpartition(":")
        query = dns.message.make_query(name or self.ready["public_host"], "A")
        try:
            answer = dns.query.udp(query, host, port=int(port), timeout=timeout_s)
        except dns.exception.Timeout:
            return "TIMEOUT", ()
        found = tuple(str(r) for rrset in answer.answer for r in rrset if rrset.rdtype == 1)
        return dns.rcode.to_text(answer.rcode()), found

    def writes(self) -> list[dict[str, Any]]:
        return list(self.control("GET", "/_writes").json["writes"])

    def said(self) -> str:
        """What it wrote to stderr: nothing, when all is well."""
        return self.log.read_text("utf-8")


def fetch(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    *,
    cafile: str | None = None,
    timeout_s: float = 60.0,
) -> Answer:
    """One HTTP request on a connection of its own, without proxies and redirects. Raises OSError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, port, timeout=timeout_s, context=ssl.create_default_context(cafile=cafile)
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path or "/", body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@contextmanager
def running(directory: Path, config: Mapping[str, object] | None = None, *arguments: str) -> Iterator[Running]:
    """Run an estate with *config*; at the end it must exit with 0."""
    command = [sys.executable, "-m", "local_estate", *arguments]
    if config is not None:
        file = directory / f"estate-{time.monotonic_ns()}.json"
        file.write_text(json.dumps(config), "utf-8")
        command += ["--config", str(file)]
    log = directory / f"estate-{time.monotonic_ns()}.err"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield Running(json.loads(_first_line(process, log)), process, log)
        process.terminate()
        assert process.wait(90) == 0, log.read_text("utf-8")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def _first_line(process: subprocess.Popen[bytes], log: Path) -> bytes:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], 120)
    line = process.stdout.readline() if ready else b""
    assert line, f"no ready line: {log.read_text('utf-8')}"
    return line


def until(holds: Callable[[], bool], within_s: float = 90.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.02)


def refused_to_start(directory: Path, text: str, name: str = "estate.toml") -> tuple[int, str]:
    """Run an estate with bad settings; return its exit status and what it said."""
    file = directory / name
    file.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "local_estate", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.strip()


def environment(estate: Running) -> dict[str, str]:
    """The environment in which azure-identity and az find the estate's managed identity and its CA."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.upper().endswith("_PROXY") and not k.startswith(("AZURE_", "IDENTITY_"))
    }
    return {
        **kept,
        "IDENTITY_ENDPOINT": estate.ready["identity_endpoint"],
        "IDENTITY_HEADER": estate.ready["identity_header"],
        "REQUESTS_CA_BUNDLE": estate.ready["ca_file"],
    }
