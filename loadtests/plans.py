"""Where a load process gets its plan: the harness's file, else the settings and Locust's own `--host`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from failover_drill.errors import SettingsError
from failover_drill.traffic import PLAN_VARIABLE, TrafficPlan


def plan_for(options: Any, environ: dict[str, str]) -> TrafficPlan:
    """Return the plan. Raises `SettingsError` where there is none, or it makes no sense."""
    if named := environ.get(PLAN_VARIABLE):
        try:
            return TrafficPlan.from_json(Path(named).read_text())
        except OSError as error:
            raise SettingsError(f"{PLAN_VARIABLE} = {named!r}: {error.strerror}") from None
    host = getattr(options, "host", None)
    if not host:
        raise SettingsError("no target: give --host http://name[:port], or a drill.toml")
    out = Path("reports") / "load" / time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
    return TrafficPlan(url=host, out_dir=str(out))
