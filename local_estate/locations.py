"""Azure's regions by programmatic name, as ARM displays them. A subset of the public list; an unknown name is shown as given."""

from __future__ import annotations

from local_estate.topology import region_of

_NAMES = (
    "Australia Central,Australia East,Australia Southeast,Austria East,Belgium Central,Brazil South,Canada Central,Canada East,"
    "Central India,Central US,Chile Central,China East,China East 2,China North,China North 2,China North 3,East Asia,East US,"
    "East US 2,France Central,France South,Germany North,Germany West Central,Indonesia Central,Israel Central,Italy North,"
    "Japan East,Japan West,Jio India Central,Jio India West,Korea Central,Korea South,Malaysia West,Mexico Central,"
    "New Zealand North,North Central US,North Europe,Norway East,Norway West,Poland Central,Qatar Central,South Africa North,"
    "South Africa West,South Central US,South India,Southeast Asia,Spain Central,Sweden Central,Switzerland North,"
    "Switzerland West,UAE Central,UAE North,UK South,UK West,USDoD Central,USDoD East,USGov Arizona,USGov Iowa,USGov Texas,"
    "USGov Virginia,West Central US,West Europe,West India,West US,West US 2,West US 3"
)
DISPLAY: dict[str, str] = {region_of(name): name for name in _NAMES.split(",")}


def known(location: str) -> bool:
    """Return whether Azure has such a region, its preview and staging ones included ("Central US EUAP", "East Asia (Stage)")."""
    bare = region_of(location).removeprefix("msft")
    return any(bare == name or bare in {f"{name}euap", f"{name}(stage)", f"{name}stg"} for name in DISPLAY)


def display(location: str) -> str:
    """Return the form ARM shows: "centralindia", "CENTRAL INDIA" and "Central India" all give "Central India"."""
    return DISPLAY.get(region_of(location), location)
