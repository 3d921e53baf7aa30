"""Coordinated omission: the same hang, seen by a client that waits and by one that keeps to its schedule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from docs.pictures.drawing import BAD, FAINT, GOOD, RULE, Drawing

UNTIL_S, EVERY_S, TIMEOUT_S, ANSWER_S = 60.0, 1.0, 10.0, 0.1
HANG_S = (20.0, 40.0)
LEFT, SCALE = 178, 11.6


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it went out and ended, in seconds, and whether it was answered."""

    sent_s: float
    ended_s: float
    good: bool


def ask(sent_s: float) -> Request:
    """Send one request: where the service hangs it is answered when that ends, if the deadline allows."""
    hangs = HANG_S[0] <= sent_s < HANG_S[1]
    answered = (HANG_S[1] if hangs else sent_s) + ANSWER_S
    return Request(sent_s, min(answered, sent_s + TIMEOUT_S), answered <= sent_s + TIMEOUT_S)


def waiting() -> Iterator[Request]:
    """Yield the requests of a closed loop: the next one waits for the last one's end."""
    now = 0.0
    while now < UNTIL_S:
        each = ask(now)
        yield each
        now = max(now + EVERY_S, each.ended_s)


def on_schedule() -> Iterator[Request]:
    """Yield the requests of an open loop: one falls due each second, whatever became of the others."""
    for slot in range(int(UNTIL_S / EVERY_S)):
        yield ask(slot * EVERY_S)


def bad(each: Request, slow_s: float = 1.0) -> bool:
    """A late answer is none."""
    return not each.good or each.ended_s - each.sent_s > slow_s


def picture() -> str:
    """Draw both clients' requests under the truth."""
    drawing = Drawing(900, 300, "A 20 s hang seen by a client that waits, and by one that keeps to its schedule")
    drawing.text(16, 40, "the truth", bold=True)
    drawing.bar(_x(0), 30, UNTIL_S * SCALE, 12, GOOD, opacity=0.25)
    drawing.bar(_x(HANG_S[0]), 30, (HANG_S[1] - HANG_S[0]) * SCALE, 12, BAD)
    drawing.text(_x(30), 24, "hangs for 20 s of 60", BAD, anchor="middle", size=12)
    _client(drawing, 78, "waits for answers", "closed loop", list(waiting()))
    _client(drawing, 180, "keeps to its schedule", "open loop: ours", list(on_schedule()))
    for s in range(0, 61, 10):
        drawing.line(_x(s), 46, _x(s), 272, RULE, dashed=True)
        drawing.text(_x(s), 290, f"{s} s", FAINT, anchor="middle", size=12)
    return drawing.svg()


def _client(drawing: Drawing, y: float, name: str, kind: str, requests: list[Request]) -> None:
    drawing.text(16, y + 20, name, bold=True, size=12)
    drawing.text(16, y + 36, kind, FAINT, size=11)
    for number, each in enumerate(requests):
        ended = min(each.ended_s, UNTIL_S)
        width = max((ended - each.sent_s) * SCALE, 3)
        drawing.bar(_x(each.sent_s), y + number % 12 * 4, width, 3, BAD if bad(each) else GOOD)
    failed = sum(map(bad, requests))
    share = failed / len(requests)
    said = (
        f"{failed} of {len(requests)} requests bad: {share:.1%}, as if {share * UNTIL_S:.1f} s of the minute were lost"
    )
    drawing.text(_x(0), y + 66, said, BAD if share < 0.3 else GOOD, bold=True, size=12)


def _x(s: float) -> float:
    return LEFT + s * SCALE
