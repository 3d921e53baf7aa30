"""drill.toml is read strictly: what is wrong is said in one line that names file, key, value and what would be right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tomlkit

from failover_drill.errors import SettingsError
from failover_drill.facts import Population
from failover_drill.settings import Settings, load, runs_kept
from failover_drill.settings_tables import status_ranges
from failover_drill.settings_targets import AzureTarget
from failover_drill.target import DataProbe
from tests.test_target import a_target

ROOT = Path(__file__).resolve().parent.parent


def read(tmp_path: Path, text: str, **environment: str) -> Settings:
    file = tmp_path / "drill.toml"
    file.write_text(text, "utf-8")
    return load(file, environment)


def test_the_committed_settings_are_valid() -> None:
    """The drill.toml at the root can be read as it stands."""
    assert load(ROOT / "drill.toml", {}).drill.name == "proseware"


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
        ('[target.prod]\nkind = "aws"', 'target.prod.kind = \'aws\': should be "local" or "azure"'),
        ('[target.local]\nkind = "aws"', 'target.local.kind = \'aws\': should be "local" or "azure"'),
        ('[target.local]\nkind = "local"\nspeed = 1', "target.local.speed = 1: there is no such key"),
        ("target = 1", "target = 1: should be a table of targets"),
        ('[target.prod]\nkind = "azure"', "target.prod.subscription_id is missing"),
        ('[safety]\nsubscriptions = ["mine"]', "safety.subscriptions.0 = 'mine': must be the id of a subscription"),
        ("[objectives", "not valid TOML"),
        ("[objectives]\njudged = []", "objectives.judged = []: should name one at least"),
        ('[objectives]\njudged = "fresh"', "objectives.judged = 'fresh': should be a list"),
        ("traffic = 3", "traffic = 3: should be a table"),
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


def test_a_whole_table_is_named_by_its_keys(tmp_path: Path) -> None:
    """What is wrong with a pair is said in a line that can be read: the keys of its table, not all of their values."""
    with pytest.raises(SettingsError) as caught:
        read_azure(tmp_path, secondary=AZURE["primary"])
    keys = ", ".join(AZURE)
    assert str(caught.value).endswith(f"target.prod = {{{keys}}}: primary and secondary have the same endpoint, one")


def test_where_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where drill.toml or the environment says, even if the rest of the file is wrong; never guessed where it is no TOML."""
    file = tmp_path / "drill.toml"
    assert runs_kept(None, file) == Path("reports")
    file.write_text('[drill]\nreports = "/srv/runs"\nnonsense = 1', "utf-8")
    assert runs_kept(None, file) == Path("/srv/runs")
    assert runs_kept(Path("asked"), file) == Path("asked")
    monkeypatch.setenv("FAILOVER_DRILL__DRILL__REPORTS", "/mnt/runs")
    assert runs_kept(None, file) == Path("/mnt/runs")
    file.write_text("[drill", "utf-8")
    with pytest.raises(SettingsError, match="not valid TOML"):
        runs_kept(None, file)


def test_a_wrong_override_is_an_error(tmp_path: Path) -> None:
    """A misspelt override must not be no override, whether table or key is wrong."""
    with pytest.raises(SettingsError, match=r"traffic\.rat = 250: there is no such key"):
        read(tmp_path, "", FAILOVER_DRILL__TRAFFIC__RAT="250")
    with pytest.raises(SettingsError, match=r"trafic = .*: there is no such key"):
        read(tmp_path, "", FAILOVER_DRILL__TRAFIC__RATE="250")


def test_what_the_environment_got_wrong_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    """The message names the variable whose value is wrong, and the file only for what stands in it."""
    with pytest.raises(SettingsError) as caught:
        read(
            tmp_path, "[objectives]\nrto_s = -1", FAILOVER_DRILL__TRAFFIC__RATE="abc", FAILOVER_DRILL__DRILL__NAME="x1"
        )
    said = str(caught.value)
    assert "drill.toml: objectives.rto_s = -1: should be greater than 0" in said
    assert "FAILOVER_DRILL__TRAFFIC__RATE: traffic.rate = 'abc': should be a valid number" in said
    assert "drill.toml: traffic" not in said


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


AZURE = {
    "kind": "azure",
    "subscription_id": "00000000-0000-0000-0000-000000000000",
    "profile": "proseware",
    "profile_resource_group": "rg-global",
    "public_host": "www.proseware.com",
    "primary": {"app": "one", "resource_group": "rg-one", "endpoint": "one"},
    "secondary": {"app": "two", "resource_group": "rg-two", "endpoint": "two"},
}


def read_azure(tmp_path: Path, **changed: object) -> Settings:
    table = {key: value for key, value in {**AZURE, **changed}.items() if value is not None}
    return read(tmp_path, tomlkit.dumps({"target": {"prod": table}}))


def test_any_number_of_targets(tmp_path: Path) -> None:
    """Targets stand beside each other, and the local one is always among them."""
    text = tomlkit.dumps({"target": {"prod": AZURE, "stage": {**AZURE, "cloud": "china"}}})
    assert set(read(tmp_path, text).target) == {"prod", "stage", "local"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cloud": "germany"}, "target.prod.cloud = 'germany': must be \"public\", \"china\", \"usgovernment\" or the https://"),
        ({"cloud": "http://localhost:1"}, "target.prod.cloud = 'http://localhost:1': must be"),
        ({"subscription_id": "mine"}, "target.prod.subscription_id = 'mine': must be the id of a subscription"),
        ({"profile": "a/b"}, "target.prod.profile = 'a/b': must be the name of a resource alone"),
        ({"profile": None}, "target.prod.profile is missing"),
        ({"public_host": "https://www.x.com/"}, "target.prod.public_host = 'https://www.x.com/': must be a host name alone"),
        ({"resolvers": {"office": "dns.x.com"}}, "target.prod.resolvers.office = 'dns.x.com': must be the address of a name"),
        ({"authorities": ["1.2.3.4:x"]}, "target.prod.authorities.0 = '1.2.3.4:x': must be the address of a name server"),
        ({"authority": "login.x.com"}, "target.prod.authority = 'login.x.com': must be an https:// URL"),
        ({"health_path": "health"}, "target.prod.health_path = 'health'"),
        ({"port": 0}, "target.prod.port = 0"),
        ({"data_probe": "data"}, "target.prod.data_probe = 'data': must be a path such as \"/data\", or empty for no probe"),
        ({"data_probe": "/data/"}, "target.prod.data_probe = '/data/': must be a path"),
        ({"data_probe_rate": 0}, "target.prod.data_probe_rate = 0"),
        ({"data_probe_token_variable": "A B"}, "target.prod.data_probe_token_variable = 'A B': must be the name of a variable"),
        ({"primary": {**AZURE["primary"], "slot": "a/b"}}, "target.prod.primary.slot = 'a/b': must be the name of a deployment"),  # type: ignore[dict-item]
        ({"primary": {**AZURE["primary"], "address": "here"}}, "target.prod.primary.address = 'here': must be an IP address"),  # type: ignore[dict-item]
        ({"primary": {**AZURE["primary"], "endpoint": "two"}}, "primary and secondary have the same endpoint, two"),  # type: ignore[dict-item]
        ({"secondary": {**AZURE["primary"], "endpoint": "x"}}, "primary and secondary are the same app, one"),  # type: ignore[dict-item]
        ({"secondry": {}}, "target.prod.secondry = {}: there is no such key"),
    ],
)  # fmt: skip
def test_a_wrong_target_is_one_line(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    """Each key of an Azure target is checked when the file is read, and the message says what would be right."""
    with pytest.raises(SettingsError) as caught:
        read_azure(tmp_path, **changed)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_estate_has_a_data_probe_and_azure_none_until_named(tmp_path: Path) -> None:
    """The local estate's is at /data; an Azure app's is where the settings say, at the rate and with the token they name."""
    found = read_azure(tmp_path).target
    assert (found["local"].probe, found["prod"].probe) == (DataProbe("/data", 10.0), None)
    table = read_azure(tmp_path, data_probe="/api/probe", data_probe_rate=2, data_probe_token_variable="PROBE").target[
        "prod"
    ]
    assert table.probe == DataProbe("/api/probe", 2.0, "PROBE")


def test_a_target_may_have_a_data_loss_objective_of_its_own(tmp_path: Path) -> None:
    """Where a target names none, that of [objectives] holds."""
    found = read_azure(tmp_path, rpo_s=30)
    assert found.objectives_for(replace(a_target(), rpo_s=30.0)).rpo_s == found.target["prod"].rpo_s == 30
    assert found.objectives_for(a_target()).rpo_s is None


def test_a_slot_is_another_app(tmp_path: Path) -> None:
    """Two slots of one app are a pair; a name server without a port has the usual one."""
    other = {**AZURE["primary"], "endpoint": "x", "slot": "standby"}  # type: ignore[dict-item]
    table = read_azure(tmp_path, secondary=other, resolvers={"office": "10.0.0.53"}).target["prod"]
    assert isinstance(table, AzureTarget)
    assert (table.secondary.slot, table.resolvers["office"]) == ("standby", "10.0.0.53:53")
