"""One region's process as its parent sees it: spawned, spoken to over its pipe, killed, suspended, let go.

Region ──JSON lines──> stdin    python -m local_estate.site
       <──JSON lines── stdout   (the protocol is in site.py)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_estate.behaviour import Behaviour
from local_estate.truth import Truth

ANSWER_WITHIN_S = 10.0
END_WITHIN_S = 2.0
SLOTS = 64  # as in front.py: apps per region, 8 bytes of shared memory each


class RegionError(Exception):
    """A region cannot do what was asked; the message is one line."""


@dataclass(slots=True, eq=False)
class Region:
    """One region. `serving` is what its process last said; `slots` says where each app's last good stamp lies."""

    name: str
    address: str
    ports: tuple[int, int]  # http, https
    last_good: Path
    truth: Truth
    process: asyncio.subprocess.Process | None = None
    hung: bool = False
    serving: dict[str, bool] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    pushed: str = ""  # the last tables sent, to send only changes
    heard: Callable[[Region, Mapping[str, Any]], None] = lambda _region, _message: None  # told of every line it says
    bury: Callable[[Region, str], Awaitable[None]] | None = None  # told when its process ended and was not let go
    handed_over: int = 0  # the number of the last write that other regions were sent
    spawned_ns: int = 0
    _ending: bool = False  # we ended it: its death is no news
    _last_id: int = 0
    _waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _reader: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def state(self) -> dict[str, Any]:
        """Return what is to be seen of it under /_state."""
        return {
            "address": self.address,
            "pid": self.process.pid if self.process and self.alive else None,
            "alive": self.alive,
            "hung": self.hung,
            "serving": self.serving,
            "behaviours": {key: b.to_json() for key, b in self.behaviours.items()},
        }

    async def spawn(self) -> None:
        """Start the process. It serves nothing until told to listen."""
        self.last_good.unlink(missing_ok=True)
        self.hung, self.pushed, self.serving, self._ending, self.handed_over = False, "", {}, False, 0
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "local_estate.site", "--region", self.name, "--address", self.address,
            "--http-port", str(self.ports[0]), "--https-port", str(self.ports[1]), "--truth", str(self.truth.path),
            "--last-good", str(self.last_good), "--instance", secrets.token_hex(32),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
            env={**os.environ, "PYTHONPATH": _package_path()}, start_new_session=True,
        )  # fmt: skip
        self.spawned_ns = self.truth.write("region", region=self.name, what="spawned", pid=self.process.pid)
        self._reader = asyncio.get_running_loop().create_task(self._read(self.process))

    def send(self, command: Mapping[str, Any]) -> None:
        """Send *command* without waiting: the pipe keeps the order."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Send *command* and return its answer; of a dead or suspended region `{}`. Raises RegionError."""
        if not self.alive:
            return {}
        self._last_id += 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._last_id] = future
        self.send({**command, "id": self._last_id})
        if self.hung:
            return {}
        try:
            answer = await asyncio.wait_for(future, ANSWER_WITHIN_S)
        except TimeoutError:
            raise RegionError(f"region {self.name} did not answer its control pipe in {ANSWER_WITHIN_S:g} s") from None
        if not answer["ok"]:
            raise RegionError(f"region {self.name}: {answer['error']}")
        return answer

    async def kill(self) -> int:
        """SIGKILL. Return the truth's stamp, ns, taken just before."""
        self._ending = True
        at_ns = self._signal(signal.SIGKILL, "killed")
        served, self.serving, self.hung = ({} if self.hung else self.serving), {}, False
        assert self.process is not None
        await self.process.wait()
        self._tell_last_good(served)
        await self._ended("killed")
        return at_ns

    def hang(self) -> int:
        """SIGSTOP. Return the stamp."""
        if self.hung:
            raise RegionError(f"region {self.name} is suspended already")
        at_ns = self._signal(signal.SIGSTOP, "hung")
        self.hung = True
        self._tell_last_good(self.serving)
        return at_ns

    def resume(self) -> int:
        """SIGCONT. Return the stamp."""
        if not self.hung:
            raise RegionError(f"region {self.name} is not suspended")
        assert self.process is not None
        at_ns = time.monotonic_ns()
        self.process.send_signal(signal.SIGCONT)
        self.hung = False
        self._tell_serving(True, "resumed", at_ns)
        self.truth.write("region", region=self.name, what="resumed", pid=self.process.pid)
        return at_ns

    async def end(self) -> None:
        """Let go of the process: it ends when its stdin does; one that is suspended is killed."""
        process = self.process
        if process is None:
            return
        self._ending = True
        if self.alive:
            if self.hung:
                process.kill()
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), END_WITHIN_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reader:
            await self._reader

    def _signal(self, number: signal.Signals, what: str) -> int:
        assert self.process is not None
        # Stamp, deed, log: nothing is served between the first two that the log would belie.
        at_ns = time.monotonic_ns()
        self.process.send_signal(number)
        if not self.hung:
            self._tell_serving(False, what, at_ns)
        self.truth.write("region", region=self.name, what=what, pid=self.process.pid)
        return at_ns

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            message = json.loads(line)
            self.serving = message.get("serving", self.serving)
            self.heard(self, message)
            future = self._waiting.pop(message.get("id") or 0, None)
            if future and not future.done():
                future.set_result(message)
        await process.wait()
        if not self._ending:
            self._died(process.pid)
            await self._buried("died")
        self._give_up({"ok": True} if self._ending else {"ok": False, "error": "its process ended"})

    async def _ended(self, why: str) -> None:
        """All that the process said is heard by now; then what it took with it can be told."""
        if self._reader:
            await self._reader
        await self._buried(why)

    async def _buried(self, why: str) -> None:
        if self.bury:
            await self.bury(self, why)

    def _give_up(self, answer: dict[str, Any]) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_result(answer)
        self._waiting.clear()

    def _died(self, pid: int) -> None:
        self._tell_serving(False, "died", time.monotonic_ns())
        self._tell_last_good(self.serving)
        self.truth.write("region", region=self.name, what="died", pid=pid)
        self.serving = {}

    def _tell_serving(self, serving: bool, why: str, at_ns: int) -> None:
        for app, good in self.serving.items():
            if good:
                self.truth.write("serving", t_ns=at_ns, region=self.name, app=app, serving=serving, why=why)

    def _tell_last_good(self, served: Mapping[str, bool]) -> None:
        with contextlib.suppress(OSError, struct.error):
            stamps = struct.unpack(f"<{SLOTS}q", self.last_good.read_bytes())
            for app, good in served.items():
                if good and app in self.slots and stamps[self.slots[app]]:
                    self.truth.write("last_good", t_ns=stamps[self.slots[app]], region=self.name, app=app)


def _package_path() -> str:
    here = str(Path(__file__).resolve().parent.parent)
    rest = os.environ.get("PYTHONPATH")
    return f"{here}{os.pathsep}{rest}" if rest else here
