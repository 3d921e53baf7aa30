"""The traffic of a drill, for Locust. Runs under the harness, and with plain `locust -f loadtests/locustfile.py`.

The rate, the clients and what counts as good come from the plan (`FAILOVER_DRILL_PLAN`), else from drill.toml and
`--host`. The number of Locust users does not change that: the schedule is the plan's. User classes of your own, in
this file's company (`locust -f loadtests/locustfile.py,mine.py`, or `from loadtests.locustfile import *` in yours),
run beside it as usual, and are recorded, too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from locust import User, constant, events, task

_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.append(_ROOT)  # run from a checkout that is not installed

from loadtests.wiring import wire  # noqa: E402


class Clients(User):  # type: ignore[misc] # no types
    """Stands for all the virtual clients of the plan, which run outside Locust's users; Locust wants one to start."""

    drives_the_plan = True
    fixed_count = 1
    wait_time = constant(3600)

    @task  # type: ignore[untyped-decorator]
    def wait_for_the_end(self) -> None:
        """Do nothing: the schedule does not wait for users."""


@events.init.add_listener  # type: ignore[untyped-decorator]
def _open(environment: Any, **_: Any) -> None:
    wire(environment, dict(os.environ))
