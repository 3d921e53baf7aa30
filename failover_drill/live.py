"""A drill as a person follows it: what a journal, DNS answers and samples say so far, and the words for it. Pure.

    News ──► Live.then ──► Live ──► Live.showing(now) ──► Showing ──► terminal (live_view), page (live_page)

`Live` is a fold over what was newly written; the final figures come from `analyse`, over everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from failover_drill.facts import (
    Action,
    ActionOutcome,
    Mark,
    Objectives,
    Population,
    ReadBack,
    Resolution,
    SampleTable,
    StepMark,
    Write,
)
from failover_drill.journal import Entry
from failover_drill.live_users import Users
from failover_drill.live_writes import Writes
from failover_drill.observing import Watched
from failover_drill.record import actions_of, read_backs_in, steps_of
from failover_drill.slo import Budget
from failover_drill.target import resource_name
from failover_drill.wording import duration, seconds, share

MOST_ACTIONS = 40
LATE_S = 2.0  # how long after its end a sample may come in


@dataclass(frozen=True, slots=True)
class News:
    """What a run wrote down since it was looked at last. `timeout_s`: how long a request may take."""

    entries: Sequence[Entry] = ()
    resolutions: Sequence[Resolution] = ()
    samples: Sequence[SampleTable] = ()
    writes: Sequence[Write] = ()
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Vantage:
    """What one vantage answers, and since when it does."""

    answer: Resolution
    since_ns: int

    def then(self, later: Resolution) -> Vantage:
        same = (later.region, later.addresses, later.rcode) == (
            self.answer.region,
            self.answer.addresses,
            self.answer.rcode,
        )
        return Vantage(later, self.since_ns if same else later.answered_ns)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure against what is allowed. `share` is of the allowed, and may exceed 1."""

    text: str
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A step or an action: `mark` is one of ✓ ✗ … ·, `word` says the same."""

    mark: str
    word: str
    text: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class Showing:
    """One picture of a drill, in words. The same for the terminal and for the page."""

    drill: str
    run: str
    remark: str
    phase: str
    elapsed: str
    step: str
    users: str  # "up", "out", "silent", "waiting" or "traffic ended"
    recovery: Gauge
    budget: Gauge
    loss: Gauge  # of data; no words where there is no data probe
    writes: str
    now: str
    since: str
    strip: tuple[float | None, ...]
    serving: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, str], ...]
    outage: str
    steps: tuple[Line, ...]
    actions: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """The fold. Nothing is known before the header was read: `objectives` is None then."""

    objectives: Objectives | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
    began_ns: int = 0
    entries: tuple[Entry, ...] = ()
    steps: tuple[StepMark, ...] = ()
    actions: tuple[Action, ...] = ()
    vantages: Mapping[str, Vantage] = field(default_factory=dict)
    users: Users | None = None
    writes: Writes = field(default_factory=Writes)
    recovered_ns: int | None = None

    def then(self, news: News, now_ns: int) -> Live:
        """Return the state after some news."""
        state = self._told(news.entries)
        if state.objectives is None:
            return state
        users = state.users
        if users is None or not users.watched.newest_ns:
            users = Users(state.objectives, Watched(round((news.timeout_s + LATE_S) * 1e9)))
        if users.change_ns is None:
            users = replace(users, change_ns=state.change_ns)
        for batch in news.samples:
            users = users.then(batch)
        state = replace(
            state,
            users=users,
            vantages=_followed(state.vantages, news.resolutions),
            writes=state.writes.then(news.writes, state._read_backs()),
        )
        return replace(state, recovered_ns=state._recovered(now_ns))

    def _told(self, entries: Sequence[Entry]) -> Live:
        if not entries:
            return self
        every = self.entries + tuple(entries)
        state = replace(self, entries=every, steps=tuple(steps_of(every)), actions=tuple(actions_of(every)))
        if self.objectives is None and every[0].kind == "header":
            header = every[0].fields
            return replace(
                state,
                objectives=_objectives(header["objectives"]),
                header=header,
                began_ns=header["anchor"]["mono_ns"],
            )
        return state

    @property
    def change_ns(self) -> int | None:
        """The first deed: the start of the recovery time."""
        sent = [
            each.promised_ns if each.sent_ns is None else each.sent_ns
            for each in self.actions
            if each.purpose == "deed" and each.outcome is not ActionOutcome.FAILED
        ]
        faults = [e.fields["at_ns"] for e in self.entries if e.kind == "milestone" and e.fields["mark"] == Mark.FAULT]
        return min([*faults, *sent], default=None)

    @property
    def step(self) -> StepMark | None:
        """The step under way, or the last one that was."""
        begun = [each for each in self.steps if each.began_ns is not None]
        return max(begun, key=lambda each: each.began_ns or 0, default=None)

    def _recovered(self, now_ns: int) -> int | None:
        """Return when users were served again for good, by what is known now; kept once it is."""
        if self.recovered_ns is not None or self.change_ns is None or self.users is None or self.objectives is None:
            return self.recovered_ns
        switched = _marked(self.entries, Mark.AUTHORITY_SWITCHED)
        if switched is None or self._undoing:
            return None
        watched = self.users.watched
        newest = watched.last_outage()
        held_from = switched if newest is None else max(switched, newest.last_ns)
        held = watched.state() == "up" and now_ns - held_from >= self.objectives.stabilisation_s * 1e9
        ended = switched if newest is None else max(switched, round(newest.ended_ns))
        return ended if held else None

    def _read_backs(self) -> list[ReadBack]:
        """Return the read-backs before anything was undone, as `lost_writes` has them."""
        undone = min((each.sent_ns for each in self.actions if each.purpose == "undo" and each.sent_ns), default=inf)
        return [each for each in read_backs_in(self.entries) if each.at_ns < undone]

    @property
    def _undoing(self) -> bool:
        return any(each.purpose == "undo" for each in self.actions)

    # ---- in words ----------------------------------------------------------------------------------------------

    def showing(self, now_ns: int) -> Showing | None:
        """Return what is to be shown at *now_ns*; None before the run has begun."""
        if self.objectives is None or self.users is None:
            return None
        watched = self.users.watched
        scale = self.header["time_scale"]
        ended_ns = next((each.t_ns for each in self.entries if each.kind == "traffic ended"), None)
        seen_ns = now_ns if ended_ns is None else ended_ns
        return Showing(
            drill=self.header["drill"],
            run=self.header["run"],
            remark="" if scale == 1 else f"time scale {scale:g}",
            phase=self._phase(),
            elapsed=_tenths(now_ns - self.began_ns),
            step=self._step_words(now_ns),
            users=watched.state(now_ns) if ended_ns is None else "traffic ended",
            recovery=self._recovery(now_ns, watched),
            budget=_budget(watched.lost_s, Budget.of(self.objectives)),
            loss=Gauge(*self.writes.known(self.objectives.rpo_s)),
            writes=self.writes.told(),
            now=_answered(self.users.now(now_ns)) if ended_ns is None else "",
            since=_answered((self.users.good_since, self.users.bad_since)) if self.change_ns is not None else "",
            strip=self.users.strip(seen_ns),
            serving=tuple(_served(population, shares) for population, shares in self.users.serving(seen_ns).items()),
            names=tuple((name, _answer(vantage, now_ns)) for name, vantage in self.vantages.items()),
            outage=watched.outage_line() if ended_ns is None else f"{len(watched.judged.episodes)} seen",
            steps=tuple(_step(each) for each in self.steps),
            actions=tuple(self._action(each) for each in self.actions[-MOST_ACTIONS:]),
        )

    def _phase(self) -> str:
        kinds = {each.kind for each in self.entries}
        if "seal" in kinds:
            return "over"
        for kind, phase in (
            ("traffic ended", "judging"),
            ("restored", "put back"),
            ("interrupted", "interrupted, putting back"),
        ):
            if kind in kinds:
                return phase
        if "aborted" in kinds:
            return "aborted, putting back"
        if self._undoing:
            return "putting back"
        if self.change_ns is None:
            return "steady state"
        return "failing over" if self.recovered_ns is None else "failed over"

    def _step_words(self, now_ns: int) -> str:
        current = self.step
        if current is None or current.began_ns is None:
            return "not begun"
        took = (now_ns if current.ended_ns is None else current.ended_ns) - current.began_ns
        state = {"interrupted": "", "passed": ", passed", "failed": ", failed"}[current.outcome]
        return f"{current.index + 1}/{len(self.steps)} {current.keyword} {current.text} ({_tenths(took)}{state})"

    def _recovery(self, now_ns: int, watched: Watched) -> Gauge:
        assert self.objectives is not None
        rto_ns, began = self.objectives.rto_s * 1e9, self.change_ns
        allowed = f"of {seconds(rto_ns)} allowed{self._predicted()}"
        if began is None:
            return Gauge(f"nothing changed yet, {seconds(rto_ns)} allowed")
        if self.recovered_ns is not None:
            took = self.recovered_ns - began
            return Gauge(f"about {_tenths(took)} {allowed}, served steadily since", took / rto_ns)
        if self._undoing:
            return Gauge(f"not recovered before the undo; {seconds(rto_ns)} allowed")
        took = now_ns - began
        users = USERS[watched.state(now_ns)]
        return Gauge(f"{_tenths(took)} {allowed}, {users}", took / rto_ns)

    def _predicted(self) -> str:
        """Say how long the operator's acts were forecast to take; "" where they were not."""
        told = self.header.get("forecasts", {}).get("planned", {})
        return f", {duration(told['recovery']['mean_s'])} predicted" if "recovery" in told else ""

    def _action(self, action: Action) -> Line:
        at = action.promised_ns if action.sent_ns is None else action.sent_ns
        mark, word = ACTIONS[action.outcome]
        name = resource_name(action.resource)
        undo = "undo: " if action.purpose == "undo" else ""
        took = (
            "" if action.sent_ns is None or action.done_ns is None else f", {seconds(action.done_ns - action.sent_ns)}"
        )
        trouble = f": {action.error}" if action.error else ""
        return Line(mark, word, f"{undo}{action.verb} {name} ({word}{took}){trouble}", _tenths(at - self.began_ns))


USERS = {
    "up": "users are served",
    "out": "users are out",
    "silent": "no request is answered",
    "waiting": "nothing sent yet",
}
ACTIONS = {
    ActionOutcome.PROMISED: ("…", "sending"),
    ActionOutcome.OK: ("✓", "ok"),
    ActionOutcome.FAILED: ("✗", "failed"),
    ActionOutcome.UNKNOWN: ("?", "outcome unknown"),
}
STEPS = {
    "passed": ("✓", "passed"),
    "failed": ("✗", "failed"),
    "interrupted": ("…", "under way"),
    "not run": ("·", "to come"),
}


def _objectives(fields: Mapping[str, Any]) -> Objectives:
    return Objectives(**{**fields, "judged": tuple(Population[name] for name in fields["judged"])})


def _marked(entries: Iterable[Entry], mark: Mark) -> int | None:
    return min((e.fields["at_ns"] for e in entries if e.kind == "milestone" and e.fields["mark"] == mark), default=None)


def _followed(vantages: Mapping[str, Vantage], answers: Iterable[Resolution]) -> dict[str, Vantage]:
    found = dict(vantages)
    for each in answers:
        known = found.get(each.vantage)
        found[each.vantage] = Vantage(each, each.answered_ns) if known is None else known.then(each)
    return found


def _tenths(nanoseconds: float) -> str:
    """Return a running time: "7.4 s", "12 min 3 s"."""
    return f"{nanoseconds / 1e9:.1f} s" if nanoseconds < 120e9 else seconds(nanoseconds)


def _answered(counts: tuple[int, int]) -> str:
    good, bad = counts
    return f"{share(good / (good + bad))} of {good + bad}" if good + bad else "nothing answered"


def _served(population: Population, shares: Mapping[str, float]) -> tuple[str, str]:
    told = ", ".join(f"{region or 'nobody'} {share(part)}" for region, part in shares.items())
    return population.name.lower(), told


def _answer(vantage: Vantage, now_ns: int) -> str:
    answer = vantage.answer
    who = answer.region or ", ".join(answer.addresses) or answer.rcode
    ttl = "" if answer.ttl_s is None else f", TTL {answer.ttl_s} s"
    return f"{who} for {_tenths(now_ns - vantage.since_ns)}{ttl}"


def _budget(lost_s: float, budget: Budget) -> Gauge:
    lost, whole = seconds(lost_s * 1e9), seconds(budget.whole_s * 1e9)
    text = f"{lost} lost, {share(budget.consumed_share(lost_s))} of {whole}; {seconds(budget.allowed_s * 1e9)} allowed"
    return Gauge(text, lost_s / budget.allowed_s if budget.allowed_s else None)


def _step(step: StepMark) -> Line:
    mark, word = STEPS[step.outcome]
    took = "" if step.began_ns is None or step.ended_ns is None else seconds(step.ended_ns - step.began_ns)
    return Line(mark, word, f"{step.keyword} {step.text}", took)
