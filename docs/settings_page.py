"""`python -m docs.settings_page > docs/settings.md`: every key of drill.toml, from the models that read it.

Type, limits and default come from the models' JSON schema, and what a key means where its model says so; for the others
docs/settings_meaning.py does. A key without a meaning, or a meaning without a key, ends the program.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from docs.settings_meaning import MEANING
from failover_drill.settings import Settings
from failover_drill.settings_tables import MixTable, PathTable
from failover_drill.settings_targets import AzureRegion, AzureTarget, LocalTarget

HEAD = """\
<!-- Made by `python -m docs.settings_page > docs/settings.md`. Do not edit: change docs/settings_meaning.py or the models. -->
# Settings

All settings stand in `drill.toml`, in the directory that pytest or `failover-drill` is started in. Every key has a default but
where it says *must be given*; an unknown key is an error. Times end in `_s` and are seconds; shares are percent.

Any value may come from the environment instead, tables and keys in capitals, two underscores between them, the value as TOML
would have it:

```sh
export FAILOVER_DRILL__TRAFFIC__RATE=200
failover-drill config show
```

`[estate]` is not here: it is handed to the local estate as it is, and [estate.md](estate.md) has its keys.
"""

TABLES: Mapping[str, type[BaseModel]] = {
    **{
        f"[{name}]": field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    },
    "[traffic.mix]": MixTable,
    "[[traffic.paths]]": PathTable,
    '[target.NAME] with kind = "local"': LocalTarget,
    '[target.NAME] with kind = "azure"': AzureTarget,
    "[target.NAME.primary] and [target.NAME.secondary]": AzureRegion,
}


def page() -> str:
    """Return the whole page. Raises KeyError where a key has no meaning, ValueError where a meaning has no key."""
    parts, told = [HEAD], set()
    for name, model in TABLES.items():
        rows = list(_rows(model))
        told |= {(model.__name__, key) for key in model.model_fields}
        parts.append("\n".join([f"## {name}", "", _about(model), "", *_HEAD_ROW, *rows, ""]))
    unknown = {(table, key) for table, keys in MEANING.items() for key in keys} - told
    if unknown:
        raise ValueError(f"there is no such key: {sorted(unknown)}")
    return "\n".join(parts)


_HEAD_ROW = ("| key | value | default | meaning |", "|---|---|---|---|")


def _about(model: type[BaseModel]) -> str:
    """Return the first sentence of a model's docstring without the table's name, which is the heading."""
    first = " ".join((model.__doc__ or "").split("\n\n")[0].split())
    words = re.sub(r"^\[.*?: ", "", first).replace("(docs/safety.md)", "([safety.md](safety.md))")
    return words[:1].upper() + words[1:]


def _rows(model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema()
    for key, field in schema["properties"].items():
        meaning = _phrase(field.get("description", "")) or MEANING[model.__name__][key]
        given = _default(field) if key not in schema.get("required", ()) else "*must be given*"
        yield f"| `{key}` | {_value(field, schema)} | {given} | {meaning} |"


def _phrase(sentence: str) -> str:
    """Turn a model's sentence into a table's phrase."""
    words = " ".join(sentence.split()).removesuffix(".")
    return words[:1].lower() + words[1:] if re.match(r"[A-Z][a-z ]", words) else words


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default is None or default == "":
        return ""
    return f"`{json.dumps(default)}`" if not isinstance(default, dict) else "see there"


def _value(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Say in words what a key takes: kind and limits."""
    if "$ref" in field:
        return "a table"
    if "anyOf" in field:
        kinds = [_value(each, schema) for each in field["anyOf"] if each.get("type") != "null"]
        return ", or ".join(dict.fromkeys(kinds))
    if "enum" in field or "const" in field:
        return " or ".join(f'`"{each}"`' for each in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"a list: {_value(field.get('items', {}), schema)}"
    return _KINDS[field["type"]] + _limits(field)


_KINDS = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "object": "a table",
}


def _limits(field: Mapping[str, Any]) -> str:
    words = [
        f"{word} {field[key]:g}"
        for key, word in (
            ("exclusiveMinimum", "above"),
            ("minimum", "from"),
            ("exclusiveMaximum", "below"),
            ("maximum", "to"),
        )
        if key in field
    ]
    return f", {' '.join(words)}" if words else ""


if __name__ == "__main__":
    print(page(), end="")
