"""The small subset of Azure Resource Graph that chaos tools ask for (prototypes-estate §4): one table, `where`, `take`. Pure.

    Resources | where type =~ 'Microsoft.Web/sites' | where resourceGroup == "rg" and name contains "shop" | take 5

Operators ==, =~, !=, !~, contains, startswith, endswith, in~; take, limit, sample; project, order and sort are accepted. What
is not understood is refused with the service's 400, never half answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from local_estate.arm_call import Body, Call, answer
from local_estate.arm_sites import printed
from local_estate.arm_sites_shape import TYPE as SITE_TYPE
from local_estate.arm_tm import NEWEST, profile_body
from local_estate.arm_tm_shape import TYPE as PROFILE_TYPE
from local_estate.errors import gateway
from local_estate.topology import region_of
from local_estate.wire import Response

Row = dict[str, Any]
COLUMNS = (
    "id",
    "name",
    "type",
    "tenantId",
    "kind",
    "location",
    "resourceGroup",
    "subscriptionId",
    "tags",
    "properties",
)
OBJECTS = frozenset({"tags", "properties"})
COMPARE: dict[str, Callable[[str, str], bool]] = {
    "==": lambda a, b: a == b,
    "=": lambda a, b: a.lower() == b.lower(),
    "=~": lambda a, b: a.lower() == b.lower(),
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "!~": lambda a, b: a.lower() != b.lower(),
    "contains": lambda a, b: b.lower() in a.lower(),
    "!contains": lambda a, b: b.lower() not in a.lower(),
    "startswith": lambda a, b: a.lower().startswith(b.lower()),
    "endswith": lambda a, b: a.lower().endswith(b.lower()),
}
CLAUSE = re.compile(
    r"([\w.]+(?:\[['\"][^'\"]+['\"]\])?)\s*(==|=~|!=|!~|<>|=|!contains\b|contains\b|startswith\b|endswith\b)\s*(?:'([^']*)'|\"([^\"]*)\")",
    re.I,
)
IN = re.compile(r"([\w.]+)\s+in~?\s*\(([^)]*)\)", re.I)


def query(call: Call) -> Response:
    body = call.body()
    text = body.get("query")
    if not isinstance(text, str):
        raise gateway(400, "BadRequest", "The request body must have a 'query'.")
    wanted = body.get("subscriptions") or [call.world.subscription]
    here = isinstance(wanted, list) and call.world.subscription.lower() in {str(s).lower() for s in wanted}
    rows, columns = run(text, _rows(call) if here else [])
    options = body.get("options")
    table = isinstance(options, dict) and options.get("resultFormat") == "table"
    found: Body = {
        "totalRecords": len(rows),
        "count": len(rows),
        "data": _table(rows, columns) if table else [{c: r.get(c) for c in columns} for r in rows],
        "facets": [],
        "resultTruncated": "false",
    }
    return answer(200, found)


def run(text: str, rows: Iterable[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """Return the rows and columns that a query selects. Raises Refusal 400 for what is not understood."""
    table, *stages = (part.strip() for part in _split(text))
    if table.lower() != "resources":
        raise _refused(f"unknown table '{table[:80]}'")
    found = list(rows)
    columns: tuple[str, ...] = COLUMNS
    for stage in stages:
        verb, _, rest = stage.partition(" ")
        match verb.lower():
            case "where":
                found = [row for row in found if _holds(rest, row)]
            case "take" | "limit" | "sample":
                found = found[: _number(rest)]
            case "top":
                found = found[: _number(rest.partition(" ")[0])]
            case "project":
                columns = tuple(column.strip() for column in rest.split(","))
            case "order" | "sort":
                found = sorted(found, key=lambda row: str(row.get("name")))
            case _:
                raise _refused(f"unknown operator '{verb[:80]}'")
    return found, columns


def _split(text: str) -> list[str]:
    """Split at `|` outside quotes."""
    return re.findall(r"(?:[^|'\"]|'[^']*'|\"[^\"]*\")+", text) or [""]


def _holds(condition: str, row: Row) -> bool:
    """`or` binds weaker than `and`; no parentheses but those of `in`."""
    return any(
        all(_clause(clause.strip(), row) for clause in re.split(r"\s+and\s+", part, flags=re.I))
        for part in re.split(r"\s+or\s+", condition.strip(), flags=re.I)
    )


def _clause(clause: str, row: Row) -> bool:
    match = CLAUSE.fullmatch(clause)
    if match is not None:
        single, double = match[3], match[4]
        return COMPARE[match[2].lower()](_field(row, match[1]), single if single is not None else double)
    among = IN.fullmatch(clause)
    if among is not None:
        return _field(row, among[1]).lower() in {value.strip().strip("'\"").lower() for value in among[2].split(",")}
    raise _refused(f"cannot read '{clause[:80]}'")


def _field(row: Row, path: str) -> str:
    value: Any = row
    for part in re.findall(r"[\w-]+", path):
        value = (
            next((v for k, v in value.items() if k.lower() == part.lower()), None) if isinstance(value, dict) else None
        )
    return "" if value is None else str(value)


def _number(text: str) -> int:
    if not text.strip().isdigit():
        raise _refused(f"'{text[:80]}' is not a number of rows")
    return int(text)


def _table(rows: list[Row], columns: tuple[str, ...]) -> Body:
    return {
        "columns": [{"name": c, "type": "object" if c in OBJECTS else "string"} for c in columns],
        "rows": [[row.get(column) for column in columns] for row in rows],
    }


def _rows(call: Call) -> list[Row]:
    world = call.world
    apps = [_row(call, printed(call, app), SITE_TYPE, app.group) for app in world.apps.values() if not app.is_slot]
    return [*apps, *(_row(call, profile_body(call, p, NEWEST), PROFILE_TYPE, p.group) for p in world.profiles.values())]


def _row(call: Call, body: Body, kind: str, group: str) -> Row:
    """A row as Resource Graph prints it: types and groups in lower case."""
    return {
        "id": body["id"],
        "name": body["name"],
        "type": kind.lower(),
        "tenantId": call.services.tenant,
        "kind": body.get("kind", ""),
        "location": region_of(body["location"]),
        "resourceGroup": group.lower(),
        "subscriptionId": call.world.subscription,
        "tags": body.get("tags"),
        "properties": body["properties"],
    }


def _refused(why: str) -> Exception:
    return gateway(
        400, "BadRequest", f"Please provide below info when asking for support: the query is not understood: {why}."
    )
