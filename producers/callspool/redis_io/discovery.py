"""Which server has a partition now: asked of the nodes of a Redis Cluster, or of Sentinels.

Everything of a partition lies in one slot, so a plain connection to the node that serves it is
all that anybody needs; its prefix is as good as any of its keys. Nothing follows a redirection: who
is redirected finds the right node anew.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import redis
import redis.asyncio.connection
import redis.connection
from redis.crc import key_slot

from callspool.settings.urls import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ASKING_TIMEOUT = 1.0
"""Seconds that one server may take to say where things are."""

LOOK_AGAIN = 0.05
"""Seconds between two questions about the same cluster, at least."""

_ELSEWHERE = (
    redis.exceptions.AskError,  # MovedError is one
    redis.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
)
"""Answers of a server that does not have the partition, or not now."""

_GONE = (redis.ConnectionError, redis.TimeoutError)


class Locator(Protocol):
    """Finds the server of a key."""

    def address(self, key: str, timeout: float | None) -> Address:
        """Where it is; raises `redis.ConnectionError` if nobody tells within ``timeout``."""

    def doubt(self) -> None:
        """Says that an answer proved wrong, so that the next one is asked for anew."""


class _Range(NamedTuple):
    first: int
    last: int
    address: Address


class ClusterMap:
    """Which node serves which slot. Threads share it without a lock: they may ask twice."""

    def __init__(
        self, seeds: Sequence[Address], connection: type[Any], options: Mapping[str, Any]
    ) -> None:
        self._seeds = tuple(seeds)
        self._connection = connection
        self._options = options
        self._ranges: tuple[_Range, ...] = ()
        self._nodes: tuple[Address, ...] = ()
        self._asked_at = 0.0
        self._turn = 0
        self._is_doubtful = True

    def address(self, key: str, timeout: float | None) -> Address:
        """Returns the primary of the key's slot; see `Locator.address`."""
        if self._is_doubtful and time.monotonic() - self._asked_at >= LOOK_AGAIN:
            self._ask(timeout)
        slot = key_slot(key.encode())
        for one in self._ranges:
            if one.first <= slot <= one.last:
                return one.address
        raise redis.ConnectionError(f"no node of the cluster serves the slot of {key}")

    def doubt(self) -> None:
        """See `Locator.doubt`."""
        self._is_doubtful = True

    def _ask(self, timeout: float | None) -> None:
        deadline = time.monotonic() + (ASKING_TIMEOUT * 3 if timeout is None else timeout)
        self._turn += 1  # another node first each time: one may be cut off from the others
        known = list(dict.fromkeys((*self._nodes, *self._seeds)))
        for node in _rotate(known, self._turn):
            left = min(ASKING_TIMEOUT, deadline - time.monotonic())
            if left <= 0:
                break
            try:
                reply = ask(self._connection, self._options, node, ("CLUSTER", "SLOTS"), left)
                ranges = tuple(_ranges(reply, node))
            except (redis.ConnectionError, redis.TimeoutError, OSError):
                continue
            except redis.ResponseError as error:
                raise redis.ConnectionError(f"{node.host}:{node.port}: {error}") from error
            self._ranges, self._nodes = ranges, tuple(_nodes(reply, node))
            self._asked_at = time.monotonic()
            self._is_doubtful = False
            return
        raise redis.ConnectionError("no node of the cluster answers")


class Sentinels:
    """Who is the primary of a service, as its Sentinels say; they are asked each time."""

    def __init__(
        self,
        addresses: Sequence[Address],
        service: str,
        connection: type[Any],
        options: Mapping[str, Any],
    ) -> None:
        self._addresses = tuple(addresses)
        self._service = service
        self._connection = connection
        self._options = options
        self._turn = -1

    def address(self, key: str, timeout: float | None) -> Address:
        """Returns the primary, which has all keys; see `Locator.address`."""
        del key
        deadline = time.monotonic() + (ASKING_TIMEOUT * 3 if timeout is None else timeout)
        question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        self._turn += 1
        for sentinel in _rotate(self._addresses, self._turn):
            left = min(ASKING_TIMEOUT, deadline - time.monotonic())
            if left <= 0:
                break
            try:
                reply = ask(self._connection, self._options, sentinel, question, left)
            except (redis.RedisError, OSError):
                continue
            if isinstance(reply, list) and len(reply) == 2:
                return Address(reply[0].decode(), int(reply[1]))
        raise redis.ConnectionError(f"no Sentinel knows the primary of {self._service}")

    def doubt(self) -> None:
        """See `Locator.doubt`: nothing is remembered."""


class _Located(redis.connection.AbstractConnection):
    """Connects to the server that has ``key`` now, and ends when that has it no more.

    An answer that says so becomes a `redis.ConnectionError`: the caller asks again, and so
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
            raise _as_disconnection(error) from None
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
            raise _as_disconnection(error) from None
        except _GONE:
            self._locator.doubt()
            raise


class AsyncLocatedTcp(_AsyncLocated, redis.asyncio.connection.Connection):
    """As it says, over TCP."""


class AsyncLocatedTls(_AsyncLocated, redis.asyncio.connection.SSLConnection):
    """As it says, over TLS."""


def ask(
    connection_class: type[Any],
    options: Mapping[str, Any],
    server: Address,
    command: tuple[str, ...],
    timeout: float,
) -> Any:
    """Returns what one server answers to one command, over a connection of its own."""
    connection = connection_class(
        host=server.host,
        port=server.port,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        protocol=2,
        **options,
    )
    try:
        connection.connect()
        connection.send_command(*command)
        return connection.read_response()
    finally:
        connection.disconnect()


def _rotate(servers: Sequence[Address], turn: int) -> list[Address]:
    first = turn % len(servers)
    return [*servers[first:], *servers[:first]]


def _ranges(reply: Any, asked: Address) -> Iterator[_Range]:
    for first, last, primary, *_ in reply:
        address = _address(primary, asked)
        if address is not None:
            yield _Range(int(first), int(last), address)


def _nodes(reply: Any, asked: Address) -> Iterator[Address]:
    for _, _, *nodes in reply:
        for node in nodes:
            address = _address(node, asked)
            if address is not None:
                yield address


def _address(node: Any, asked: Address) -> Address | None:
    """A node that does not know its own name is where it was asked; ``?`` is nowhere."""
    host = (node[0] or b"").decode()
    return None if host == "?" else Address(host or asked.host, int(node[1]))


def _as_disconnection(error: Exception) -> redis.ConnectionError:
    """What an answer means that sends elsewhere."""
    return redis.ConnectionError(f"this server does not have the partition now: {error}")
