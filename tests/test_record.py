"""What a stored run's directory gives back, whole or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from failover_drill import record
from failover_drill.errors import JournalError
from failover_drill.findings import Verdict, analyse
from failover_drill.findings_form import SCHEMA
from failover_drill.history import read_findings
from failover_drill.journal import FILE, Journal, verify
from tests.stage import ROOT

EXAMPLE = ROOT / "reports" / "example"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the example run."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "drill" / "run"))


def test_the_example_is_whole_and_of_this_version() -> None:
    """The committed run is as it was sealed, of the schema that is written now, and holds predicted beside measured."""
    findings = read_findings(EXAMPLE)
    assert verify(EXAMPLE) == []
    assert findings["schema"] == SCHEMA
    assert findings["forecast"]["recovery"]["measured_s"] == findings["recovery"]["time_s"]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_record_that_breaks_off_is_interrupted(run: Path, share: float) -> None:
    """Wherever a journal breaks off, the run is never called MET: it was interrupted, and the findings say so first."""
    journal = run / FILE
    journal.write_bytes(journal.read_bytes()[: int(journal.stat().st_size * share)])
    found = analyse(record.read_ended(run), record.read_objectives(run))
    assert found.verdict is not Verdict.MET
    assert "its record breaks off" in found.drill.interrupted
    assert record.read_facts(run).interrupted == ""  # while a drill goes on nobody calls it interrupted


def journal_of(directory: Path, *entries: tuple[str, dict[str, object]], **header: object) -> None:
    """Write a journal with the example's header, changed where told, and these entries."""
    told = json.loads((EXAMPLE / FILE).read_text("utf-8").splitlines()[0])
    made = {key: value for key, value in told.items() if key not in ("n", "t", "kind", "hash")}
    journal = Journal(directory / FILE)
    for kind, fields in (("header", made | header), *entries):
        journal.append(kind, fields)
    journal.seal()
    journal.close()


def test_what_was_foretold_last_counts(tmp_path: Path) -> None:
    """A forecast that was made anew, after the estate had been prepared, takes the place of the header's."""
    journal_of(
        tmp_path, ("forecasts", {"hang": {"kind": "hang"}}), forecasts={"hang": {"kind": "hang", "never": "cold"}}
    )
    assert record.read_facts(tmp_path).forecasts == {"hang": {"kind": "hang"}}


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    """A journal of a schema that this version does not know is refused in one line that names both."""
    journal_of(tmp_path, schema="failover-drill/journal/9")
    with pytest.raises(JournalError, match="has schema 'failover-drill/journal/9'; this version reads") as refused:
        record.read_facts(tmp_path)
    assert "\n" not in str(refused.value)
