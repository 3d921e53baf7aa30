"""The traffic of a drill, for Locust. Runs under the harness, and with plain `locust -f loadtests/locustfile.py`.

The rate, the clients and what counts as good come from the plan (`FAILOVER_DRILL_PLAN`), else from drill.toml and
`--host`. The number of Locust users does not change the rate: one user class drives the whole schedule.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from locust import User, constant, events, task
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.append(_ROOT)  # run from a checkout that is not installed

from loadtests.plans import plan_for  # noqa: E402
from loadtests.process import LoadProcess, parent_of  # noqa: E402


class Clients(User):  # type: ignore[misc] # no types
    """Drives all virtual clients of this process."""

    fixed_count = 1
    wait_time = constant(0)

    @task  # type: ignore[untyped-decorator]
    def drive(self) -> None:
        load: LoadProcess = self.environment.failover_drill
        parent = self.environment.failover_drill_parent
        load.drive(lambda: self._state == LOCUST_STATE_STOPPING, parent.began if parent else None)
        raise StopUser


@events.init.add_listener  # type: ignore[untyped-decorator]
def _open(environment: Any, **_: Any) -> None:
    plan = plan_for(environment.parsed_options, dict(os.environ))
    load = LoadProcess(environment, plan)
    environment.failover_drill = load
    environment.failover_drill_parent = parent_of(dict(os.environ), plan.timeout_s + 5.0)
    events.test_start.add_listener(lambda **_: load.started())
    events.test_stop.add_listener(lambda **_: load.stopped())
    events.quit.add_listener(lambda **_: load.close())
