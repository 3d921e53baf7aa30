"""The files that a run's findings become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from failover_drill import record
from failover_drill.errors import DrillError
from failover_drill.findings import Findings

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


def write_reports(directory: Path, findings: Findings) -> None:
    """Write findings.json and every report made of it. To be called before the run is sealed: the seal covers them."""
    from failover_drill import report  # the plotting library takes a second to load; most commands draw nothing

    plain = findings.to_dict()
    record.write_whole(directory / "findings.json", json.dumps(plain, indent=1, allow_nan=False) + "\n")
    record.write_whole(directory / "report.md", report.markdown(plain))
    record.write_whole(directory / "cucumber.json", report.cucumber(plain, **record.playbook_of(directory)))
    record.write_whole(directory / "metrics.txt", report.openmetrics(plain))
    record.write_whole(directory / "figures.csv", report.csv(plain))
    record.write_whole(directory / "report.html", report.html(plain))


def append_summary(directory: Path, environment: Mapping[str, str]) -> None:
    """Append the run's report.md to the CI job's summary, where the CI system names a file for it. Raises DrillError."""
    summary = environment.get(SUMMARY_VARIABLE)
    if not summary:
        return
    try:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write((directory / "report.md").read_text("utf-8") + "\n")
    except OSError as error:
        raise DrillError(f"{SUMMARY_VARIABLE}: {summary} cannot be written: {error.strerror}") from None
