"""Objectives from and to OpenSLO."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from failover_drill import books, openslo
from failover_drill.errors import SettingsError
from failover_drill.facts import Objectives

SLO = """
apiVersion: openslo/v1
kind: Service
metadata: {name: shop}
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: shop-availability
  annotations: {failover-drill/rto: 5m}
spec:
  service: shop
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: good, targetPercent: 99.95}]
"""


def test_an_slo_is_read() -> None:
    """Target, window and our annotations are read; what OpenSLO does not say keeps its default."""
    read = openslo.read(SLO, "slo.yaml")
    assert read == Objectives(availability=0.9995, window_s=28 * 86_400, rto_s=300)


@given(
    st.integers(500_000, 999_999).map(lambda millionths: millionths / 1e6),
    st.integers(1, 90).map(lambda days: days * 86_400.0),
    st.integers(1, 7200).map(float),
)
def test_what_is_written_is_read_again(availability: float, window_s: float, rto_s: float) -> None:
    """Objectives survive the way through OpenSLO unchanged."""
    objectives = Objectives(availability=availability, window_s=window_s, rto_s=rto_s, rpo_s=7.0, drill_share=0.25)
    assert openslo.read(openslo.write(objectives, "a", "b"), "it") == objectives


def test_the_service_is_read_too() -> None:
    """A period's account is named after the document's service; a document without one is refused in one line."""
    text = openslo.write(Objectives(), "availability", "www.proseware.example")
    assert openslo.read_with_service(text, "slo.yaml") == ("www.proseware.example", Objectives())
    with pytest.raises(SettingsError, match=r"slo.yaml, spec.service: is missing"):
        openslo.read_with_service(text.replace("service: www.proseware.example", "service: ''"), "slo.yaml")


def test_the_objectives_of_the_drilled_target_are_written(tmp_path: Path) -> None:
    """`slo write` takes the data loss objective from the target that drill.toml drills, where it has one of its own."""
    file = tmp_path / "drill.toml"
    file.write_text(
        '[drill]\ntarget = "shop"\n[objectives]\nrpo_s = 60\n[target.shop]\nkind = "local"\nrpo_s = 15\n', "utf-8"
    )
    app = typer.Typer()
    books.register(app)
    written = CliRunner().invoke(app, ["slo", "write", "shop", "--settings", str(file)], catch_exceptions=False).stdout
    assert openslo.read(written, "slo.yaml").rpo_s == 15


def test_what_is_written_has_the_form_of_openslo() -> None:
    """The document has the fields that OpenSLO's specification requires of an SLO."""
    document = yaml.safe_load(openslo.write(Objectives(), "availability", "shop"))
    assert (document["apiVersion"], document["kind"]) == ("openslo/v1", "SLO")
    assert document["spec"]["objectives"][0]["target"] == 0.999
    assert document["spec"]["timeWindow"] == [{"duration": "30d", "isRolling": True}]
    assert {"service", "indicator", "budgetingMethod"} <= document["spec"].keys()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "targetPercent: 99.95",
            "targetPercent: 150",
            "spec.objectives[0].targetPercent: 150 should lie above 0 and below 100",
        ),
        ("targetPercent: 99.95", "target: none", "spec.objectives[0].target: 'none'"),
        ("duration: 4w", "duration: 1Q", "spec.timeWindow[0].duration: '1Q' should be a length of time"),
        ("isRolling: true", "isRolling: false", "calendar windows are not supported"),
        ("kind: SLO", "kind: SLI", "holds no document of kind SLO"),
        ("apiVersion: openslo/v1\nkind: SLO", "apiVersion: openslo/v2alpha\nkind: SLO", "should be openslo/v1"),
        ("metadata:\n", "metadata: [\n", "is no YAML"),
    ],
)
def test_a_wrong_document_is_one_line(old: str, new: str, said: str) -> None:
    """A wrong key or value is named with its file and path, in one line."""
    with pytest.raises(SettingsError) as error:
        openslo.read(SLO.replace(old, new), "slo.yaml")
    assert said in str(error.value)
    assert str(error.value).startswith("slo.yaml")
    assert "\n" not in str(error.value)
