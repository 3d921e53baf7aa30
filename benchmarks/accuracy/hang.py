"""Twenty seconds of hang in a minute, clients giving up after five: what plain Locust makes of it, and what we do.

    python benchmarks/accuracy/hang.py                 one minute and a bit

Exit status 0 where the hang's length lies within our bounds and plain Locust reports under 10 % failures.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from common import FaultServer, cases_of, now_anchor, start_ours, where_and_when
from peers import TIMEOUT_S, Locust

USERS = 10  # of plain Locust, five requests a second each: a user that hangs does not send
RUN_S, HANG_AT_S, HANG_S = 60.0, 20.0, 20.0


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        server = FaultServer("127.0.1.27", [[HANG_AT_S, HANG_S, "hang"]], directory)
        anchor = now_anchor()
        load, plan = start_ours(server.url, 50.0, directory / "ours", TIMEOUT_S)
        try:
            began = time.monotonic()
            plain = Locust(server.url, RUN_S, directory, users=USERS)
            server.go()
            truths = server.wait()
            time.sleep(max(0.0, began + RUN_S - time.monotonic()))
            load.stop()
            plain.finish()
        finally:
            load.kill()
            server.close()
        (case,) = cases_of(plan, anchor, truths)
    print(where_and_when())
    share = plain.failed / plain.sent
    print(
        f"truth                 {case.truth.length_s:.3f} s of {RUN_S:.0f} s, which is {case.truth.length_s / RUN_S:.1%}"
    )
    print(
        f"ours, 50/s            {case.estimate_s:.3f} s, at least {case.at_least_s:.3f} s, at most {case.at_most_s:.3f} s"
    )
    print(f"plain Locust, 50/s    {share:.1%} failures ({plain.failed} of {plain.sent}), as if {share * RUN_S:.1f} s")
    return int(not (case.held and share < 0.10))


if __name__ == "__main__":
    sys.exit(main())
