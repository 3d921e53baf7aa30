"""The live page's server: on loopback, for whoever knows the run's token, read-only, and gone when it is over."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from failover_drill.live_page import Page
from tests.histories import S
from tests.test_live import shown


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """The page of a run in *tmp_path*, with something to show."""
    served = Page()
    served.follow(tmp_path)
    served.show(shown(14 * S))
    yield served
    served.close()


def ask(
    page: Page, name: str, *, method: str = "GET", host: str = "", token: str | None = None
) -> tuple[int, str, bytes]:
    """Ask the page's server, as a browser would; with another host name or token where given."""
    parts = urlsplit(page.url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=60)
    path = parts.path if token is None else f"/{token}/"
    connection.request(method, path + name, headers={"Host": host or parts.netloc})
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type", ""), answer.read()
    connection.close()
    return found


def test_it_tells_what_is_shown(page: Page) -> None:
    """state.json holds the same words as the terminal's panel, and the page itself is one file of HTML."""
    status, kind, body = ask(page, "state.json")
    told = json.loads(body)
    assert (status, kind) == (200, "application/json")
    assert told["showing"]["recovery"]["text"] == shown(14 * S).recovery.text
    assert (told["report"], told["leave"]) == (False, False)
    status, kind, body = ask(page, "")
    assert (status, kind.split(";")[0]) == (200, "text/html")
    assert b"http://" not in body
    assert b"https://" not in body


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("", {"token": "wrong"}),
        ("state.json", {"token": ""}),
        ("state.json", {"host": "evil.example"}),
        ("../journal.jsonl", {}),
        ("journal.jsonl", {}),
        ("report.html", {}),  # not written yet
    ],
)
def test_nothing_for_others(page: Page, tmp_path: Path, name: str, asked: dict[str, str]) -> None:
    """Without the token, under another host's name (DNS rebinding), and for any other file, the answer is 404."""
    (tmp_path / "journal.jsonl").write_text("secret", "utf-8")
    status, _, body = ask(page, name, **asked)
    assert status == 404
    assert b"secret" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_only_reads(page: Page, method: str) -> None:
    """Whatever would change something is refused."""
    status, _, _ = ask(page, "state.json", method=method)
    assert status == 501


def test_two_runs_have_two_tokens() -> None:
    """The token is made for the run, long enough not to be guessed."""
    pages = [Page(), Page()]
    tokens = {urlsplit(each.url).path.strip("/") for each in pages}
    for each in pages:
        each.close()
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 32


def test_it_listens_on_loopback_only(page: Page) -> None:
    """The server is bound to 127.0.0.1: on another of this machine's addresses nobody answers."""
    port = urlsplit(page.url).port or 0
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.3.3", port), timeout=60):
        pass


def test_it_ends_when_nobody_looks(tmp_path: Path) -> None:
    """Once it is closed nobody listens any more, and the finished report was served until then."""
    page = Page()
    page.follow(tmp_path)
    (tmp_path / "report.html").write_text("<p>the report</p>", "utf-8")
    page.finished()
    assert json.loads(ask(page, "state.json")[2])["report"] is True
    assert ask(page, "report.html")[2] == b"<p>the report</p>"
    page.close()
    with pytest.raises(ConnectionRefusedError):
        ask(page, "state.json")
