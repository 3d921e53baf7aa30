"""report.html in a real browser: nothing leaves it, its charts are the findings, keys and readers reach all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from failover_drill.compliance import comply
from failover_drill.ledger import summarise
from failover_drill.report.compare import comparison_html
from failover_drill.report.compliance import compliance_html
from failover_drill.report.ink import DARK, LIGHT
from failover_drill.wording import clock
from tests.chromium import Opened, browser, faults, needs_chromium
from tests.nights import DAY, FIRST, nights
from tests.report_cases import CASES, page_of

pytestmark = [needs_chromium, pytest.mark.slow]

SOURCE = """name => { const found = [...Bokeh.documents[0].all_models].find(each => each.name === name && each.data);
  return found ? Object.fromEntries(Object.entries(found.data).map(([key, column]) => [key, [...column]])) : null; }"""
RANGE = """() => { const time = [...Bokeh.documents[0].all_models].find(each => each.name === 'time');
  return [time.start, time.end]; }"""


WHOLE = "Whole run"
DESK: dict[str, Any] = {"color_scheme": "light"}
PHONE: dict[str, Any] = {"color_scheme": "dark", "width": 390, "height": 844, "is_mobile": True, "has_touch": True}
SHOWN = [("met", DESK), ("met", PHONE), ("failed", PHONE), ("interrupted", DESK), ("observed", DESK), ("empty", PHONE)]
SHOWN.append(("lossy", DESK))
Shelf = Callable[[str, dict[str, Any]], Opened]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def shelf(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Reports opened in the browser, each once for all tests."""
    directory = tmp_path_factory.mktemp("pages")
    open_ones: dict[str, Opened] = {}

    def take(case: str, device: dict[str, Any]) -> Opened:
        name = f"{case}-{device.get('width', 'desk')}"
        if name not in open_ones:
            file = directory / f"{name}.html"
            file.write_text(page_of(case), encoding="utf-8")
            open_ones[name] = Opened(chromium, file, **device)
        return open_ones[name]

    yield take
    for each in open_ones.values():
        each.context.close()


@pytest.fixture
def opened(shelf: Shelf) -> Opened:
    """The report of a drill that met its objectives, at a desk, showing the whole run."""
    taken = shelf("met", DESK)
    taken.page.get_by_role("button", name=WHOLE).click()
    return taken


def shows(opened: Opened, truth: Callable[[], bool]) -> None:
    """Wait until the page shows it: a busy browser draws when it comes to it."""
    for _ in range(600):
        if truth():
            return
        opened.page.wait_for_timeout(100)
    raise AssertionError("the page did not come to show it within a minute")


@pytest.mark.parametrize(("case", "device"), SHOWN)
def test_nothing_leaves_the_page_and_nothing_is_complained_about(
    shelf: Shelf, case: str, device: dict[str, Any]
) -> None:
    """Opening a report asks for the file itself and nothing else; the console holds no error and no warning."""
    taken = shelf(case, device)
    assert taken.requests == [taken.page.url]
    assert taken.complaints == []
    assert taken.page.locator("#no-charts").is_hidden()


@pytest.mark.parametrize(("case", "device"), SHOWN)
def test_axe_finds_nothing_serious(shelf: Shelf, case: str, device: dict[str, Any]) -> None:
    """The accessibility checker axe finds no serious or critical fault, at desk and on a phone, light and dark."""
    assert faults(shelf(case, device).page) == []


@pytest.mark.parametrize("case", ["met", "failed", "empty"])
def test_a_phone_scrolls_in_one_direction_only(shelf: Shelf, case: str) -> None:
    """At 390 px no part of a report is wider than the screen."""
    assert shelf(case, PHONE).page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_charts_hold_what_the_findings_hold(opened: Opened) -> None:
    """Bars and points drawn in the browser are counted, and valued, against findings.json."""
    findings = CASES["met"]()
    buckets = findings["timeline"]["buckets"]

    def source(name: str) -> dict[str, list[float]]:
        held: dict[str, list[float]] = opened.page.evaluate(SOURCE, name)
        return held

    segments = findings["recovery"]["segments"]
    bars = source("segments")
    lengths = [right - left for left, right in zip(bars["left"], bars["right"], strict=True)]
    assert lengths == pytest.approx([each["took_s"] for each in segments])
    assert sum(lengths) == pytest.approx(findings["recovery"]["time_s"])

    predicted, foretold = [each["took"] for each in findings["forecast"]["segments"]], source("predicted")
    lengths = [right - left for left, right in zip(foretold["left"], foretold["right"], strict=True)]
    assert lengths == pytest.approx([each["mean_s"] for each in predicted])
    reach = [most - least for least, most in zip(foretold["least"], foretold["most"], strict=True)]
    assert reach == pytest.approx([each["inner_99"][1] - each["inner_99"][0] for each in predicted])
    for name in ("inner_50", "inner_95", "inner_99"):
        ends = source(f"forecast {name}")
        assert [*ends["left"], *ends["right"]] == pytest.approx(findings["forecast"]["recovery"][name])

    assert source("availability")["judged"][:buckets] == pytest.approx(findings["timeline"]["availability"])
    answers = source("answers")
    bad = [to - base for base, to in zip(answers["bad from"], answers["bad to"], strict=True)][:buckets]
    assert bad == pytest.approx([count / findings["timeline"]["bucket_s"] for count in findings["timeline"]["bad"]])
    assert answers["bad to"][:buckets] == pytest.approx(findings["timeline"]["rate_per_s"])
    assert len(source("latency")["p99_s"]) == buckets + 1

    spans = sum(len(strip["spans"]) for strip in findings["dns"]["strips"])
    drawn = [source(f"dns {token}") for token in ("primary", "secondary")]
    assert sum(len(each["left"]) for each in drawn) == spans
    for chart in (
        "waterfall",
        "recovery",
        "forecast",
        "spend",
        "doings",
        "availability",
        "answers",
        "latency",
        "dns",
        "monitor",
    ):
        assert opened.page.locator(f"#chart-{chart} canvas, #chart-{chart} > div").count() >= 1, chart
        assert opened.page.locator(f"#chart-{chart}").bounding_box()["height"] > 60, chart


def test_data_loss_is_drawn_where_it_was_measured(shelf: Shelf) -> None:
    """The loss stands against its objective, and the timeline shows when what was lost had been written; or neither is there."""
    findings, page = CASES["lossy"](), shelf("lossy", DESK).page
    lost = findings["recovery"]["data_loss"]
    bands = page.evaluate(SOURCE, "doings bad")
    assert (bands["left"], bands["right"]) == ([lost["first_lost"] * 1e3], [lost["last_lost"] * 1e3])
    assert bands["full"] == ["99 acknowledged writes lost, 9.90 s"]
    assert page.locator("#chart-loss").bounding_box()["height"] > 60
    assert "of 5 s allowed (RPO); 99 of 480 acknowledged writes not in westus3" in page.inner_text("#figures")
    assert shelf("met", DESK).page.locator("#chart-loss").count() == 0


def test_the_axis_zooms_with_keys_and_all_panels_follow(opened: Opened) -> None:
    """Zoom in halves the range of the one axis that all panels share; Whole run gives it back; no mouse is needed."""
    whole = opened.page.evaluate(RANGE)
    opened.page.get_by_role("button", name="Zoom in").focus()
    opened.page.keyboard.press("Enter")
    near = opened.page.evaluate(RANGE)
    assert near[1] - near[0] == pytest.approx((whole[1] - whole[0]) / 2)
    opened.page.get_by_role("button", name="Recovery only").press("Space")
    recovery = CASES["met"]()["recovery"]
    seen = opened.page.evaluate(RANGE)
    assert seen[0] / 1e3 < recovery["began"] < recovery["ended"] < seen[1] / 1e3
    shared = "new Set(Bokeh.documents[0].roots().filter(p => p.x_range.name === 'time').map(p => p.x_range)).size"
    assert opened.page.evaluate(shared) == 1
    opened.page.get_by_role("button", name="Whole run").click()
    assert opened.page.evaluate(RANGE) == whole


def test_dragging_zooms(opened: Opened) -> None:
    """Dragging across a chart with a mouse zooms to what was dragged over; a double click shows all again."""
    whole = opened.page.evaluate(RANGE)
    opened.page.locator("#chart-answers").scroll_into_view_if_needed()
    box = opened.page.locator("#chart-answers").bounding_box()
    y = box["y"] + box["height"] / 2
    opened.page.mouse.move(box["x"] + box["width"] * 0.3, y)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=8)
    opened.page.mouse.up()
    shows(opened, lambda: opened.page.evaluate(RANGE) != whole)
    near = opened.page.evaluate(RANGE)
    assert near[1] - near[0] == pytest.approx((whole[1] - whole[0]) * 0.3, rel=0.2)
    opened.page.mouse.dblclick(box["x"] + box["width"] * 0.5, y)
    shows(opened, lambda: opened.page.evaluate(RANGE) == whole)


def test_the_cursor_reads_the_values_of_a_moment(opened: Opened) -> None:
    """Moving over a chart, or moving the slider with keys, reads time, availability, answers, DNS and monitor."""
    slider = opened.page.get_by_label("Cursor")
    slider.focus()
    opened.page.keyboard.press("End")
    at_end = opened.page.locator("#readout").inner_text()
    buckets = CASES["met"]()["timeline"]
    last = max(CASES["met"]()["drill"]["ended"], buckets["began"] + buckets["bucket_s"] * buckets["buckets"])
    assert f"{clock(last)} UTC" in at_end
    opened.page.keyboard.press("Home")
    for _ in range(3):
        opened.page.keyboard.press("PageUp")
    by_keys = opened.page.locator("#readout").inner_text()
    assert "DNS authority westus3" in by_keys
    assert "answered well" in by_keys
    assert by_keys.split("UTC")[0].strip() in slider.get_attribute("aria-valuetext")
    opened.page.locator("#chart-latency").scroll_into_view_if_needed()
    box = opened.page.locator("#chart-latency").bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] * 0.15, box["y"] + 40)
    opened.page.mouse.move(box["x"] + box["width"] * 0.16, box["y"] + 40)
    shows(opened, lambda: "eastus 200/s" in opened.page.locator("#readout").inner_text())
    by_mouse = opened.page.locator("#readout").inner_text()
    assert "p99" in by_mouse
    assert "DNS authority eastus" in by_mouse


def test_every_control_is_reached_by_tab(opened: Opened) -> None:
    """Tab alone reaches every link, button, slider and scrolling table, and no focus is lost on the way."""
    wanted = opened.page.locator("a[href], button, input, summary, [tabindex='0']").count()
    reached = set()
    for _ in range(wanted + 2):
        opened.page.keyboard.press("Tab")
        reached.add(opened.page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(reached) >= wanted


def test_charts_follow_the_readers_scheme(opened: Opened) -> None:
    """Turning the system dark turns the charts dark, without reloading."""
    ink = "() => [...Bokeh.documents[0].all_models].find(each => each.name === 'cursor').line_color"
    light = opened.page.evaluate(ink)
    assert light == LIGHT["ink"]
    opened.page.emulate_media(color_scheme="dark")
    shows(opened, lambda: opened.page.evaluate(ink) == DARK["ink"])
    opened.page.emulate_media(color_scheme="light")
    shows(opened, lambda: opened.page.evaluate(ink) == LIGHT["ink"])


def test_without_scripts_every_figure_is_still_there(chromium: Any, tmp_path: Path) -> None:
    """With scripts off, the page says that charts are missing, and the tables hold every figure."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    (tmp_path / "met.html").write_text(page_of("met"), encoding="utf-8")
    page.goto((tmp_path / "met.html").as_uri())
    assert page.get_by_text("they need JavaScript").is_visible()
    assert page.locator("#key-figures").is_visible()
    context.close()


def rgb(colour: str) -> str:
    """Return "#2f6db5" as browsers write it into drawings."""
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))


def test_paper_gets_drawings(opened: Opened) -> None:
    """Before printing, each chart becomes a drawing that scales, in the colours of paper; afterwards the charts are back."""
    opened.page.emulate_media(color_scheme="dark")
    charts = opened.page.locator(".chart").count()
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    drawings = opened.page.locator(".chart img.print")
    assert drawings.count() == charts
    source = unquote(drawings.first.get_attribute("src")).replace(" ", "")
    assert source.startswith("data:image/svg+xml,")
    assert "viewBox" in source
    assert rgb(LIGHT["primary"]) in source
    assert rgb(DARK["primary"]) not in source
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert drawings.count() == 0
    opened.page.emulate_media(color_scheme="light")


@pytest.fixture(scope="module", params=["compliance", "comparison"])
def other_page(
    request: pytest.FixtureRequest, chromium: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    """The compliance report of a year with a regression, and two runs side by side, on a dark phone."""
    if request.param == "compliance":
        runs = [summarise(each, each["drill"]["run"]) for each in nights(120, lambda night: 1.3 if night > 60 else 1.0)]
        page = compliance_html(comply(runs, (), FIRST, FIRST + 121 * DAY))
    else:
        page = comparison_html(CASES["met"](), CASES["missed"]())
    file = tmp_path_factory.mktemp("other") / f"{request.param}.html"
    file.write_text(page, encoding="utf-8")
    with Opened(chromium, file, **PHONE) as taken:
        yield taken


def test_the_other_pages_hold_to_the_same(other_page: Opened) -> None:
    """The compliance report and the comparison ask for nothing, complain about nothing, fit a phone and satisfy axe."""
    assert other_page.requests == [other_page.page.url]
    assert other_page.complaints == []
    assert other_page.page.locator("#no-charts").is_hidden()
    assert other_page.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert other_page.page.evaluate("Bokeh.documents[0].roots().length") >= 1
    assert faults(other_page.page) == []
