"""The journal can be trusted: what was promised is there, and what was changed afterwards is noticed."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def restored(directory: Path) -> Path:
    """A run of every kind of file: killed in mid-line, then put back and sealed by another journal."""
    path = written(directory, lines=2, seal=False) / FILE
    path.write_bytes(path.read_bytes()[:-5])
    (directory / "empty.log").touch()
    (directory / "deeper").mkdir()
    (directory / "deeper" / "samples.bin").write_bytes(bytes(range(0, 256, 7)))
    later = Journal(directory / "restoration-001.jsonl")
    later.append("header", {"by": "guardian"}, t_ns=9)
    later.seal()
    return directory


@pytest.mark.parametrize("make", [written, restored])
def test_any_flipped_bit_is_noticed(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """Each bit of each byte of each file of a stored run, one after the other: flipped, it is noticed."""
    directory, unnoticed = make(tmp_path), []
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert verify(directory) == []
    for path in files:
        whole = path.read_bytes()
        for at in range(len(whole)):
            for bit in range(8):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
                if not noticed(directory):
                    unnoticed.append((path.name, at, bit))
        path.write_bytes(whole)
    assert unnoticed == []
    assert verify(directory) == []


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever a byte of a large file is changed to, cut off or added, is noticed."""
    directory = tmp_path_factory.mktemp("run")
    (directory / "samples.parquet").write_bytes(bytes(data.draw(st.integers(1, 200_000))))
    path = written(directory, lines=data.draw(st.integers(1, 30))) / data.draw(
        st.sampled_from([FILE, "samples.parquet"])
    )
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(max_size=2).filter(lambda new: new != whole[at : at + 1]))
    path.write_bytes(whole[:at] + byte + whole[at + 1 :])
    assert noticed(directory)


def noticed(directory: Path) -> bool:
    """Does `failover-drill verify` find fault? A broken chain is said by raising."""
    try:
        return verify(directory) != []
    except JournalError:
        return True


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    """A second writer of the same file is refused."""
    written(tmp_path)
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / FILE)


def test_a_line_that_cannot_be_written(tmp_path: Path) -> None:
    """On a full disk a line is refused, what was written of it is cut off, and with room again the chain goes on."""
    journal = Journal(tmp_path / FILE)
    journal.append("note", {"text": "before"}, sync=True)
    with nothing_to_be_written(beyond=journal.path.stat().st_size + 20), pytest.raises(JournalError) as refused:
        journal.append("note", {"text": "lost"}, sync=True)
    assert str(refused.value) == f"{journal.path}: cannot be written: File too large"
    assert [e.fields["text"] for e in read(journal.path)] == ["before"]
    journal.append("note", {"text": "after"}, sync=True)
    journal.close()
    assert [e.fields["text"] for e in read(journal.path)] == ["before", "after"]
    assert journal.entries == read(journal.path)


@contextmanager
def nothing_to_be_written(*, beyond: int = 0) -> Iterator[None]:
    """Let the kernel refuse this process to write to any file beyond so many bytes: as on a full disk."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (beyond, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


def test_lines_are_json(tmp_path: Path) -> None:
    """Each line can be read by any JSON reader, its hash among its keys."""
    for line in (written(tmp_path) / FILE).read_text("utf-8").splitlines():
        assert len(json.loads(line)["hash"]) == 64
