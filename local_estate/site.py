"""`python -m local_estate.site`: one region's front end as a process of its own, so that killing it is a real loss.

The parent holds it by its standard input and output: JSON lines in, JSON lines out; it ends when stdin ends, and (Linux) when
the parent dies, even while suspended. Each command may carry an `id`; the answer is `{"id", "ok": true, "t_ns", "serving"}` or
`{"id", "ok": false, "error"}`. `t_ns` is the stamp of the switch, ns of CLOCK_MONOTONIC, the one in the truth log; `serving` maps
each app to whether it gives good answers. After a switch of its own accord (flapping, schedule) it says `{"serving": …}`.

    {"do": "apps", "why": …, "apps": [{"name", "hosts", "state": "running|starting|stopped", "slot", "affinity", "https_only",
        "version"}]}                                      replaces the table of apps
    {"do": "certificates", "default": PEM, "hosts": {name: PEM}}    what HTTPS shows, by SNI
    {"do": "listen"}                                      opens the ports; until then clients are refused
    {"do": "behave", "key": K, "behaviour": {…}|null}     see local_estate.behaviour
    {"do": "schedule", "key": K, "switches": [[t_ns, behaviour|null|kind], …]}    at absolute times of CLOCK_MONOTONIC
    {"do": "settings", "cut_in_flight": bool}             whether a stop cuts requests that are under way
    {"do": "count"}                                       answers {"served": {app: n}}
    {"do": "replication", "lag_s": S, "paused": bool}     how writes leave this region; it then says {"replicate": rows}
    {"do": "receive", "sender": region, "rows": rows}     keeps what another region sends, [key, value, seq] each
    {"do": "seed", "to": region}                          says {"seed": rows, "to": region} until all that is kept is said
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import mmap
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvloop

from local_estate import ports
from local_estate.behaviour import Behaviour, behaviour_from
from local_estate.connection import Connection
from local_estate.front import SLOTS, Front
from local_estate.ledger import Ledger
from local_estate.replication import Pace
from local_estate.truth import Truth

BACKLOG = 1024
_PR_SET_PDEATHSIG = 1


class Site:
    """The commands of the control pipe, on one `Front`."""

    def __init__(self, front: Front, address: str, http_port: int, https_port: int) -> None:
        self._front = front
        self._address, self._http_port, self._https_port = address, http_port, https_port
        self._default: ssl.SSLContext | None = None
        self._by_host: dict[str, ssl.SSLContext] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._verbs: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "apps": lambda c: front.put_apps(c["apps"], str(c.get("why", "changed"))),
            "certificates": self._certificates,
            "behave": lambda c: front.behave(str(c["key"]), _behaviour(c.get("behaviour")), c.get("why")),
            "schedule": lambda c: front.schedule(str(c["key"]), [(int(t), _behaviour(b)) for t, b in c["switches"]]),
            "settings": self._settings,
            "count": lambda _c: {app.name: app.served for app in front.apps.values()},
            "replication": lambda c: front.ledger.set_pace(Pace(float(c["lag_s"]), bool(c["paused"]))),
            "receive": lambda c: front.ledger.receive(c["rows"], str(c["sender"])),
            "seed": self._seed,
        }

    async def obey(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one command and return the answer to it; never raises."""
        answer: dict[str, Any] = {"id": command.get("id")}
        try:
            done = await self._listen() if command["do"] == "listen" else self._verbs[command["do"]](command)
        except (KeyError, TypeError, ValueError, OSError, ports.CannotBind) as error:
            return {**answer, "ok": False, "error": f"{command.get('do')}: {type(error).__name__}: {error}"}
        key = "served" if isinstance(done, dict) else "t_ns"
        return {**answer, "ok": True, key: done or time.monotonic_ns(), "serving": self.serving()}

    def serving(self) -> dict[str, bool]:
        return {app.name: app.serving for app in self._front.apps.values()}

    def _settings(self, command: Mapping[str, Any]) -> None:
        self._front.cut_in_flight = bool(command["cut_in_flight"])

    def _seed(self, command: Mapping[str, Any]) -> None:
        for rows in self._front.ledger.dump():
            say({"seed": rows, "to": command["to"]})

    def _certificates(self, command: Mapping[str, Any]) -> None:
        self._default = self._context(command["default"])
        self._default.sni_callback = self._choose
        self._by_host = {host.lower(): self._context(pem) for host, pem in command["hosts"].items()}

    def _context(self, pem: str) -> ssl.SSLContext:
        # certs.server_context would do, but importing it costs a region's process 150 ms of cryptography.
        if pem not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[pem] = context
        return self._contexts[pem]

    def _choose(self, tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None and (context := self._by_host.get(name.lower())):
            tls.context = context

    async def _listen(self) -> int:
        loop = asyncio.get_running_loop()
        plain = ports.listening(self._address, self._http_port)
        secure = ports.listening(self._address, self._https_port) if self._default else None
        # Nothing but the system call between stamp and listening: a refusal after the stamp would belie the truth log.
        at_ns = time.monotonic_ns()
        plain.listen(BACKLOG)
        if secure:
            secure.listen(BACKLOG)
        self._front.listen(at_ns)
        await loop.create_server(lambda: Connection(self._front), sock=plain, backlog=BACKLOG)
        if secure:
            make = lambda: Connection(self._front, tls=True)  # noqa: E731
            await loop.create_server(make, sock=secure, ssl=self._default, backlog=BACKLOG)
        return at_ns


def _behaviour(raw: Mapping[str, Any] | str | None) -> Behaviour | None:
    return None if raw is None else behaviour_from(raw)


def say(message: Mapping[str, Any]) -> None:
    """Write one line to the parent."""
    os.write(1, json.dumps(message, separators=(",", ":")).encode() + b"\n")


class Pipe(asyncio.Protocol):
    """The control pipe. Its end is the end of the process."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._rest = b""
        self._commands: asyncio.Queue[bytes] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._obey())

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._commands.put_nowait(line)

    def connection_lost(self, _exc: Exception | None) -> None:
        os._exit(0)

    async def _obey(self) -> None:
        while True:
            line = await self._commands.get()
            try:
                command = json.loads(line)
            except ValueError:
                command = {}
            say(await self._site.obey(command if isinstance(command, dict) else {}))


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the parent dies: a suspended process would not read the end of its stdin."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def shared_slots(path: Path) -> mmap.mmap:
    """Map the file of last good stamps, SLOTS times 8 bytes, creating it where needed."""
    with path.open("a+b") as file:
        if file.tell() < SLOTS * 8:
            file.truncate(SLOTS * 8)
        return mmap.mmap(file.fileno(), SLOTS * 8)


async def run(args: argparse.Namespace) -> None:
    """Serve until the parent lets go of the pipe."""
    loop = asyncio.get_running_loop()
    site: Site

    def told() -> None:
        if front.listening:
            say({"serving": site.serving()})

    truth = Truth(args.truth)
    ledger = Ledger(args.region, truth, lambda rows: say({"replicate": rows}))
    front = Front(
        args.region, args.instance, truth, shared_slots(args.last_good), told, https_port=args.https_port, ledger=ledger
    )
    site = Site(front, args.address, args.http_port, args.https_port)
    await loop.connect_read_pipe(lambda: Pipe(site), sys.stdin)
    await loop.create_future()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_estate.site", description="One region of the local estate.")
    parser.add_argument("--region", required=True)
    parser.add_argument("--address", required=True, help="loopback address")
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--https-port", type=int, required=True)
    parser.add_argument("--truth", type=Path, required=True, help="truth log to append to")
    parser.add_argument("--last-good", type=Path, required=True, help="file shared with the parent")
    parser.add_argument("--instance", required=True, help="64 hex digits: the affinity cookie")
    return parser.parse_args()


def main() -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the parent, who then lets go of the pipe
    uvloop.run(run(_arguments()))


if __name__ == "__main__":
    main()
