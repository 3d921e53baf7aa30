"""A real terminal for tests of what is drawn on one: tmux, on a socket of its own."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pytest

ENDED = "=ended="
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux on this machine")


class Terminal:
    """A terminal of a given size in which one command runs."""

    def __init__(
        self, where: Path, command: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]
    ) -> None:
        settings = where / "tmux.conf"
        settings.write_text("set -g default-terminal tmux-256color\n", "utf-8")
        self._socket = f"failover-drill-{uuid.uuid4().hex[:8]}"
        width, height = map(str, size)
        shell = ["sh", "-c", f'trap : INT; "$@"; echo "{ENDED} $?"; read wait', "sh"]
        start = ["-f", str(settings), "new-session", "-d", "-x", width, "-y", height, *shell, *command]
        self._tmux(*start, environment=environment)
        self._written = where / "written"
        self._tmux("pipe-pane", "-O", f"exec cat > {shlex.quote(str(self._written))}")

    def _tmux(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout

    def lines(self) -> list[str]:
        """What is to be seen."""
        return self._tmux("capture-pane", "-p").splitlines()

    def everything(self) -> str:
        """What was to be seen since the beginning, long lines whole."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-")

    @property
    def drawn(self) -> str:
        """Everything that was ever written to it, without what moves the cursor or colours: no screen is missed."""
        written = self._written.read_text("utf-8", "replace") if self._written.exists() else ""
        return CONTROL.sub("", written)

    def press(self, key: str) -> None:
        self._tmux("send-keys", key)

    def state(self, name: str) -> str:
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    @property
    def ended(self) -> bool:
        return ENDED in self.everything()

    @property
    def status(self) -> int:
        """The exit status of the command, once it has ended."""
        return int(self.everything().rpartition(ENDED)[2])

    def until(self, holds: Callable[[], bool], within_s: float = 200) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, self.everything()
            time.sleep(0.25)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True, check=False)
