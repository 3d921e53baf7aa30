"""The load process of one run, with the plan that settings and target make for it.

[traffic], target, data probe ──► TrafficPlan ──► adapters/load.py starts a process that carries it out
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from failover_drill.adapters.load import Load
from failover_drill.errors import SettingsError
from failover_drill.settings import Settings
from failover_drill.settings_tables import TrafficTable, status_ranges
from failover_drill.target import DataProbe, Target
from failover_drill.traffic import TrafficPlan


class PlannedLoad:
    """`Traffic`: the load process, with the plan it is to carry out."""

    def __init__(self, plan: TrafficPlan, directory: Path, load: Load) -> None:
        self._plan, self._directory, self._load = plan, directory, load

    def start(self) -> None:
        self._load.start(self._plan, self._directory)

    def stop(self) -> None:
        self._load.stop()

    @property
    def alive(self) -> bool:
        return self._load.alive


def traffic_plan(settings: Settings, target: Target, directory: Path) -> TrafficPlan:
    """Return what the load process is to do: the settings' users, asking the target's names."""
    traffic = settings.traffic
    return TrafficPlan(
        url=target.url + "/",
        out_dir=str(directory),
        rate=traffic.rate,
        resolvers=target.authorities if target.local else tuple(server for _, server in target.resolvers),
        mix=traffic.mix.model_dump(),
        lanes=traffic.lanes,
        caches=traffic.caches,
        ttl_floor_s=traffic.ttl_floor_s,
        ttl_overstay_s=traffic.ttl_overstay_s,
        timeout_s=traffic.timeout_s,
        slow_s=traffic.slow_s,
        expect_status=status_ranges(traffic.expect_status),
        expect_content=traffic.expect_content or None,
        paths=tuple((p.path, p.weight) for p in traffic.paths),
        method=traffic.method,
        region_header=traffic.region_header,
        regions=target.by_address(),
        ca_file=target.ca_file,
        control_url=traffic.control_url or None,
        workers=traffic.workers,
        seed=traffic.seed,
        **(writing(target.data_probe, directory.name) if target.data_probe else {}),
    )


def own_load(traffic: TrafficTable) -> Load:
    """Return the load process that is to be started. Raises SettingsError where its locustfile is not there."""
    if not traffic.locustfile:
        return Load()
    file = Path(traffic.locustfile).absolute()
    if not file.is_file():
        raise SettingsError(f"drill.toml: traffic.locustfile = {traffic.locustfile!r}: there is no such file")
    return Load(locustfile=file, users=1 + traffic.own_users)


def writing(probe: DataProbe, run: str) -> dict[str, Any]:
    """Return the part of the plan that the data probe is. Its keys begin with the run's name: no drill reads another's."""
    return {
        "write_path": probe.path,
        "write_rate": probe.rate,
        "write_prefix": run,
        "write_token": probe.token_variable,
    }
