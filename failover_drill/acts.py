"""The playbook's acts, as the changes that they are made of. The drill makes them; a dry run shows them. Pure."""

from __future__ import annotations

from failover_drill.changes import DISABLED, ENABLED, RUNNING, STOPPED, Change
from failover_drill.facts import Segment
from failover_drill.promises import APP, ENDPOINT
from failover_drill.target import Role, Target


def disable(target: Target, role: Role) -> tuple[Change, ...]:
    """Act 1: stop the region's app."""
    return (Change(APP, target.region(role).app_id, STOPPED, Segment.DISABLE_PRIMARY),)


def enable(target: Target, role: Role) -> tuple[Change, ...]:
    """Act 2: start the region's app."""
    return (Change(APP, target.region(role).app_id, RUNNING, Segment.ENABLE_SECONDARY),)


def enlist(target: Target, role: Role) -> tuple[Change, ...]:
    """Enable the region's endpoint beside the other's: priorities decide who is answered."""
    return (Change(ENDPOINT, target.region(role).endpoint_id, ENABLED, Segment.SWITCH_DNS),)


def wake(target: Target, role: Role) -> tuple[Change, ...]:
    """Before act 3, where Traffic Manager calls the region's endpoint Stopped: disable it, so that enabling it is news.

    An endpoint that was left enabled while its app was stopped is not probed, so not answered, until Traffic Manager notices
    the restart; disabled and enabled again it is at once (azure-facts §3.6).
    """
    return (Change(ENDPOINT, target.region(role).endpoint_id, DISABLED),)


def point_dns_at(target: Target, role: Role) -> tuple[Change, ...]:
    """Act 3: enable the region's endpoint, then disable the other's.

    In this order: with both disabled the name would not exist, and that answer is cached for 30 s (azure-facts §3.3).
    """
    others = (r for r in target.regions if r is not target.region(role))
    return (
        *enlist(target, role),
        *(Change(ENDPOINT, other.endpoint_id, DISABLED, Segment.SWITCH_DNS) for other in others),
    )
