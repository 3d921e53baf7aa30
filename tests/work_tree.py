"""The project's own files, for tests that work in a copy of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.stage import ROOT

MADE = {".git", ".venv", "__pycache__", "build", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis"}


def copy_work_tree(clone: Path) -> None:
    """Copy the files as they are now, committed or not."""
    for name in names():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)


def names() -> Iterator[str]:
    """What git tracks, or would; of a tree that is not git's, as an unpacked archive, what nobody made there."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        yield from (name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
    else:
        yield from (str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and not made(path))


def made(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return bool(MADE & {*parts}) or (parts[0] == "reports" and parts[1] not in ("README.md", "example"))
