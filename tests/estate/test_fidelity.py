"""docs/fidelity.md says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local_estate import config, delays
from local_estate.arm_table import OPERATIONS
from local_estate.faults_catalogue import CATALOGUE
from local_estate.fidelity import rendered
from local_estate.fidelity_facts import FACTS, NOT_HERE
from tests.estate.running import ROOT


def test_the_document_is_current() -> None:
    """docs/fidelity.md is what `python -m local_estate.fidelity` prints."""
    assert (ROOT / "docs" / "fidelity.md").read_text("utf-8") == rendered()


def test_every_operation_and_fault_is_in_it() -> None:
    """No operation and no kind of fault is left out; slots stand behind their sites."""
    text = rendered()
    assert [o.name for o in OPERATIONS if "/slots/{slot}" not in o.path and f"| {o.name} |" not in text] == []
    assert [kind for kind in CATALOGUE if f"| `{kind}` |" not in text] == []


def proofs() -> set[str]:
    return {proof for _, rows in FACTS for _, _, proof in rows if not proof.startswith(NOT_HERE)}


@pytest.mark.parametrize("file", sorted({proof.partition("::")[0] for proof in proofs()}))
def test_every_fact_is_proven_by_a_test_that_is_there(file: str) -> None:
    """The table of facts names no test that does not exist."""
    where = (Path(__file__).parent / file).with_name(f"test_{Path(file).name}.py")
    there = set(re.findall(r"^ *(?:async )?def test_(\w+)\(", where.read_text("utf-8"), re.M))
    assert {name for at, _, name in (p.partition("::") for p in proofs()) if at == file} - there == set()


def test_what_is_not_modelled_says_why() -> None:
    """A fact that the estate does not have comes with a reason."""
    absent = [proof.removeprefix(NOT_HERE) for _, rows in FACTS for _, _, proof in rows if proof.startswith(NOT_HERE)]
    assert absent
    assert all(len(reason.split()) > 4 for reason in absent)


def test_settings_and_delays_agree() -> None:
    """The defaults of the settings are those of the delays themselves."""
    assert config.delays_of(config.EstateConfig()) == delays.Delays()
