"""A base for user classes of your own that see the service as the plan's clients do.

    from loadtests.locustfile import *
    from loadtests.users import MeasuredUser

    class Shopper(MeasuredUser):
        @task
        def shop(self):
            self.client.get("/shop")

Any Locust user class is recorded (foreign.py). This one also resolves names through the plan's name servers, with a
cache that honours the TTL; verifies certificates, against the plan's CA; and repeats nothing behind your back. Its time
limit holds for each read, not for the whole request: that only the plan's own clients have.
"""

from __future__ import annotations

import itertools
import socket
from typing import Any

from gevent.ssl import SSLContext, create_default_context
from geventhttpclient.client import HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from locust import FastHttpUser

from failover_drill.traffic import TrafficPlan
from loadtests.caches import NameCache, is_address


class _Cached:
    """Mixed into geventhttpclient's pools: names come from the cache, and a request goes out once."""

    names: NameCache

    def _resolve(self: Any) -> list[tuple[Any, ...]]:
        host = self._connection_host
        found = (host,) if is_address(host) else self.names.addresses(host)
        return [_socket_address(address, self._connection_port) for address in found]


class _Plain(_Cached, ConnectionPool):  # type: ignore[misc] # no types
    pass


class _Secure(_Cached, SSLConnectionPool):  # type: ignore[misc] # no types
    pass


class _Clients(HTTPClientPool):  # type: ignore[misc] # no types
    def __init__(self, names: NameCache, plan: TrafficPlan) -> None:
        super().__init__(
            concurrency=1,
            connection_timeout=plan.timeout_s,
            network_timeout=plan.timeout_s,
            insecure=False,
            ssl_context_factory=lambda **_: _verifying(plan),
        )
        self._names = names

    def get_client(self, url: Any) -> Any:
        client = super().get_client(url)
        pool = client._connection_pool
        if not isinstance(pool, _Cached):
            pool.__class__ = _Secure if isinstance(pool, SSLConnectionPool) else _Plain
            pool.names = self._names
            pool.size = -1  # its client tries size + 1 times again: twelve connections for one GET on a reset
        return client


class MeasuredUser(FastHttpUser):  # type: ignore[misc] # no types
    """A `FastHttpUser` behind one of the plan's name caches; each new user takes the next one."""

    abstract = True
    insecure = False
    _numbers = itertools.count()

    def __init__(self, environment: Any) -> None:
        load = environment.failover_drill
        cache = load.name_cache(next(self._numbers))
        self.client_pool = _Clients(cache, load.plan)
        super().__init__(environment)


def _verifying(plan: TrafficPlan) -> SSLContext:
    return create_default_context(cafile=plan.ca_file)


def _socket_address(address: str, port: int) -> tuple[Any, ...]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
