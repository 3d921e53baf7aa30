"""`python -m docs.pictures`: the pictures of docs/, each made from what it shows. A test compares them with the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.pictures import bounds, omission, real_run

PICTURES: Mapping[str, Callable[[], str]] = {
    "bounds.svg": bounds.picture,
    "omission.svg": omission.picture,
    "populations.svg": real_run.populations,
    "segments.svg": real_run.segments,
}
WHERE = Path("docs/images")


def main() -> None:
    """Write them all."""
    for name, draw in PICTURES.items():
        (WHERE / name).write_text(draw(), "utf-8")


if __name__ == "__main__":
    main()
