"""Loopback addresses, and one port that is free on all of them: an A record carries no port.

The port comes from 20000-32767, below the kernel's ephemeral range, so that no outgoing connection takes it. It is *held* by a
socket per address that is bound with SO_REUSEADDR and never listens: a region's process can bind and listen beside it and, once
killed, clients get a refusal at once (prototypes-estate §6). A listening socket inherited from here would make a kill a hang.
"""

from __future__ import annotations

import errno
import ipaddress
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

LOWEST, HIGHEST = 20_000, 32_767
TRIES = 200


class CannotBind(Exception):
    """An address or port on loopback cannot be had; the message is one line and says what would help."""


@dataclass(slots=True)
class Held:
    """A port held on several addresses until `release`."""

    port: int
    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def add(self, address: str) -> None:
        """Hold the port on one more *address*. Raises CannotBind."""
        _probe(address, self.port)
        self.sockets[address] = _bound(address, self.port, reuse=True)

    def drop(self, address: str) -> None:
        """Let go of *address* where it is held."""
        if sock := self.sockets.pop(address, None):
            sock.close()

    def release(self) -> None:
        for sock in self.sockets.values():
            sock.close()
        self.sockets.clear()


def hold(addresses: Iterable[str], port: int = 0, rng: random.Random | None = None) -> Held:
    """Hold *port*, or where it is 0 a random one that is free on all *addresses*. Raises CannotBind."""
    wanted = tuple(addresses)
    for address in wanted:
        check_loopback(address)
    _check_there(wanted)
    if port:
        return _hold_all(wanted, port)
    draw = rng or random.SystemRandom()
    for _ in range(TRIES):
        candidate = draw.randint(LOWEST, HIGHEST)
        try:
            return _hold_all(wanted, candidate)
        except PortTaken:
            continue
    raise CannotBind(f"no port from {LOWEST} to {HIGHEST} is free on {', '.join(wanted)}; stop what holds them")


class PortTaken(CannotBind):
    """Somebody else has that port."""


def check_loopback(address: str) -> None:
    """Raise CannotBind unless *address* is an IPv4 loopback address."""
    try:
        is_loopback = ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise CannotBind(f"{address} is not a loopback address; the estate binds only 127.0.0.0/8")


def _check_there(addresses: Iterable[str]) -> None:
    """Raise CannotBind where this machine does not have all of *addresses*, naming all it lacks."""
    missing = [address for address in addresses if not _is_there(address)]
    if missing:
        raise _not_there(missing)


def _is_there(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def listening(address: str, port: int) -> socket.socket:
    """Return a TCP socket bound beside the held one, not yet listening. Raises CannotBind."""
    check_loopback(address)
    return _bound(address, port, reuse=True)


def _hold_all(addresses: tuple[str, ...], port: int) -> Held:
    held = Held(port)
    try:
        for address in addresses:
            held.add(address)
    except CannotBind:
        held.release()
        raise
    return held


def _probe(address: str, port: int) -> None:
    _bound(address, port, reuse=False).close()


def _bound(address: str, port: int, *, reuse: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if reuse:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise _explained(error, address, port) from error
    return sock


def _not_there(addresses: list[str]) -> CannotBind:
    """Of 127.0.0.0/8, macOS has only 127.0.0.1; Linux has all of it."""
    command = " && ".join(f"sudo ifconfig lo0 alias {address} up" for address in addresses)
    return CannotBind(f"cannot bind {', '.join(addresses)}; to add what is missing: {command}")


def _explained(error: OSError, address: str, port: int) -> CannotBind:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(
            f"port {port} on {address} is in use; stop what holds it, or set another port or 0 to pick one"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return _not_there([address])
    return CannotBind(f"cannot bind {address} port {port}: {error.strerror}")
