"""The report of a long drill stays small."""

from __future__ import annotations

from failover_drill.facts import Objectives
from failover_drill.findings import analyse
from failover_drill.report import html, markdown
from tests.report_hour import hour


def test_the_report_of_an_hour_is_under_a_megabyte_and_a_half() -> None:
    """One hour with flapping DNS and thousands of outages gives a page under 1.5 MB and a comment that fits."""
    findings = analyse(hour(rate=100), Objectives()).to_dict()
    assert len(html(findings).encode()) < 1_500_000
    assert len(markdown(findings)) < 65_536
