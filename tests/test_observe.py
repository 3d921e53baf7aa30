"""`failover-drill observe URL`: real traffic to a real server, judged, written down, and told by the exit status."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from failover_drill.cli import app
from failover_drill.errors import SettingsError
from failover_drill.facts import Objectives, Outcome, Population, Sample, SampleTable
from failover_drill.observe import duration_s, expected, mix_of, objectives_of
from failover_drill.observing import Watched
from failover_drill.selftest import FaultServer
from failover_drill.trial import Fault, Truth
from tests.histories import MS, NAMES, S, records, strip

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "findings.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def observing(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from failover_drill.cli import main; main()", "observe", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def observed(*arguments: str) -> tuple[int, str, str]:
    with observing(*arguments) as process:
        out, err = process.communicate(timeout=200)
    return process.returncode, out, err


@pytest.mark.slow
def test_an_outage_is_measured(server: FaultServer, tmp_path: Path) -> None:
    """Beside a service that goes down and comes back: the outage within its bounds, findings.json valid, reports drawn."""
    for attempt in range(3):  # anew where the machine was too busy for the instrument, which says so
        directory = tmp_path / str(attempt)
        code, out, err, truth = beside_an_outage(server, directory)
        findings = json.loads((directory / "findings.json").read_text("utf-8"))
        if findings["instrument"]["fit"]:
            break
    assert (code, err) == (0, "")
    assert "up" in out.splitlines()[0]
    assert "MET" in out
    assert out.count("mostly http error") == 0  # one outage is told once, by its own line
    Draft202012Validator(SCHEMA).validate(findings)
    (outage,) = findings["downtime"]["outages"]
    assert outage["at_least_s"] <= truth.length_ns / 1e9 <= outage["at_most_s"]
    assert (outage["outcome"], findings["drill"]["kind"], findings["traffic"]["paths"][0]["name"]) == (
        "http_error",
        "observation",
        "/health",
    )
    assert {"findings.json", "report.html", "report.md", "samples.parquet"} <= {
        each.name for each in directory.iterdir()
    }


def beside_an_outage(server: FaultServer, directory: Path) -> tuple[int, str, str, Truth]:
    """Observe for 7 s beside a service that answers 503 for 0.8 s of them; return status, words, complaints and the truth."""
    url, kept = f"http://127.0.0.1:{server.port}/health", directory.with_suffix(".json")
    with observing(url, "--for", "7", "--rate", "10", "--json", str(kept), "--report", str(directory)) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        truth = server.play(Fault("503", 800 * MS), time.monotonic_ns() + S)
        out, err = process.communicate(timeout=200)
    assert json.loads(kept.read_text("utf-8")) == json.loads((directory / "findings.json").read_text("utf-8"))
    return process.returncode, first + out, err, truth


@pytest.mark.slow
def test_a_target_that_was_never_up(tmp_path: Path) -> None:
    """Nobody listening is said in a line, and no bad argument, and nothing that was missed: INCONCLUSIVE, with that reason."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, out, _ = observed(f"http://127.0.0.1:{port}/", "--for", "2", "-q")
    assert code == 2
    assert out.startswith(f"nobody answers at 127.0.0.1 port {port}: connection refused; measuring all the same\n")
    assert "the target was never up during the run" in out


@pytest.mark.slow
def test_a_budget_that_is_overspent(server: FaultServer) -> None:
    """Downtime surely beyond the window's budget is MISSED: exit status 1. Ctrl-C ends an observation in order."""
    for _ in range(3):
        with observing(f"http://127.0.0.1:{server.port}/", "--window", "60s", "--rate", "10") as process:
            assert process.stdout is not None
            process.stdout.readline()
            server.play(Fault("refused", 900 * MS), time.monotonic_ns() + 500 * MS)
            time.sleep(1.0)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=200)
        if "the instrument was not fit" not in out:
            break
    assert process.returncode == 1, out
    assert "MISSED" in out


@pytest.mark.slow
def test_a_load_process_that_is_killed(server: FaultServer, tmp_path: Path) -> None:
    """What it had written is read, judged INCONCLUSIVE with the reason, and reported."""
    url, directory = f"http://127.0.0.1:{server.port}/", tmp_path / "report"
    with observing(url, "--for", "40", "--rate", "20", "--report", str(directory)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(4)
        (load,) = psutil.Process(process.pid).children()
        load.kill()
        out, _ = process.communicate(timeout=200)
    assert process.returncode == 2
    assert "the instrument was not fit" in out
    assert "died before the end" in out
    instrument = json.loads((directory / "findings.json").read_text("utf-8"))["instrument"]
    assert instrument["recorded"] >= 20
    assert (directory / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://nosuch.invalid/"], "nosuch.invalid: the name does not resolve"),
        (["http://127.0.0.1/", "--for", "0"], "--for '0': must be a time above zero"),
        (["http://127.0.0.1/", "--for", "soon"], "--for 'soon': must be a time above zero"),
        (["http://127.0.0.1/", "--timeout", "0s"], "--timeout '0s': must be a time above zero"),
        (["http://127.0.0.1/", "--rate", "0"], "--rate 0: must be from 0.01 to 100000 requests per second"),
        (["http://127.0.0.1/", "--rate", "-1"], "--rate -1: must be"),
        (["http://127.0.0.1/", "--rate", "nan"], "--rate nan: must be"),
        (["ftp://127.0.0.1/"], "'ftp://127.0.0.1/': must be a URL such as https://www.example.org/health"),
        (["127.0.0.1"], "'127.0.0.1': must be a URL such as"),
        (["http://[::1"], "'http://[::1': must be a URL such as"),
        (["http://127.0.0.1:99999/"], "must be http://host[:port]/ or https://host[:port]/"),
        (["http://127.0.0.1/", "--json", "/nowhere/f.json"], "/nowhere/f.json: cannot be written: No such file"),
        (["http://127.0.0.1/", "--report", "/proc/r"], "cannot be written"),
        (["http://127.0.0.1/", "--mix", "much"], "--mix 'much': must be like 70/25/5"),
        (["http://127.0.0.1/", "--slo", "100"], "--slo 100: must be a percentage between 0 and 100"),
        (["http://127.0.0.1/", "--resolver", "here"], "resolver 'here' is not ip:port"),
        (
            ["http://x.example/", "--resolver", "127.0.0.1:1", "--timeout", "0.2"],
            "x.example: no answer from 127.0.0.1:1",
        ),
        (["https://127.0.0.1/", "--ca", "/nowhere.pem"], "/nowhere.pem: there is no such file; want a PEM file"),
    ],
)
def test_bad_input(arguments: list[str], said: str) -> None:
    """One line that says what would be right, before anything is sent."""
    failure = CliRunner().invoke(app, ["observe", *arguments]).exception
    assert isinstance(failure, SettingsError)
    assert said in str(failure)
    assert "\n" not in str(failure)


def test_bad_input_exits_254() -> None:
    """On the command line that is one line on stderr and exit status 254."""
    code, out, err = observed("http://nosuch.invalid/", "--for", "1")
    assert (code, out, err.count("\n")) == (254, "", 1)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("250ms", 0.25), ("2h", 7200), ("30d", 2_592_000)]
)
def test_durations(text: str, seconds: float) -> None:
    """Times as people write them."""
    assert duration_s(text, "--for") == seconds


def test_mixes() -> None:
    """Three shares, or names with shares, or one name."""
    assert mix_of("70/25/5") == {"fresh": 70, "keepalive": 25, "sticky": 5}
    assert mix_of("fresh=60,sticky=40") == {"fresh": 60, "sticky": 40}
    assert mix_of("keepalive") == {"keepalive": 100}


def test_expectations() -> None:
    """Status ranges look like numbers; anything else must stand in the body."""
    assert expected("200-299,401") == {"expect_status": ((200, 299), (401, 401))}
    assert expected("ready") == {"expect_content": "ready"}
    assert expected("") == {}


def test_who_is_judged() -> None:
    """Clients that honour the TTL where there are any, else those there are."""
    assert objectives_of(99.9, "30d", 100, mix_of("70/25/5")).judged == (Population.FRESH, Population.KEEPALIVE)
    assert objectives_of(99.9, "30d", 100, mix_of("sticky")).judged == (Population.STICKY,)


def watched(picture: str) -> Watched:
    """Two batches, as they come in while the traffic runs."""
    samples, middle = strip(picture, 100 * MS), len(picture) // 2
    parts = (SampleTable(records(part, NAMES), NAMES) for part in (samples[:middle], samples[middle:]))
    state = Watched(3 * S)
    for part in parts:
        state = state.then(part, Objectives())
    return state


@pytest.mark.parametrize(
    ("picture", "state", "outages"),
    [
        ("", "waiting", "no outage seen"),
        ("+++++", "up", "no outage seen"),
        ("++xxx", "out", "OUT for at least 200 ms (http error)"),
        ("++xxx+++", "up", "1 so far, the last 300 ms (199 ms to 401 ms) (http error)"),
    ],
)
def test_live_state(picture: str, state: str, outages: str) -> None:
    """The live view knows whether the service is up, and bounds the newest outage, open or not."""
    seen = watched(picture)
    assert (seen.state(), seen.outage_line()) == (state, outages)


def test_live_view_puts_late_outcomes_in_their_place() -> None:
    """Requests that hung are written when they time out, after later ones that were answered: still one outage, in full."""
    samples = strip("+++ttttt+++", 100 * MS)
    by_outcome = sorted(samples, key=lambda each: each.done_ns)
    late = Watched(7 * S)
    for each in by_outcome:
        late = late.then(SampleTable(records([each], NAMES), NAMES), Objectives())
    assert late.outage_line() == "1 so far, the last 500 ms (399 ms to 601 ms) (timeout)"
    assert late.settled.samples < late.judged.samples == 11


def test_live_view_tells_silence() -> None:
    """While everything that was asked hangs, no sample comes: that is said, not taken for service."""
    seen = watched("+++++")
    assert (seen.state(seen.newest_ns + S), seen.state(seen.newest_ns + 3 * S)) == ("up", "silent")


def test_live_view_tells_who_answers() -> None:
    """Regions that answered lately, and the budget spent."""
    good = [Sample(i * MS, i * MS, i * MS + 1, Outcome.OK, region="westus3") for i in range(3)]
    seen = Watched(S).then(SampleTable(records(good, NAMES), NAMES), Objectives())
    assert seen.answering_line() == "westus3"
    assert seen.budget_line(Objectives()) == "0 s lost, 0 % of the budget of 43 min 12 s"
