"""The search for secrets that ends every session of tests finds one wherever it is planted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.secrecy import OUTPUTS, TOKEN, leaks

RUN = "drill/reports/proseware-failover/2026-11-23T05-00-00Z"
HEADER = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "place", [f"{RUN}/report.html", f"{RUN}/guardian.log", f"{RUN}/samples/1.bin", f"drill/{OUTPUTS}"]
)
@pytest.mark.parametrize(("secret", "name"), [(HEADER, "identity_header"), (f"Bearer {TOKEN}LCJhbGci", "a token")])
def test_a_planted_secret_is_found(place: str, secret: str, name: str, tmp_path: Path) -> None:
    """In any file of a run, and in what was printed; the secret is named and not repeated."""
    for path in (tmp_path / RUN, tmp_path / "estate", (tmp_path / place).parent):
        path.mkdir(parents=True, exist_ok=True)
    (tmp_path / "estate" / "ready.json").write_text(json.dumps({"identity_header": HEADER}), "utf-8")
    (tmp_path / RUN / "journal.jsonl").write_text("{}\n", "utf-8")
    assert leaks(tmp_path) == []
    (tmp_path / place).write_bytes(b"\x00before " + secret.encode() + b" after\xff")
    found = leaks(tmp_path)
    (tmp_path / place).unlink()  # nobody else's concern
    assert found == [f"{tmp_path / place} holds {name}"]
