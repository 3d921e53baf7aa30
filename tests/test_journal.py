"""The journal can be trusted: what was promised is there, and what was changed afterwards is noticed."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover_drill.errors import JournalError
from failover_drill.journal import FILE, Journal, read, verify


def written(directory: Path, *, lines: int = 4, seal: bool = True) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    journal = Journal(directory / FILE)
    for number in range(lines):
        journal.append("note", {"text": f"line {number}", "quote": '","hash":"'}, t_ns=number)
    (directory / "findings.json").write_text('{"verdict": "MET"}', "utf-8")
    if seal:
        journal.seal()
    journal.close()
    return directory


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Entries come back in order, with their kind, time and fields."""
    entries = read(written(tmp_path) / FILE)
    assert [(e.n, e.t_ns, e.kind) for e in entries[:4]] == [(n, n, "note") for n in range(4)]
    assert entries[2].fields["text"] == "line 2"
    assert verify(tmp_path) == []


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    """A writer that was killed in mid-line costs that line and no other."""
    path = written(tmp_path, seal=False) / FILE
    path.write_bytes(path.read_bytes()[:-7])
    assert len(read(path)) == 3


def test_an_unsealed_run_says_so(tmp_path: Path) -> None:
    """A run that did not end by itself is not passed off as whole."""
    assert "never sealed" in verify(written(tmp_path, seal=False))[0]


@pytest.mark.parametrize("how", ["removed", "swapped", "repeated"])
def test_lines_cannot_be_moved(tmp_path: Path, how: str) -> None:
    """Removing, reordering or repeating a whole line breaks the chain."""
    path = written(tmp_path) / FILE
    lines = path.read_bytes().splitlines(keepends=True)
    moved = {
        "removed": [lines[0], *lines[2:]],
        "swapped": [lines[0], lines[2], lines[1], *lines[3:]],
        "repeated": [*lines[:2], *lines[1:]],
    }[how]
    path.write_bytes(b"".join(moved))
    with pytest.raises(JournalError, match="changed, missing or reordered"):
        verify(tmp_path)


def test_other_files_are_covered(tmp_path: Path) -> None:
    """A file changed, removed or added after the seal is named."""
    written(tmp_path)
    (tmp_path / "findings.json").write_text('{"verdict": "MISSED"}', "utf-8")
    (tmp_path / "extra.txt").write_text("x", "utf-8")
    assert verify(tmp_path) == [
        "extra.txt: not part of the run as it was sealed",
        "findings.json: changed since it was sealed",
    ]


def test_nothing_may_follow_the_seal(tmp_path: Path) -> None:
    """Bytes after the last line are noticed, whole line or not."""
    path = written(tmp_path) / FILE
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(JournalError, match="after the seal"):
        verify(tmp_path)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_noticed(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Flipping any bit of any file of a sealed run is detected."""
    directory = written(tmp_path_factory.mktemp("run"))
    path = data.draw(st.sampled_from([directory / FILE, directory / "findings.json"]))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(content))
    with contextlib.suppress(JournalError):  # a broken chain is said by raising
        assert verify(directory) != []


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    """A second writer of the same file is refused."""
    written(tmp_path)
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / FILE)


def test_lines_are_json(tmp_path: Path) -> None:
    """Each line can be read by any JSON reader, its hash among its keys."""
    for line in (written(tmp_path) / FILE).read_text("utf-8").splitlines():
        assert len(json.loads(line)["hash"]) == 64
