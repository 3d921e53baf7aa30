"""Findings as prose and pictures, and in the formats of other programs. Pure: from findings.json's object to text.

html           the page for the engineer          cucumber     steps, for living documentation
markdown       the comment and the job summary    openmetrics  figures, for a push gateway
junit_properties   figures, for the CI system     csv          figures, for a spreadsheet
"""

from failover_drill.report.cucumber import cucumber
from failover_drill.report.html import html
from failover_drill.report.junit import junit_properties
from failover_drill.report.markdown import markdown
from failover_drill.report.openmetrics import openmetrics
from failover_drill.report.rows import csv

__all__ = ["csv", "cucumber", "html", "junit_properties", "markdown", "openmetrics"]
