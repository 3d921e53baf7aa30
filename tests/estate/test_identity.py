"""Tokens: who gets one, what is in it, and what ARM says to one that does not count."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_estate.identity import PUBLIC_AUDIENCES, Identity, Refused, check, issue
from tests.estate.running import AUDIENCE, QUICK, Running, fetch, running

WHO = Identity("t-1", "c-1", "o-1", "secret", "header", b"k" * 32, lifetime_s=100.0)
NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate"), QUICK) as estate:
        yield estate
        assert estate.said() == ""


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def test_a_token_is_good_until_its_time_and_for_its_audience() -> None:
    """It counts up to the second before its end; after that, for another audience, or signed by another key, it does not."""
    bearer = f"Bearer {issue(WHO, AUDIENCE, NOW)}"
    assert check(WHO, bearer, PUBLIC_AUDIENCES, NOW + 99)["oid"] == "o-1"
    for who, audiences, now, code in (
        (WHO, PUBLIC_AUDIENCES, NOW + 100, "ExpiredAuthenticationToken"),
        (WHO, frozenset({"https://graph"}), NOW, "InvalidAuthenticationTokenAudience"),
        (dataclasses.replace(WHO, key=b"x" * 32), PUBLIC_AUDIENCES, NOW, "InvalidAuthenticationToken"),
    ):
        with pytest.raises(Refused) as refused:
            check(who, bearer, audiences, now)
        assert refused.value.code == code


@given(st.integers(0, 10_000), st.characters(codec="ascii", exclude_characters="."))
def test_law_a_token_changed_anywhere_does_not_count(place: int, letter: str) -> None:
    """Changing any one character of a token makes it no token."""
    token = issue(WHO, AUDIENCE, NOW, 1)
    at = place % len(token)
    forged = token[:at] + letter + token[at + 1 :]
    if forged != token:
        with pytest.raises(Refused):
            check(WHO, f"Bearer {forged}", PUBLIC_AUDIENCES, NOW)


def test_a_token_names_its_tenant_audience_and_times(estate: Running) -> None:
    """What az reads from a token without verifying it is there."""
    claims = claims_of(estate.fresh_token("https://management.core.windows.net/"))
    assert claims["tid"] == estate.ready["tenant_id"]
    assert claims["aud"] == "https://management.core.windows.net/"
    assert claims["exp"] - claims["iat"] == 86_400


@pytest.mark.parametrize(
    ("bearer", "code"),
    [
        (None, "AuthenticationFailed"),
        ("Basic eDp5", "AuthenticationFailedInvalidHeader"),
        ("Bearer ", "AuthenticationFailedInvalidHeader"),
        ("Bearer x", "InvalidAuthenticationToken"),
        ("Bearer a.b.c", "InvalidAuthenticationToken"),
        ("Bearer é.é.é", "InvalidAuthenticationToken"),
    ],
)
def test_no_call_without_a_valid_token(estate: Running, bearer: str | None, code: str) -> None:
    """401 with ARM's code and a challenge, whatever is wrong with the token."""
    headers = {} if bearer is None else {"Authorization": bearer.encode("utf-8").decode("latin-1")}
    answer = fetch(
        "GET",
        f"{estate.ready['arm_url']}{estate.profile}?api-version=2022-04-01",
        headers,
        cafile=estate.ready["ca_file"],
    )
    assert (answer.status, answer.json["error"]["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith('Bearer authorization_uri="https://login.windows.net/')


def test_a_token_for_something_else_is_not_for_arm(estate: Running) -> None:
    """The audience counts; with and without the final slash, and for ARM's own address, it is right."""
    base = estate.ready["arm_url"]
    for audience, status in (
        ("https://graph.microsoft.com", 401),
        ("https://management.azure.com/", 200),
        (base, 200),
        (base + "/", 200),
    ):
        assert estate.arm("GET", estate.profile, token=estate.fresh_token(audience)).status == status


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("api-version=2019-08-01&resource=r", {}, 401),
        ("api-version=2019-08-01&resource=r", {"X-IDENTITY-HEADER": "wrong"}, 401),
        ("api-version=2019-08-01", {"X-IDENTITY-HEADER": "{header}"}, 400),
        ("resource=r", {"X-IDENTITY-HEADER": "{header}"}, 400),
        ("api-version=2019-08-01&resource=r&client_id=nobody", {"X-IDENTITY-HEADER": "{header}"}, 400),
        ("api-version=2019-08-01&resource=r&mi_res_id=/subscriptions/s/none", {"X-IDENTITY-HEADER": "{header}"}, 400),
        ("api-version=2019-08-01&resource=r&client_id={client}", {"X-IDENTITY-HEADER": "{header}"}, 200),
    ],
)
def test_the_app_service_protocol(estate: Running, query: str, headers: dict[str, str], status: int) -> None:
    """A token only with the right header, version, resource and identity; refusals have the protocol's shape."""
    filled = {k: v.format(header=estate.ready["identity_header"]) for k, v in headers.items()}
    url = f"{estate.ready['identity_endpoint']}?{query.format(client=estate.ready['client_id'])}"
    answer = fetch("GET", url, filled)
    assert answer.status == status
    body = answer.json
    assert isinstance(body["expires_on"], str) if status == 200 else body["statusCode"] == status


def test_the_imds_protocol(estate: Running) -> None:
    """IMDS wants its Metadata header, gives expires_in, and says in its own way that an identity is not there."""
    base = (
        estate.ready["identity_endpoint"].removesuffix("/msi/token")
        + "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=r"
    )
    assert fetch("GET", base).status == 400
    assert fetch("GET", base, {"Metadata": "true"}).json["expires_in"] == "86400"
    nobody = fetch("GET", f"{base}&client_id=nobody", {"Metadata": "true"})
    assert nobody.status == 400
    assert nobody.json == {"error": "invalid_request", "error_description": "Identity not found"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, None),
        ({"client_secret": "", "client_assertion": "a.b.c"}, None),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "nobody"}, "unauthorized_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_the_token_endpoint_of_entra(estate: Running, changes: dict[str, str], error: str | None) -> None:
    """A secret or an assertion of the one principal gives a token for the scope's audience; anything else is refused."""
    ready = estate.ready
    form = {
        "grant_type": "client_credentials",
        "client_id": ready["client_id"],
        "client_secret": ready["client_secret"],
        "scope": "https://management.azure.com/.default",
        **changes,
    }
    url = f"{ready['arm_url']}/{ready['tenant_id']}/oauth2/v2.0/token"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = fetch("POST", url, kind, urlencode(form).encode(), cafile=ready["ca_file"])
    if error:
        assert answer.json["error"] == error
    else:
        assert claims_of(answer.json["access_token"])["aud"] == "https://management.azure.com"


def test_tokens_outlive_a_restart_with_the_same_run_directory(tmp_path: Path) -> None:
    """An SDK keeps its token for hours: with a configured run directory and identity it still counts after a restart."""
    fixed = {"tenant_id": "11111111-1111-1111-1111-111111111111", "client_id": "22222222-2222-2222-2222-222222222222"}
    config = {**QUICK, "run_dir": str(tmp_path / "run"), "identity": fixed, "subscription_id": fixed["tenant_id"]}
    with running(tmp_path, config) as first:
        token = first.token
    with running(tmp_path, config) as second:
        assert second.arm("GET", second.profile, token=token).status == 200


def test_a_short_lived_token_expires(tmp_path: Path) -> None:
    """The lifetime is a setting; past it, ARM says expired."""
    with running(tmp_path, {**QUICK, "identity": {"token_lifetime_s": 0.001}}) as estate:
        assert (
            estate.arm("GET", estate.profile, token=estate.fresh_token()).json["error"]["code"]
            == "ExpiredAuthenticationToken"
        )
