"""How to connect: read from a URL, or taken over from a client of the caller's; by one deadline."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import redis
import redis.asyncio
import redis.asyncio.connection
import redis.connection
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse
from redis.retry import Retry

from callspool.errors import SettingsError
from callspool.redis_io.discovery import (
    AsyncLocatedTcp,
    AsyncLocatedTls,
    ClusterMap,
    LocatedTcp,
    LocatedTls,
    Sentinels,
)
from callspool.redis_io.scripts import Reader, read_reply
from callspool.settings.urls import check_redis_url, names_nodes, nodes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callspool.redis_io.discovery import Locator
    from callspool.redis_io.scripts import Reply
    from callspool.settings.urls import Nodes

_OURS = {"socket_timeout", "socket_connect_timeout", "protocol", "decode_responses"}
_OURS |= {"retry", "retry_on_timeout", "retry_on_error", "health_check_interval", "parser_class"}
_OF_POOLS = {"max_connections", "timeout", "cache", "cache_config", "event_dispatcher"}
_OF_POOLS |= {"himport_registry", "orig_host_address", "orig_socket_timeout"}
_OF_POOLS |= {"orig_socket_connect_timeout"}
_OF_POOLS_START = ("maint", "oss_cluster")

COMMAND_TIMEOUT = 5.0
"""Seconds that a command may take where the client sets no limit of its own."""

_AT_ONCE: Final = 64 * 1024
_LEAST_TIMEOUT: Final = 0.001  # 0 would mean: do not block at all

_COPIED = frozenset(
    {
        "host", "port", "path", "db", "username", "password", "credential_provider",
        "client_name", "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options",
        "health_check_interval", "redis_connect_func", "locator", "key",
    }
)  # fmt: skip
"""Options that a client's copy has, besides those of TLS."""


@dataclass(frozen=True, slots=True, repr=False)
class RedisEndpoint:
    """A Redis server and how to reach it. ``options`` may hold a password: never printed.

    ``name`` where it is one of several, which one being looked up for each connection.
    """

    connection_class: type[Any]
    options: Mapping[str, Any]
    name: str = field(default="")
    is_cluster: bool = False

    def at(self, key: str) -> RedisEndpoint:
        """Returns the server that has a key: another one only in a cluster."""
        if not self.is_cluster:
            return self
        return replace(self, options={**self.options, "key": key})

    def __str__(self) -> str:
        if self.name:
            return self.name
        if "connection_pool" in self.options:  # Sentinel looks the address up
            return f"the Redis service {self.options['connection_pool'].service_name}"
        if "path" in self.options:
            return f"Redis at {self.options['path']}"
        return f"Redis at {self.options.get('host', 'localhost')}:{self.options.get('port', 6379)}"

    def connection(self) -> Any:
        """Returns a new connection, not connected yet."""
        return self.connection_class(**self.options)

    def client(self) -> redis.Redis:
        """Returns a client with a pool of its own."""
        pool = redis.ConnectionPool(connection_class=self.connection_class, **self.options)
        return redis.Redis.from_pool(pool)

    def async_client(self) -> redis.asyncio.Redis:
        """Returns a client of redis.asyncio with a pool of its own."""
        kind = self.connection_class
        pool = redis.asyncio.ConnectionPool(connection_class=kind, **self.options)
        return redis.asyncio.Redis.from_pool(pool)


class DeadlineConnection(AbstractConnection):
    """A connection whose every step, the handshake included, ends by one deadline.

    redis-py's timeouts are for each address tried, each write and each read; here they are what is
    left until ``deadline`` (of `time.monotonic`), so their sum has a limit.
    """

    deadline = 0.0
    is_looked_up = False
    """Whether the server is one of several: replies then go through the connection's own reading,
    which notices that another server has the partition."""
    _reader: Any = None

    def ask(self, packed: bytes, number: int) -> list[Reply]:
        """Sends commands and reads ``number`` replies, errors among them.

        Raises redis-py's errors, and those of the socket as they are.
        """
        connected: Any = self._sock
        if Reader is None or connected is None or self.is_looked_up:
            self.send_packed_command([packed])
            return [read_reply(self) for _ in range(number)]
        # What redis-py does around these calls takes longer than they do.
        if self._reader is None:
            self._reader = Reader(InvalidResponse, self._parser.parse_error)
        connected.settimeout(self._compute_timeout())
        connected.sendall(packed)
        replies: list[Reply] = []
        while len(replies) < number:
            reply = self._reader.gets()
            if reply is False:  # not all of it is there
                connected.settimeout(self._compute_timeout())
                self._feed(connected.recv(_AT_ONCE))
            elif isinstance(reply, Disconnected):
                raise reply
            else:
                replies.append(reply)
        return replies

    def _feed(self, found: bytes) -> None:
        if not found:
            raise Disconnected("Connection closed by server.")
        self._reader.feed(found)

    def _compute_timeout(self) -> float:
        return max(self.deadline - time.monotonic(), _LEAST_TIMEOUT)

    @property
    def socket_timeout(self) -> float:
        return self._compute_timeout()

    @socket_timeout.setter
    def socket_timeout(self, value: object) -> None:
        """redis-py sets its own; the deadline decides."""

    @property
    def socket_connect_timeout(self) -> float:
        return self._compute_timeout()

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, value: object) -> None:
        """redis-py sets its own; the deadline decides."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        self._limit_socket()
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        self._limit_socket()
        return super().read_response(*args, **kwargs)

    def _limit_socket(self) -> None:
        connected: Any = self._sock
        if connected is not None:
            connected.settimeout(self._compute_timeout())


def command_timeout(client: redis.Redis) -> float:
    """Returns the seconds that a command of this client may take."""
    return client.connection_pool.connection_kwargs.get("socket_timeout") or COMMAND_TIMEOUT


def copy_client(client: redis.Redis, *, timeout: float) -> redis.Redis:
    """Returns a client of the same server with its own connections, which repeats no command.

    redis-py repeats a command whose reply was lost. A message would be enqueued
    twice, and the messages of a first fetch would be forgotten; only the broker knows what to do.
    """
    given = client.connection_pool
    known: dict[str, Any] = {
        name: value
        for name, value in given.connection_kwargs.items()
        if name in _COPIED or name.startswith("ssl")
    }
    pool = redis.ConnectionPool(
        connection_class=given.connection_class,
        max_connections=10_000,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout,
        **known,
    )
    own = redis.Redis(connection_pool=pool)
    own.set_response_callback("XREADGROUP", _keep_reply)
    return own


def disconnect(client: redis.Redis) -> None:
    """Closes a client's connections; it opens new ones when it is used again."""
    client.connection_pool.disconnect()


def _keep_reply(reply: Any, **_: Any) -> Any:
    return reply


def server_of(target: object, timeout: float) -> RedisEndpoint:
    """Returns the server that a URL names, or that a `redis.Redis` is connected to.

    ``timeout``: seconds for each step of a command, unless the connection keeps a deadline.
    Raises `SettingsError`, whose text never repeats the URL.
    """
    if isinstance(target, redis.Redis):
        return _taken_over(target.connection_pool, timeout)
    return _from_url(target, redis.connection, timeout)


def async_server_of(target: object) -> RedisEndpoint:
    """As `server_of`, for redis.asyncio; time is limited from outside."""
    if isinstance(target, redis.asyncio.Redis):
        return _taken_over(target.connection_pool, None)
    return _from_url(target, redis.asyncio.connection, None)


def _limits(timeout: float | None) -> dict[str, Any]:
    return {"socket_timeout": timeout, "socket_connect_timeout": timeout, "protocol": 2}


def _taken_over(pool: Any, timeout: float | None) -> RedisEndpoint:
    options = _of_connection(pool.connection_kwargs)
    return RedisEndpoint(pool.connection_class, options | _limits(timeout))


def _from_url(url: object, module: Any, timeout: float | None) -> RedisEndpoint:
    if not isinstance(url, str):
        raise SettingsError(
            "a CallQueue takes a URL or a redis.Redis, an AsyncCallQueue a redis.asyncio.Redis"
            " (and for a cluster the URL redis+cluster://host:port,host:port)"
        )
    try:
        check_redis_url(url)
        nodes = nodes_of(url) if names_nodes(url) else None
        options = dict(module.parse_url(url if nodes is None else nodes.one))
    except ValueError as fault:
        raise SettingsError(f"CALLSPOOL_REDIS_URL: {fault}") from None
    connection_class = options.pop("connection_class", module.Connection)
    if nodes is not None:
        return _among(nodes, module, options, timeout)
    return RedisEndpoint(connection_class, options | _limits(timeout))


def _among(
    nodes: Nodes, module: Any, options: dict[str, Any], timeout: float | None
) -> RedisEndpoint:
    """One of several servers, found when it is connected to."""
    for name in ("host", "port"):
        options.pop(name)
    has_tls = nodes.one.startswith("rediss:")
    asking = redis.connection.SSLConnection if has_tls else redis.connection.Connection
    locator: Locator
    if nodes.kind == "cluster":
        locator = ClusterMap(nodes.addresses, asking, options)
    else:
        theirs = {name: value for name, value in options.items() if name.startswith("ssl")}
        locator = Sentinels(nodes.addresses, nodes.service, asking, theirs | nodes.credentials)
    if module is redis.connection:
        kind: type[Any] = LocatedTls if has_tls else LocatedTcp
    else:
        kind = AsyncLocatedTls if has_tls else AsyncLocatedTcp
    found = options | _limits(timeout) | {"locator": locator}
    return RedisEndpoint(kind, found, str(nodes), nodes.kind == "cluster")


def _of_connection(options: Mapping[str, Any]) -> dict[str, Any]:
    """Without what belongs to a pool, and without what is decided here."""
    return {
        name: value
        for name, value in options.items()
        if name not in _OURS | _OF_POOLS and not name.startswith(_OF_POOLS_START)
    }
