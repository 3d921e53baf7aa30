"""What pytest loads wherever failover-drill is installed: almost nothing, unless the project has drills.

entry point ─► is there a drill.toml? ── no ──► no option, no hook, no import
                    │ yes
                    └─► the plugin, and every module of `steps`: a conftest.py that names them, too, loads nothing twice

`pytest -p no:failover-drill` switches it off.
"""

from __future__ import annotations

import pkgutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PLUGIN = "failover_drill.plugin"
SETTINGS, OPTION = "drill.toml", "--drill-settings"
WORDLESS = {"phrases", "reference"}  # what the other modules share, and what is made of them
OURS = Path(__file__).resolve().parent.parent / "steps"


def pytest_load_initial_conftests(early_config: Any, args: list[str]) -> None:
    """Load what drills need before any conftest.py is, so that it may use it."""
    if has_drills(early_config, args):
        for name in plugins():
            early_config.pluginmanager.import_plugin(name)


def has_drills(config: Any, arguments: list[str]) -> bool:
    """Is there a drill.toml, or one named?"""
    return settings_of(config).is_file() or any(each.startswith(OPTION) for each in arguments)


def settings_of(config: Any) -> Path:
    """Return the drill.toml at the project's root, else the one where pytest was called, which need not be there."""
    here, root = (Path(place) / SETTINGS for place in (config.invocation_params.dir, config.rootpath))
    return root if root.is_file() else here


def plugins() -> tuple[str, ...]:
    """Return the plugin and the modules that hold the steps. Raises UsageError where another `steps` hides ours."""
    spec = find_spec("steps")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if [Path(place).resolve() for place in places] != [OURS]:
        import pytest  # here, so that it costs nobody else anything

        raise pytest.UsageError(f"a package named steps hides failover-drill's: rename {', '.join(places) or 'it'}")
    found = {module.name for module in pkgutil.iter_modules(places)} - WORDLESS
    return (PLUGIN, *(f"steps.{name}" for name in sorted(found)))
