"""Which trials there are: the sets, the signals, and the instants, drawn from a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from benchmarks.safety.trial import ACTS, Strike
from tests.stage import ROOT

SIGNALS = ("INT", "TERM", "HUP", "KILL")
SETS = ("boundaries", "random", "both", "faults", "rivals")
LONG_S = 6.0  # from the last guard to the seal, of the acts alone
LATE_LONG_S = 15.0  # the same where each of ten writes takes a second more
WHOLE = "features/failover.feature"
STEP = re.compile(r"^ +(Given|When|Then|And|But) ", re.MULTILINE)
RIVALS = 20
LATE = {"kind": "control_late", "late_s": 1.0, "only": "writes"}
FAULTS: Mapping[str, tuple[Mapping[str, object], ...]] = {
    "throttled 30 %": ({"kind": "control_throttled", "probability": 0.3},),
    "500 at 20 %": ({"kind": "control_failing", "status": 500, "probability": 0.2},),
    "503 at 20 %": ({"kind": "control_failing", "status": 503, "probability": 0.2},),
    "reset after, 10 %": ({"kind": "control_reset_after", "probability": 0.1, "only": "all"},),
    "identity down 20 s": ({"kind": "identity_down", "duration_s": 20.0},),
}


def plan(sets: Iterable[str], signals: Iterable[str], count: int, seed: int, *, whole: bool) -> list[Strike]:
    """Return every trial of the chosen sets, numbered, and shuffled so that a run that is cut short has some of everything.

    The same arguments give the same trials in the same order.
    """
    rng = random.Random(seed)
    found = list(_strikes(list(sets), list(signals), count, rng, whole=whole))
    rng.shuffle(found)
    return [replace(strike, n=n) for n, strike in enumerate(found)]


def _strikes(sets: list[str], signals: list[str], count: int, rng: random.Random, *, whole: bool) -> Iterator[Strike]:
    if "boundaries" in sets:
        name = WHOLE if whole else ACTS
        steps = len(STEP.findall((ROOT / name).read_text("utf-8")))
        kind = "whole playbook" if whole else "boundaries"
        for step in (*range(steps), -(steps - 1)):
            yield from (Strike(s, step, set_name=kind, feature=name) for s in signals)
    if "random" in sets:
        yield from (_at_random(i, signals, rng) for i in range(count))
    if "both" in sets:
        yield from (
            Strike("KILL both", None, rng.uniform(0.3, LONG_S * 0.6), set_name="machine lost") for _ in range(count)
        )
    if "faults" in sets:
        yield from (_under_faults(i, rng) for i in range(count))
    if "rivals" in sets:
        places = ("same machine", "two machines")
        yield from (Strike(places[i % 2], None, rng.uniform(0, 0.3), set_name="two at once") for i in range(RIVALS))


def _at_random(i: int, signals: list[str], rng: random.Random) -> Strike:
    late = bool(i // len(signals) % 2)
    after_s = rng.uniform(0, LATE_LONG_S if late else LONG_S)
    name = "random, calls 1 s late" if late else "random"
    return Strike(signals[i % len(signals)], None, after_s, (LATE,) if late else (), name)


def _under_faults(i: int, rng: random.Random) -> Strike:
    """Struck after the first change, and the faults only then: what is rehearsed is undoing under them."""
    name = list(FAULTS)[i % len(FAULTS)]
    signal = ("none", "KILL", "TERM")[i // len(FAULTS) % 3]
    return Strike(signal, rng.randrange(2, 8), 0.0, FAULTS[name], f"undo, {name}")
