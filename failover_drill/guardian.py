"""The process that outlives the drill, and puts the estate back if the drill does not.

    python -m failover_drill.guardian RUN

Started before the first change, in a session of its own. It waits for the lock on the run's journal, which the kernel gives
it when the drill has closed it or has died by any means. Sealed: the drill ended by itself, so there is nothing to do. Else it
redeems what is outstanding, writes the report that the drill could not, and ends. Its words go to RUN/guardian.log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from failover_drill import journal
from failover_drill.errors import DrillError

LOG = "guardian.log"
GOODBYE_S = 5.0


def start(directory: Path) -> subprocess.Popen[bytes]:
    """Start the guardian of a run. It holds neither our terminal nor our pipes open."""
    with (directory / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "failover_drill.guardian", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )


def dismiss(process: subprocess.Popen[bytes]) -> None:
    """See a guardian off whose journal is sealed: it ends by itself at once; one that does not is not waited for."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GOODBYE_S)


def watch(directory: Path) -> int:
    """Wait for the drill's end; put back what it left. Returns an exit status."""
    import failover_drill.rescue as rescue  # loaded while the drill lives, so that nothing is left to load when it dies

    with journal.alone_with(directory / journal.FILE, wait=True):
        if any(entry.kind == "seal" for entry in journal.read(directory / journal.FILE)):
            return 0
        return rescue.rescue(directory, "guardian", say)


def say(line: str) -> None:
    """Write one line to guardian.log."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Serve one run. Signals meant for the drill's group never reach this session; a direct one is not obeyed halfway."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)
    try:
        return watch(Path(sys.argv[1]))
    except DrillError as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
