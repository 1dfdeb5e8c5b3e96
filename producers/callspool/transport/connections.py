"""The broker's own connections, and what it makes of Redis' errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis
from dramatiq.errors import BrokerConnectionError, ConnectionClosed, ConnectionFailed
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND_TIMEOUT = 5.0
"""Seconds that a command may take where the client sets no limit of its own."""

_WHERE_AND_WHO = frozenset(
    {
        "host", "port", "path", "db", "username", "password", "credential_provider",
        "client_name", "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options",
        "health_check_interval", "redis_connect_func", "locator", "key",
    }
)  # fmt: skip


class CommandRefused(BrokerConnectionError):  # noqa: N818 - says what happened
    """Redis answered, but would not do it: it is loading, full, read-only, or access is denied."""


def command_timeout(client: redis.Redis) -> float:
    """Seconds that a command of this client may take."""
    return client.connection_pool.connection_kwargs.get("socket_timeout") or COMMAND_TIMEOUT


def own_client(client: redis.Redis, *, timeout: float) -> redis.Redis:
    """A client of the same server with connections of its own, which never repeats a command.

    redis-py repeats a command whose reply was lost. For a message that means twice enqueued, and
    for a fetch that the first one's messages are forgotten; only the broker knows what to do.
    """
    given = client.connection_pool
    known: dict[str, Any] = {
        name: value
        for name, value in given.connection_kwargs.items()
        if name in _WHERE_AND_WHO or name.startswith("ssl")
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
    own.set_response_callback("XREADGROUP", _as_it_came)
    return own


def disconnect(client: redis.Redis) -> None:
    """Closes a client's connections; it opens new ones when it is used again."""
    client.connection_pool.disconnect()


def _as_it_came(reply: Any, **_: Any) -> Any:
    return reply


def is_without_group(error: redis.RedisError) -> bool:
    """Says Redis that the stream or its group is not there (new, flushed, restarted empty)?"""
    return str(error).startswith(("NOGROUP", "UNBLOCKED", "no such key"))


# The first that fits an error counts.
_TRANSLATIONS: tuple[tuple[type[redis.RedisError], type[BrokerConnectionError], str], ...] = (
    (redis.TimeoutError, ConnectionClosed, "Redis did not answer in time; try again"),
    (redis.AuthenticationError, ConnectionFailed, "Redis refuses user or password; check its URL"),
    (redis.ConnectionError, ConnectionClosed, "Redis cannot be reached; check that it runs"),
    (redis.RedisError, CommandRefused, "Redis refused the command; see its log"),
)


@contextmanager
def translated() -> Iterator[None]:
    """Turns redis-py's errors into dramatiq's; their text never quotes what was sent."""
    try:
        yield
    except redis.RedisError as error:
        _, translation, text = next(row for row in _TRANSLATIONS if isinstance(error, row[0]))
        sentence = f"{text} ({type(error).__name__})"
        raise translation(sentence) from error
