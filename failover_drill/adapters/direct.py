"""One HTTP request to one region, past all DNS: is it serving? A new connection each time, closed at once."""

from __future__ import annotations

import http.client
import json
import socket
import ssl

from failover_drill.platform import DirectAnswer
from failover_drill.target import Region, Target


class DirectAsker:
    """`Direct` over the standard library's client.

    Where a region's address is known the connection goes there; else its default host name is resolved by the system.
    """

    def __init__(self, target: Target, *, timeout_s: float = 2.0) -> None:
        self._target, self._timeout_s = target, timeout_s

    def ask(self, region: Region) -> DirectAnswer:
        connection = connection_to(self._target, region, self._timeout_s)
        try:
            connection.request(
                "GET", self._target.health_path, headers={"Host": region.default_host, "Connection": "close"}
            )
            answer = connection.getresponse()
            body = answer.read(65_536)
        except TimeoutError:
            return DirectAnswer(0, f"nothing within {self._timeout_s:g} s")
        except (OSError, http.client.HTTPException) as error:
            return DirectAnswer(0, f"{type(error).__name__}: {error}".rstrip(": "))
        finally:
            connection.close()
        return DirectAnswer(answer.status, f"{answer.status} {answer.reason}", _version(body))

    def certificate_trouble(self, region: Region) -> str:
        if self._target.scheme == "http":
            return ""
        context = ssl.create_default_context(cafile=self._target.ca_file)
        where = region.address or region.default_host
        try:
            with (
                socket.create_connection((where, self._target.port), self._timeout_s) as raw,
                context.wrap_socket(raw, server_hostname=self._target.public_host),
            ):
                return ""
        except ssl.SSLCertVerificationError as error:
            return f"its certificate is not valid for {self._target.public_host}: {error.verify_message}"
        except OSError as error:
            return f"no TLS connection to {where}:{self._target.port}: {error}"


def connection_to(target: Target, region: Region, timeout_s: float) -> http.client.HTTPConnection:
    """Return a connection, not yet open, to a region's front end; with https its default host is verified."""
    where = region.address or region.default_host
    if target.scheme == "http":
        return http.client.HTTPConnection(where, target.port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=target.ca_file)
    return _Addressed(region.default_host, where, target.port, timeout_s, context)


def _version(body: bytes) -> str:
    """Return the version that a health JSON tells; "" where it tells none."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("version", "")) if isinstance(found, dict) else ""


class _Addressed(http.client.HTTPSConnection):
    """HTTPS to an address, with the host name's certificate asked for and verified."""

    def __init__(self, host: str, where: str, port: int, timeout_s: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout_s, context=context)
        self._where, self._tls = where, context

    def connect(self) -> None:
        raw = socket.create_connection((self._where, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)
