"""The process that outlives the drill, and puts the estate back if the drill does not.

    python -m failover_drill.guardian RUN

Started before the first change, in a session of its own; it says when it is ready, and nothing is changed before that. It
waits for the lock on the run's journal, which the kernel gives it when the drill has closed it or has died by any means.
Sealed: the drill ended by itself and owes nothing, so there is nothing to do; nor where somebody else has put it back. Else it
redeems what is outstanding, writes the report that the drill could not, tells whom [notify] names, and ends; where control plane
or disk fail it, too, it tries again until its patience is spent. Whom to tell comes over its standard input, because addresses
are secrets. Its words go to RUN/guardian.log.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from failover_drill import journal, notify_post, telemetry
from failover_drill.errors import DrillError
from failover_drill.notify import NotifyTable

if TYPE_CHECKING:
    from failover_drill.restoration import World

LOG = "guardian.log"
READY = b"1"
READY_S = 60.0  # on a busy machine; two seconds on a quiet one
GOODBYE_S = 5.0
# By these variables a CI system knows what a job has started, and ends it with the job: GitHub's runner, Azure Pipelines' agent,
# Jenkins. A job that is cancelled is what the guardian is there for.
REAPED_BY = frozenset(
    {"RUNNER_TRACKING_ID", "VSTS_PROCESS_LOOKUP_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE", "BUILD_ID"}
)
_LEFT: list[subprocess.Popen[bytes]] = []  # Python complains of a child that is forgotten while it runs


class Guardian:
    """The guardian of one run, as the drill sees it. It holds neither our terminal nor our pipes open."""

    def __init__(self, directory: Path, notify: NotifyTable) -> None:
        """Start it, and hand it over whom to tell."""
        self._ready, self._log = False, directory / LOG
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "failover_drill.guardian", str(directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if name not in REAPED_BY},
            )
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._process.stdin as pipe:  # of one that ended, `trouble` tells
            pipe.write(notify.handed_over().encode())

    def trouble(self) -> str:
        """Wait until it watches; say why it does not, "" where it does."""
        if not self._ready:
            assert self._process.stdout is not None
            within, _, _ = select.select([self._process.stdout], [], [], READY_S)
            self._ready = bool(within) and self._process.stdout.read(1) == READY
        return self.ended() or ("" if self._ready else f"the guardian was not ready within {READY_S:g} s")

    def ended(self) -> str:
        """Say that it ended, and where it says why; "" while it runs."""
        return "" if self._process.poll() is None else f"the guardian ended: see {self._log}"

    def dismiss(self) -> None:
        """See off a guardian whose journal is sealed: it ends by itself at once; one that does not is not waited for."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GOODBYE_S)
        self.leave()

    def leave(self) -> None:
        """Let it go on without us: it outlives this process."""
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._process.poll() is None:
            _LEFT.append(self._process)


def watch(directory: Path, notify: NotifyTable) -> int:
    """Wait for the drill's end; put back what it left, and tell. Returns an exit status."""
    from failover_drill import rescue  # loaded while the drill lives, so that nothing is left to load when it dies

    world = rescue.prepare(directory)
    telemetry.listen(say)
    _report_ready()
    import failover_drill.reports  # noqa: F401 - the drill need not wait for this

    with journal.alone_with(directory / journal.FILE, wait=True):
        if rescue.settled(directory):
            return 0
        return _rescue(directory, notify, world)


def _rescue(directory: Path, notify: NotifyTable, world: World) -> int:
    """Put back, and tell; in the drill's trace, where somebody listens."""
    from failover_drill import rescue

    traceparent = str(journal.read(directory / journal.FILE)[0].fields.get("traceparent", ""))
    with telemetry.within("put back by the guardian", traceparent=traceparent):
        code = rescue.rescue_patiently(
            directory, "guardian", say, world, lambda: notify_post.tell(directory, notify, say)
        )
    telemetry.deliver(say)
    return code


def _report_ready() -> None:
    """Tell the drill that we watch, and let go of its pipe. A drill that died meanwhile does not hear it."""
    with contextlib.suppress(OSError):
        os.write(1, READY)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def say(line: str) -> None:
    """Write one line to guardian.log, where that can be written: nothing that it does hangs on it."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Serve one run. Signals meant for the drill's group never reach this session; a direct one is not obeyed halfway."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)
    notify = NotifyTable.model_validate(json.loads(sys.stdin.buffer.read() or b"{}"))
    try:
        return watch(Path(sys.argv[1]), notify)
    except DrillError as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
