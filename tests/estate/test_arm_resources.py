# ruff: noqa: E501 - tables read better in one line

"""What ARM itself answers: groups, tags, permissions, resources, providers, the graph; and rights that a role leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_estate.arm import ROUTES, match
from local_estate.arm_call import merged
from local_estate.arm_table import OPERATIONS
from local_estate.rbac import allowed
from tests.estate.running import QUICK, Running, running

GROUP = "~/resourceGroups/rg-proseware-eastus"
TAGS = "/providers/Microsoft.Resources/tags/default"


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate"), QUICK) as estate:
        yield estate
        assert estate.said() == ""


def test_groups_live_and_take_their_contents_along(estate: Running) -> None:
    """PUT 201 then 200, HEAD 204, DELETE 202 with a Location, and then the group's apps are gone, too."""
    group = "~/resourcegroups/rg-new"
    assert [estate.arm("PUT", group, {"location": "westus"}).status for _ in range(2)] == [201, 200]
    app = f"{group}/providers/Microsoft.Web/sites/there"
    assert estate.arm("PUT", app, {"location": "eastus"}).status == 200
    assert estate.arm("HEAD", group).status == 204
    gone = estate.arm("DELETE", group)
    assert gone.status == 202
    assert estate.arm("GET", gone.headers["location"].removeprefix(estate.ready["arm_url"])).status == 200
    assert (estate.arm("HEAD", group).status, estate.arm("GET", app).status) == (404, 404)
    assert "rg-new" not in [g["name"] for g in estate.arm("GET", "~/resourceGroups").json["value"]]


@pytest.mark.parametrize(
    "scope",
    [GROUP, "{profile}", GROUP + "/providers/Microsoft.Web/sites/proseware-eastus"],
    ids=["group", "profile", "app"],
)
def test_tags_merge_replace_and_are_taken_away_at_any_scope(estate: Running, scope: str) -> None:
    """Merge adds, Delete takes away only what matches, Replace and PUT leave nothing else; the resource shows the same tags."""
    here = scope.format(profile=estate.profile)
    before = estate.arm("GET", here + TAGS).json["properties"]["tags"]
    assert before == {"failover-drill": "allowed"}

    def patch(operation: str, tags: dict[str, str]) -> Any:
        return estate.arm("PATCH", here + TAGS, {"operation": operation, "properties": {"tags": tags}}).json[
            "properties"
        ]["tags"]

    assert patch("Merge", {"lock": "me"}) == {**before, "lock": "me"}
    assert patch("Delete", {"lock": "you"}) == {**before, "lock": "me"}
    assert estate.arm("GET", here).json["tags"] == {**before, "lock": "me"}
    assert patch("Delete", {"lock": "me"}) == before
    assert patch("Replace", {"only": "this"}) == {"only": "this"}
    put = estate.arm("PUT", here + TAGS, {"properties": {"tags": before}})
    assert put.json["properties"]["tags"] == before
    assert estate.arm("PATCH", here + TAGS, {"operation": "Juggle", "properties": {}}).status == 400


def test_resources_are_listed_and_filtered(estate: Running) -> None:
    """Apps and profiles are resources; $filter takes equalities, and refuses what it does not understand."""
    everything = {r["name"] for r in estate.arm("GET", "~/resources").json["value"]}
    assert everything == {"proseware", "proseware-eastus", "proseware-westus3", "plan-eastus", "plan-westus3"}
    query = "~/resources?api-version=2021-04-01&$filter=resourceType%20eq%20'Microsoft.Web/sites'%20and%20tagName%20eq%20'failover-drill'"
    assert {r["name"] for r in estate.arm("GET", query).json["value"]} == {"proseware-eastus", "proseware-westus3"}
    assert [r["name"] for r in estate.arm("GET", f"{GROUP}/resources").json["value"]] == [
        "proseware-eastus",
        "plan-eastus",
    ]
    assert estate.arm("GET", "~/resources?api-version=2021-04-01&$filter=substringof('x',name)").status == 400


def test_the_cloud_the_subscription_and_providers_are_described(estate: Running) -> None:
    """Metadata needs no token; the subscription and its providers are there for tools that look first."""
    metadata = estate.arm("GET", "/metadata/endpoints?api-version=2022-09-01", token="none").json
    assert metadata["resourceManager"] == metadata["authentication"]["loginEndpoint"] == estate.ready["arm_url"]
    subscription = estate.arm("GET", "/subscriptions?api-version=2022-12-01").json["value"][0]
    assert (subscription["subscriptionId"], subscription["state"]) == (estate.ready["subscription_id"], "Enabled")
    provider = estate.arm("GET", "~/providers/microsoft.web?api-version=2016-02-01").json
    assert (provider["namespace"], provider["registrationState"]) == ("Microsoft.Web", "Registered")
    assert estate.arm("POST", "~/providers/Microsoft.Network/register?api-version=2016-02-01").status == 200
    other = f"/subscriptions/{'1' * 8}-1111-1111-1111-{'1' * 12}/resourceGroups"
    assert estate.arm("GET", other).json["error"]["code"] == "SubscriptionNotFound"


def test_wrong_bodies_are_400(estate: Running) -> None:
    """No body, one that is no JSON, and one that is no object are refused in ARM's shape."""
    for raw, code in (
        (b"", "MissingRequestBody"),
        (b"{", "InvalidRequestContent"),
        (b"[]", "InvalidRequestContent"),
        (b"[" * 100_000, "InvalidRequestContent"),
    ):
        answer = estate.arm("PUT", "~/resourceGroups/rg-x", raw)
        assert (answer.status, answer.json["error"]["code"]) == (400, code)


# the graph


def graph(estate: Running, query: str, **options: str) -> Any:
    sent = {"query": query, "subscriptions": [estate.ready["subscription_id"]], "options": options}
    return estate.arm("POST", "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01", sent)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Resources | where type =~ 'Microsoft.Web/sites'", {"proseware-eastus", "proseware-westus3"}),
        ('resources|where type=~"microsoft.web/sites"|where name=="proseware-eastus"', {"proseware-eastus"}),
        ("Resources | where name contains 'WEST' and location != 'eastus'", {"proseware-westus3"}),
        ("Resources | where name == 'PROSEWARE'", set()),
        (
            "Resources | where resourceGroup in~ ('rg-proseware-eastus', 'x') or type =~ 'Microsoft.Network/trafficManagerProfiles'",
            {"proseware", "proseware-eastus"},
        ),
        (
            "Resources | where tags['failover-drill'] == 'allowed' | where properties.state =~ 'running' | project name",
            {"proseware-eastus", "proseware-westus3"},
        ),
        ("Resources | where name startswith 'proseware-' | order by name | take 1", {"proseware-eastus"}),
    ],
)
def test_the_graph_understands_what_chaos_tools_ask(estate: Running, query: str, names: set[str]) -> None:
    """The subset of the query language that is offered gives the rows it should, as objects and as a table."""
    rows = graph(estate, query).json
    assert {row["name"] for row in rows["data"]} == names
    table = graph(estate, query, resultFormat="table").json["data"]
    column = [c["name"] for c in table["columns"]].index("name")
    assert {row[column] for row in table["rows"]} == names


@pytest.mark.parametrize(
    "query",
    [
        "Machines",
        "Resources | summarize count()",
        "Resources | where name matches regex 'x'",
        "Resources | take all",
        "",
        "'",
    ],
)
def test_the_graph_refuses_what_it_does_not_understand(estate: Running, query: str) -> None:
    """A query beyond the subset is 400, never half an answer."""
    assert graph(estate, query).status == 400


# rights


def test_a_call_outside_the_role_is_403_and_names_the_right(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a custom role, what it lists works and all else is AuthorizationFailed; the permissions show the role."""
    role = [
        "Microsoft.Web/sites/read",
        "Microsoft.Web/sites/stop/action",
        "Microsoft.Network/trafficManagerProfiles/*",
        "Microsoft.Authorization/permissions/read",
    ]
    config = {**QUICK, "identity": {"role": role, "not_role": ["Microsoft.Network/trafficManagerProfiles/delete"]}}
    with running(tmp_path_factory.mktemp("estate"), config) as estate:
        app = estate.app("eastus")["resource_id"]
        assert estate.arm("POST", f"{app}/stop").status == 200
        assert (
            estate.arm(
                "PATCH", f"{estate.profile}/AZUREENDPOINTS/eastus", {"properties": {"endpointStatus": "Disabled"}}
            ).status
            == 200
        )
        for method, path, right in (
            ("POST", f"{app}/start", "Microsoft.Web/sites/Start/Action"),
            ("DELETE", estate.profile, "Microsoft.Network/trafficManagerProfiles/delete"),
            ("GET", "~/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups/read"),
        ):
            refused = estate.arm(method, path)
            assert (refused.status, refused.json["error"]["code"]) == (403, "AuthorizationFailed")
            assert (
                f"does not have authorization to perform action '{right}' over scope '/subscriptions/"
                in refused.json["error"]["message"]
            )
        shown = estate.arm("GET", f"{app}/providers/Microsoft.Authorization/permissions").json["value"][0]
        assert (shown["actions"], shown["notActions"]) == (role, ["Microsoft.Network/trafficManagerProfiles/delete"])
        assert estate.arm("GET", f"{app}").json["properties"]["state"] == "Stopped"


@pytest.mark.parametrize(
    ("action", "actions", "without", "may"),
    [
        ("Microsoft.Web/sites/stop/Action", ["*"], [], True),
        ("Microsoft.Web/sites/stop/Action", ["microsoft.web/SITES/*/action"], [], True),
        ("Microsoft.Web/sites/stop/Action", ["*/read"], [], False),
        ("Microsoft.Web/sites/stop/Action", ["*"], ["Microsoft.Web/*"], False),
        ("Microsoft.Web/sites/read", ["Microsoft.Web/sites"], [], False),
        ("Microsoft.Web/sitesXread", ["Microsoft.Web/sites.read"], [], False),
        ("", [], [], True),
    ],
)
def test_roles_allow_by_pattern(action: str, actions: list[str], without: list[str], may: bool) -> None:
    """A star stands for anything, case does not matter, a dot is a dot, and what is taken away is not allowed."""
    assert allowed(action, actions, without) is may


# laws

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_law_merging_twice_is_merging_once(base: Any, patch: Any) -> None:
    """A merge patch is idempotent, and leaves no null where it merged into objects (RFC 7396)."""
    once = merged(base, patch)
    assert merged(once, patch) == once


@given(JSON)
def test_law_an_empty_patch_changes_nothing(base: Any) -> None:
    """Merging an empty object into an object gives that object."""
    if isinstance(base, dict):
        assert merged(base, {}) == base


def test_every_operation_is_reached_by_its_own_path() -> None:
    """No row of the table hides another one, in any case of the path."""
    for operation in OPERATIONS:
        path = operation.path.replace("{", "a").replace("}", "z")
        for spelled in (path, path.upper(), path + "/"):
            found = match(ROUTES, operation.method, spelled)
            assert found is not None
            assert found[0] is operation


def test_operation_names_are_unique_and_writes_need_a_right() -> None:
    """Names identify rows in the log and in docs; nothing may be changed without a right."""
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)
    assert [o.name for o in OPERATIONS if o.effect == "write" and not o.action] == []
