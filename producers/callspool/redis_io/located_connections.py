"""Connections that look up where a partition is each time that they connect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio.connection
import redis.connection

if TYPE_CHECKING:
    from callspool.redis_io.discovery import Locator

_ELSEWHERE = (
    redis.exceptions.AskError,  # MovedError is one
    redis.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
)
"""Answers of a server that does not have the partition, or not now."""

_GONE = (redis.ConnectionError, redis.TimeoutError)


class _Located(redis.connection.AbstractConnection):
    """Connects to the server that has ``key`` now, and ends when that has it no more.

    An answer that says so becomes a `redis.ConnectionError`: whoever asked asks again, and so
    looks the server up anew.
    """

    def __init__(self, *, locator: Locator, key: str = "", **options: Any) -> None:
        self._locator = locator
        self._key = key
        super().__init__(host="", port=0, **options)  # type: ignore[call-arg]

    def _connect(self) -> Any:
        address = self._locator.address(self._key, self.socket_connect_timeout)
        self.host, self.port = address
        try:
            return super()._connect()  # type: ignore[safe-super, no-untyped-call]
        except (redis.RedisError, OSError):
            self._locator.doubt()
            raise

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except _ELSEWHERE as error:
            self._locator.doubt()
            self.disconnect()  # type: ignore[no-untyped-call]
            raise moved(error) from None
        except _GONE:
            self._locator.doubt()
            raise


class LocatedTcp(_Located, redis.connection.Connection):
    """As it says, over TCP."""


class LocatedTls(_Located, redis.connection.SSLConnection):
    """As it says, over TLS."""


class _AsyncLocated(redis.asyncio.connection.AbstractConnection):
    """As `_Located`, for event loops; a thread looks the server up, which is seldom."""

    def __init__(self, *, locator: Locator, key: str = "", **options: Any) -> None:
        self._locator = locator
        self._key = key
        super().__init__(host="", port=0, **options)  # type: ignore[call-arg]

    async def _connect(self) -> None:
        look_up = self._locator.address
        self.host, self.port = await asyncio.to_thread(look_up, self._key, None)
        try:
            await super()._connect()  # type: ignore[safe-super, no-untyped-call]
        except (redis.RedisError, OSError):
            self._locator.doubt()
            raise

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().read_response(*args, **kwargs)
        except _ELSEWHERE as error:
            self._locator.doubt()
            await self.disconnect(nowait=True)
            raise moved(error) from None
        except _GONE:
            self._locator.doubt()
            raise


class AsyncLocatedTcp(_AsyncLocated, redis.asyncio.connection.Connection):
    """As it says, over TCP."""


class AsyncLocatedTls(_AsyncLocated, redis.asyncio.connection.SSLConnection):
    """As it says, over TLS."""


def moved(error: Exception) -> redis.ConnectionError:
    """What an answer means that sends elsewhere."""
    return redis.ConnectionError(f"this server does not have the partition now: {error}")
