"""Hangs the load process, the master's or the worker's part on Locust's events, according to the runner it has."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
from locust.runners import MasterRunner, WorkerRunner

from failover_drill.errors import DrillError
from failover_drill.traffic import PLAN_FILE, PLAN_VARIABLE, TrafficPlan
from loadtests.foreign import foreign_listener
from loadtests.master import Master
from loadtests.plans import plan_for
from loadtests.process import LoadProcess, Parent, parent_of
from loadtests.worker import Worker
from loadtests.writer import writer_for

_log = logging.getLogger("failover_drill")


def wire(environment: Any, environ: dict[str, str]) -> None:
    """Set everything up for this process. A plan that makes no sense ends it, with one line."""
    runner = environment.runner
    try:
        # libev's idea of now is as old as this process: Locust's --run-time would count from there
        gevent.get_hub().loop.update_now()
        if isinstance(runner, WorkerRunner):
            _wire_worker(environment, parent_of(environ, 60.0))
            return
        plan = plan_for(environment.parsed_options, environ)
        parent = parent_of(environ, plan.timeout_s + 5.0)
        if PLAN_VARIABLE not in environ:
            _leave_word(environment.events, plan)
        if isinstance(runner, MasterRunner):
            _wire_master(environment, plan, parent)
        else:
            _wire_alone(environment, plan, parent)
    except (DrillError, OSError) as error:
        _log.error("%s: %s", type(error).__name__, error)
        sys.exit(2)


def _leave_word(events: Any, plan: TrafficPlan) -> None:
    """Run by plain Locust: leave the plan beside the samples, and say at the end how they are judged."""
    out = Path(plan.out_dir)
    out.mkdir(parents=True, exist_ok=True)
    (out / PLAN_FILE).write_text(plan.to_json())
    said = f"samples are in {out}; outages and verdict: failover-drill measure {out}"
    events.quit.add_listener(lambda **_: _log.warning(said))


def _wire_alone(environment: Any, plan: TrafficPlan, parent: Parent | None) -> None:
    load = environment.failover_drill = LoadProcess(environment, plan)
    events = environment.events

    def started(**_: Any) -> None:
        load.restarted()
        load.begin(0, parent.began if parent else None)

    events.test_start.add_listener(started)
    with _writing(events, plan):
        _on_end(events, load.halt)
    events.request.add_listener(foreign_listener(load))
    events.quit.add_listener(lambda **_: load.close())


def _wire_master(environment: Any, plan: TrafficPlan, parent: Parent | None) -> None:
    master = Master(environment, plan, parent.began if parent else None)
    environment.events.test_start.add_listener(lambda **_: master.start())
    with _writing(environment.events, plan):
        _on_end(environment.events, master.halt)
    environment.events.quit.add_listener(lambda **_: master.close())


def _wire_worker(environment: Any, parent: Parent | None) -> None:
    worker = Worker(environment, parent.began if parent else None)
    events = environment.events

    events.test_start.add_listener(lambda **_: worker.restarted())
    _on_end(events, worker.halt)
    events.quit.add_listener(lambda **_: worker.close())


@contextmanager
def _writing(events: Any, plan: TrafficPlan) -> Iterator[None]:
    """Run the plan's data probe, if any: it sends no more before, and waits for its answers after, what is wired within."""
    writer = writer_for(plan)
    if writer is None:
        yield
        return
    events.test_start.add_listener(lambda **_: writer.begin())
    _on_end(events, writer.end)
    yield
    _on_end(events, writer.halt)


def _on_end(events: Any, halt: Callable[[], None]) -> None:
    """Halt when the test is stopped; and before, when the process is told to quit: Locust looks around first, slowly."""
    events.test_stopping.add_listener(lambda **_: halt())
    events.quitting.add_listener(lambda **_: halt())
