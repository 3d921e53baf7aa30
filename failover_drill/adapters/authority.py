"""Finding the name servers that answer for a name, through the system's resolver. For targets that do not list them."""

from __future__ import annotations

import dns.exception
import dns.resolver

from failover_drill.errors import SettingsError


def name_servers(name: str) -> tuple[str, ...]:
    """Return the authority's name servers for *name*, "ip:port" each. Raises SettingsError where none can be found."""
    try:
        zone = dns.resolver.zone_for_name(name)
        hosts = sorted(str(record.target) for record in dns.resolver.resolve(zone, "NS"))
        found = [f"{address}:53" for host in hosts for address in dns.resolver.resolve(host, "A")]
    except dns.exception.DNSException as error:
        raise SettingsError(
            f"the name servers of {name} cannot be found ({type(error).__name__}); list them as authorities in drill.toml"
        ) from None
    return tuple(found)
