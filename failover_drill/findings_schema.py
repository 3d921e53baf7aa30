"""The JSON Schema (2020-12) of findings.json, made from the dataclasses of findings_form.py and form_*.py.

`python -m failover_drill.findings_schema > docs/findings.schema.json` rewrites the file; a test fails while it is stale.
"""

from __future__ import annotations

import json
import sys
from dataclasses import is_dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from failover_drill import (
    findings_form,
    form_downtime,
    form_figures,
    form_instrument,
    form_recovery,
    form_strips,
    form_traffic,
    form_verdict,
)

PARTS = (
    findings_form,
    form_verdict,
    form_figures,
    form_recovery,
    form_downtime,
    form_traffic,
    form_strips,
    form_instrument,
)


def schema() -> dict[str, Any]:
    """Return the schema. The fields' comments become descriptions; a key that is not in it is an error."""
    for each in (each for part in PARTS for each in vars(part).values()):
        if isinstance(each, type) and is_dataclass(each):
            each.__pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)  # type: ignore[attr-defined]
    generated = TypeAdapter(findings_form.Findings).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://failover-drill.invalid/findings.schema.json",
        "title": "findings.json of failover-drill",
        **untitled(generated),
    }


def untitled(node: Any) -> Any:
    """Return `node` without pydantic's titles, which only repeat the field names."""
    if isinstance(node, dict):
        return {key: untitled(each) for key, each in node.items() if not (key == "title" and isinstance(each, str))}
    return [untitled(each) for each in node] if isinstance(node, list) else node


def text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
