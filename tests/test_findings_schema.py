"""findings.json has a documented form: the schema file is current, and the worked example keeps to it."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from failover_drill import findings_schema

SCHEMA_FILE = Path(__file__).parent.parent / "docs" / "findings.schema.json"
EXAMPLE = Path(__file__).parent / "data" / "findings_example.json"


def test_schema_is_current() -> None:
    """docs/findings.schema.json is what the dataclasses say (else: python -m failover_drill.findings_schema > …)."""
    assert findings_schema.text() == SCHEMA_FILE.read_text(encoding="utf-8")


def test_example_is_valid() -> None:
    """The example that report tests use is a findings.json."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(EXAMPLE.read_text(encoding="utf-8")))


def test_unknown_keys_are_refused() -> None:
    """A key that the schema doesn't know is an error, so that a misspelt one cannot pass."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert not Draft202012Validator(schema).is_valid({**example, "extra": 1})
