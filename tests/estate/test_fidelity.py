"""docs/fidelity.md says what the program does."""

from __future__ import annotations

from local_estate import config, delays
from local_estate.arm_table import OPERATIONS
from local_estate.faults_catalogue import CATALOGUE
from local_estate.fidelity import rendered
from tests.estate.running import ROOT


def test_the_document_is_current() -> None:
    """docs/fidelity.md is what `python -m local_estate.fidelity` prints."""
    assert (ROOT / "docs" / "fidelity.md").read_text("utf-8") == rendered()


def test_every_operation_and_fault_is_in_it() -> None:
    """No operation and no kind of fault is left out; slots stand behind their sites."""
    text = rendered()
    assert [o.name for o in OPERATIONS if "/slots/{slot}" not in o.path and f"| {o.name} |" not in text] == []
    assert [kind for kind in CATALOGUE if f"| `{kind}` |" not in text] == []


def test_settings_and_delays_agree() -> None:
    """The defaults of the settings are those of the delays themselves."""
    assert config.delays_of(config.EstateConfig()) == delays.Delays()
