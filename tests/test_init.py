"""`failover-drill init` finds the pair, asks, and writes a drill.toml that can be read; on the estate, by the azure path."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from failover_drill.discovered import App, Endpoint, Profile, Sight, door, hosts, region_table, why_none
from failover_drill.errors import SettingsError
from failover_drill.init_command import Wishes, chosen, pair_of, target_table, with_target, written
from failover_drill.settings import load
from failover_drill.settings_targets import AzureTarget
from tests.stage import ROOT, Estate, estate
from tests.test_credentials import described, managed_identity

SUB = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as running:
        yield running


def command(stage: Estate, *more: str) -> list[str]:
    where = [
        "--cloud",
        stage.ready["arm_url"],
        "--ca-file",
        stage.ready["ca_file"],
        "--name-server",
        stage.ready["dns"],
    ]
    program = "from failover_drill.cli import main; main()"
    return [sys.executable, "-c", program, "init", *where, "--resolver", f"users={stage.ready['dns']}", *more]


def environment(stage: Estate) -> dict[str, str]:
    return {**os.environ, **managed_identity(stage), "PYTHONPATH": str(ROOT), "COLUMNS": "200", "TERM": "dumb"}


def init(stage: Estate, where: Path, *more: str) -> subprocess.CompletedProcess[str]:
    told = {"cwd": where, "env": environment(stage), "stdin": subprocess.DEVNULL}
    return subprocess.run(command(stage, *more), **told, capture_output=True, text=True, timeout=240)  # type: ignore[call-overload, no-any-return]


def test_the_pair_is_found(stage: Estate, tmp_path: Path) -> None:
    """Without a terminal the proposal is taken; what is written is the estate, and can be read again."""
    done = init(stage, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "signed in: ManagedIdentityCredential, client id" in done.stdout
    settings = load(tmp_path / "drill.toml", {})
    wanted = AzureTarget.model_validate({**described(stage), "time_scale": 1})
    assert settings.target["prod"] == wanted
    assert settings.safety.subscriptions == (stage.ready["subscription_id"],)
    assert settings.drill.target == "local"
    assert stage.writes() == []
    assert not (tmp_path / "drill.toml.new").exists()


def test_it_asks(stage: Estate, tmp_path: Path) -> None:
    """At a terminal each choice is asked for: a number, a name, or Enter for what is proposed; nonsense is asked again."""
    done, said = at_a_terminal(stage, tmp_path, ["2", "", "9", "2", "eastus2", "", "2", "/ready"])
    assert done == 0, said
    table = load(tmp_path / "drill.toml", {}).target["prod"]
    assert isinstance(table, AzureTarget)
    assert (table.primary.endpoint, table.secondary.endpoint) == ("westus3", "eastus")
    assert (table.public_host, table.health_path) == (stage.ready["profile_fqdn"], "/ready")
    assert "9: one of eastus, westus3, or its number" in said
    assert "2: only proseware can be" in said
    assert "eastus2: only eastus can be" in said


def at_a_terminal(stage: Estate, where: Path, answers: list[str]) -> tuple[int, str]:
    """Run `init` on a terminal of its own and give *answers*, one a question."""
    ours, theirs = os.openpty()
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    try:
        done = subprocess.run(
            command(stage), cwd=where, env=environment(stage), stdin=theirs, capture_output=True, text=True, timeout=240
        )
    finally:
        os.close(theirs)
        os.close(ours)
    return done.returncode, done.stdout + done.stderr


def test_a_file_that_is_there_is_kept(stage: Estate, tmp_path: Path) -> None:
    """Nothing is overwritten without --force; with it only the target is, and every comment stays."""
    file = tmp_path / "drill.toml"
    file.write_text("# ours\n[traffic]\nrate = 77 # enough\n", "utf-8")
    refused = init(stage, tmp_path)
    assert refused.returncode == 254
    assert refused.stderr.startswith("drill.toml: there is such a file; --force adds or replaces [target.prod] in it")
    assert len(refused.stderr.splitlines()) == 1
    assert init(stage, tmp_path, "--force", "--name", "dr").returncode == 0
    assert init(stage, tmp_path, "--force").returncode == 0
    text = file.read_text("utf-8")
    assert text.startswith("# ours\n[traffic]\nrate = 77 # enough\n")
    assert set(load(file, {}).target) == {"local", "dr", "prod"}
    assert text.count(stage.ready["subscription_id"]) == 3  # two targets, and once on the allow-list


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cloud", "germany"), 'cloud = \'germany\': must be "public", "china"'),
        (("--ca-file", "/nowhere.pem"), "/nowhere.pem: there is no such file"),
        (("--subscription", "mine"), "subscription_id = 'mine': must be the id of a subscription"),
        (("--profile", "other"), "--profile other: there is no such profile with two web apps; there are: proseware"),
        (("--resolver", "10.0.0.53"), "--resolver 10.0.0.53: must be NAME=IP:PORT"),
        (("--subscription", "00000000-0000-0000-0000-000000000000"), "look around in 00000000"),
    ],
)
def test_a_mistake_is_one_line(stage: Estate, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """What is wrong on the command line, or not there, is named; nothing is written."""
    done = init(stage, tmp_path, *arguments)
    assert done.returncode != 0
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "drill.toml").exists()


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ("[target\n", "drill.toml: not valid TOML: "),
        ("target = 3\n", "drill.toml: target = 3: should be a table"),
        ("[traffic]\nrate = -1\n", "drill.toml: traffic.rate = -1: should be greater than 0"),
    ],
)
def test_a_broken_file_is_left_alone(tmp_path: Path, present: str, said: str) -> None:
    """Where drill.toml cannot be read, with the target or without it, one line says why, and it stays as it was."""
    file = tmp_path / "drill.toml"
    file.write_text(present, "utf-8")
    with pytest.raises(SettingsError) as caught:
        written(file, "prod", a_table())
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(said)
    assert "\n" not in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["drill.toml"]
    assert file.read_text("utf-8") == present


def a_table() -> dict[str, Any]:
    """[target.prod] as `init` makes it."""
    return {"kind": "azure", **target_table(SIGHT, PROFILE, pair_of(SIGHT, PROFILE, Wishes()), Wishes())}


def an_app(name: str, *hosts_: str, secured: tuple[str, ...] = ()) -> App:
    return App(
        f"{SUB}/rg/providers/Microsoft.Web/sites/{name}", f"{name}.azurewebsites.net", hosts_, frozenset(secured)
    )


ONE, TWO = an_app("one", "www.x.com", "a.x.com", secured=("www.x.com",)), an_app("two", "www.x.com")
PROFILE = Profile(
    f"{SUB}/rg/providers/Microsoft.Network/trafficManagerProfiles/p", "p.trafficmanager.net", "Priority", "HTTP", 80, "/up",
    (Endpoint("b", TWO.id, True, 2), Endpoint("x", "", True, 3), Endpoint("a", ONE.id, True, 1)),
)  # fmt: skip
SIGHT = Sight((PROFILE,), {app.id.lower(): app for app in (ONE, TWO)})


def test_the_first_by_priority_is_the_primary() -> None:
    """Of the endpoints that lead to apps, the enabled one that comes first serves; a disabled one stands by."""
    assert [each.name for each in pair_of(SIGHT, PROFILE, Wishes())] == ["a", "b"]
    off = replace(PROFILE, endpoints=(Endpoint("a", ONE.id, False, 1), PROFILE.endpoints[0]))
    assert [each.name for each in SIGHT.pairable(off)] == ["b", "a"]


def test_the_name_is_one_of_both_apps() -> None:
    """Proposed are the custom domains that both apps know, and the profile's own name at last."""
    assert hosts(SIGHT, PROFILE, *pair_of(SIGHT, PROFILE, Wishes())) == ("www.x.com", "p.trafficmanager.net")


def test_the_door_of_users() -> None:
    """Users come by https where there is a certificate; probes on a port of their own are followed there."""
    assert door(PROFILE, ONE, "www.x.com") == ("https", 443)
    assert door(PROFILE, TWO, "www.x.com") == ("http", 80)
    odd = Profile(PROFILE.id, PROFILE.fqdn, "Priority", "HTTP", 8080, "/", PROFILE.endpoints)
    assert door(odd, ONE, "www.x.com") == ("http", 8080)


def test_a_slot_is_written_as_one() -> None:
    """An endpoint that leads to a deployment slot gives app and slot."""
    table = region_table(Endpoint("a", f"{ONE.id}/slots/standby", True, 1))
    assert (table["app"], table["slot"], table["resource_group"]) == ("one", "standby", "rg")


def test_what_cannot_be_chosen_is_said() -> None:
    """No profile, no pair, or several: one line each says which."""
    assert "sees no Traffic Manager profile in any subscription" in why_none(Sight((), {}), ())
    with pytest.raises(SettingsError, match="no profile leads to two web apps that this identity sees; it sees p in"):
        chosen(Sight((PROFILE,), {}), ["s"], Wishes())
    other = Profile(PROFILE.id + "2", "p2", "Priority", "HTTP", 80, "/", PROFILE.endpoints)
    with pytest.raises(SettingsError, match="several profiles could be drilled: p, p2; name one with --profile"):
        chosen(Sight((PROFILE, other), SIGHT.apps), [], Wishes())


def test_profiles_of_one_name_are_told_apart() -> None:
    """A name is unique in its resource group only: where two have it each is called by its id, and can be meant by it."""
    twin = replace(PROFILE, id=PROFILE.id.replace("/rg/", "/other/"))
    both = Sight((PROFILE, twin), SIGHT.apps)
    with pytest.raises(SettingsError, match=rf"several profiles could be drilled: {PROFILE.id}, {twin.id}; name one"):
        chosen(both, [], Wishes("P"))
    assert chosen(both, [], Wishes(twin.id)) == twin
    assert chosen(both, [], Wishes(ask=lambda what, proposals, *, free=False: proposals[1])) == twin


def test_a_new_target_stands_by_itself() -> None:
    """In the settings that are shipped the target comes after the others, between empty lines."""
    text = with_target((ROOT / "drill.toml").read_text("utf-8"), "prod", a_table())
    before, _, after = text.partition("[target.prod]\n")
    assert before.splitlines()[-2].startswith("rpo_s")
    assert before.endswith("\n\n")
    assert "\n\n[estate]" in after


def test_a_target_takes_its_place() -> None:
    """Written again, a target is replaced, and its subscription is on the allow-list once."""
    table = {"kind": "azure", "subscription_id": "s", "primary": {"app": "one"}}
    once = with_target("", "prod", table)
    assert with_target(once, "prod", table) == once
    assert tomlkit.parse(once).unwrap() == {"target": {"prod": table}, "safety": {"subscriptions": ["s"]}}
