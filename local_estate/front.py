"""App Service's front end of one region, and the apps behind it (azure-facts §2.5).

    bytes ─> Connection (httptools) ─> Front.serve ─┬─ reset, hang         behaviours of the network
                                                    ├─ 404 Site Not Found  no app has this host name
                                                    ├─ 403 Site Disabled   app stopped, or told to act so
                                                    ├─ (held)              app starting: answered when it is up
                                                    ├─ slow, error, wrong  behaviours of the app
                                                    ├─ /data           the region's store (ledger.py)
                                                    └─ 200 JSON

Every switch goes through `Front.switch`: it takes the stamp, changes the state, and writes the truth log, all in one turn of
the event loop. No request is served between the stamp and the change, so the stamp is exact for those that follow.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from local_estate.behaviour import NETWORK, Behaviour, Kind
from local_estate.connection import Ask, Connection
from local_estate.ledger import Ledger, is_data
from local_estate.replies import Parts, Replies
from local_estate.truth import Truth

SLOTS = 64  # apps per region; the last good answer of each has 8 bytes in shared memory
_CACHE = 1024


class State(StrEnum):
    """What the front end does for an app, after all delays; ARM's `state` is only the wish."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPED = "stopped"


@dataclass(slots=True, eq=False)
class App:
    """One app of the region. `hosts` are lower case; `slot` is its place in the shared last-good table."""

    name: str
    hosts: tuple[str, ...]
    state: State
    slot: int
    affinity: bool = True
    https_only: bool = False
    version: str = "1"
    served: int = 0
    serving: bool = False
    since_ns: int = 0  # when it began or ceased to serve
    fresh: bool = False  # serving again, first good answer still to come
    held: list[tuple[Connection, Ask]] = field(default_factory=list)
    under_way: set[Connection] = field(default_factory=set)  # connections with a delayed answer


class Bound(NamedTuple):
    """A host name bound to an app, with the parts of its answers that never change."""

    app: App
    parts: Parts


class Front:
    """All apps of a region and its behaviours. One event loop, no locks.

    *last_good* is a writable buffer of SLOTS times 8 bytes shared with the parent, so that the stamp of an app's last good
    answer (ns of CLOCK_MONOTONIC) outlives a killed process. *told* is called after each switch. *ledger* is the region's data;
    without one, no region sends any other its writes.
    """

    def __init__(
        self,
        region: str,
        instance: str,
        truth: Truth,
        last_good: bytearray | memoryview | Any,
        told: Callable[[], None] = lambda: None,
        https_port: int = 443,
        ledger: Ledger | None = None,
    ) -> None:
        self.region = region
        self.replies = Replies(region, instance, https_port)
        self.cut_in_flight = False
        self.apps: dict[str, App] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self.listening = False
        self._truth = truth
        self._last_good = last_good
        self._told = told
        self.ledger = ledger or Ledger(region, truth, lambda _rows: None)
        self._hosts: dict[str, Bound] = {}
        self._seen: dict[bytes | None, Bound | None] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # ---- switches -------------------------------------------------------------------------------------------------

    def switch(self, change: Callable[[], object], why: str, at_ns: int | None = None) -> int:
        """Stamp, apply *change*, log what it did to serving; return the stamp, ns of CLOCK_MONOTONIC (or the one given)."""
        at_ns = at_ns or time.monotonic_ns()
        change()
        for app in self.apps.values():
            if (serving := self._serves(app)) != app.serving:
                self._set_serving(app, serving, at_ns, why)
        self._told()
        return at_ns

    def listen(self, at_ns: int) -> int:
        """Requests can reach the region since *at_ns*, taken just before the sockets began to listen."""
        return self.switch(lambda: setattr(self, "listening", True), "listening", at_ns)

    def put_apps(self, apps: Iterable[Mapping[str, Any]], why: str) -> int:
        """Replace the table of apps: mappings of name, hosts, state, slot, affinity, https_only, version."""
        table = {a["name"]: a for a in apps}
        ready: list[App] = []
        at_ns = self.switch(lambda: self._replace(table, ready), why)
        for app in ready:
            self._release(app)
        return at_ns

    def behave(self, key: str, behaviour: Behaviour | None, why: str | None = None) -> int:
        """Put *behaviour* under *key*, or with None take away what is there."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if behaviour is not None and behaviour.kind is Kind.FLAPPING:
            return self._flap(key, behaviour, down=True)
        return self._set(key, behaviour, why or (f"fault {behaviour.kind}" if behaviour else "fault over"))

    def schedule(self, key: str, switches: Iterable[tuple[int, Behaviour | None]]) -> None:
        """Follow *switches*: from each absolute time, ns of CLOCK_MONOTONIC, on, behave so under *key*."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self._follow(key, deque(sorted(switches, key=lambda s: s[0])))

    def _set(self, key: str, behaviour: Behaviour | None, why: str) -> int:
        def change() -> None:
            self.behaviours.pop(key, None)
            if behaviour is not None and behaviour.kind is not Kind.OK:
                self.behaviours[key] = behaviour

        at_ns = self.switch(change, why)
        told = behaviour.to_json() if behaviour else None
        self._truth.write("behaviour", t_ns=at_ns, region=self.region, key=key, behaviour=told)
        return at_ns

    def _flap(self, key: str, behaviour: Behaviour, *, down: bool) -> int:
        at_ns = self._set(key, behaviour.down() if down else None, f"flapping {'down' if down else 'up'}")
        wait_s = behaviour.down_s if down else behaviour.up_s
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(wait_s, lambda: self._flap(key, behaviour, down=not down))
        return at_ns

    def _follow(self, key: str, switches: deque[tuple[int, Behaviour | None]]) -> None:
        if not switches:
            self._timers.pop(key, None)
            return
        wait_s = (switches[0][0] - time.monotonic_ns()) / 1e9
        self._timers[key] = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._due, key, switches)

    def _due(self, key: str, switches: deque[tuple[int, Behaviour | None]]) -> None:
        at_ns, behaviour = switches.popleft()
        # The loop's timers count whole milliseconds and may fire early by part of one.
        while time.monotonic_ns() < at_ns:
            pass
        self._set(key, behaviour, "scheduled")
        self._follow(key, switches)

    def _serves(self, app: App) -> bool:
        if not self.listening or app.state is not State.RUNNING:
            return False
        return not any(b.total and b.app in (None, app.name) for b in self.behaviours.values())

    def _set_serving(self, app: App, serving: bool, at_ns: int, why: str) -> None:
        app.serving = app.fresh = serving
        who = {"region": self.region, "app": app.name}
        self._truth.write("serving", t_ns=at_ns, **who, serving=serving, why=why)
        last_ns = struct.unpack_from("<q", self._last_good, app.slot * 8)[0]
        if not serving and last_ns >= app.since_ns:
            self._truth.write("last_good", t_ns=last_ns, **who)
        app.since_ns = at_ns

    def _replace(self, table: Mapping[str, Mapping[str, Any]], ready: list[App]) -> None:
        for name in self.apps.keys() - table.keys():
            self._drop(self.apps[name])
        for name, given in table.items():
            self._put(name, given, ready)
        self._hosts = {
            host: Bound(app, self.replies.parts(app.name, app.version, host, affinity=app.affinity))
            for app in self.apps.values()
            for host in app.hosts
        }
        self._seen.clear()

    def _drop(self, app: App) -> None:
        del self.apps[app.name]
        app.state = State.STOPPED
        self.ledger.lose(app.name, "deleted")
        if app.serving:
            self._set_serving(app, False, time.monotonic_ns(), "deleted")
        self._let_go(app)

    def _put(self, name: str, given: Mapping[str, Any], ready: list[App]) -> None:
        state = State(given["state"])
        app = self.apps.get(name)
        if app is None:
            app = self.apps[name] = App(name, (), state, int(given["slot"]))
        if app.state is not State.RUNNING and state is State.RUNNING:
            ready.append(app)
        if state is not State.RUNNING:
            self.ledger.lose(name, str(state))
        app.state = state
        app.hosts = tuple(h.lower() for h in given["hosts"])
        app.affinity, app.https_only = bool(given.get("affinity", True)), bool(given.get("https_only", False))
        app.version = str(given.get("version", "1"))
        if state is State.STOPPED:
            self._let_go(app)

    def _let_go(self, app: App) -> None:
        """A stopped app: those who waited for its start get the 403; requests under way are cut where so configured."""
        held, app.held = app.held, []
        for connection, ask in held:
            connection.answer(self.replies.stopped(), ask._replace(keep=False))
        if self.cut_in_flight:
            for connection in tuple(app.under_way):
                connection.cut()

    def _release(self, app: App) -> None:
        held, app.held = app.held, []
        for connection, ask in held:
            if (bound := self._find(ask.host)) is not None and bound.app is app:
                self._hurt(connection, ask, bound)
            else:
                connection.cut()

    # ---- requests -------------------------------------------------------------------------------------------------

    def serve(self, connection: Connection, ask: Ask) -> None:
        """Answer *ask* on *connection*, now or later, or spoil it."""
        if self.behaviours and self._network(connection, ask):
            return
        bound = self._find(ask.host)
        if bound is None:
            connection.answer(self.replies.not_found(), ask._replace(keep=False))
        elif bound.app.state is State.STARTING:
            connection.hold()
            bound.app.held.append((connection, ask))
        elif bound.app.state is State.STOPPED:
            connection.answer(self.replies.stopped(), ask._replace(keep=False))
        elif bound.app.https_only and not connection.tls:
            connection.answer(self.replies.to_https(ask), ask)
        elif self.behaviours:
            self._hurt(connection, ask, bound)
        else:
            connection.answer(self._good(bound, ask), ask)

    def _find(self, host: bytes | None) -> Bound | None:
        try:
            return self._seen[host]
        except KeyError:
            pass
        name = (host or b"").decode("latin-1").lower().partition(":")[0].rstrip(".")
        bound = self._hosts.get(name)
        if len(self._seen) < _CACHE:
            self._seen[host] = bound
        return bound

    def _network(self, connection: Connection, ask: Ask) -> bool:
        bound = self._find(ask.host)
        name = bound.app.name if bound else None
        for behaviour in self.behaviours.values():
            if behaviour.kind in NETWORK and behaviour.app in (None, name) and _hits(behaviour):
                connection.reset() if behaviour.kind is Kind.RESET else connection.hold()
                return True
        return False

    def _hurt(self, connection: Connection, ask: Ask, bound: Bound) -> None:
        """Serve while behaviours of the app are on: what becomes of the request is settled as it arrives."""
        wait_s, worst = 0.0, None
        for behaviour in self.behaviours.values():
            if behaviour.kind in NETWORK or behaviour.app not in (None, bound.app.name) or not _hits(behaviour):
                continue
            if behaviour.kind is Kind.SLOW:
                wait_s += behaviour.slow_s
            elif worst is None:
                worst = behaviour
        if not wait_s:
            self._finish(connection, ask, bound, worst)
            return
        connection.hold()
        bound.app.under_way.add(connection)
        asyncio.get_running_loop().call_later(wait_s, self._finish, connection, ask, bound, worst)

    def _finish(self, connection: Connection, ask: Ask, bound: Bound, worst: Behaviour | None) -> None:
        bound.app.under_way.discard(connection)
        if connection.closed:
            return
        if worst is None:
            connection.answer(self._good(bound, ask), ask)
        elif worst.kind is Kind.STOPPED:
            connection.answer(self.replies.stopped(), ask._replace(keep=False))
        else:
            connection.answer(self.replies.bad(worst, ask), ask)

    def _good(self, bound: Bound, ask: Ask) -> bytes:
        bound.app.served += 1
        self._stamp_good(bound.app)
        if is_data(ask.url):
            return self.replies.stored(*self.ledger.answer(bound.app.name, ask.method, ask.url, ask.body), ask)
        return self.replies.good(bound.parts, bound.app.served, ask)

    def _stamp_good(self, app: App) -> None:
        now_ns = time.monotonic_ns()
        struct.pack_into("<q", self._last_good, app.slot * 8, now_ns)
        if app.fresh:
            app.fresh = False
            self._truth.write("first_good", t_ns=now_ns, region=self.region, app=app.name)
        elif not app.serving:  # asked before the app ceased, answered after
            self._truth.write("last_good", t_ns=now_ns, region=self.region, app=app.name, in_flight=True)


def _hits(behaviour: Behaviour) -> bool:
    return behaviour.share >= 1 or random.random() < behaviour.share
