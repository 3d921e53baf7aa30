"""`python -m local_estate.diagram`: docs/monitor.md, made from the tables of monitor.py so that it cannot drift from them."""

from __future__ import annotations

from itertools import groupby

from local_estate.monitor import HEALTHS, OPERATOR, PROBED, PROFILE_TABLE, TRANSITIONS, Event
from local_estate.routing import SERVED
from local_estate.topology import Health

_OPERATOR_EVENTS = (Event.DISABLED, Event.PROFILE_DISABLED, Event.ALWAYS_SERVE)

_MEANING = {
    Event.ENABLED: "endpoint or profile enabled, or alwaysServe switched off",
    Event.DISABLED: "endpoint disabled",
    Event.PROFILE_DISABLED: "profile disabled, endpoint enabled",
    Event.ALWAYS_SERVE: "alwaysServe switched on",
    Event.PROBES_UP: "at least half of the locations do not say down, and one says up",
    Event.PROBES_DOWN: "more than half of the locations saw more consecutive failures than are tolerated",
    Event.APP_STOPPED: "App Service's signal that the app stopped, after `stopped_signal_s`",
    Event.APP_RESTARTED: "App Service's signal that it runs again, after `restart_noticed_s`",
}


def mermaid() -> str:
    """Return the state diagram of an endpoint. What the operator may do in every state is drawn once, from [*]."""
    lines = ["stateDiagram-v2"]
    for event in _OPERATOR_EVENTS:
        after = TRANSITIONS[Health.ONLINE, event]
        lines.append(f"    [*] --> {after}: {event}")
    arrows = [(b, a, e) for (b, e), a in TRANSITIONS.items() if b is not a and e not in _OPERATOR_EVENTS]
    arrows.sort(key=lambda arrow: (HEALTHS.index(arrow[0]), HEALTHS.index(arrow[1])))
    for (before, after), group in groupby(arrows, key=lambda arrow: arrow[:2]):
        lines.append(f"    {before} --> {after}: {', '.join(e for _, _, e in group)}")
    return "\n".join(lines)


def table() -> str:
    """Return the whole transition table in Markdown; an empty cell is no change."""
    lines = ["| | " + " | ".join(HEALTHS) + " |", "|---" * (len(HEALTHS) + 1) + "|"]
    for event in Event:
        cells = (TRANSITIONS.get((health, event), health) for health in HEALTHS)
        shown = ("" if after is health else str(after) for health, after in zip(HEALTHS, cells, strict=True))
        lines.append(f"| **{event}** | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def page() -> str:
    """Return docs/monitor.md."""
    meanings = "\n".join(f"| {event} | {_MEANING[event]} |" for event in Event)
    operator = "\n".join(f"| {p} | {e} | {a} | {event} |" for (p, e, a), event in OPERATOR.items())
    flags = "\n".join(f"| {h} | {_yes(h in PROBED)} | {_in_dns(h)} |" for h in HEALTHS)
    profile = "\n".join(
        f"{n}. **{health}**, where an endpoint is {' or '.join(sorted(members))}"
        for n, (members, health) in enumerate(PROFILE_TABLE, 2)
    )
    return _PAGE.format(
        mermaid=mermaid(), table=table(), meanings=meanings, operator=operator, flags=flags, profile=profile,
        last=len(PROFILE_TABLE) + 2,
    )  # fmt: skip


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _in_dns(health: Health) -> str:
    if health is Health.DEGRADED:
        return "no, unless no endpoint is better"
    return _yes(health in SERVED)


_PAGE = """\
<!-- Made by `python -m local_estate.diagram > docs/monitor.md`. Do not edit: change local_estate/monitor.py. -->
# The monitor of the local estate

How an endpoint's monitor status changes. The rules are those of Microsoft's documentation as far as it goes; the code is a
table, `local_estate/monitor.py`, and this page is made from it.

```mermaid
{mermaid}
```

An arrow from the black dot may be taken in every state.

## The table

What becomes of an endpoint; an empty cell is no change.

{table}

| event | when |
|---|---|
{meanings}

## What the operator's settings amount to

| profile | endpoint | alwaysServe | event |
|---|---|---|---|
{operator}

## Who is probed, who is answered

| status | probed | in DNS |
|---|---|---|
{flags}

A geographic profile answers with a degraded endpoint too: it never fails over to another geography.

## The profile's own status

The first line that applies:

1. **Disabled**, where the profile is disabled
{profile}
{last}. **Inactive**

An Unmonitored endpoint counting as Online is our choice; the documentation does not say.

## When probes go out

* Every location probes for itself; a location's next probe starts one interval after its last one ended. With an endpoint that
  hangs, detection therefore takes at most (interval + timeout) x (tolerated + 1); with one that fails at once, from
  tolerated x interval to (tolerated + 1) x interval.
* A location says down when it has seen more consecutive failures than are tolerated, and up after one success.
* Until a majority has made up its mind the endpoint stays CheckingEndpoint, and is answered. Enabling a broken endpoint sends
  users to it until then.
* A Stopped endpoint is not probed. It is checked again once the restart is noticed, or at once after disabling and enabling it.
* A nested endpoint is not probed: Stopped where its child is Disabled or Inactive, else Online with at least
  `minChildEndpoints` Online in the child, CheckingEndpoint with the ones being checked counted in, else Degraded.
* Probes of ports 80 and 443 of a web app go to the estate's own HTTP and HTTPS port on the region's address.
* Intervals and timeouts are divided by `time_scale`.
"""


if __name__ == "__main__":
    print(page(), end="")
