"""`python -m local_estate.unbound`: write a configuration that puts a real unbound in front of the estate's name server.

    python -m local_estate.unbound --upstream 127.0.0.1:50123 --port 50124 --dir /tmp/cache --zone proseware.example
    unbound -d -c /tmp/cache/unbound.conf

What each line is for was found by running it (prototypes-estate §5). unbound keeps a record one second longer than its TTL.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from local_estate.resolver import endpoint
from local_estate.zone import SITES_ZONE, TM_ZONE


def configuration(upstream: tuple[str, int], port: int, directory: Path | str, zones: Iterable[str]) -> str:
    """Return the text of an unbound.conf: recursive for *zones* and Azure's two, through *upstream*; all else is refused."""
    served = sorted({TM_ZONE, SITES_ZONE, *(z.strip(".").lower() for z in zones)})
    lines = [
        "server:",
        "  interface: 127.0.0.1",
        f"  port: {port}",
        "  do-ip6: no",
        "  access-control: 127.0.0.0/8 allow",
        '  chroot: ""',
        '  username: ""',
        f'  directory: "{directory}"',
        f'  pidfile: "{directory}/unbound.pid"',
        f'  logfile: "{directory}/unbound.log"',
        "  use-syslog: no",
        "  do-not-query-localhost: no  # else 127.0.0.1 is never asked",
        '  module-config: "iterator"  # no DNSSEC validator: no trust-anchor traffic',
        '  local-zone: "." refuse  # all else at once, instead of after a timeout',
        *(f'  local-zone: "{zone}." transparent' for zone in served),
    ]
    for zone in served:
        lines += [
            "stub-zone:",
            f'  name: "{zone}"',
            f"  stub-addr: {upstream[0]}@{upstream[1]}",
            "  stub-prime: no",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local_estate.unbound", description="Write an unbound.conf.")
    parser.add_argument("--upstream", type=endpoint, required=True, help="the estate's name server, ADDRESS:PORT")
    parser.add_argument("--port", type=int, required=True, help="port of unbound on 127.0.0.1")
    parser.add_argument("--dir", type=Path, required=True, help="its directory; unbound.conf is written there")
    parser.add_argument("--zone", action="append", default=[], help="a custom domain; may be given more than once")
    args = parser.parse_args()
    args.dir.mkdir(parents=True, exist_ok=True)
    path = args.dir / "unbound.conf"
    path.write_text(configuration(args.upstream, args.port, args.dir.resolve(), args.zone))
    print(path)


if __name__ == "__main__":
    main()
