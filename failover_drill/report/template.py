"""Templates, with the words of `words` as filters."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from failover_drill.report import headline, words


def environment() -> Environment:
    """Return the template environment with the words of `words` as filters."""
    made = Environment(
        loader=PackageLoader("failover_drill.report"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        words.duration,
        words.period,
        words.share,
        words.number,
        words.bounds,
        words.clock,
        words.moment,
        words.day,
        words.region,
    ):
        made.filters[filter_.__name__] = filter_
    made.filters["first_line"] = headline.first_line
    made.globals["bounded"] = words.bounded
    made.globals["plural"] = words.plural
    return made
