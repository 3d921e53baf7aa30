"""Steps as Cucumber JSON, which CI systems and living-documentation tools read.

pytest-bdd 9 writes steps that never ran as failed, and no timestamps; a reader then sees five failures for one.
Here a step that never ran is `skipped`, and the scenario has its `start_timestamp`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from failover_drill import wording

STATUSES = {"passed": "passed", "failed": "failed", "interrupted": "failed", "not run": "skipped"}


def cucumber(findings: Mapping[str, Any], *, feature: str = "", scenario: str = "", uri: str = "") -> str:
    """Return the run as a Cucumber JSON document of one feature with one scenario. Names default to the drill's."""
    name = str(findings["drill"]["name"])
    feature, scenario = feature or name, scenario or name
    element = {
        "id": f"{_identifier(feature)};{_identifier(scenario)}",
        "keyword": "Scenario",
        "type": "scenario",
        "name": scenario,
        "description": f"{findings['verdict']}: {'; '.join(findings['reasons'])}",
        "line": 1,
        "tags": [{"name": f"@{findings['verdict']}", "line": 1}],
        "start_timestamp": wording.rfc3339(findings["drill"]["began"]),
        "steps": [_step(each) for each in findings["steps"]],
    }
    document = {
        "uri": uri or f"features/{_identifier(name)}.feature",
        "id": _identifier(feature),
        "keyword": "Feature",
        "name": feature,
        "description": "",
        "line": 1,
        "tags": [],
        "elements": [element],
    }
    return json.dumps([document], indent=1, ensure_ascii=False) + "\n"


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    outcome = {"status": STATUSES[step["outcome"]]}
    if step["took_s"] is not None:
        outcome["duration"] = round(step["took_s"] * 1e9)  # ns, as Cucumber has it
    if outcome["status"] == "failed":
        outcome["error_message"] = step["error"] or step["outcome"]
    return {
        "keyword": f"{step['keyword']} ",
        "name": step["text"],
        "line": step["index"] + 2,
        "match": {"location": ""},
        "result": outcome,
    }


def _identifier(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
