"""Words of our own. A step is one line on the drill; `pytest --dry-run` calls it, too, so it may look, but not change."""

from pytest_bdd import then

from failover_drill.drill import Drill


@then("our primary region is where we think it is")
def where_we_think(drill: Drill) -> None:
    """The service told the host name of the primary's app."""
    assert drill.target.primary.default_host
