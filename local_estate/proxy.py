"""A CONNECT proxy for clients that cannot be pointed elsewhere.

    client ── CONNECT management.azure.com:443 ──► proxy ──► the estate's own TLS door (its certificate has these names)
           ── CONNECT anything else ──► 403

It opens no connection but to the estate, so it is a guard against egress as well. Plain-HTTP requests are refused, too.
"""

from __future__ import annotations

import asyncio
import contextlib

from local_estate.certs import AZURE_HOSTS

HEAD_LIMIT = 16 * 1024
HEAD_WITHIN_S = 10.0


class Proxy:
    """Listens on loopback; `arm` is where mapped hosts lead."""

    def __init__(self, arm: tuple[str, int]) -> None:
        self._arm = arm
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, address: str, port: int) -> int:
        """Listen, and return the port. Raises OSError."""
        self._server = await asyncio.start_server(self._accepted, address, port, limit=HEAD_LIMIT)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HEAD_WITHIN_S):
            head = await reader.readuntil(b"\r\n\r\n")
        verdict = judged(head)
        writer.write(verdict)
        await writer.drain()
        if not verdict.startswith(b"HTTP/1.1 200"):
            return
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._arm)
        try:
            await asyncio.gather(_pump(reader, upstream_writer), _pump(upstream_reader, writer))
        finally:
            upstream_writer.close()


def judged(head: bytes) -> bytes:
    """Return the answer to a proxy request's head: 200 for Azure's own hosts on 443, else a refusal."""
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    target = rest.partition(" ")[0].lower()
    if method.upper() != "CONNECT":
        return _refusal(405, "Method Not Allowed", "only CONNECT is served")
    host, _, port = target.rpartition(":")
    if host in AZURE_HOSTS and port == "443":
        return b"HTTP/1.1 200 Connection established\r\n\r\n"
    return _refusal(403, "Forbidden", "the estate's proxy leads nowhere but to Azure's management and login hosts")


def _refusal(status: int, reason: str, why: str) -> bytes:
    body = why.encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()
