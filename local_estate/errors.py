"""How Azure says no: three shapes of error body (azure-facts §1.6, §2.4).

    gateway   {"error":{"code","message"}}          ARM itself; x-ms-failure-cause: gateway
    service   {"code","message"}                    Traffic Manager, for an endpoint that is not there
    site      {"Code","Message",…,"Details":[…]}    Microsoft.Web, which the SDK cannot parse

`Refusal` is raised anywhere below a handler and turned into the answer in one place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from local_estate.wire import Response

JSON = ("Content-Type", "application/json; charset=utf-8")
BY_GATEWAY = ("x-ms-failure-cause", "gateway")


class Refusal(Exception):
    """An answer that ends the call."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def gateway(status: int, code: str, message: str, *headers: tuple[str, str]) -> Refusal:
    """ARM's own refusal."""
    body = {"error": {"code": code, "message": message}}
    return Refusal(Response(status, _compact(body), (JSON, BY_GATEWAY, *headers)))


def bad_request(message: str, code: str = "BadRequest") -> Refusal:
    """A resource provider's 400, ARM-shaped (the exact text of most is not recorded: azure-facts §8)."""
    return Refusal(Response(400, _compact({"error": {"code": code, "message": message}}), (JSON,)))


def conflict(code: str, message: str) -> Refusal:
    return Refusal(Response(409, _compact({"error": {"code": code, "message": message}}), (JSON,)))


def no_group(group: str) -> Refusal:
    return gateway(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def no_resource(kind: str, name: str, group: str) -> Refusal:
    """`kind` and `name` as the URL had them; a nested resource's name is the rest of its path."""
    return gateway(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found."
        " For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def no_endpoint(profile: str, kind: str, name: str) -> Refusal:
    """Traffic Manager's own unwrapped 404: endpoint name and type in lower case, the profile's as it is [R]."""
    message = f"The endpoint '{name.lower()}' of type '{kind.lower()}' does not exist in the profile '{profile}'."
    return Refusal(Response(404, _compact({"code": "NotFound", "message": message}), (JSON,)))


def site_error(status: int, code: str, message: str, extended: str, template: str, parameters: list[str]) -> Refusal:
    """Microsoft.Web's own shape, with its `Details` (azure-facts §2.4)."""
    entity = {
        "ExtendedCode": extended,
        "MessageTemplate": template,
        "Parameters": parameters,
        "Code": code,
        "Message": message,
    }
    body: Mapping[str, object] = {
        "Code": code,
        "Message": message,
        "Target": None,
        "Details": [{"Message": message}, {"Code": code}, {"ErrorEntity": entity}],
        "Innererror": None,
    }
    return Refusal(Response(status, _compact(body), (("Content-Type", "application/json"),)))


def no_site(name: str) -> Refusal:
    message = f"Cannot find WebSite with name {name}."
    return site_error(404, "NotFound", message, "51004", "Cannot find {0} with name {1}.", ["WebSite", name])


def not_implemented(method: str, path: str) -> Refusal:
    """The estate's own: a call it does not know is named, never guessed."""
    message = f"The local estate does not implement {method} {path}. docs/fidelity.md lists what it does."
    return Refusal(Response(501, _compact({"error": {"code": "NotImplementedByEstate", "message": message}}), (JSON,)))


def _compact(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
