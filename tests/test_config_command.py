"""`failover-drill config`: what drill.toml says is shown without its secrets, and editors are told its form."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from failover_drill import config_command
from failover_drill.errors import SettingsError
from failover_drill.settings import schema

ROOT = Path(__file__).resolve().parent.parent
PLANTED = "s3cr3t-planted"


def written(where: Path, text: str) -> Path:
    file = where / "drill.toml"
    file.write_text(text, "utf-8")
    return file


def test_secrets_are_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Passwords and tokens, under their own key or in a URL, are hidden; addresses stay."""
    text = f"""
        [traffic]
        control_url = "https://ann:{PLANTED}@control.example:8443/ping?sig={PLANTED}"
        [estate.identity]
        client_secret = "{PLANTED}"
        tokens = ["{PLANTED}"]
    """
    config_command.show(written(tmp_path, text))
    said = capsys.readouterr().out
    assert PLANTED not in said
    told = json.loads(said)
    assert told["traffic"]["control_url"] == "https://(hidden)@control.example:8443/ping?(hidden)"
    assert told["traffic"]["region_header"] == "X-Region"


def test_the_environment_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in force is shown: an override from the environment, too."""
    monkeypatch.setenv("FAILOVER_DRILL__TRAFFIC__RATE", "250")
    config_command.show(written(tmp_path, "[traffic]\nrate = 10"))
    assert json.loads(capsys.readouterr().out)["traffic"]["rate"] == 250


def test_the_committed_schema_is_current() -> None:
    """docs/drill.schema.json is what `failover-drill config schema` prints, and drill.toml leads editors to it."""
    committed = (ROOT / "docs" / "drill.schema.json").read_text("utf-8")
    assert json.loads(committed) == schema(), "failover-drill config schema > docs/drill.schema.json"
    assert (ROOT / "drill.toml").read_text("utf-8").startswith("#:schema docs/drill.schema.json\n")


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ((ROOT / "drill.toml").read_text("utf-8"), True),
        ("[objectives]\nrto = 60", False),
        ("[traffic]\nrate = 0", False),
        ('[target.prod]\nkind = "azure"', False),
        ('[safety]\nsubscriptions = ["mine"]', False),
    ],
)
def test_an_editor_sees_what_we_see(text: str, good: bool) -> None:
    """The schema is a schema, takes our drill.toml, and refuses misspelt keys and values out of bounds."""
    form: dict[str, Any] = schema()
    jsonschema.Draft202012Validator.check_schema(form)
    assert jsonschema.Draft202012Validator(form).is_valid(tomllib.loads(text)) is good


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[drill]\ntarget = "prod"', "drill.target = 'prod': there is no such target; there are local"),
        ('[traffic]\nlocustfile = "mine.py"', "traffic.locustfile = 'mine.py': there is no such file"),
    ],
)
def test_what_is_named_must_be_there(tmp_path: Path, text: str, said: str) -> None:
    """`config check` looks for the targets and files that the settings name."""
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        config_command.check(file)
    assert str(caught.value) == f"{file}: {said}"


def test_check_names_the_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good file is said to be one, with what it can drill."""
    config_command.check(written(tmp_path, ""))
    assert "as it should be; targets: local (local)" in capsys.readouterr().out
