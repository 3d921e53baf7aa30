"""The settings that a report shows: all that is set, nothing that is secret."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from failover_drill.settings import Settings, load
from failover_drill.settings_shown import LEFT_OUT, shown
from tests.stage import ROOT


class Loose(BaseModel):
    """Settings with keys that drill.toml does not have (yet)."""

    notify: dict[str, Any]
    target: dict[str, Any] = {}


def test_what_is_set_is_shown() -> None:
    """Tables are flattened, lists joined, numbers written as in drill.toml; what is empty is not shown."""
    told = shown(load(ROOT / "drill.toml", {}), "local")
    assert told["traffic.rate"] == "50"
    assert told["traffic.mix.fresh"] == "70"
    assert told["objectives.judged"] == "fresh, keepalive"
    assert told["safety.check_rights"] == "true"
    assert told["estate.regions.2.state"] == "Stopped"
    assert "abort.budget_above" not in told
    assert "traffic.expect_content" not in told


def test_only_the_drilled_target_is_shown() -> None:
    """Subscriptions and names of other targets are nobody's business who reads this report."""
    told = shown(Settings.model_validate({"target": {"local": {"kind": "local"}, "other": {"kind": "local"}}}), "other")
    assert {name.rsplit(".", 1)[0] for name in told if name.startswith("target.")} == {"target.other"}


def test_secrets_are_left_out() -> None:
    """Whatever is called a token or a password is left out, and of a URL all but the place that it leads to."""
    secret = "hunter2"
    told = shown(
        Loose(
            notify={
                "api_key": secret,
                "bearer_token": secret,
                "headers": {"Authorization": secret},
                "webhook": f"https://me:{secret}@hooks.example/{secret}?{secret}",
                "plain": "https://hooks.example:8443/",
            }
        ),
        "local",
    )
    assert secret not in str(told)
    assert told["notify.api_key"] == LEFT_OUT
    assert told["notify.webhook"] == "https://hooks.example/… (the rest is left out)"
    assert told["notify.plain"] == "https://hooks.example:8443"
