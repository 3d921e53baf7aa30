"""Whose rights a drill has: azure-identity's usual chain, pointed at the target's cloud, and told in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.credentials import Cloud, cloud_of
from failover_drill.errors import PlatformError, SettingsError
from failover_drill.guards import signed_in
from failover_drill.settings_targets import AzureTarget
from failover_drill.target import Target
from failover_drill.targets import azure_target
from tests.stage import COLD, Estate, estate

SLOT = "standby"
UNLIKELY = "proseware-eastus-a1b2c3d4e5f6a7b8.eastus-01.azurewebsites.net"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """An estate whose primary has a host name that nobody would guess, and whose secondary has a slot."""
    east, west = COLD["regions"]
    config = {**COLD, "regions": [{**east, "default_host": UNLIKELY}, west]}
    with estate(tmp_path_factory.mktemp("estate"), config) as running:
        yield running


def table(stage: Estate, **changed: object) -> AzureTarget:
    """What a drill.toml would say of the estate, as an Azure target."""
    return AzureTarget.model_validate({**described(stage), **changed})


def described(stage: Estate) -> dict[str, Any]:
    """The estate as a [target.NAME] of kind "azure"."""
    ready = stage.ready
    apps = {app["role"]: app for app in ready["web_apps"]}
    regions = {
        role: {
            "app": app["name"],
            "resource_group": app["resource_group"],
            "endpoint": app["endpoint"],
            "address": app["address"],
        }
        for role, app in apps.items()
    }
    return {
        "kind": "azure",
        "cloud": ready["arm_url"],
        "ca_file": ready["ca_file"],
        "subscription_id": ready["subscription_id"],
        "profile": ready["profile"],
        "profile_resource_group": ready["resource_groups"][0],
        "public_host": ready["public_host"],
        "scheme": "http",
        "port": ready["http_port"],
        "authorities": [ready["dns"]],
        "resolvers": {"users": ready["dns"]},
        "time_scale": ready["time_scale"],
        **regions,
    }


def managed_identity(stage: Estate) -> dict[str, str]:
    return {
        "IDENTITY_ENDPOINT": stage.ready["identity_endpoint"],
        "IDENTITY_HEADER": stage.ready["identity_header"],
    }


def client_secret(stage: Estate) -> dict[str, str]:
    return {
        "AZURE_TENANT_ID": stage.ready["tenant_id"],
        "AZURE_CLIENT_ID": stage.ready["client_id"],
        "AZURE_CLIENT_SECRET": stage.ready["client_secret"],
    }


def workload_identity(stage: Estate, where: Path) -> dict[str, str]:
    token = where / "federated-token"
    token.write_text("an assertion", "utf-8")
    return {
        "AZURE_TENANT_ID": stage.ready["tenant_id"],
        "AZURE_CLIENT_ID": stage.ready["client_id"],
        "AZURE_FEDERATED_TOKEN_FILE": str(token),
    }


@contextmanager
def only(environment: Mapping[str, str]) -> Iterator[None]:
    """Have these variables of azure-identity, and no other."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AZURE_", "IDENTITY_", "MSI_"))}
    with patch.dict(os.environ, {**kept, **environment}, clear=True):
        yield


def test_the_clouds() -> None:
    """Each cloud is asked for tokens of its own scope at its own authority; what drill.toml says takes their place."""
    assert cloud_of("public") == Cloud(
        "https://management.azure.com", "https://management.azure.com/.default", "", instance_discovery=True
    )
    assert cloud_of("china") == Cloud(
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn/.default",
        "login.chinacloudapi.cn",
        instance_discovery=True,
    )
    assert cloud_of("usgovernment") == Cloud(
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/.default",
        "login.microsoftonline.us",
        instance_discovery=True,
    )
    assert cloud_of("https://arm.local/", "https://login.local", "https://arm.local/id") == Cloud(
        "https://arm.local", "https://arm.local/id/.default", "https://login.local", instance_discovery=False
    )


@pytest.mark.parametrize("kind", ["ManagedIdentityCredential", "EnvironmentCredential", "WorkloadIdentityCredential"])
def test_the_usual_chain_signs_in(stage: Estate, kind: str, tmp_path: Path) -> None:
    """Each credential that a server has signs in at the target's own authority, and is told with its ids and its rights."""
    chosen = {
        "ManagedIdentityCredential": managed_identity(stage),
        "EnvironmentCredential": client_secret(stage),
        "WorkloadIdentityCredential": workload_identity(stage, tmp_path),
    }[kind]
    with only(chosen):
        target = azure_target(table(stage, authority=stage.ready["arm_url"]), "prod")
        platform = ArmPlatform(target)
        platform.profile_state(target.profile_id)
        said = signed_in(target, platform, lock_by_tag=True)
    assert said.startswith(f"{kind}, client id {stage.ready['client_id']}, object id ")
    assert said.endswith(f"tenant {stage.ready['tenant_id']}; may do all that a drill and its undo call")
    assert "\n" not in said
    assert "eyJ" not in said


def test_the_token_is_asked_for_the_cloud_itself(stage: Estate) -> None:
    """Without a scope of its own, a token for public Azure would be asked for: a real custom cloud refuses it."""
    with only(managed_identity(stage)):
        target = azure_target(table(stage), "prod")
        assert target.token_scope == f"{stage.ready['arm_url']}/.default"
        wrong = azure_target_with(target, "https://elsewhere.example/.default")
        with pytest.raises(PlatformError, match="InvalidAuthenticationTokenAudience"):
            ArmPlatform(wrong).profile_state(target.profile_id)


def azure_target_with(target: Target, scope: str) -> Target:
    from dataclasses import replace

    return replace(target, token_scope=scope)


def test_names_come_from_the_service(stage: Estate) -> None:
    """A host name is what `defaultHostName` says, however unlikely; none is built of the app's name."""
    with only(managed_identity(stage)):
        target = azure_target(table(stage), "prod")
    assert target.primary.default_host == UNLIKELY
    assert target.profile_fqdn == stage.ready["profile_fqdn"]


def test_nobody_signs_in(stage: Estate) -> None:
    """Without any credential the refusal is one line, and says what each of the usual ones lacks."""
    with only({}), pytest.raises(PlatformError, match="check the credential") as caught:
        azure_target(table(stage), "prod")
    said = str(caught.value)
    assert "\n" not in said
    assert "EnvironmentCredential: Environment variables are not fully configured; " in said
    assert "WorkloadIdentityCredential: The workload options are not fully configured; " in said
    assert "ManagedIdentityCredential: " in said
    assert "AzureCliCredential: " in said
    assert "BrokerCredential" not in said


def test_a_wrong_secret_is_said(stage: Estate) -> None:
    """Where a credential is there and refused, the line tells why, and never the secret."""
    with (
        only({**client_secret(stage), "AZURE_CLIENT_SECRET": "not-the-secret"}),
        pytest.raises(PlatformError) as caught,
    ):
        azure_target(table(stage), "prod")
    said = str(caught.value)
    assert "EnvironmentCredential: Authentication failed: " in said
    assert "\n" not in said
    assert "not-the-secret" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "there is no such file"), ("no certificate", "cannot be read as certificates; want a PEM file")],
)
def test_a_wrong_ca_file(stage: Estate, text: str | None, said: str, tmp_path: Path) -> None:
    """The CA file must hold certificates, or the line names target, key and file."""
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=rf"target\.prod\.ca_file = {file}: {said}"):
        azure_target(table(stage, ca_file=str(file)), "prod")


def test_a_slot_is_drilled_as_an_app(stage: Estate) -> None:
    """State, stop, start, settings, snapshot and rights of a deployment slot go to the slot, and leave the app alone."""
    with only(managed_identity(stage)):
        west = described(stage)["secondary"]
        production = azure_target(table(stage), "prod").secondary.app_id
        make_slot(stage, production)
        target = azure_target(table(stage, secondary={**west, "slot": SLOT}), "prod")
        platform, slot = ArmPlatform(target), target.secondary
        assert slot.app_id == f"{production}/slots/{SLOT}"
        assert slot.app == f"{west['app']}/{SLOT}"
        assert SLOT in slot.default_host
        platform.stop(slot.app_id)
        assert platform.app_state(slot.app_id).state == "Stopped"
        platform.start(slot.app_id)
        assert platform.app_state(slot.app_id).running
        assert platform.app_state(production).state == "Stopped"
        assert str(platform.snapshot(slot.app_id)["id"]).lower() == slot.app_id.lower()
        assert platform.setting_digests(slot.app_id) is not None
        assert "may do all" in signed_in(target, platform, lock_by_tag=True)


def make_slot(stage: Estate, app_id: str) -> None:
    """Create a deployment slot of an app, as `az webapp deployment slot create` does."""
    from azure.core.rest import HttpRequest
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.web import WebSiteManagementClient

    client = WebSiteManagementClient(
        DefaultAzureCredential(),
        stage.ready["subscription_id"],
        base_url=stage.ready["arm_url"],
        connection_verify=stage.ready["ca_file"],
    )
    body = {"location": "West US 3", "properties": {}, "tags": {"failover-drill": "allowed"}}
    url = f"{app_id}/slots/{SLOT}?api-version=2025-05-01"
    answer = client.send_request(
        HttpRequest("PUT", url, content=json.dumps(body), headers={"Content-Type": "application/json"})
    )
    answer.raise_for_status()
