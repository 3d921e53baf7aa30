"""The same findings in every form."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from csv import DictReader
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markupsafe import escape
from prometheus_client.openmetrics import parser as openmetrics_format
from prometheus_client.parser import text_string_to_metric_families as older_format

from failover_drill.report import csv, cucumber, html, junit_properties, markdown, openmetrics
from failover_drill.report.figures import key_figures
from failover_drill.report.markdown import cell
from failover_drill.report.timeline import timeline
from failover_drill.wording import duration, rfc3339
from tests.report_cases import CASES, Findings, page_of

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "findings.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES)
def test_cases_are_findings(case: str) -> None:
    """What these tests render is what findings.json may hold."""
    jsonschema.validate(CASES[case](), SCHEMA)


@pytest.mark.parametrize("case", CASES)
def test_every_form_tells_the_same_numbers(case: str) -> None:
    """A key figure has the same words in HTML and Markdown, the same exact number in HTML, JUnit, CSV and OpenMetrics."""
    findings: Findings = CASES[case]()
    page, text, properties = page_of(case), markdown(findings), junit_properties(findings)
    rows = {row["figure"]: row for row in DictReader(StringIO(csv(findings)))}
    metrics = {
        value for _, _, value in _samples(openmetrics_format.text_string_to_metric_families, openmetrics(findings))
    }
    figures = key_figures(findings)
    assert figures
    for figure in figures:
        value = "" if figure.value is None else figure.value
        assert f'<data data-key="{figure.key}" value="{value}">{escape(figure.text)}</data>' in page
        assert f"| {cell(figure.label)} | {cell(figure.text)} |" in text
        if figure.value is not None:
            assert repr(figure.value) in properties.values()
        row = rows[figure.key]
        for column, exact in (("value", figure.value), ("at_least", figure.at_least), ("at_most", figure.at_most)):
            assert row[column] == ("" if exact is None else repr(exact))
            assert (exact is None) or (exact in metrics)


def test_key_figures_are_those_of_the_findings() -> None:
    """Key figures are taken from findings.json unchanged, with their bounds."""
    findings = CASES["met"]()
    properties = junit_properties(findings)
    assert float(properties["recovery_time_s"]) == findings["recovery"]["time_s"]
    assert float(properties["recovery_time_s_at_most"]) == findings["recovery"]["at_most_s"]
    assert float(properties["downtime_s"]) == findings["downtime"]["user_weighted"]["estimate_s"]
    assert float(properties["budget_share"]) == findings["slo"]["consumed_share"]
    assert float(properties["worst_client_s_at_least"]) == findings["downtime"]["worst_client"]["length"]["at_least_s"]
    assert properties["verdict"] == "MET"
    assert "downtime_s_at_most" not in junit_properties(CASES["interrupted"]())


def test_segments_are_the_same_in_every_form() -> None:
    """Each segment has the same length in HTML and Markdown, and their sum is the recovery time."""
    findings = CASES["missed"]()
    segments = findings["recovery"]["segments"]
    page, text = page_of("missed"), markdown(findings)
    values = [float(each) for each in re.findall(r'data-of="Took"><data value="([^"]+)"', page)]
    assert values == [each["took_s"] for each in segments]
    assert sum(values) == pytest.approx(findings["recovery"]["time_s"], abs=1e-6)
    assert [row.split("|")[1].strip().split(" (")[0] for row in _rows_after(text, "| Segment |")][:7] == [
        s["name"] for s in segments
    ]


def _rows_after(text: str, header: str) -> list[str]:
    lines = text.split(header, 1)[1].splitlines()
    return [line for line in lines[2:] if line.startswith("|")]


@pytest.mark.parametrize(
    ("case", "first"),
    [
        ("interrupted", "Interrupted"),
        ("aborted", "Aborted"),
        ("failed", "Not restored"),
        ("inconclusive", "Instrument not fit"),
    ],
)
def test_trouble_with_the_drill_itself_stands_first(case: str, first: str) -> None:
    """Interrupted, aborted, inconclusive and failed drills say so before anything else, in both forms."""
    findings = CASES[case]()
    page, text = page_of(case), markdown(findings)
    assert 0 < page.index(f"<b>{first}:</b>") < page.index('id="verdict"') < page.index('id="figures"')
    assert 0 < text.index(f"> **{first}:**") < text.index(f"**{findings['verdict']}**")


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_and_its_reasons_precede_the_figures(case: str) -> None:
    """Whoever reads only the first screen knows the verdict and why."""
    findings = CASES[case]()
    page, text = page_of(case), markdown(findings)
    for reason in findings["reasons"]:
        assert page.index(f"<li>{escape(reason)}</li>") < page.index('id="figures"')
        assert text.index(f"- {cell(reason)}") < text.index("| --- |")


def test_a_compressed_run_says_so_in_its_first_line() -> None:
    """Where the estate ran faster than real time, the report's first line states the scale; elsewhere nothing does."""
    compressed = CASES["compressed"]()
    assert markdown(compressed).startswith("> Time scale 10:")
    body = page_of("compressed").split("<body>", 1)[1]
    assert body.index("Time scale 10:") < body.index("<h1>")
    assert not markdown(CASES["met"]()).startswith("> Time scale")


def test_no_percentage_stands_without_its_period() -> None:
    """Where Markdown quotes an availability or a share of the budget, the period stands in the same line or its heading."""
    findings = CASES["met"]()
    text = markdown(findings)
    watched = duration(findings["traffic"]["ended"] - findings["traffic"]["began"])
    assert f"over {watched} |" in next(
        line for line in text.splitlines() if line.startswith("| Requests answered well")
    )
    assert f"## Clients, over {watched}" in text
    assert "30 days" in next(line for line in text.splitlines() if line.startswith("| Error budget spent"))


def test_hostile_text_stays_text() -> None:
    """Names and errors from outside can neither end a script, nor open an element, nor break a table."""
    findings = CASES["failed"]()
    page, text = page_of("failed"), markdown(findings)
    assert "<img" not in page
    assert page.count("</script>") == page.count("<script")
    assert r"fail\|over \</script\>\<img" in text
    assert "<b>no</b>" not in text


@pytest.mark.parametrize("case", CASES)
def test_the_page_names_no_other_place(case: str) -> None:
    """The page refers to nothing outside itself, and its policy forbids the browser to ask."""
    page = page_of(case)
    assert not re.findall(r'(?:src|href)="(?!#|data:,)[^"]*"', page)
    assert "default-src 'none'" in page
    assert "connect-src" not in page


def test_the_same_findings_give_the_same_page() -> None:
    """A report is a function of its findings: made again, it is the same to the byte."""
    assert html(CASES["met"]()) == page_of("met")


def _samples(parse: Callable[[str], Any], text: str) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    return {(each.name, tuple(each.labels.items()), each.value) for family in parse(text) for each in family.samples}


@pytest.mark.parametrize("case", CASES)
def test_both_readers_of_metrics_read_the_same(case: str) -> None:
    """An OpenMetrics parser and one of the older Prometheus format read the same samples; exactly one verdict is 1."""
    text = openmetrics(CASES[case]())
    new, old = _samples(openmetrics_format.text_string_to_metric_families, text), _samples(older_format, text)
    assert new == old
    verdicts = {dict(labels)["verdict"]: value for name, labels, value in new if name == "failover_drill_verdict"}
    assert [each for each, value in verdicts.items() if value == 1.0] == [CASES[case]()["verdict"]]


def test_steps_that_never_ran_are_skipped_in_cucumber_json() -> None:
    """Cucumber JSON calls one step failed, those after it skipped, and says when the scenario began."""
    findings = CASES["failed"]()
    (feature,) = json.loads(cucumber(findings))
    (scenario,) = feature["elements"]
    statuses = [step["result"]["status"] for step in scenario["steps"]]
    outcomes = [step["outcome"] for step in findings["steps"]]
    assert statuses == [{"passed": "passed", "failed": "failed", "not run": "skipped"}[each] for each in outcomes]
    assert statuses.count("failed") == 1
    assert all("duration" not in step["result"] for step in scenario["steps"] if step["result"]["status"] == "skipped")
    assert scenario["steps"][0]["result"]["duration"] == round(findings["steps"][0]["took_s"] * 1e9)
    assert scenario["start_timestamp"] == rfc3339(findings["drill"]["began"])
    assert feature["uri"].endswith(".feature")


def test_a_spreadsheet_runs_nothing() -> None:
    """A name that begins like a formula is a text in CSV."""
    findings = CASES["met"]()
    findings["drill"]["name"] = '=HYPERLINK("http://127.0.0.1:9")'
    assert next(DictReader(StringIO(csv(findings))))["drill"].startswith("'=")


@pytest.mark.parametrize("case", ["met", "missed", "interrupted"])
def test_predicted_stands_beside_measured(case: str) -> None:
    """Where there is a forecast, each segment's predicted mean is the same in HTML, Markdown, JUnit, CSV and OpenMetrics."""
    findings = CASES[case]()
    page, text, properties = page_of(case), markdown(findings), junit_properties(findings)
    rows = {row["figure"]: row for row in DictReader(StringIO(csv(findings)))}
    samples = _samples(openmetrics_format.text_string_to_metric_families, openmetrics(findings))
    for segment in findings["forecast"]["segments"]:
        name, took = segment["name"], segment["took"]
        assert properties[f"predicted_segment_{name.replace(' ', '_')}_s"] == repr(took["mean_s"])
        row = rows[f"predicted segment {name}"]
        assert [float(row[each]) for each in ("value", "at_least", "at_most")] == [took["mean_s"], *took["inner_99"]]
        exact = {
            dict(labels)["bound"]: value
            for _, labels, value in samples
            if ("segment", name) in labels[1:2] and len(labels) == 3
        }
        assert exact == {"estimate": took["mean_s"], "at_least": took["inner_99"][0], "at_most": took["inner_99"][1]}
        if findings["recovery"]["segments"]:
            assert f'data-of="Predicted">{duration(took["mean_s"])}</td>' in page
            (told,) = [each for each in _rows_after(text, "| Segment |") if each.startswith(f"| {name}")]
            assert told.split("|")[3].strip() == duration(took["mean_s"])


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("met", "measured within its 95 % interval"),
        ("missed", "measured above its 99 % interval"),
        ("interrupted", "so nothing is held against the forecast"),
        ("aborted", "Before the first change it was predicted that nobody would come back"),
        ("inconclusive", "No forecast was made for this run"),
    ],
)
def test_the_report_says_whether_the_forecast_held(case: str, said: str) -> None:
    """The page says where in its forecast the measured recovery lies; or that nothing is held against it, and why."""
    assert said in page_of(case)


def test_a_segment_far_from_its_forecast_is_marked() -> None:
    """A segment outside of its interval is marked where that matters to the recovery time, and nowhere else."""
    findings = CASES["met"]()
    propagate = next(each["took"] for each in findings["forecast"]["segments"] if each["name"] == "propagate")
    for off_s, marked in ((0.01, False), (3.0, True)):
        propagate |= {"measured_s": propagate["mean_s"] + off_s, "measured_within": "above"}
        assert ("<b>(measured above)</b>" in html(findings)) is marked
        assert ("(measured above)" in markdown(findings)) is marked


def test_nothing_is_predicted_of_what_was_only_watched() -> None:
    """An observation has no forecast, in no form."""
    findings = CASES["observed"]()
    forms = (
        page_of("observed"),
        markdown(findings),
        csv(findings),
        openmetrics(findings),
        str(junit_properties(findings)),
    )
    assert all("predicted" not in form.lower() for form in forms)


def test_few_requests_are_drawn_too() -> None:
    """A line whose client asks in every fourth interval is unbroken; where it did not ask for long there is a hole."""
    findings = CASES["met"]()
    buckets = findings["timeline"]["buckets"]
    asked = [n % 4 == 0 and not 80 <= n < 160 for n in range(buckets)]
    sticky = {"name": "sticky", "good": [int(each) for each in asked], "bad": [0] * buckets}
    findings["timeline"]["populations"] = [sticky]
    column = timeline(findings)["availability"].renderers[0].data_source.data["sticky"]
    assert set(column[:80]) == {1.0}
    assert math.isnan(column[120])


def test_the_settings_are_in_the_page() -> None:
    """Every setting in force stands in the page; a run of an older version, which has none, has no such part."""
    settings = CASES["met"]()["settings"]
    assert settings
    for name, value in settings.items():
        assert f"<dt><code>{name}</code></dt><dd>{escape(value)}</dd>" in page_of("met")
    assert "Settings in force" not in html(CASES["met"]() | {"settings": {}})


def test_a_comment_fits() -> None:
    """Markdown of a drill fits a pull-request comment (65 536 characters)."""
    findings = CASES["met"]()
    findings["downtime"]["outages"] = findings["downtime"]["outages"][:1] * 500
    assert len(markdown(findings)) < 20_000
    assert "490 more in findings.json" in markdown(findings)
