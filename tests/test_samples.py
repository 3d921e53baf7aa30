"""Samples on disk: nothing added is lost, nothing torn is read, and the archive holds the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover_drill.errors import JournalError
from failover_drill.facts import SAMPLE_DTYPE, ClockAnchor, Outcome, Population
from failover_drill.recorder import Recorder
from failover_drill.sample_header import read_header
from failover_drill.samples import archive, note_death, read_samples, tail

ANCHOR = ClockAnchor(wall_ns=1_700_000_000_000_000_000, mono_ns=5_000_000_000)
GAP = 10_000_000


def add(recorder: Recorder, slot: int, *, late_us: int = 50, took_us: int = 900, **fields: Any) -> None:
    recorder.scheduled += 1
    intended = slot * GAP
    sent = intended + late_us * 1000
    recorder.add(
        intended, sent, sent + took_us * 1000, fields.get("lane", slot % 7), fields.get("resolver", slot % 3),
        fields.get("status", 200), fields.get("outcome", Outcome.OK), fields.get("population", Population.FRESH),
        recorder.regions.index(fields.get("region", "eastus")), recorder.addresses.index(fields.get("address", "127.0.1.1")),
        fields.get("path", 0), 0,
    )  # fmt: skip


def test_what_was_added_is_what_is_read(tmp_path: Path) -> None:
    """Every field of every sample comes back, in order of sending."""
    recorder = Recorder(tmp_path, rate=100.0, anchor=ANCHOR)
    add(recorder, 2, status=503, outcome=Outcome.HTTP_ERROR, region="westus3")
    add(recorder, 1, late_us=7, took_us=11, population=Population.STICKY, lane=9)
    recorder.close()
    table, (report,) = read_samples(tmp_path)
    first, second = table.records
    assert (first["intended_ns"], first["late_us"], first["took_us"]) == (GAP, 7, 11)
    assert (first["population"], first["lane"], table.names.regions[first["region"]]) == (2, 9, "eastus")
    assert (second["status"], second["outcome"], table.names.regions[second["region"]]) == (503, 1, "westus3")
    assert report.finished
    assert (report.scheduled, report.recorded) == (2, 2)


@settings(max_examples=50, deadline=None)
@given(intended=st.integers(0, 2**50), late=st.integers(0, 2**40), took=st.integers(0, 2**40))
def test_rounding_to_microseconds_only_ever_widens_a_sample(
    tmp_path_factory: pytest.TempPathFactory, intended: int, late: int, took: int
) -> None:
    """A record says sent no later and done no earlier than it was, and is off by less than a microsecond on each side."""
    recorder = Recorder(tmp_path_factory.mktemp("run"), anchor=ANCHOR)
    sent, done = intended + late, intended + late + took
    recorder.add(intended, sent, done, 0, 0, 200, Outcome.OK, Population.FRESH, 0, 0, 0, 0)
    recorder.close()
    (row,) = tail(recorder.path)[0]
    sent_said = int(row["intended_ns"]) + int(row["late_us"]) * 1000
    done_said = sent_said + int(row["took_us"]) * 1000
    assert 0 <= sent - sent_said < 1000
    assert 0 <= done_said - done < 1000


def test_samples_can_be_read_while_they_are_written(tmp_path: Path) -> None:
    """A reader sees what was flushed, whole records only, and can go on from where it was."""
    recorder = Recorder(tmp_path)
    add(recorder, 1)
    assert len(tail(recorder.path)[0]) == 0
    recorder.flush()
    records, offset = tail(recorder.path)
    assert [r["intended_ns"] for r in records] == [GAP]
    add(recorder, 2)
    recorder.flush()
    with recorder.path.open("ab") as torn:
        torn.write(b"\x01" * 13)
    records, offset = tail(recorder.path, offset)
    assert [r["intended_ns"] for r in records] == [2 * GAP]
    assert offset == 64
    recorder.close()


def test_memory_is_bounded_by_the_buffer(tmp_path: Path) -> None:
    """However many samples nobody writes, memory is bounded; what found no room is counted as lost, not forgotten."""
    recorder = Recorder(tmp_path)
    for _ in range(700_000):
        recorder.scheduled += 1
        recorder.add(1, 1, 2, 0, 0, 200, 0, 0, 0, 0, 0, 0)
    assert sum(map(len, recorder._waiting)) + len(recorder._buffer) < 20_000_000
    recorder.close()
    _, (report,) = read_samples(tmp_path)
    assert recorder.lost > 0
    assert report.recorded + recorder.lost == report.scheduled == 700_000


def test_names_are_there_before_the_records_that_use_them(tmp_path: Path) -> None:
    """At any instant, the header beside a file explains every number in it."""
    recorder = Recorder(tmp_path)
    for slot, region in enumerate(("eastus", "westus3", "uksouth")):
        add(recorder, slot, region=region)
        recorder.flush()
        names = read_header(recorder.path).names
        assert [names.regions[r["region"]] for r in tail(recorder.path)[0]] == ["eastus", "westus3", "uksouth"][
            : slot + 1
        ]
    recorder.close()


def test_names_beyond_a_byte_are_called_other(tmp_path: Path) -> None:
    """A server that answers with ever new region names cannot make the record lie: the late ones share one name."""
    recorder = Recorder(tmp_path)
    for slot in range(400):
        add(recorder, slot, region=f"region {slot}")
    recorder.close()
    table, _ = read_samples(tmp_path)
    seen = [table.names.regions[r["region"]] for r in table.records]
    assert seen[:254] == [f"region {slot}" for slot in range(254)]
    assert set(seen[254:]) == {"(other)"}


def test_torn_record_is_left_out_and_counted(tmp_path: Path) -> None:
    """After a kill in the middle of a write, whole records are read and the missing one shows as lost."""
    recorder = Recorder(tmp_path, rate=100.0)
    for slot in range(10):
        add(recorder, slot)
    recorder.flush()
    os.truncate(recorder.path, 9 * 32 + 5)
    table, (report,) = read_samples(tmp_path)
    assert len(table.records) == report.recorded == 9
    assert report.scheduled == 10
    assert not report.finished
    recorder.close()


def test_death_counts_what_was_never_sent(tmp_path: Path) -> None:
    """A worker that died owes the slots between its last sign of life and its death."""
    recorder = Recorder(tmp_path, rate=100.0)
    for slot in range(10):
        add(recorder, slot)
    recorder.flush()
    note_death(recorder.path, read_header(recorder.path).written_ns + 500_000_000)
    _, (report,) = read_samples(tmp_path)
    assert (report.recorded, report.scheduled, report.finished) == (10, 60, False)
    recorder.close()
    note_death(recorder.path, time.monotonic_ns() + 10**12)
    assert read_samples(tmp_path)[1][0].scheduled == 10


def test_killed_writer_leaves_a_readable_file(tmp_path: Path) -> None:
    """SIGKILL loses what was not flushed and nothing else."""
    program = (
        "import sys, os, signal; from pathlib import Path; from failover_drill.recorder import Recorder\n"
        f"r = Recorder(Path({str(tmp_path)!r}), rate=100.0)\n"
        "for i in range(1000):\n"
        "    r.scheduled += 1; r.add(i * 10**7, i * 10**7, i * 10**7 + 5, 0, 0, 200, 0, 0, 0, 0, 0, 0)\n"
        "    if i == 899: r.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent.parent, check=False, timeout=120)
    table, (report,) = read_samples(tmp_path)
    assert done.returncode == -9
    assert len(table.records) == 900
    assert not report.finished


def test_full_disk_is_counted_not_raised(tmp_path: Path) -> None:
    """Where the file cannot grow, samples are counted as lost and the ones before stay whole."""
    program = (
        "import resource, signal; from pathlib import Path; from failover_drill.recorder import Recorder\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"r = Recorder(Path({str(tmp_path)!r}))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "for i in range(100):\n"
        "    r.scheduled += 1; r.add(i * 10**7, i * 10**7, i * 10**7 + 5, 0, 0, 200, 0, 0, 0, 0, 0, 0)\n"
        "    if i == 49: r.flush()\n"
        "r.close(); print(r.lost)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=120
    )
    table, (report,) = read_samples(tmp_path)
    assert done.stdout.strip() == "50"
    assert len(table.records) == 50
    assert (report.scheduled, report.recorded) == (100, 50)


def test_workers_are_merged_on_one_clock_and_one_list_of_names(tmp_path: Path) -> None:
    """Each worker's own numbering and clock offset are undone, and its samples fall into their place."""
    near = Recorder(tmp_path, worker=0, anchor=ANCHOR)
    far = Recorder(tmp_path, worker=1, anchor=ANCHOR, offset_ns=3_000_000, offset_bound_ns=40_000)
    add(near, 1, region="eastus")
    add(near, 3, region="westus3")
    far.regions.index("westus3")
    far.add(2 * GAP + 3_000_000, 2 * GAP + 3_050_000, 2 * GAP + 4_000_000, 0, 0, 200, 0, 0, 1, 0, 0, 0)
    near.close()
    far.close()
    table, reports = read_samples(tmp_path)
    assert list(table.records["intended_ns"]) == [GAP, 2 * GAP, 3 * GAP]
    assert [table.names.regions[r["region"]] for r in table.records] == ["eastus", "westus3", "westus3"]
    assert list(table.records["worker"]) == [0, 1, 0]
    assert reports[1].offset_bound_ns == 40_000


sample = st.fixed_dictionaries(
    {
        "slot": st.integers(0, 2**39),
        "late_us": st.integers(0, 2**31),
        "took_us": st.integers(0, 2**31),
        "lane": st.integers(0, 2**16 - 1),
        "resolver": st.integers(0, 2**16 - 1),
        "status": st.integers(0, 999),
        "outcome": st.sampled_from(Outcome),
        "population": st.sampled_from(Population),
        "region": st.sampled_from(["", "eastus", "westus3"]),
    }
)


@settings(max_examples=30, deadline=None)
@given(samples=st.lists(sample, max_size=50), workers=st.integers(1, 3))
def test_archive_holds_exactly_the_same(
    tmp_path_factory: pytest.TempPathFactory, samples: list[dict[str, Any]], workers: int
) -> None:
    """Archiving changes the form and nothing else: same samples, same names, same reports; the records are gone."""
    run_dir = tmp_path_factory.mktemp("run")
    recorders = [Recorder(run_dir, worker=i, anchor=ANCHOR, rate=10.0) for i in range(workers)]
    for i, fields in enumerate(samples):
        add(recorders[i % workers], fields.pop("slot"), **fields)
    for recorder in recorders:
        recorder.close()
    before = read_samples(run_dir)
    archive(run_dir)
    after = read_samples(run_dir)
    assert not list(run_dir.glob("*.bin"))
    assert np.array_equal(before[0].records, after[0].records)
    assert before[0].records.dtype == after[0].records.dtype == SAMPLE_DTYPE
    assert before[0].names == after[0].names
    assert before[1] == after[1]


def test_no_samples_is_an_empty_table(tmp_path: Path) -> None:
    """A run without samples is read as none, not as an error."""
    table, reports = read_samples(tmp_path)
    assert len(table.records) == 0
    assert reports == ()
    assert archive(tmp_path) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not the header"),
        ("[]", "not the header"),
        ('{"schema": 99}', "newer"),
        ('{"schema": 1}', "not the header"),
    ],
)
def test_unreadable_header_is_one_line(tmp_path: Path, text: str, why: str) -> None:
    """A header that is missing or of another kind is refused by name."""
    recorder = Recorder(tmp_path)
    recorder.close()
    recorder.path.with_suffix(".json").write_text(text)
    with pytest.raises(JournalError, match=why) as refusal:
        read_samples(tmp_path)
    assert "samples-0.json" in str(refusal.value)
    recorder.path.with_suffix(".json").unlink()
    with pytest.raises(JournalError, match="No such file"):
        read_samples(tmp_path)


def test_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    """A damaged archive is one clear line, not a traceback of the Parquet library."""
    (tmp_path / "samples.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(JournalError, match="not an archive of samples"):
        read_samples(tmp_path)
