"""One drill at a time on one target: in this process, on this machine, and from another machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill.errors import Unsafe
from failover_drill.lock import Lock, alone_here, owner, parse, refusal
from tests.stage import COLD, estate, start_drill

WORD = st.text(st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=1, max_size=40)


@given(WORD, WORD, st.integers(0, 4_000_000_000))
def test_what_is_written_is_read(run: str, who: str, until: int) -> None:
    """A lock survives the tag it is written in, and refuses exactly until it expires."""
    lock = Lock(run, who, float(until))
    assert parse(str(lock)) == lock
    assert refusal(str(lock), until - 1) != ""
    assert refusal(str(lock), until) == ""


@pytest.mark.parametrize("value", ["hands off", "run ann until tomorrow", "run ann until 2026-11-23T05:00:00"])
def test_a_tag_that_no_drill_wrote(value: str) -> None:
    """What cannot be read does not expire: a person wrote it, and a person removes it."""
    assert "which no drill wrote" in refusal(value, 9e9)


def test_alone_on_this_machine() -> None:
    """A second drill of the target is refused while the first lives, and let in after it."""
    target = f"/subscriptions/{owner()}/trafficManagerProfiles/p"
    with alone_here(target), pytest.raises(Unsafe, match="another drill of P runs on this machine"):
        alone_here(target.upper()).__enter__()
    with alone_here(target):
        pass


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_drills_at_once(tmp_path: Path) -> None:
    """Started together as from two machines, which share no file lock: one drills, the other is refused, none is in the way."""
    with estate(tmp_path / "estate", COLD) as stage:
        before = stage.control("GET", "/_state")["apps"]
        drills = []
        for machine in ("a", "b"):
            (tmp_path / machine / "tmp").mkdir(parents=True)
            environment = {"TMPDIR": str(tmp_path / machine / "tmp"), "FAILOVER_DRILL__SAFETY__LOCK_SETTLE_S": "40"}
            drills.append(
                start_drill(
                    tmp_path / machine, stage.file, feature="benchmarks/safety/acts.feature", environment=environment
                )
            )
        outputs = [drill.communicate(timeout=280)[0] for drill in drills]
        stops = [w for w in stage.writes() if w.endswith("proseware-eastus/stop")]
        assert stage.control("GET", "/_state")["apps"] == before
    refused = [o for o in outputs if "another drill" in o]
    assert len(refused) == 1, outputs
    assert len(stops) == 1
    assert all("Traceback" not in o for o in outputs)
