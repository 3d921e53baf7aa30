"""The bytes that a region answers with. Knows no connection; counts nothing."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import NamedTuple

from local_estate import pages
from local_estate.behaviour import Behaviour, Kind
from local_estate.connection import Ask

_CACHE = 1024
_CLOSING = {True: b"", False: b"Connection: close\r\n"}
_WRONG = b'{"message":"This is not the page you were looking for."}'
_BROKEN = b"The service is unavailable."


class Parts(NamedTuple):
    """What never changes in the good answers of one host name."""

    head: bytes
    body: bytes


class Replies:
    """Makes answers of *region*. *instance* is the affinity cookie, 64 hex digits."""

    def __init__(self, region: str, instance: str, https_port: int) -> None:
        self.region = region
        self.instance = instance
        self.https_port = https_port
        self._paths: dict[bytes, bytes] = {}
        self._second = 0
        self._date = b""

    def parts(self, app: str, version: str, host: str, *, affinity: bool) -> Parts:
        """Return the fixed parts of the good answers of *app* under *host*."""
        cookies = ""
        if affinity:
            rest = f"{self.instance};Path=/;HttpOnly;"
            cookies = (
                f"Set-Cookie: ARRAffinity={rest}Secure;Domain={host}\r\n"
                f"Set-Cookie: ARRAffinitySameSite={rest}SameSite=None;Secure;Domain={host}\r\n"
            )
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Region: {self.region}\r\n{cookies}Content-Length: "
        )
        told = {"region": self.region, "app": app, "version": version, "instance": self.instance[:12]}
        body = json.dumps(told, separators=(",", ":"))[:-1] + ',"served":'
        return Parts(head.encode("latin-1", "replace"), body.encode())

    def good(self, parts: Parts, served: int, ask: Ask) -> bytes:
        """200 with JSON: region, app, version, instance, the count of answers, the path."""
        body = b'%b%d,"path":%b}' % (parts.body, served, self._path(ask.url))
        head = b"%b%d\r\nDate: %b\r\n%b\r\n" % (parts.head, len(body), self.date(), _CLOSING[ask.keep])
        return head if ask.method == b"HEAD" else head + body

    def bad(self, behaviour: Behaviour, ask: Ask) -> bytes:
        """What an erring app gives, or one with the wrong content."""
        wrong = behaviour.kind is Kind.WRONG_CONTENT
        line = b"200 OK" if wrong else f"{behaviour.status} {_phrase(behaviour.status)}".encode()
        body, kind = (_WRONG, b"application/json") if wrong else (_BROKEN, b"text/html")
        head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nX-Region: %b\r\nContent-Length: %d\r\nDate: %b\r\n%b\r\n" % (
            line, kind, self.region.encode(), len(body), self.date(), _CLOSING[ask.keep],
        )  # fmt: skip
        return head if ask.method == b"HEAD" else head + body

    def stored(self, status: int, body: bytes, ask: Ask) -> bytes:
        """What the region's data store says."""
        line = f"{status} {_phrase(status)}".encode()
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nX-Region: %b\r\nContent-Length: %d\r\nDate: %b\r\n%b\r\n" % (
            line, self.region.encode(), len(body), self.date(), _CLOSING[ask.keep],
        )  # fmt: skip
        return head + body

    def to_https(self, ask: Ask) -> bytes:
        """301 to the same path on the estate's HTTPS port."""
        host = (ask.host or b"").partition(b":")[0]
        port = b"" if self.https_port == 443 else b":%d" % self.https_port
        return b"HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\nLocation: https://%b%b%b\r\nDate: %b\r\n%b\r\n" % (
            host, port, ask.url, self.date(), _CLOSING[ask.keep],
        )  # fmt: skip

    def stopped(self) -> bytes:
        return pages.STOPPED_HEAD % self.date() + pages.STOPPED_BODY

    def not_found(self) -> bytes:
        return pages.NOT_FOUND_HEAD % self.date() + pages.NOT_FOUND_BODY

    def bad_request(self) -> bytes:
        return pages.BAD_REQUEST_HEAD % self.date() + pages.BAD_REQUEST_BODY

    def date(self) -> bytes:
        """Return the value of the Date header, made anew each second."""
        now = int(time.time())
        if now != self._second:
            self._second, self._date = now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)).encode()
        return self._date

    def _path(self, url: bytes) -> bytes:
        try:
            return self._paths[url]
        except KeyError:
            pass
        escaped = json.dumps(url.decode("utf-8", "replace")).encode()
        if len(self._paths) < _CACHE:
            self._paths[url] = escaped
        return escaped


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
