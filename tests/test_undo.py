"""What is outstanding follows from the journal alone, and a difference is named by resource and key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill.drift import drift, flat
from failover_drill.journal import Entry
from failover_drill.promises import Promise, debts, outstanding

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def promise(name: str, purpose: str = "deed") -> Entry:
    undo = {"kind": "app", "resource": f"/sites/{name}", "wanted": "Running"}
    return Entry(0, 0, "promise", {"id": name, "purpose": purpose, "region": "eastus", "undo": undo})


def outcome(name: str, said: str) -> Entry:
    return Entry(0, 0, "outcome", {"id": name, "outcome": said})


def redeemed(name: str) -> Entry:
    return Entry(0, 0, "redeemed", {"id": name})


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        pytest.param([], [], id="nothing was promised"),
        pytest.param([promise("a")], ["a"], id="killed between promise and call: it may have been sent"),
        pytest.param([promise("a"), outcome("a", "ok")], ["a"], id="done, so it is undone"),
        pytest.param([promise("a"), outcome("a", "failed")], [], id="refused: nothing changed"),
        pytest.param([promise("a"), outcome("a", "unknown")], ["a"], id="nobody knows: undone all the same"),
        pytest.param([promise("a"), outcome("a", "ok"), redeemed("a")], [], id="put back"),
        pytest.param([promise("a"), promise("b"), redeemed("a")], ["b"], id="one of two put back"),
        pytest.param([promise("a", "undo"), outcome("a", "ok")], [], id="an undo needs no undo"),
    ],
)
def test_outstanding(entries: list[Entry], left: list[str]) -> None:
    """A promise is outstanding until it is redeemed, unless its deed surely failed."""
    assert [p.id for p in outstanding(entries)] == left


def test_outstanding_keeps_the_order() -> None:
    """Promises come back oldest first, so that reversing them undoes the newest first."""
    assert [p.id for p in outstanding([promise("a"), promise("b"), promise("c")])] == ["a", "b", "c"]


def test_faults_end_before_all_else() -> None:
    """Each fault apart, newest first, even of one resource; then the rest in its order."""
    promised = [
        Promise("lose", "fault", "/sites/a", "eastus", "", "region_lost.1"),
        Promise("enable", "endpoint", "/endpoints/b", "westus3", "Disabled"),
        Promise("slow", "fault", "/sites/a", "eastus", "", "slow.2"),
        Promise("stop", "app", "/sites/a", "eastus", "Running"),
    ]
    assert [d.final.id for d in debts(promised)] == ["slow", "lose", "stop", "enable"]
    assert str(debts(promised)[0]) == "fault slow.2 → over"


def test_service_is_given_back_before_any_is_taken_away() -> None:
    """Killed between the two endpoint changes: the primary's app comes first, or names would never leave the secondary."""
    promised = [
        Promise("stop", "app", "/sites/a", "eastus", "Running"),
        Promise("start", "app", "/sites/b", "westus3", "Stopped"),
        Promise("enable", "endpoint", "/endpoints/b", "westus3", "Disabled"),
    ]
    assert [d.final.id for d in debts(promised)] == ["stop", "enable", "start"]


def test_a_resource_goes_straight_back() -> None:
    """Changed twice, it is put back once, to what it was before the first change; both promises are redeemed by that."""
    promised = [
        Promise("first", "app", "/sites/a", "eastus", "Running", doubtful=False),
        Promise("second", "app", "/Sites/A", "eastus", "Stopped", doubtful=True),
    ]
    (debt,) = debts(promised)
    assert (debt.final.id, [p.id for p in debt.promises], debt.doubtful) == ("first", ["second", "first"], True)


def test_drift_names_resource_and_key() -> None:
    """Each difference is one line: what, which key, was and is."""
    before: dict[str, Mapping[str, object]] = {"/x/sites/app": {"state": "Running", "tags": {"a": "1"}}}
    after: dict[str, Mapping[str, object]] = {"/x/sites/app": {"state": "Stopped", "tags": {"a": "1", "b": "2"}}}
    assert drift(before, after) == ['app: state was "Running", is "Stopped"', 'app: tags.b was None, is "2"']


@given(JSON)
def test_nothing_differs_from_itself(value: Any) -> None:
    """A snapshot compared with itself shows no drift."""
    assert drift({"/x": {"v": value}}, {"/x": {"v": value}}) == []


@given(JSON, JSON)
def test_a_changed_leaf_is_noticed(value: Any, other: Any) -> None:
    """Two states whose leaves differ show drift."""
    same = flat({"v": value}) == flat({"v": other})
    assert (drift({"/x": {"v": value}}, {"/x": {"v": other}}) == []) == same
