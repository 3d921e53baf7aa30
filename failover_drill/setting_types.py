"""The kinds of value that drill.toml holds: what each must look like, and what is said where it does not. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from failover_drill.errors import SettingsError
from failover_drill.traffic import server_address

GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
RESOURCE_NAME = r"[A-Za-z0-9_().-]{1,90}"
HOST_NAME = r"([A-Za-z0-9_]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HTTPS_URL = r"https://[A-Za-z0-9.\[\]:-]+(/\S*)?"
PROBE_PATH = r"/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]"
VARIABLE = r"([A-Za-z_][A-Za-z0-9_]*)?"
CLOUDS = ("public", "china", "usgovernment")


def _like(pattern: str, right: str) -> Callable[[str], str]:
    """Return a validator that wants the whole text to match *pattern*, and says *right* where it does not."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(right)
        return text

    return check


def _name_server(text: str) -> str:
    try:
        server_address(text)
    except SettingsError:
        raise ValueError('must be the address of a name server, such as "10.0.0.53:53"') from None
    return text if re.search(r"[\d\]]:\d+$", text) else f"{text}:53"


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        raise ValueError('must be an IP address, such as "10.0.0.4"') from None


_CLOUD = f"{'|'.join(CLOUDS)}|{HTTPS_URL}"
_CLOUD_RIGHT = 'must be "public", "china", "usgovernment" or the https:// URL of a Resource Manager'

Seconds = Annotated[float, Field(gt=0, le=86_400)]
PlainPath = Annotated[str, Field(pattern=r"^/\S*$")]
SubscriptionId = Annotated[
    str,
    AfterValidator(_like(GUID, 'must be the id of a subscription, such as "00000000-0000-0000-0000-000000000000"')),
    Field(json_schema_extra={"pattern": f"^{GUID}$"}),
]
ResourceName = Annotated[
    str,
    AfterValidator(_like(RESOURCE_NAME, "must be the name of a resource alone, not its id")),
    Field(json_schema_extra={"pattern": f"^{RESOURCE_NAME}$"}),
]
SlotName = Annotated[
    str,
    AfterValidator(_like(r"[A-Za-z0-9-]{0,59}", 'must be the name of a deployment slot, such as "staging"')),
    Field(json_schema_extra={"pattern": "^[A-Za-z0-9-]{0,59}$"}),
]
ProbePath = Annotated[
    str,
    AfterValidator(_like(f"({PROBE_PATH})?", 'must be a path such as "/data", or empty for no probe')),
    Field(json_schema_extra={"pattern": f"^({PROBE_PATH})?$"}),
]
VariableName = Annotated[
    str,
    AfterValidator(_like(VARIABLE, 'must be the name of a variable, such as "PROBE_TOKEN", never its value')),
    Field(json_schema_extra={"pattern": f"^{VARIABLE}$"}),
]
HostName = Annotated[
    str,
    AfterValidator(_like(HOST_NAME, 'must be a host name alone, such as "www.example.com"')),
    Field(json_schema_extra={"pattern": f"^{HOST_NAME}$"}),
]
Address = Annotated[str, AfterValidator(_address)]
NameServer = Annotated[str, AfterValidator(_name_server)]
Cloud = Annotated[
    str, AfterValidator(_like(_CLOUD, _CLOUD_RIGHT)), Field(json_schema_extra={"pattern": f"^({_CLOUD})$"})
]
HttpsUrl = Annotated[
    str,
    AfterValidator(_like(f"({HTTPS_URL})?", "must be an https:// URL")),
    Field(json_schema_extra={"pattern": f"^({HTTPS_URL})?$"}),
]
Audience = Annotated[str, AfterValidator(_like(r"\S*", "must be the URL or the id that tokens are asked for"))]
