"""The control URL: faults, reset, truth, state. Azure has nothing like it, so it is a door of its own, with its own token.

GET    /_faults        all faults, set or past         POST /_faults   set one: {"kind", "region", …}
DELETE /_faults/{id}   undo one                        DELETE /_faults, POST /_reset   undo all
GET    /_truth         the truth log                   GET /_writes    its control-plane writes
GET    /_state         what is, now                    GET /_kinds     the kinds of fault and their settings
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

from local_estate.faults import FaultError, Faults
from local_estate.truth import Truth
from local_estate.wire import Request, Response, json_response


class Control:
    """Answers the control URL. Every call needs the token."""

    def __init__(self, token: str, faults: Faults, truth: Truth, state: Callable[[], dict[str, Any]]) -> None:
        self._token = token
        self._faults = faults
        self._truth = truth
        self._state = state

    async def handle(self, request: Request) -> Response | None:
        if not self._authorised(request):
            return json_response(
                401, {"error": "the control URL needs its token: Authorization: Bearer <control_token>"}
            )
        if "origin" in request.headers:
            return json_response(403, {"error": "the control URL does not answer browsers"})
        try:
            return await self._answer(request)
        except FaultError as error:
            return json_response(400, {"error": str(error)})

    def _authorised(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.headers.get(
            "x-control-token", ""
        )
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    async def _answer(self, request: Request) -> Response:
        path = request.path.rstrip("/") or "/"
        match request.method, path:
            case "GET", "/_faults":
                return json_response(200, {"faults": self._faults.listed()})
            case "GET", "/_kinds":
                return json_response(200, {"kinds": self._faults.kinds()})
            case "POST", "/_faults":
                return json_response(201, await self._faults.set(_object(request)))
            case ("DELETE", "/_faults") | ("POST", "/_reset"):
                return json_response(200, {"undone": await self._faults.reset()})
            case "GET", "/_truth":
                return json_response(200, {"events": self._truth.read()})
            case "GET", "/_writes":
                return json_response(200, {"writes": [e for e in self._truth.read() if e["event"] == "write"]})
            case "GET", "/_state":
                return json_response(200, self._state())
            case "DELETE", _ if path.startswith("/_faults/"):
                return json_response(200, await self._faults.undo(path.removeprefix("/_faults/")))
            case _:
                return json_response(404, {"error": f"the control URL has no {request.method} {path[:200]}"})


def _object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise FaultError('the body must be JSON such as {"kind": "region_lost", "region": "eastus"}') from None
    if not isinstance(body, dict):
        raise FaultError("the body must be a JSON object with a 'kind'")
    return body
