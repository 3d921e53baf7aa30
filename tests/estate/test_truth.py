"""The truth log: whole lines from several writers, on one clock, and right about what clients see."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import stat
import time
from pathlib import Path

import pytest

from local_estate.behaviour import Behaviour, Kind
from local_estate.truth import Truth, read
from tests.estate.small_estate import eventually, run, small_estate


def _write_many(path: Path, who: int) -> None:
    truth = Truth(path)
    for n in range(300):
        truth.write("probe", who=who, n=n, filler="x" * 200)


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    """Four processes that append at once lose nothing and mix nothing."""
    path = tmp_path / "truth.jsonl"
    writers = [multiprocessing.get_context("spawn").Process(target=_write_many, args=(path, who)) for who in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    events = read(path)
    assert len(events) == 1200
    assert {(e["who"], e["n"]) for e in events} == {(w, n) for w in range(4) for n in range(300)}


def test_a_line_still_being_written_is_left_out(tmp_path: Path) -> None:
    """A torn last line is not read, and the file is for its owner only."""
    truth = Truth(tmp_path / "truth.jsonl")
    truth.write("fault", id="f1", kind="slow", on=True)
    with truth.path.open("ab") as file:
        file.write(b'{"t_ns":1,')
    assert [e["id"] for e in truth.read()] == ["f1"]
    assert stat.S_IMODE(os.stat(truth.path).st_mode) == 0o600
    truth.close()


def test_a_given_stamp_is_kept_and_its_wall_time_fits(tmp_path: Path) -> None:
    """`t_ns` of the past gets the wall time of the past."""
    truth = Truth(tmp_path / "truth.jsonl")
    at_ns = time.monotonic_ns() - 5_000_000_000
    assert truth.write("last_good", t_ns=at_ns, region="eastus", app="a") == at_ns
    (event,) = truth.read()
    assert event["t_ns"] == at_ns
    assert abs(time.time_ns() - event["wall_ns"] - 5e9) < 1e9
    truth.close()


@pytest.mark.parametrize("how", ["error", "reset", "kill", "hang", "stop"])
def test_no_good_answer_was_asked_for_after_the_stamp_and_no_bad_one_came_before_it(tmp_path: Path, how: str) -> None:
    """The law that makes the log a ground truth, with clients asking as fast as they can through outage and recovery.

    An answer is bad only if it came after service had ceased, and good only if it was asked for before that, or came after
    service began again.
    """

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            seen: list[tuple[int, int, bool]] = []
            silent: list[int] = []
            over = asyncio.Event()

            patience_s = 0.15 if how == "hang" else 60

            async def client() -> None:
                while not over.is_set():
                    asked_ns = time.monotonic_ns()
                    try:
                        good = (await estate.get("eastus", timeout_s=patience_s)).status == 200
                    except TimeoutError:
                        silent.append(asked_ns)  # no answer, neither good nor bad: on a busy machine that happens
                        continue
                    except (OSError, asyncio.IncompleteReadError):
                        good = False
                    seen.append((asked_ns, time.monotonic_ns(), good))
                    await asyncio.sleep(0.001)

            clients = [asyncio.create_task(client()) for _ in range(4)]
            await asyncio.sleep(0.3)
            for n in range(3):
                if how in ("error", "reset"):
                    await estate.regions.set_behaviour("eastus", Behaviour(Kind(how)))
                    await asyncio.sleep(0.2)
                    await estate.regions.set_behaviour("eastus", None)
                elif how == "kill":
                    await estate.regions.kill("eastus")
                    await asyncio.sleep(0.2)
                    await estate.regions.respawn("eastus")
                elif how == "hang":
                    hung_ns = await estate.regions.hang("eastus")
                    await eventually(lambda hung_ns=hung_ns: any(asked > hung_ns for asked in silent))
                    await estate.regions.resume("eastus")
                else:
                    estate.put_app("app-east", state="Stopped")
                    await eventually(lambda n=n: len(estate.events("serving", app="app-east")) == 2 * n + 2)
                    await asyncio.sleep(0.2)
                    estate.put_app("app-east", state="Running")
                await eventually(lambda n=n: len(estate.events("serving", app="app-east")) == 2 * n + 3)
                await asyncio.sleep(0.2)
            over.set()
            await asyncio.gather(*clients)
            switches = [(e["t_ns"], e["serving"]) for e in estate.events("serving", app="app-east")]
            assert [on for _, on in switches] == [True, False] * 3 + [True]
            for began, ended in zip(switches[1::2], switches[2::2], strict=True):
                wrongly_good = [s for s in seen if s[2] and began[0] < s[0] and s[1] < ended[0]]
                assert wrongly_good == []
            bad = [s for s in seen if not s[2]]
            assert bad or how == "hang"
            outages = list(zip(switches[1::2], switches[2::2], strict=True))
            early = [b for b in bad if not any(o[0][0] <= b[1] and b[0] <= o[1][0] for o in outages)]
            assert early == [], switches

    run(scenario())


def test_first_and_last_good_lie_inside_the_time_of_serving(tmp_path: Path) -> None:
    """After service began comes the first good answer, and the last good one comes before it ceased."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            for _ in range(3):
                await estate.get("eastus")
            down_ns = await estate.regions.set_behaviour("eastus", Behaviour(Kind.ERROR))
            up_ns = await estate.regions.set_behaviour("eastus", None)
            before_ns = time.monotonic_ns()
            await estate.get("eastus")
            first = [e["t_ns"] for e in estate.events("first_good", app="app-east")]
            (last,) = (e["t_ns"] for e in estate.events("last_good", app="app-east"))
            assert first[0] < last < down_ns < up_ns < before_ns < first[1]

    run(scenario())
