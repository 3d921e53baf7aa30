"""Whatever is thrown at its doors, the estate goes on serving and has nothing to say about it."""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local_estate.arm_table import OPERATIONS
from tests.estate.running import QUICK, Running, running

LINES = 3000
BODIES = 3000
WORDS = (
    *(
        "GET",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "CONNECT",
        "HEAD",
        "*",
        "é",
        "\x00",
        " ",
        "\t",
        "/",
        "//",
        "..",
        "%00",
        "%zz",
        "?",
        "&",
        "=",
        "#",
    ),
    *(
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/9.9",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "Content-Length: 5",
        "Content-Length: -1",
        "Content-Length: x",
    ),
    *(
        "Transfer-Encoding: chunked",
        "5\r\nhello\r\n0\r\n\r\n",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "Connection: Upgrade, HTTP2-Settings",
    ),
    *(
        "Host: a",
        ":",
        "subscriptions",
        "api-version=2026-09-01",
        "Authorization: Bearer a.b.c",
        "X" * 300,
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ),
)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate"), QUICK) as estate:
        yield estate


def complaints(estate: Running) -> list[object]:
    """What does not answer as it should, and what was logged."""
    answers = {
        "arm": estate.arm("GET", estate.profile, token=estate.fresh_token()).status,
        "control": estate.control("GET", "/_faults").status,
        "site": estate.site("eastus").status,
        "dns": 200 if estate.lookup()[0] == "NOERROR" else 0,
    }
    return [*((door, status) for door, status in answers.items() if status != 200), *estate.said().splitlines()]


def line(rng: random.Random) -> bytes:
    if rng.random() < 0.1:
        return rng.randbytes(rng.randint(1, 400))
    words = (rng.choice(WORDS) for _ in range(rng.randint(1, 30)))
    return rng.choice(("", " ", "\r\n")).join(words).encode("utf-8", "replace") + rng.choice((b"", b"\r\n\r\n"))


@pytest.mark.parametrize("door", ["arm_url", "identity_endpoint", "control_url", "proxy_url"])
def test_fuzzed_request_lines_leave_every_door_serving(estate: Running, door: str) -> None:
    """Thousands of torn and senseless requests, each on a connection that may be cut at any point."""
    parts = urlsplit(estate.ready[door])
    context = ssl.create_default_context(cafile=estate.ready["ca_file"])
    rng = random.Random(f"lines {door}")
    for _ in range(LINES // 4 if door != "arm_url" else LINES // 8):
        with socket.create_connection((parts.hostname, parts.port), timeout=60) as plain:
            sock = (
                context.wrap_socket(plain, server_hostname="127.0.0.1")
                if parts.scheme == "https" and rng.random() < 0.9
                else plain
            )
            try:
                sock.sendall(line(rng))
                if rng.random() < 0.3:
                    sock.settimeout(0.02)
                    sock.recv(1000)
            except OSError:
                pass
            finally:
                sock.close()
    assert complaints(estate) == []


KEYS = (
    *(
        "properties",
        "location",
        "tags",
        "endpoints",
        "name",
        "type",
        "target",
        "targetResourceId",
        "dnsConfig",
        "relativeName",
        "ttl",
    ),
    *(
        "monitorConfig",
        "protocol",
        "port",
        "path",
        "intervalInSeconds",
        "customHeaders",
        "expectedStatusCodeRanges",
        "min",
        "max",
        "first",
    ),
    *(
        "subnets",
        "scope",
        "geoMapping",
        "priority",
        "weight",
        "endpointStatus",
        "maxReturn",
        "siteConfig",
        "appSettings",
        "value",
        "sku",
    ),
    *(
        "trafficRoutingMethod",
        "serverFarmId",
        "kind",
        "operation",
        "query",
        "options",
        "subscriptions",
        "targetSlot",
        "appSettingNames",
    ),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        1e309,
        2**70,
        0.5,
        "",
        "a",
        "global",
        "eastus",
        "\ud800",
        "\x00",
        "é" * 50,
        "x" * 5000,
        [],
        {},
        [[]],
        [None],
    ),
    *(
        "HTTP",
        "TCP",
        "Weighted",
        "Subnet",
        "MultiValue",
        "Geographic",
        "Enabled",
        "1.2.3.4",
        "::1",
        "999.1.1.1",
        "a.b",
        "Merge",
        "production",
    ),
    *("Resources | where name == 'x'", "| | |", "Microsoft.Network/trafficManagerProfiles/externalEndpoints"),
)


def tree(rng: random.Random, depth: int) -> Any:
    draw = rng.random()
    if depth == 0 or draw < 0.35:
        return rng.choice(VALUES)
    if draw < 0.85:
        return {rng.choice(KEYS): tree(rng, depth - 1) for _ in range(rng.randint(0, 6))}
    return [tree(rng, depth - 1) for _ in range(rng.randint(0, 4))]


def body(rng: random.Random) -> bytes:
    text = json.dumps(tree(rng, 5)).encode()
    if rng.random() < 0.1:
        cut = rng.randrange(len(text))
        return text[:cut] + rng.randbytes(3) + text[cut:]
    return text


def path(rng: random.Random, estate: Running, template: str) -> str:
    """A path of an operation, its placeholders filled with names that are there, or nearly."""
    names = {
        "{sub}": estate.ready["subscription_id"],
        "{group}": rng.choice(["rg-proseware-eastus", "rg-proseware-global", "none", "%00"]),
        "{profile}": rng.choice(["proseware", "f1", "f2", "%C3%A9"]),
        "{kind}": rng.choice(["azureEndpoints", "externalEndpoints", "nestedEndpoints", "odd"]),
        "{endpoint}": rng.choice(["eastus", "e1", "e2"]),
        "{site}": rng.choice(["proseware-eastus", "f1", "f2", "%F0%9F%92%A5"]),
        "{slot}": rng.choice(["staging", "production"]),
    }
    for key, value in names.items():
        template = template.replace(key, value)
    filled = "".join(
        part if not part.startswith("{") else rng.choice(["x", "f1", "a.b.example"]) for part in _pieces(template)
    )
    return f"{filled}?api-version={rng.choice(['2026-09-01', '2022-04-01', '2018-04-01', '2015-11-01'])}"


def _pieces(template: str) -> list[str]:
    out, rest = [], template
    while "{" in rest:
        before, _, rest = rest.partition("{")
        inside, _, rest = rest.partition("}")
        out += [before, "{" + inside + "}"]
    return [*out, rest]


def test_fuzzed_bodies_on_every_operation_are_answered_and_never_a_500(tmp_path: Path) -> None:
    """Thousands of bodies of right and wrong shape: each gets an answer below 500 (or 501), and the estate still serves."""
    with running(tmp_path, QUICK) as estate:  # one of its own: some of the bodies change it
        _throw_bodies_at(estate)


def _throw_bodies_at(estate: Running) -> None:
    parts = urlsplit(estate.ready["arm_url"])
    context = ssl.create_default_context(cafile=estate.ready["ca_file"])
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=60, context=context)
    headers = {"Authorization": f"Bearer {estate.token}", "Content-Type": "application/json"}
    rng = random.Random("bodies")
    protected = ("proseware", "rg-proseware")
    seen: set[int] = set()
    for _ in range(BODIES):
        operation = rng.choice(OPERATIONS)
        where = path(rng, estate, operation.path)
        if operation.method == "DELETE" and any(word in where for word in protected):
            continue
        connection.request(
            operation.method, where, body(rng) if operation.method not in {"GET", "HEAD"} else None, headers
        )
        answer = connection.getresponse()
        answer.read()
        seen.add(answer.status)
        assert answer.status < 500 or answer.status == 501, (operation.name, where)
    connection.close()
    assert {200, 400, 404, 501} <= seen
    assert estate.said() == ""
    assert estate.arm("GET", "~/resourceGroups").status == 200
