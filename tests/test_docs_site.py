"""The site builds without a warning, leads nowhere that is not there, and asks nobody for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.pictures.__main__ import PICTURES, WHERE
from docs.settings_page import page as settings_page
from scripts.pages import pages
from tests.stage import ROOT

LOADS = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "object": "data",
    "use": "href",
}
FROM_ELSEWHERE = re.compile(r"^(https?:)?//")


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build *source* as `make docs` does."""
    strict = ("-q", "--fail-on-warning", "--keep-going", "-b", "html", "-c", str(ROOT / "docs"))
    command = [sys.executable, "-m", "sphinx", *strict, "-d", str(site / ".doctrees"), str(source), str(site)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built without a warning."""
    where = tmp_path_factory.mktemp("site")
    built = build(ROOT, where)
    assert (built.returncode, built.stdout) == (0, "")
    return where


class Loaded(HTMLParser):
    """What a browser fetches by itself to show a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in LOADS and told.get("rel") not in ("index", "search", "next", "prev", "canonical"):
            self.found.append(told.get(LOADS[tag]) or "")


def test_the_site_asks_nobody(site: Path) -> None:
    """No page and no style sheet loads a font, a script, a style or a picture from another place."""
    loaded = {each for page in site.rglob("*.html") for each in Loaded(page.read_text("utf-8")).found}
    styles = "".join(sheet.read_text("utf-8") for sheet in site.rglob("*.css"))
    loaded |= set(re.findall(r"""url\(\s*["']?([^"')]+)""", styles)) | set(
        re.findall(r"@import\s+[\"']([^\"']+)", styles)
    )
    assert len(loaded) > 10
    assert [each for each in loaded if FROM_ELSEWHERE.match(each)] == []


def test_every_page_is_there(site: Path) -> None:
    """The entry leads to the first page, and README, decisions and reports are pages as well."""
    assert "docs/index.html" in (site / "index.html").read_text("utf-8")
    for name in (
        "README.html",
        "docs/runbook.html",
        "docs/adr/0001-composition-beside-the-plugin.html",
        "reports/README.html",
    ):
        assert (site / name).is_file()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[gone](gone.md)", "gone.md"),
        ("[gone](there.md#nowhere)", "nowhere"),
        ("[gone](#nowhere)", "nowhere"),
        ("[gone](../drill.tml)", "drill.tml"),
        ("![gone](images/gone.svg)", "gone.svg"),
    ],
)
def test_a_dead_link_ends_the_build(tmp_path: Path, written: str, said: str) -> None:
    """A link to a page, an anchor, a file or a picture that is not there fails the build, which names it."""
    docs = tmp_path / "source" / "docs"
    docs.mkdir(parents=True)
    (docs / "index.md").write_text(
        f"# Here\n\n{written} [there](there.md#there)\n\n```{{toctree}}\nthere\n```\n", "utf-8"
    )
    (docs / "there.md").write_text("# There\n", "utf-8")
    built = build(tmp_path / "source", tmp_path / "site")
    assert built.returncode == 1
    assert built.stdout.count("WARNING") == 1, built.stdout
    assert said in built.stdout


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_current(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture is what `python -m docs.pictures` makes of its samples now."""
    monkeypatch.chdir(ROOT)
    drawn = (ROOT / WHERE / name).read_text("utf-8")
    assert drawn == PICTURES[name](), "python -m docs.pictures"


def test_the_settings_are_all_there() -> None:
    """docs/settings.md is what `python -m docs.settings_page` makes of the models: every key, its limits and its default."""
    written = (ROOT / "docs/settings.md").read_text("utf-8")
    assert written == settings_page(), "python -m docs.settings_page > docs/settings.md"


@pytest.mark.parametrize("page", pages())
def test_what_is_named_exists(page: str) -> None:
    """A test, a benchmark or a script that a page names is there."""
    named = re.findall(
        r"`((?:tests|benchmarks|scripts|examples|deploy|failover_drill|local_estate)/[\w/.-]+)`",
        (ROOT / page).read_text("utf-8"),
    )
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_the_readme_is_short() -> None:
    """README.md can be read in one go; the rest is in docs/."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 130
