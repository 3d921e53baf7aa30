"""The rate headers: how many calls of its kind a caller has left, before any has been counted (azure-facts §1.7).

Each operation draws on one allowance, and the answer names that one. The estate counts nothing down; a fault throttles.
"""

from __future__ import annotations

from local_estate.arm_call import Effect, Operation, Style

PREFIX = "x-ms-ratelimit-remaining-"
DELETES, WRITES, GLOBAL_READS = "subscription-deletes", "subscription-writes", "subscription-global-reads"
OF_KIND = "subscription-resource-requests"

PROFILES = {"GET": (OF_KIND, "1999"), "PUT": (OF_KIND, "4499"), "PATCH": (OF_KIND, "4499"), "DELETE": (OF_KIND, "499")}
ENDPOINTS = {"GET": (OF_KIND, "1999"), "PUT": (OF_KIND, "249"), "PATCH": (OF_KIND, "249"), "DELETE": (DELETES, "14999")}
TENANT = {"GET": ("tenant-resource-requests", "99"), "POST": ("tenant-writes", "1199")}
SITES = {"PUT": (OF_KIND, "499"), "PATCH": (OF_KIND, "499")}
REST = {"GET": (GLOBAL_READS, "3749"), "HEAD": (GLOBAL_READS, "3749"), "DELETE": (DELETES, "14999")}


def remaining(operation: Operation | None) -> tuple[str, str]:
    """Return the header of an answer to *operation*; None: a call the estate does not know."""
    allowance, left = (OF_KIND, "11999") if operation is None else _allowance(operation)
    return PREFIX + allowance, left


def _allowance(operation: Operation) -> tuple[str, str]:
    if operation.style is Style.TRAFFIC_MANAGER:
        kinds = ENDPOINTS if operation.path.endswith("{endpoint}") else PROFILES
        return (kinds if operation.path.startswith("/subscriptions") else TENANT).get(
            operation.method, (WRITES, "1199")
        )
    if operation.path.endswith(("{site}", "{slot}")) and operation.method in SITES:
        return SITES[operation.method]
    if operation.effect is Effect.QUERY:
        return OF_KIND, "11999"
    return REST.get(operation.method, (WRITES, "1199"))
