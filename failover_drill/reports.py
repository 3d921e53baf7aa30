"""The files that a run's findings become."""

from __future__ import annotations

import json
from pathlib import Path

from failover_drill import record
from failover_drill.findings import Findings


def write_reports(directory: Path, findings: Findings) -> None:
    """Write findings.json and every report made of it."""
    from failover_drill import report  # the plotting library takes a second to load; most commands draw nothing

    plain = findings.to_dict()
    record.write_whole(directory / "findings.json", json.dumps(plain, indent=1, allow_nan=False) + "\n")
    record.write_whole(directory / "report.md", report.markdown(plain))
    record.write_whole(directory / "report.html", report.html(plain))
