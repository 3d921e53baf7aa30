"""What a live view knows of the data probe: what became of its writes, and what was lost once a region was read back. Pure.

before     119 of 120 writes acknowledged; 15 s of loss allowed
after      1.00 s (899 ms to 1.10 s) of 15 s allowed: 10 of 174 acknowledged writes are not in westus3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from failover_drill.facts import ReadBack, Write, WriteOutcome
from failover_drill.lost_writes import Loss, longest_loss, missing
from failover_drill.wording import duration, number, plural, spread


@dataclass(frozen=True, slots=True)
class Writes:
    """The fold. `read_backs`: those before the undo; `loss`: the longest that any of them shows."""

    sent: tuple[Write, ...] = ()
    acknowledged: int = 0
    read_backs: tuple[ReadBack, ...] = ()
    loss: Loss | None = None

    def then(self, news: Sequence[Write], read_backs: Sequence[ReadBack]) -> Writes:
        """Return the state after some more writes; *read_backs* are all so far."""
        asked_ns = max((each.at_ns for each in read_backs), default=0)
        late = any(each.done_ns <= asked_ns for each in news)  # written down after the region was asked
        told = replace(
            self,
            sent=self.sent + tuple(news),
            acknowledged=self.acknowledged + sum(each.outcome is WriteOutcome.ACKNOWLEDGED for each in news),
            read_backs=tuple(read_backs),
        )
        same = not late and told.read_backs == self.read_backs
        return told if same else replace(told, loss=longest_loss(told.sent, read_backs))

    def known(self, rpo_s: float | None) -> tuple[str, float | None]:
        """Return the data loss against what is allowed, and its share of that; no words where nothing was written."""
        if not self.sent:
            return "", None
        allowed = "no objective" if rpo_s is None else f"{duration(rpo_s)} allowed"
        if self.loss is None:
            return f"not known yet, {allowed}", None
        part = None if rpo_s is None else self.loss.length.estimate_ns / 1e9 / rpo_s
        return f"{spread(self.loss.length)}, {allowed}", part

    def told(self) -> str:
        """Return what stands behind it: what is missing where, or how many writes there are to be missed."""
        if self.loss is not None:
            return missing(self.loss)
        if not self.sent:
            return ""
        trouble = next((each for each in reversed(self.read_backs) if each.error), None)
        why = "" if trouble is None else f"; {trouble.region} could not be read back: {trouble.error}"
        return f"{number(self.acknowledged)} of {plural(len(self.sent), 'write')} acknowledged{why}"
