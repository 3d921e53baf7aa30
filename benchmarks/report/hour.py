"""Time, memory and size of the report of a one-hour drill at 1 000 requests/s: `python -m benchmarks.report.hour`.

Goal: facts to files in under 15 s and under 1 GiB, report.html under 1.5 MB.
"""

from __future__ import annotations

import json
import resource
import time

from failover_drill.facts import Objectives
from failover_drill.findings import analyse
from failover_drill.report import html, markdown
from tests.report_hour import hour


def main() -> None:
    facts = hour()
    loaded_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.perf_counter()
    findings = analyse(facts, Objectives()).to_dict()
    judged = time.perf_counter()
    page = html(findings)
    text = markdown(findings)
    made = time.perf_counter()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"samples            {len(facts.samples.records):,}")
    print(f"analyse            {judged - began:.2f} s")
    print(f"html and markdown  {made - judged:.2f} s")
    print(f"together           {made - began:.2f} s (goal: under 15)")
    print(f"memory             {peak_mib:.0f} MiB at most, {loaded_mib:.0f} of it the facts (goal: under 1024)")
    print(f"report.html        {len(page.encode()):,} bytes (goal: under 1,500,000)")
    print(f"report.md          {len(text.encode()):,} bytes")
    print(f"findings.json      {len(json.dumps(findings)):,} bytes")


if __name__ == "__main__":
    main()
