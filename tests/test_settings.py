"""drill.toml is read strictly: what is wrong is said in one line that names file, key, value and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from failover_drill.errors import SettingsError
from failover_drill.facts import Population
from failover_drill.settings import Settings, load, status_ranges

ROOT = Path(__file__).resolve().parent.parent


def read(tmp_path: Path, text: str, **environment: str) -> Settings:
    file = tmp_path / "drill.toml"
    file.write_text(text, "utf-8")
    return load(file, environment)


def test_the_committed_settings_are_valid() -> None:
    """The drill.toml at the root can be read as it stands."""
    assert load(ROOT / "drill.toml", {}).drill.name == "proseware-failover"


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    """Every setting has a default, among them the local target."""
    settings = read(tmp_path, "")
    assert settings.objectives.values().judged == (Population.FRESH, Population.KEEPALIVE)
    assert list(settings.target) == ["local"]


def test_shares_become_fractions(tmp_path: Path) -> None:
    """Objectives are written in percent and days, and judged in fractions and seconds."""
    objectives = read(
        tmp_path, "[objectives]\navailability = 99.9\nwindow_days = 30\ndrill_share = 10"
    ).objectives.values()
    assert objectives.availability == pytest.approx(0.999)
    assert objectives.window_s == 2_592_000
    assert objectives.drill_share == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[objectives]\nrto = 60", "objectives.rto = 60: there is no such key"),
        ("[objectives]\nrto_s = -1", "objectives.rto_s = -1: should be greater than 0"),
        ("[objectives]\navailability = 100", "objectives.availability = 100: should be less than 100"),
        ("[traffic]\nmix = { fresh = 50 }", "fresh, keepalive and sticky must sum to 100"),
        ('[traffic]\nexpect_status = "2xx"', "traffic.expect_status = '2xx': must be statuses and ranges"),
        ('[target.prod]\nscheme = "https"', 'target.prod.kind is missing; "local" or "azure" would be right'),
        ('[target.prod]\nkind = "aws"', "target.prod"),
        ('[target.prod]\nkind = "azure"', "target.prod.subscription_id is missing"),
        ("[objectives", "not valid TOML"),
        ('[drill]\nname = "../../etc"', "drill.name = '../../etc'"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    """The message names the file, the key and the value, says what would be right, and has no second line."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert said in message
    assert message.startswith(str(tmp_path / "drill.toml"))
    assert "\n" not in message


def test_an_absent_file_says_so(tmp_path: Path) -> None:
    """A missing drill.toml is named by its path."""
    with pytest.raises(SettingsError, match=r"drill\.toml: there is no such file"):
        load(tmp_path / "drill.toml")


def test_the_environment_overrides(tmp_path: Path) -> None:
    """FAILOVER_DRILL__TABLE__KEY lays a TOML value over the file's."""
    settings = read(
        tmp_path, "[traffic]\nrate = 10", FAILOVER_DRILL__TRAFFIC__RATE="250", FAILOVER_DRILL__DRILL__NAME="x1"
    )
    assert (settings.traffic.rate, settings.drill.name) == (250, "x1")


def test_a_wrong_override_is_an_error(tmp_path: Path) -> None:
    """A misspelt override must not be no override, whether table or key is wrong."""
    with pytest.raises(SettingsError, match=r"traffic\.rat = 250: there is no such key"):
        read(tmp_path, "", FAILOVER_DRILL__TRAFFIC__RAT="250")
    with pytest.raises(SettingsError, match=r"trafic = .*: there is no such key"):
        read(tmp_path, "", FAILOVER_DRILL__TRAFIC__RATE="250")


@pytest.mark.parametrize(
    ("text", "ranges"),
    [("200", ((200, 200),)), ("200-399", ((200, 399),)), ("200-299, 404", ((200, 299), (404, 404)))],
)
def test_status_ranges(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    """Statuses and ranges are read as inclusive pairs."""
    assert status_ranges(text) == ranges


@pytest.mark.parametrize("text", ["", "99", "600", "399-200", "200-", "a-b"])
def test_a_wrong_range_is_refused(text: str) -> None:
    """What is no status, or runs backwards, is refused."""
    with pytest.raises(ValueError, match="must be statuses and ranges"):
        status_ranges(text)
