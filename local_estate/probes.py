"""One health probe, as Traffic Manager sends it (azure-facts §3.4): a function per protocol, and the table of them.

GET with the target as Host, no redirect followed, no certificate validated, everything within one timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

AGENT = "Azure Traffic Manager Endpoint Monitor"  # U
LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Shot:
    """One probe to be sent. *timeout_s* is what is really waited (already scaled)."""

    address: str
    port: int
    host: str
    path: str = "/"
    timeout_s: float = 10.0
    headers: tuple[tuple[str, str], ...] = ()

    def request(self) -> bytes:
        """Return the bytes of the request; a configured Host header takes the place of the target's name."""
        wanted = {"Host": self.host, "User-Agent": AGENT, "Accept": "*/*", "Connection": "close"}
        for name, value in self.headers:
            wanted = {k: v for k, v in wanted.items() if k.lower() != name.lower()} | {name: value}
        lines = [f"GET {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in wanted.items())]
        return "\r\n".join(_one_line(line) for line in lines).encode("latin-1", "replace") + b"\r\n\r\n"


async def http(shot: Shot) -> int:
    """Return the status that came back, 0 where none did in time."""
    return await _asked(shot, None)


async def https(shot: Shot) -> int:
    """As `http`, over TLS with any certificate."""
    return await _asked(shot, _any_certificate())


async def tcp(shot: Shot) -> int:
    """Return 200 where the connection is made in time, else 0."""
    try:
        async with asyncio.timeout(shot.timeout_s):
            _, writer = await asyncio.open_connection(shot.address, shot.port)
    except (OSError, TimeoutError):
        return 0
    await _closed(writer)
    return 200


PROBES: Mapping[str, Callable[[Shot], Awaitable[int]]] = {"HTTP": http, "HTTPS": https, "TCP": tcp}


async def _asked(shot: Shot, tls: ssl.SSLContext | None) -> int:
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(shot.timeout_s):
            reader, writer = await asyncio.open_connection(
                shot.address, shot.port, ssl=tls, server_hostname=shot.host if tls else None, limit=LONGEST_LINE
            )
            writer.write(shot.request())
            return status_of(await reader.readline())
    except (OSError, TimeoutError, ValueError, asyncio.LimitOverrunError):
        return 0
    finally:
        if writer:
            await _closed(writer)


def status_of(line: bytes) -> int:
    """Return the status in an HTTP status line, 0 where it is none."""
    parts = line.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
        return 0
    return int(parts[1])


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError, TimeoutError):
        await writer.wait_closed()


@functools.cache
def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
