"""What a live view says of a drill: folded from what the run writes down, in any portions, and drawn to fit."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from failover_drill.facts import Objectives, Outcome, Population, Resolution, Sample, SampleTable, Write, WriteOutcome
from failover_drill.journal import Entry
from failover_drill.live import Live, News, Showing
from failover_drill.live_feed import Feed
from failover_drill.live_users import Users
from failover_drill.live_view import panel, strip
from failover_drill.live_writes import Writes
from failover_drill.observing import Watched
from failover_drill.recorder import Recorder
from tests.histories import MS, NAMES, Down, S, grid, records

OBJECTIVES = {
    "availability": 0.999, "window_s": 2_592_000.0, "rto_s": 60.0, "drill_share": 0.1, "rpo_s": None,
    "stabilisation_s": 2.0, "judged": ["FRESH", "KEEPALIVE"],
}  # fmt: skip
HEADER = {
    "drill": "failover", "run": "2026-11-23T02-30-00Z", "anchor": {"wall_ns": 0, "mono_ns": 0}, "time_scale": 10.0,
    "objectives": OBJECTIVES, "forecasts": {"planned": {"recovery": {"mean_s": 65.731}}},
}  # fmt: skip
STEPS = [{"keyword": "Given", "text": "users are being served"}, {"keyword": "When", "text": "the primary is disabled"}]
APP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/web-eastus"
DEED = {"id": "p1", "verb": "stop app", "resource": APP, "region": "eastus", "before": {}, "segment": "disable primary"}
HISTORY: Sequence[tuple[int, str, dict[str, Any]]] = (
    (0, "header", HEADER),
    (1, "plan", {"steps": STEPS}),
    (1 * S, "step begins", {"index": 0}),
    (5 * S, "step ends", {"index": 0, "outcome": "passed"}),
    (5 * S, "step begins", {"index": 1}),
    (10 * S, "promise", {**DEED, "purpose": "deed"}),
    (10 * S + 80 * MS, "outcome", {"id": "p1", "outcome": "ok", "sent_ns": 10 * S, "done_ns": 10 * S + 80 * MS}),
    (12 * S, "milestone", {"mark": "authority switched", "at_ns": 12 * S}),
    (20 * S, "promise", {**DEED, "id": "p2", "verb": "start app", "purpose": "undo", "segment": ""}),
    (25 * S, "interrupted", {"reason": "SIGINT"}),
    (30 * S, "traffic ended", {}),
    (31 * S, "seal", {"files": {}}),
)
OUTAGE = Down(11 * S, 15 * S)


def entries(until_ns: int) -> list[Entry]:
    """The journal as it stands at an instant."""
    return [Entry(n, at, kind, dict(fields)) for n, (at, kind, fields) in enumerate(HISTORY) if at <= until_ns]


def table(samples: Sequence[Sample]) -> SampleTable:
    return SampleTable(records(samples, NAMES), NAMES)


def traffic(until_ns: int) -> list[Sample]:
    """Every request that has ended by an instant: fresh clients at 20/s, out from 11 s to 15 s."""
    return [each for each in grid([OUTAGE], 50 * MS, until_ns) if each.done_ns <= until_ns]


def answer(at_s: int, region: str) -> Resolution:
    return Resolution(at_s * S, at_s * S, "authority", "www", "NOERROR", ("127.0.1.1",), (), 5, region)


def shown(now_ns: int, **more: Any) -> Showing:
    """What is shown at an instant of the history above."""
    news = News(entries(now_ns), samples=[table(traffic(now_ns))], **more)
    found = Live().then(news, now_ns).showing(now_ns)
    assert found is not None
    return found


def test_before_the_first_change() -> None:
    """In steady state the recovery time has not begun, users are up, and the step under way is named with its time."""
    told = shown(7 * S)
    assert told.phase == "steady state"
    assert told.step == "2/2 When the primary is disabled (2.0 s)"
    assert (told.users, told.now, told.since) == ("up", "100 % of 60", "")
    assert "nothing changed yet" in told.recovery.text
    assert [(each.mark, each.word, each.when) for each in told.steps] == [
        ("✓", "passed", "4 s"),
        ("…", "under way", ""),
    ]


def test_during_the_outage() -> None:
    """While users are out: time since the first change against the RTO, the open outage, what it cost, and by whom."""
    told = shown(14 * S)
    assert told.phase == "failing over"
    assert told.recovery.text == "4.0 s of 60 s allowed, 65.73 s predicted, users are out"
    assert told.recovery.share == pytest.approx(4 / 60)
    assert told.users == "out"
    assert told.outage.startswith("OUT for at least 2.9")
    assert told.serving == (("fresh", "nobody 100 %"),)
    good, of = told.since.split(" % of ")
    assert float(good) == pytest.approx(100 * 20 / int(of), abs=2)
    assert told.budget.share == pytest.approx(3 / 259.2, abs=0.001)
    assert told.actions[-1].text == "stop app web-eastus (ok, 80 ms)"


def test_without_a_forecast_none_is_shown() -> None:
    """Where nothing was predicted, the recovery time stands against the RTO alone."""
    told = [
        Entry(e.n, e.t_ns, e.kind, {**e.fields, "forecasts": {}} if e.kind == "header" else e.fields)
        for e in entries(14 * S)
    ]
    found = Live().then(News(told, samples=[table(traffic(14 * S))]), 14 * S).showing(14 * S)
    assert found is not None
    assert found.recovery.text == "4.0 s of 60 s allowed, users are out"


def test_after_it_held() -> None:
    """Once users were served for the stabilisation time after the switch, the recovery time stands still."""
    assert "of 60 s allowed, 65.73 s predicted, users are served" in shown(16 * S).recovery.text
    for now_s in (18, 19):
        told = shown(now_s * S)
        assert told.recovery.text.startswith("about 5.0 s of 60 s allowed"), told.recovery
        assert told.phase == "failed over"
        assert "1 so far, the last 4" in told.outage


def test_an_undo_ends_the_recovery() -> None:
    """What comes back after the undo began, the playbook did not bring back."""
    live = Live().then(News([*entries(12 * S), *entries(20 * S)[8:]], samples=[table(traffic(21 * S))]), 21 * S)
    told = live.showing(21 * S)
    assert told is not None
    assert told.phase == "putting back"
    assert told.recovery.text.startswith("not recovered before the undo")
    assert told.actions[-1].text.startswith("undo: start app web-eastus")


def test_the_end_is_told() -> None:
    """An interruption comes first, then judging; figures of now are not shown of traffic that has ended."""
    assert shown(26 * S).phase == "interrupted, putting back"
    judging = shown(30 * S + 1)
    assert (judging.phase, judging.users, judging.now) == ("judging", "traffic ended", "")
    assert shown(40 * S).phase == "over"
    assert shown(40 * S).strip == shown(31 * S).strip


KEPT, REFUSED = WriteOutcome.ACKNOWLEDGED, WriteOutcome.REFUSED
WRITES = [
    Write(n, n * 100 * MS, n * 100 * MS, n * 100 * MS + 10 * MS, REFUSED if 110 <= n < 150 else KEPT)
    for n in range(180)
]


def with_read_back(now_ns: int, *read_backs: tuple[int, str], rpo_s: float | None = 15.0) -> Live:
    """The history above with ten writes a second, the last ten before the outage lost, and a region read back."""
    header = {**HEADER, "objectives": {**OBJECTIVES, "rpo_s": rpo_s}}
    told = [Entry(e.n, e.t_ns, e.kind, header if e.kind == "header" else e.fields) for e in entries(now_ns)]
    there = {"region": "westus3", "ranges": [[0, 99], [150, 179]]}
    asked = [
        Entry(90 + n, at_s * S, "read back", {**there, "at_ns": at_s * S, "error": error})
        for n, (at_s, error) in enumerate(read_backs)
    ]
    writes = [each for each in WRITES if each.done_ns <= now_ns]
    return Live().then(News([*told, *asked], samples=[table(traffic(now_ns))], writes=writes), now_ns)


def loss_of(live: Live, now_ns: int) -> tuple[str, str]:
    told = live.showing(now_ns)
    assert told is not None
    return told.loss.text, told.writes


def test_data_loss_as_far_as_it_is_known() -> None:
    """Writes are counted until a region is read back; then the loss stands with its bounds, and the undo changes nothing."""
    assert loss_of(with_read_back(7 * S), 7 * S) == ("not known yet, 15 s allowed", "70 of 70 writes acknowledged")
    found = ("1 s (890 ms to 1.11 s), 15 s allowed", "10 of 140 acknowledged writes are not in westus3")
    assert loss_of(with_read_back(19 * S, (18, "")), 19 * S) == found
    assert loss_of(with_read_back(25 * S, (18, ""), (24, "")), 25 * S) == found
    lost, _ = loss_of(with_read_back(19 * S, (18, ""), rpo_s=None), 19 * S)
    assert lost == "1 s (890 ms to 1.11 s), no objective"


def test_a_region_that_cannot_be_read_back() -> None:
    """It is said of whom, and why the data loss is not known."""
    _, told = loss_of(with_read_back(19 * S, (18, "404 Not Found")), 19 * S)
    assert told == "140 of 180 writes acknowledged; westus3 could not be read back: 404 Not Found"


def test_writes_that_come_in_late_count() -> None:
    """A write that was written down after the read-back, but answered before it, may be the one that is missing."""
    early, late = WRITES[:105], WRITES[105:]
    whole = with_read_back(19 * S, (18, ""))
    told = Writes().then(early, whole._read_backs()).then(late, whole._read_backs())
    assert told.loss == whole.writes.loss is not None


def test_without_a_data_probe_there_is_no_row() -> None:
    """Where nothing is written, neither terminal nor page speaks of data loss."""
    told = shown(14 * S)
    assert (told.loss.text, told.writes) == ("", "")
    assert "data loss" not in "\n".join(drawn(told, 80, 24))


def test_the_panel_with_data_loss_fits() -> None:
    """At 80x24 the data loss has its rows, and pytest its room."""
    told = with_read_back(19 * S, (18, "")).showing(19 * S)
    assert told is not None
    lines = drawn(told, 80, 24, no_color=True, color_system=None)
    assert len(lines) <= 21
    text = "\n".join(lines)
    assert " data loss 1 s (890 ms to 1.11 s), 15 s allowed" in text
    assert "10 of 140 acknowledged writes are not in westus3" in text


def test_dns_answers_with_their_age() -> None:
    """Of each vantage the newest answer, and for how long it has said so."""
    told = shown(9 * S, resolutions=[answer(2, "eastus"), answer(4, "westus3"), answer(6, "westus3")])
    assert told.names == (("authority", "westus3 for 5.0 s, TTL 5 s"),)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 26), max_size=8))
def test_portions_do_not_matter(cuts: list[int]) -> None:
    """However the journal and the samples are portioned out, the same is shown in the end, but for when it was noticed."""
    live, seen = Live(), 0
    edges = [*sorted(cuts), 27]
    samples = traffic(27 * S)
    for before, edge in zip([-1, *edges], edges, strict=False):
        told = entries(edge * S)
        batch = [each for each in samples if before * S < each.done_ns <= edge * S]
        live = live.then(News(told[seen:], samples=[table(batch)] if batch else []), edge * S)
        seen = len(told)
    one, many = shown(27 * S), live.showing(27 * S)
    assert many is not None
    for name in ("users", "now", "strip", "serving", "outage", "budget", "steps", "actions", "step", "elapsed"):
        assert getattr(many, name) == getattr(one, name), name


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(st.sampled_from([*Outcome]), max_size=6), min_size=1, max_size=4), st.randoms())
def test_who_serves_adds_up(batches: list[list[Outcome]], random: Any) -> None:
    """For each population the shares of who serves it sum to one, whichever worker's numbers the regions came with."""
    users = Users(Objectives(), Watched(7 * S))
    for worker, outcomes in enumerate(batches):
        names = NAMES if worker % 2 else type(NAMES)(("", "westus3", "eastus"), NAMES.addresses)
        sent = [
            Sample(i * MS, i * MS, 2 * i * MS, each, region=random.choice(names.regions), population=Population(i % 3))
            for i, each in enumerate(outcomes)
        ]
        users = users.then(SampleTable(records(sent, names), names))
    for shares in users.serving(S).values():
        assert sum(shares.values()) == pytest.approx(1)
    counted = sum(each is not Outcome.CUT for outcomes in batches for i, each in enumerate(outcomes) if i % 3 != 2)
    assert sum(users.now(S)) == counted


# ---- the panel ------------------------------------------------------------------------------------------------------


def drawn(told: Showing, width: int, height: int, **options: Any) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, **options)
    console.print(panel(told, width, height))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 10), (20, 5)])
@pytest.mark.parametrize("now_s", [2, 14, 19, 26, 40])
def test_the_panel_fits(width: int, height: int, now_s: int) -> None:
    """No line is wider than the terminal; from 80x24 on, nothing is cut off that a person asks first, and pytest has room."""
    told = shown(now_s * S, resolutions=[answer(1, "eastus")])
    lines = drawn(told, width, height, no_color=True, color_system=None)
    assert max(map(len, lines)) <= width
    if width >= 80:
        assert len(lines) <= height - 3
        text = "\n".join(lines)
        for words in (told.step, told.recovery.text, told.outage, told.budget.text, told.phase):
            assert words in text


def test_colours_only_where_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set, no colour is written; words say all that colours say."""
    told = shown(14 * S)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert any("\x1b[1;31m" in line for line in drawn(told, 80, 24, color_system="standard"))
    monkeypatch.setenv("NO_COLOR", "1")
    plain = "\n".join(drawn(told, 80, 24, color_system="standard"))
    assert not [code for code in ("\x1b[31", "\x1b[1;31", "\x1b[32", "\x1b[33") if code in plain]
    assert "OUT" in plain


def test_the_strip_shows_what_it_knows() -> None:
    """Full is all, lowest is none, a dot is unknown; less than all is never drawn as all."""
    assert strip((1.0, 0.999, 0.5, 0.0, None)) == "█▇▄▁·"


# ---- the feed -------------------------------------------------------------------------------------------------------


def test_the_feed_reads_each_thing_once(tmp_path: Path) -> None:
    """Lines and records that a run writes are each told once, a torn line not before it is whole, and none is waited for."""
    feed = Feed(tmp_path)
    assert feed.look() == News()
    journal = tmp_path / "journal.jsonl"
    whole = json.dumps({"n": 0, "t": 1, "kind": "header", "drill": "x", "hash": "h"}) + "\n"
    torn = json.dumps({"n": 1, "t": 2, "kind": "plan", "steps": [], "hash": "i"})
    journal.write_text(whole + torn, "utf-8")
    written = {"number": 7, "intended_ns": 1, "sent_ns": 2, "done_ns": 3, "outcome": "acknowledged", "status": 201}
    (tmp_path / "writes.jsonl").write_text(json.dumps(written) + "\n" + '{"number": 8', "utf-8")
    recorder = Recorder(tmp_path, paths=("/",))
    recorder.add(5, 5, 10, 0, 0, 200, 0, 0, recorder.regions.index("eastus"), 0, 0, 0)
    recorder.flush()
    first = feed.look()
    assert [each.kind for each in first.entries] == ["header"]
    assert [len(each.records) for each in first.samples] == [1]
    assert first.writes == (Write(7, 1, 2, 3, KEPT, 201),)
    assert first.samples[0].names.regions == ("", "eastus")
    with journal.open("a") as file:
        file.write("\n")
    second = feed.look()
    assert [(each.kind, dict(each.fields)) for each in second.entries] == [("plan", {"steps": []})]
    assert (second.samples, second.writes) == ((), ())
    recorder.close()
    for path in tmp_path.glob("samples-*"):
        path.unlink()  # archived
    assert feed.look() == News()
