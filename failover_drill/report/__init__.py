"""Findings as prose and pictures, and in the formats of other programs. Pure: from findings.json's object to text."""

from failover_drill.report.html import html
from failover_drill.report.junit import junit_properties
from failover_drill.report.markdown import markdown

__all__ = ["html", "junit_properties", "markdown"]
