"""How to connect: read from a URL, or taken over from a client of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
import redis.asyncio.connection
import redis.connection

from callspool.errors import SettingsError
from callspool.settings.urls import check_redis_url

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS = {"socket_timeout", "socket_connect_timeout", "protocol", "decode_responses"}
_OURS |= {"retry", "retry_on_timeout", "retry_on_error", "health_check_interval", "parser_class"}
_OF_POOLS = {"max_connections", "timeout", "cache", "cache_config", "event_dispatcher"}
_OF_POOLS |= {"himport_registry", "orig_host_address", "orig_socket_timeout"}
_OF_POOLS |= {"orig_socket_connect_timeout"}
_OF_POOLS_START = ("maint", "oss_cluster")


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """A Redis server and how to reach it. ``options`` may hold a password: never printed."""

    connection_class: type[Any]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        if "connection_pool" in self.options:  # Sentinel looks the address up
            return f"the Redis service {self.options['connection_pool'].service_name}"
        if "path" in self.options:
            return f"Redis at {self.options['path']}"
        return f"Redis at {self.options.get('host', 'localhost')}:{self.options.get('port', 6379)}"

    def connection(self) -> Any:
        """A new connection, not connected yet."""
        return self.connection_class(**self.options)

    def client(self) -> redis.Redis:
        """A client with a pool of its own."""
        pool = redis.ConnectionPool(connection_class=self.connection_class, **self.options)
        return redis.Redis.from_pool(pool)

    def async_client(self) -> redis.asyncio.Redis:
        """A client of redis.asyncio with a pool of its own."""
        kind = self.connection_class
        pool = redis.asyncio.ConnectionPool(connection_class=kind, **self.options)
        return redis.asyncio.Redis.from_pool(pool)


def server_of(target: object, timeout: float) -> Server:
    """The server that a URL names, or that a `redis.Redis` is connected to.

    ``timeout``: seconds for each step of a command, unless the connection keeps a deadline.
    Raises `SettingsError`, whose text never repeats the URL.
    """
    if isinstance(target, redis.Redis):
        return _taken_over(target.connection_pool, timeout)
    return _from_url(target, redis.connection, timeout)


def async_server_of(target: object) -> Server:
    """As `server_of`, for redis.asyncio; time is limited from outside."""
    if isinstance(target, redis.asyncio.Redis):
        return _taken_over(target.connection_pool, None)
    return _from_url(target, redis.asyncio.connection, None)


def _limits(timeout: float | None) -> dict[str, Any]:
    return {"socket_timeout": timeout, "socket_connect_timeout": timeout, "protocol": 2}


def _taken_over(pool: Any, timeout: float | None) -> Server:
    options = _of_connection(pool.connection_kwargs)
    return Server(pool.connection_class, options | _limits(timeout))


def _from_url(url: object, module: Any, timeout: float | None) -> Server:
    if not isinstance(url, str):
        raise SettingsError(
            "a CallQueue takes a URL or a redis.Redis, an AsyncCallQueue a redis.asyncio.Redis"
        )
    try:
        options = dict(module.parse_url(check_redis_url(url)))
    except ValueError as fault:
        raise SettingsError(f"CALLSPOOL_REDIS_URL: {fault}") from None
    connection_class = options.pop("connection_class", module.Connection)
    return Server(connection_class, options | _limits(timeout))


def _of_connection(options: Mapping[str, Any]) -> dict[str, Any]:
    """Without what belongs to a pool, and without what is decided here."""
    return {
        name: value
        for name, value in options.items()
        if name not in _OURS | _OF_POOLS and not name.startswith(_OF_POOLS_START)
    }
