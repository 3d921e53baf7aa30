"""report.html: one file without network, for the engineer who wants to know where the seconds went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def html(findings: Mapping[str, Any], remarks: Sequence[str] = ()) -> str:
    """Return the whole report as one self-contained HTML page. `findings` is findings.json's object.

    `remarks` are what a reader must know about the record itself, such as that it was changed since it was sealed.
    """
    from failover_drill.report import page  # Bokeh takes a second to load: only who draws waits for it

    return page.render(findings, remarks)
