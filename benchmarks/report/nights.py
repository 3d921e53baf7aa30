"""Time of the compliance report over 400 nightly runs, from run directories: `python -m benchmarks.report.nights`.

Goal: under 10 s, store made anew included.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from failover_drill import history
from failover_drill.compliance import comply
from failover_drill.report.compliance import compliance_csv, compliance_html, compliance_json, compliance_markdown
from tests.nights import DAY, FIRST, nights, write
from tests.report_cases import met

COUNT = 400


def main() -> None:
    timeline = met()["timeline"]
    history_of_nights = nights(COUNT, lambda night: 1.2 if night >= 250 else 1.0)
    for each in history_of_nights:
        each["timeline"] = timeline  # as large as real ones
    with tempfile.TemporaryDirectory() as scratch:
        reports = write(Path(scratch), history_of_nights)
        began = time.perf_counter()
        refreshed = history.refresh(reports, rebuild=True)
        stored = time.perf_counter()
        books = comply(history.runs(reports), (), FIRST, FIRST + (COUNT + 1) * DAY)
        counted = time.perf_counter()
        sizes = [len(form(books)) for form in (compliance_html, compliance_markdown, compliance_json, compliance_csv)]
        made = time.perf_counter()
    print(f"runs              {refreshed.runs}")
    print(f"store made anew   {stored - began:.2f} s")
    print(f"books             {counted - stored:.2f} s")
    print(f"four forms        {made - counted:.2f} s ({', '.join(f'{size:,}' for size in sizes)} characters)")
    print(f"together          {made - began:.2f} s (goal: under 10)")
    for trend in books.trends:
        for change in trend.changes:
            print(f"called            {trend.metric}: {change.share:+.1%} from {trend.runs[change.index]}")


if __name__ == "__main__":
    main()
