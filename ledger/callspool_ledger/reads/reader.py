"""Asks the ledger, and Redis about itself: nothing here changes anything."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from msgspec.structs import replace

from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import Fault, classify
from callspool.redis_io.scripts import drive, drive_async, run, run_async
from callspool.redis_io.servers import client_at, is_located, server_of
from callspool.request.identity import partition_of
from callspool_ledger.errors import FREE_THE_DISK, WRITES_REFUSED
from callspool_ledger.keys import GROUP, PartitionKeys, account_prefix, prefix
from callspool_ledger.reads.snapshot import (
    accounts_of,
    add_limits,
    read_accounts,
    read_limits,
    read_metrics,
)
from callspool_ledger.reads.summary import read_summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.redis_io.scripts import Call, Command, Reply
    from callspool.redis_io.servers import RedisEndpoint
    from callspool_ledger.reads.reading import Found, Reading
    from callspool_ledger.reads.snapshot import AccountLimit, Snapshot
    from callspool_ledger.reads.views import LedgerSummary

_NOTHING = PartitionKeys().nothing

_TRIED = (
    ("EVALSHA", "0" * 40, 0),
    ("HDEL", _NOTHING, "x"),
    ("XADD", _NOTHING, "NOMKSTREAM", "*", "x", "1"),
    ("XREADGROUP", "GROUP", GROUP, "doctor", "COUNT", 1, "STREAMS", _NOTHING, "0"),
)
"""What a worker needs, in forms that find nothing to change."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What was found.

    ``info``: of INFO, empty if this user may not ask. ``config``: of CONFIG GET, as far as that may
    be asked. ``refused``: commands of a worker that this user may not use. ``ahead``: seconds that
    Redis' clock is ahead of this machine's; ``unsure``: by how much that may be wrong.
    """

    info: Mapping[str, Any]
    config: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    ahead: float = 0.0
    unsure: float = 0.0


def rules_of(client: redis.Redis) -> list[int] | None:
    """Returns the ledger's format, identity rules and partitions; None without a ledger."""
    names = ["format", "identity", "partitions"]
    found: Any = client.hmget(PartitionKeys().meta, names)
    return None if None in found else [int(each) for each in found]


def is_cut_off(client: redis.Redis, partition: int) -> bool:
    """Whether a partition gives out no takes, since its Redis lost touch with its replicas."""
    found: Any = client.hmget(PartitionKeys(partition).meta, ["replica_at", "alone"])
    seen, alone = (int(each or 0) for each in found)
    if not seen or client.info("replication").get("connected_slaves"):
        return False
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000 - seen > alone


def examine(client: redis.Redis) -> ServerFacts:
    """Asks Redis. Raises what redis-py raises when the connection fails."""
    ahead, unsure = _clock(client)
    return ServerFacts(
        info=_or_nothing(lambda: client.info("everything")),
        config=_config(client),
        refused=tuple(str(tried[0]).lower() for tried in _TRIED if _is_refused(client, tried)),
        ahead=ahead,
        unsure=unsure,
    )


def _config(client: redis.Redis) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("appendfsync", "stop-writes-on-bgsave-error"):
        found |= _or_nothing(lambda name=name: client.config_get(name))
    return found


def _or_nothing(ask: Any) -> dict[str, Any]:
    """An answer, or nothing where this user may not ask."""
    try:
        found: dict[str, Any] = ask()
    except redis.ResponseError:
        return {}
    return found


def _is_refused(client: redis.Redis, tried: tuple[Any, ...]) -> bool:
    try:
        client.execute_command(*tried)  # type: ignore[no-untyped-call]
    except redis.exceptions.NoPermissionError:
        return True
    except redis.ResponseError:
        return False
    return False


def _clock(client: redis.Redis) -> tuple[float, float]:
    began, before = time.monotonic(), time.time()
    seconds, micros = client.time()
    took = time.monotonic() - began
    return seconds + micros / 1e6 - (before + took / 2), took / 2


_TRANSPORT = (redis.ConnectionError, redis.TimeoutError)


def locate_partition(target: object, timeout: float, partition: int = 0) -> RedisEndpoint:
    """Returns the server that keeps a partition; arguments and errors are those of `server_of`."""
    return server_of(target, timeout).at(prefix(partition))


def connect_partitions(server: RedisEndpoint, partitions: int) -> list[redis.Redis]:
    """Returns a client for each partition: the same for all but in a cluster."""
    if not server.is_cluster:
        return [server.client()] * partitions
    return [server.at(prefix(partition)).client() for partition in range(partitions)]


class LedgerReader:
    """Asks the ledger: ``clients`` are those of its partitions, in their order.

    ``partition`` is the first one's number. Every method raises `QueueUnavailable` when Redis does
    not answer.
    """

    def __init__(self, *clients: redis.Redis, partition: int = 0) -> None:
        self._clients = clients
        self._keys = [PartitionKeys(partition + place) for place in range(len(clients))]

    @property
    def first_client(self) -> redis.Redis:
        """The client of the first partition."""
        return self._clients[0]

    @property
    def partitions(self) -> int:
        """How many partitions it reads."""
        return len(self._clients)

    def of_space(self, account: str, space_token: str) -> LedgerReader:
        """Returns the reader of the partition that keeps a space."""
        if len(self._clients) == 1:
            return self
        partition = partition_of(account, space_token, len(self._clients))
        return LedgerReader(self._clients[partition], partition=partition)

    def ask(self, reading: Reading[Found]) -> Found:
        """Returns what a reading finds, in all partitions.

        Raises TypeError for several partitions where only that of one space knows: see `of_space`.
        """
        if len(self._clients) == 1 or reading.of_ledger:
            return self._ask(0, reading)
        if reading.merge is None:
            raise TypeError("this is known of one space alone: ask through of_space")
        return reading.merge([self._ask(place, reading) for place in range(len(self._clients))])

    def metrics(self) -> Snapshot:
        """Returns what the ledger counts, at one moment."""
        found = self.ask(read_metrics())
        found.refuses_writes = self.refuses_writes()
        return add_limits(found, self._limits_of(accounts_of(found)))

    def refuses_writes(self) -> bool:
        """Whether Redis answers, and refuses every write since it cannot save to its disk.

        A PING is refused together with all writes, and needs no right to write.
        """
        return any(self._is_refused(client) for client in dict.fromkeys(self._clients))

    def check_writes(self) -> None:
        """Raises `QueueUnavailable` where Redis does not answer, or refuses every write."""
        if self.refuses_writes():
            raise QueueUnavailable(f"{WRITES_REFUSED}: {FREE_THE_DISK}")

    def summary(self) -> LedgerSummary:
        """Returns how the whole installation stands, and whether Redis takes writes."""
        return replace(self.ask(read_summary()), writes_refused=self.refuses_writes())

    def limits(self) -> list[AccountLimit]:
        """Returns how many requests each account may have in flight now, and has."""
        accounts = self.ask(read_accounts())
        return self._limits_of(sorted(accounts))

    def _limits_of(self, accounts: Sequence[str]) -> list[AccountLimit]:
        if not accounts:
            return []
        first = self._clients[0]
        if not is_located(first):
            return self.ask(read_limits(accounts))
        found: list[AccountLimit] = []
        for name in accounts:  # on a cluster what an account shares is in a slot of its own
            with client_at(first, account_prefix(name)) as client:
                limits = LedgerReader(client).ask(read_limits([name]))
            found += limits
        return found

    def _is_refused(self, client: redis.Redis) -> bool:
        try:
            [reply] = run(client, [("PING",)])
        except redis.RedisError as error:
            raise _translate(error) from error
        return isinstance(reply, redis.RedisError) and classify(reply) is Fault.UNSAVED

    def _ask(self, place: int, reading: Reading[Found]) -> Found:
        exchange = partial(_exchange, self._clients[place])
        try:
            return drive(reading.trips(self._keys[place]), exchange)
        except redis.RedisError as error:
            raise _translate(error) from error


class AsyncLedgerReader:
    """As `LedgerReader`, of one partition, for redis.asyncio."""

    def __init__(self, client: redis.asyncio.Redis, partition: int = 0) -> None:
        self._client = client
        self._keys = PartitionKeys(partition)

    async def ask(self, reading: Reading[Found]) -> Found:
        """Returns what a reading finds."""

        async def exchange(questions: Sequence[Call | Command]) -> list[Reply]:
            return _raise_errors(await run_async(self._client, questions))

        try:
            return await drive_async(reading.trips(self._keys), exchange)
        except redis.RedisError as error:
            raise _translate(error) from error


def _exchange(client: redis.Redis, questions: Sequence[Call | Command]) -> list[Reply]:
    return _raise_errors(run(client, questions))


def _raise_errors(replies: list[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, redis.RedisError):
            raise reply
    return replies


def _translate(error: redis.RedisError) -> Exception:
    if isinstance(error, _TRANSPORT):
        return QueueUnavailable(
            f"Redis does not answer ({type(error).__name__}): check CALLSPOOL_REDIS_URL, and"
            " whether the server runs"
        )
    if isinstance(error, redis.exceptions.NoPermissionError):
        return QueueUnavailable(
            "Redis does not let this user read the ledger: docs/security.md says what it needs"
        )
    if isinstance(error, redis.ResponseError):
        word = str(error).partition(" ")[0]
        return QueueUnavailable(f"Redis refuses to answer ({word}): see its log")
    return error
