"""A drill's end is told to whom [notify] names: in time, in their shape, and never at the cost of the verdict or of a secret."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from failover_drill import notify
from failover_drill.commands import app
from failover_drill.errors import SettingsError
from failover_drill.notify import NotifyTable
from failover_drill.notify_post import tell
from failover_drill.settings import load
from tests.hooks import TOKEN, hook
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "docs" / "notification.schema.json").read_text("utf-8"))
FINDINGS = json.loads((ROOT / "tests" / "data" / "findings_example.json").read_text("utf-8"))


class Hurried:
    """The system's clock, with the wait before the second try left out."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wall_s(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


def run(tmp_path: Path, **changed: Any) -> Path:
    """A run's directory that holds the findings of the example, with these keys changed."""
    directory = tmp_path / "reports" / "proseware" / "2026-11-25T03-17-00Z"
    directory.mkdir(parents=True)
    (directory / "findings.json").write_text(json.dumps({**FINDINGS, "verdict": "MISSED", **changed}), "utf-8")
    return directory


def table(**keys: Any) -> NotifyTable:
    return NotifyTable.model_validate({"timeout_s": 60, **keys})


def told(directory: Path, **keys: Any) -> list[str]:
    said: list[str] = []
    tell(directory, table(**keys), said.append, Hurried())
    assert TOKEN not in " ".join(said)
    return said


def test_each_channel_gets_its_shape(tmp_path: Path) -> None:
    """The webhook gets JSON that its schema allows, Slack blocks, Teams an Adaptive Card; each with verdict, figures and link."""
    link = "https://ci.example.com/{drill}/{run}"
    with hook() as ours, hook() as slack, hook(202) as teams:
        said = told(run(tmp_path), webhook=ours.url, slack=slack.url, teams=teams.url, link=link)
    assert said == ["notified: webhook, slack, teams"]
    (plain,), (blocks,), (card,) = ours.messages, slack.messages, teams.messages
    Draft202012Validator(SCHEMA).validate(plain)
    report = f"https://ci.example.com/{FINDINGS['drill']['name']}/{FINDINGS['drill']['run']}"
    assert (plain["verdict"], plain["report"]) == ("MISSED", report)
    assert plain["recovery_time_s"]["at_most"] == FINDINGS["recovery"]["at_most_s"]
    texts = [each["text"]["text"] for each in blocks["blocks"]]
    assert texts[0].startswith("❌ MISSED")
    assert texts[-1] == f"<{report}|Report>"
    content = card["attachments"][0]["content"]
    assert content["actions"][0]["url"] == report
    figures = {fact["title"]: fact["value"] for fact in content["body"][-1]["facts"]}
    assert f"{FINDINGS['recovery']['time_s']:.1f} s" in figures["recovery time"]
    assert all(each[1] == "application/json" for server in (ours, slack, teams) for each in server.posts)


def test_the_schema_is_the_code(tmp_path: Path) -> None:
    """docs/notification.schema.json is what `python -m failover_drill.notify` prints."""
    assert (ROOT / "docs" / "notification.schema.json").read_text("utf-8") == notify.schema_text()


@pytest.mark.parametrize(
    ("answers", "posts", "said"),
    [
        ((500, 200), 2, "notified: webhook"),
        ((500,), 2, "notify.webhook failed: 127.0.0.1 answered 500"),
        ((404,), 1, "notify.webhook failed: 127.0.0.1 answered 404"),
        ((302,), 1, "notify.webhook failed: 127.0.0.1 answered 302"),
    ],
)
def test_tried_twice_at_most(tmp_path: Path, answers: tuple[int, ...], posts: int, said: str) -> None:
    """A failure that may pass is tried once more, one that will not is not, and a redirect is not followed."""
    with hook(*answers) as server:
        assert told(run(tmp_path), webhook=server.url) == [said]
        assert len(server.posts) == posts


def test_one_that_hangs_is_left_behind(tmp_path: Path) -> None:
    """A server that never answers costs `timeout_s`, is posted to once, and the others are told all the same."""
    with hook("hang") as mute, hook() as well:
        began = time.monotonic()
        said = told(run(tmp_path), webhook=mute.url, slack=well.url, timeout_s=3)
        assert time.monotonic() - began < 200  # the server would hang for ten minutes
        assert len(mute.posts) == 1
        assert len(well.posts) == 1
    assert len(said) == 1
    assert said[0].startswith("notify.webhook failed:")
    assert "no answer" in said[0]


def test_one_that_refuses(tmp_path: Path) -> None:
    """A refused connection is one line that names the host."""
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}/{TOKEN}"
    assert told(run(tmp_path), teams=url) == ["notify.teams failed: 127.0.0.1: refused the connection"]


def test_no_secret_in_any_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at its most talkative, neither success nor failure writes the address."""
    with caplog.at_level(logging.DEBUG), hook(200) as well, hook(500) as ill:
        said = told(run(tmp_path), webhook=well.url, slack=ill.url)
    assert said == ["notify.slack failed: 127.0.0.1 answered 500"]
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(("on", "count"), [(["met"], 0), (["missed"], 1), ([], 0)])
def test_only_what_is_worth_a_message(tmp_path: Path, on: list[str], count: int) -> None:
    """`on` says which verdicts are told; of the others nothing is said either."""
    with hook() as server:
        assert told(run(tmp_path), webhook=server.url, on=on) == (["notified: webhook"] if count else [])
        assert len(server.posts) == count


def test_without_findings(tmp_path: Path) -> None:
    """A run without findings, or with torn ones, is one line and no exception."""
    directory = run(tmp_path)
    for torn in ("{", '{"verdict": "MET"}', None):
        (directory / "findings.json").unlink() if torn is None else (directory / "findings.json").write_text(torn)
        (line,) = told(directory, webhook="https://hooks.example.com/x", on=["met"])
        assert line.startswith("nobody was notified: ")


def test_never_recovered_and_no_link(tmp_path: Path) -> None:
    """Open bounds are told as such, and without a link the report's place on the machine is named."""
    recovery = {**FINDINGS["recovery"], "time_s": None, "at_least_s": 61.5, "at_most_s": None}
    directory = run(tmp_path, recovery=recovery, reasons=["the <estate> & more"])
    with hook() as server, hook() as card:
        told(directory, slack=server.url, teams=card.url)
    texts = " ".join(each["text"]["text"] for each in server.messages[0]["blocks"])
    assert "without end: 61.5 s or more, 60 s allowed" in texts
    assert "the &lt;estate&gt; &amp; more" in texts
    assert f"{directory / 'report.html'}`" in texts
    assert card.messages[0]["attachments"][0]["content"]["actions"] == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WEBHOOK": f"http://hooks.example.com/{TOKEN}"}, "notify.webhook = (not shown): must be an address"),
        ({"SLACK": TOKEN}, "notify.slack = (not shown): must be an address that begins with https://"),
        ({"WEBHOK": f"https://hooks.example.com/{TOKEN}"}, "notify.webhok = (not shown): there is no such key"),
        ({"LINK": "https://ci/{secret}"}, "notify.link = 'https://ci/{secret}': may hold {drill} and {run}"),
        ({"LINK": "https://ci/{drill"}, "may hold {drill} and {run}, and no other braces"),
        ({"ON": '["red"]'}, "notify.on.0 = 'red'"),
        ({"TIMEOUT_S": "0"}, "notify.timeout_s = 0: should be greater than 0"),
    ],
)
def test_bad_settings_tell_no_secret(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    """What is wrong is one line with file and key, and no address is in it, also under a misspelt key."""
    file = tmp_path / "drill.toml"
    file.write_text("", "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file, {f"FAILOVER_DRILL__NOTIFY__{key}": value for key, value in environment.items()})
    assert said in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_whole_table_as_text_is_not_shown(tmp_path: Path) -> None:
    """An address given for the table itself is refused, and not shown."""
    file = tmp_path / "drill.toml"
    file.write_text("", "utf-8")
    with pytest.raises(SettingsError, match="notify = ") as caught:
        load(file, {"FAILOVER_DRILL__NOTIFY": f"https://hooks.example.com/{TOKEN}"})
    assert TOKEN not in str(caught.value)


def test_config_show_hides_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config show` says that there is an address, and not which; so does the repr of the settings."""
    file = tmp_path / "drill.toml"
    file.write_text("", "utf-8")
    monkeypatch.setenv("FAILOVER_DRILL__NOTIFY__SLACK", f"https://hooks.example.com/{TOKEN}")
    shown = CliRunner().invoke(app, ["config", "show", "--settings", str(file)])
    assert json.loads(shown.stdout)["notify"]["slack"] == "(a secret)"
    assert json.loads(shown.stdout)["notify"]["webhook"] == ""
    assert TOKEN not in shown.stdout + repr(load(file))
