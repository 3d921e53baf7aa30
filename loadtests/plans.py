"""Where a load process gets its plan: the harness's file, else drill.toml and Locust's own `--host`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from failover_drill.errors import SettingsError
from failover_drill.traffic import PLAN_VARIABLE, TrafficPlan

_SETTINGS = Path("drill.toml")


def plan_for(options: Any, environ: dict[str, str]) -> TrafficPlan:
    """Return the plan. Raises `SettingsError` where there is none, or it makes no sense."""
    if named := environ.get(PLAN_VARIABLE):
        try:
            return TrafficPlan.from_json(Path(named).read_text())
        except OSError as error:
            raise SettingsError(f"{PLAN_VARIABLE} = {named!r}: {error.strerror}") from None
    host = getattr(options, "host", None)
    if not host:
        raise SettingsError("no target: give --host http://name[:port]")
    out = Path("reports") / "load" / time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
    return TrafficPlan(url=host, out_dir=str(out.absolute()), **_settings(environ))


def _settings(environ: dict[str, str]) -> dict[str, Any]:
    """Return what drill.toml in the working directory says of the traffic; nothing where there is none."""
    if not _SETTINGS.exists():
        return {}
    from failover_drill.settings import load
    from failover_drill.settings_tables import status_ranges

    traffic = load(_SETTINGS, environ).traffic
    return {
        "rate": traffic.rate,
        "mix": traffic.mix.model_dump(),
        "lanes": traffic.lanes,
        "caches": traffic.caches,
        "ttl_floor_s": traffic.ttl_floor_s,
        "ttl_overstay_s": traffic.ttl_overstay_s,
        "timeout_s": traffic.timeout_s,
        "slow_s": traffic.slow_s,
        "expect_status": status_ranges(traffic.expect_status),
        "expect_content": traffic.expect_content or None,
        "paths": tuple((each.path, each.weight) for each in traffic.paths),
        "method": traffic.method,
        "region_header": traffic.region_header,
        "control_url": traffic.control_url or None,
        "seed": traffic.seed,
    }
