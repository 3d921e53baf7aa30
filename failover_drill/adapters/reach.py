"""Look at a URL once before it is measured: does its name resolve, is its certificate valid?

What cannot be put right by waiting is an error now. A target that refuses or does not answer is no error: that it is out is
what will be measured.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

import dns.exception
import dns.resolver

from failover_drill.errors import SettingsError
from failover_drill.traffic import server_address


def addresses_of(host: str, port: int, resolvers: Sequence[str], timeout_s: float) -> tuple[str, ...]:
    """Return the addresses of a host name or address. Raises SettingsError where it has none."""
    if resolvers and not _is_address(host):
        return _asked(host, resolvers, timeout_s)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SettingsError(f"{host}: the name does not resolve: {error.strerror or error}") from None
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def _asked(host: str, resolvers: Sequence[str], timeout_s: float) -> tuple[str, ...]:
    """Ask the given name servers, and no other; a server that is silent is not the name's fault, so nothing is known."""
    for server in resolvers:
        ip, port = server_address(server)
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = [ip], port, timeout_s
        try:
            return tuple(str(row) for row in resolver.resolve(host, "A"))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers) as error:
            why = " ".join(str(error).split()).rstrip(".")
            raise SettingsError(f"{host}: the name does not resolve at {server}: {why}") from None
        except dns.exception.DNSException:
            continue
    raise SettingsError(f"{host}: no answer from {', '.join(resolvers)} within {timeout_s:g} s")


def check_certificate(host: str, port: int, addresses: Sequence[str], ca_file: str | None, timeout_s: float) -> None:
    """Raise SettingsError where an address presents a certificate that is not valid for `host`."""
    tls = _context(ca_file)
    for address in addresses:
        try:
            with (
                socket.create_connection((address, port), timeout_s) as plain,
                tls.wrap_socket(plain, server_hostname=host),
            ):
                pass
        except ssl.SSLCertVerificationError as error:
            raise SettingsError(f"{host} at {address}: the certificate is not valid: {error.verify_message}") from None
        except OSError:
            continue


def unreachable(port: int, addresses: Sequence[str], timeout_s: float) -> str:
    """Return why none of the addresses can be connected to now; nothing where one can."""
    why = ""
    for address in addresses:
        try:
            with socket.create_connection((address, port), timeout_s):
                return ""
        except OSError as error:
            why = f"{address} port {port}: {(error.strerror or str(error) or type(error).__name__).lower()}"
    return why


def check_ca_file(path: str) -> None:
    """Raise SettingsError where *path* cannot be read as certificates."""
    _context(path)


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except FileNotFoundError:
        raise SettingsError(f"{ca_file}: there is no such file; want a PEM file of certificates") from None
    except (OSError, ssl.SSLError):
        raise SettingsError(f"{ca_file}: cannot be read as certificates; want a PEM file") from None


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
