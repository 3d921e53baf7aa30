"""Templates, with the words of `wording` as filters."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from failover_drill import wording
from failover_drill.report import headline

KINDS = {
    "planned": "planned, by the operator's acts",
    "refused": "unplanned, the region refusing or erring",
    "hang": "unplanned, the region hanging",
    "stopped": "unplanned, its app stopped",
}


def environment() -> Environment:
    """Return the template environment with the words of `wording` as filters."""
    made = Environment(
        loader=PackageLoader("failover_drill.report"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        wording.duration,
        wording.period,
        wording.share,
        wording.number,
        wording.bounds,
        wording.clock,
        wording.moment,
        wording.day,
        wording.region,
        wording.held_against,
    ):
        made.filters[filter_.__name__] = filter_
    made.filters["first_line"] = headline.first_line
    made.globals["bounded"] = wording.bounded
    made.globals["plural"] = wording.plural
    made.globals["kinds"] = KINDS
    return made
