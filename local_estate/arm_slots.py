"""Slot swaps: the one long-running operation that the estate acts out (202, Location, polls; azure-facts §2.4)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from local_estate.arm_call import Call, answer
from local_estate.arm_sites import printed, site, touched
from local_estate.arm_sites_shape import deployment_id, etag, site_id
from local_estate.errors import bad_request, gateway, no_site
from local_estate.topology import WebApp
from local_estate.wire import Response

POLLS = 2  # answers of 202 before the end; the recording has four, 15 s apart


def swap(call: Call) -> Response:
    """Exchange what runs in two slots. Sticky settings, host names and states stay where they are; both tell of it [R]."""
    source, target = site(call), _target(call)
    status = {
        "timestampUtc": datetime.fromtimestamp(call.services.wall_ns() / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        + "Z",
        "sourceSlotName": _slot_name(source),
        "destinationSlotName": _slot_name(target),
    }
    one, other = _exchanged(source, target, status), _exchanged(target, source, status)
    touched(call, source, **one)
    touched(call, target, **other)
    here = f"{site_id(call.world.subscription, source)}/operationresults/{uuid.uuid4()}"
    pending = call.services.pending
    pending[here.lower()] = POLLS
    begun = _accepted(call, here)
    return replace(begun, headers=(*begun.headers, etag(source)))


def apply_config(call: Call) -> Response:
    """The first phase of a swap with preview: the slot takes the target's sticky settings, the target names the slot [R]."""
    source, target = site(call), _target(call)
    sticky = {k: v for k, v in target.settings.items() if k in target.slot_settings}
    touched(call, target, given={**target.given, "targetSwapSlot": _slot_name(source)})
    app = touched(call, source, settings={**source.settings, **sticky})
    return Response(200, b"", (etag(app),))


def swap_status(call: Call) -> Response:
    here = call.request.path
    left = call.services.pending.get(here.lower())
    if left is None:
        raise gateway(404, "NotFound", f"The operation '{call.params['operation']}' was not found.")
    app = site(call)
    if left:
        call.services.pending[here.lower()] = left - 1
        return _accepted(call, here)
    return answer(200, printed(call, app), etag(app))


def _accepted(call: Call, here: str) -> Response:
    location = f"{call.base_url}{here}?api-version={call.version}"
    return Response(202, b"", (("Location", location), ("Retry-After", "1")))


def _target(call: Call) -> WebApp:
    wanted = call.body().get("targetSlot")
    if not isinstance(wanted, str):
        raise bad_request("The property 'targetSlot' is required.")
    parent = site(call).name.partition("/")[0]
    name = parent if wanted.lower() == "production" else f"{parent}/{wanted}"
    found = call.world.apps.get((call.group_key, name.lower()))
    if found is None:
        raise no_site(name)
    return found


def _slot_name(app: WebApp) -> str:
    return app.name.partition("/")[2] or "Production"


def _exchanged(mine: WebApp, theirs: WebApp, status: Mapping[str, str]) -> dict[str, object]:
    sticky = {k: v for k, v in mine.settings.items() if k in mine.slot_settings}
    moving = {k: v for k, v in theirs.settings.items() if k not in theirs.slot_settings}
    return {
        "settings": {**moving, **sticky},
        "web_config": theirs.web_config,
        "version": theirs.version,
        "given": {
            **mine.given,
            "slotSwapStatus": dict(status),
            "deploymentId": theirs.given.get("deploymentId") or deployment_id(theirs),
            "targetSwapSlot": None,
        },
    }
