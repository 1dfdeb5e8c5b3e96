"""Asks the ledger: nothing here changes anything, and nothing needs redis-py."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace

from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import Fault, RefusedReply, classify, transport_errors
from callspool.redis_io.scripts import client_at, drive, drive_async, is_located, run, run_async
from callspool.request.identity import partition_of
from callspool_ledger.errors import FREE_THE_DISK, WRITES_REFUSED
from callspool_ledger.keys import PartitionKeys, account_prefix
from callspool_ledger.reads.snapshot import (
    accounts_of,
    add_limits,
    read_accounts,
    read_limits,
    read_metrics,
)
from callspool_ledger.reads.summary import read_summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis
    import redis.asyncio

    from callspool.redis_io.resp import RespClient
    from callspool.redis_io.scripts import Call, Command, Reply
    from callspool_ledger.reads.reading import Found, Reading
    from callspool_ledger.reads.snapshot import AccountLimit, Snapshot
    from callspool_ledger.reads.views import LedgerSummary

_SILENT = frozenset({Fault.UNREACHABLE, Fault.TIMEOUT, Fault.LOADING, Fault.LOGIN})


class LedgerReader:
    """Asks the ledger: ``clients`` are those of its partitions, in their order.

    ``partition`` is the first one's number. Every method raises `QueueUnavailable` when Redis does
    not answer.
    """

    def __init__(self, *clients: redis.Redis | RespClient, partition: int = 0) -> None:
        self._clients = clients
        self._keys = [PartitionKeys(partition + place) for place in range(len(clients))]

    @property
    def first_client(self) -> redis.Redis:
        """The client of the first partition, where redis-py's clients were given."""
        client: Any = self._clients[0]
        return cast("redis.Redis", client)

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
        if not is_located(self._clients[0]):
            return self.ask(read_limits(accounts))
        found: list[AccountLimit] = []
        for name in accounts:  # on a cluster what an account shares is in a slot of its own
            with client_at(self.first_client, account_prefix(name)) as client:
                limits = LedgerReader(client).ask(read_limits([name]))
            found += limits
        return found

    def _is_refused(self, client: redis.Redis | RespClient) -> bool:
        try:
            [reply] = run(client, [("PING",)])
        except transport_errors() as error:
            raise _translate(error) from error
        return isinstance(reply, Exception) and classify(reply) is Fault.UNSAVED

    def _ask(self, place: int, reading: Reading[Found]) -> Found:
        return drive(reading.trips(self._keys[place]), partial(_exchange, self._clients[place]))


class AsyncLedgerReader:
    """As `LedgerReader`, of one partition, for redis.asyncio."""

    def __init__(self, client: redis.asyncio.Redis, partition: int = 0) -> None:
        self._client = client
        self._keys = PartitionKeys(partition)

    async def ask(self, reading: Reading[Found]) -> Found:
        """Returns what a reading finds."""

        async def exchange(questions: Sequence[Call | Command]) -> list[Reply]:
            try:
                return _raise_errors(await run_async(self._client, questions))
            except transport_errors() as error:
                raise _translate(error) from error

        return await drive_async(reading.trips(self._keys), exchange)


def _exchange(client: redis.Redis | RespClient, questions: Sequence[Call | Command]) -> list[Reply]:
    try:
        return _raise_errors(run(client, questions))
    except transport_errors() as error:
        raise _translate(error) from error


def _raise_errors(replies: list[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def _translate(error: Exception) -> QueueUnavailable:
    fault, word = classify(error), str(error).partition(" ")[0]
    if fault in _SILENT:
        word = word if isinstance(error, RefusedReply) else type(error).__name__
        return QueueUnavailable(
            f"Redis does not answer ({word}): check CALLSPOOL_REDIS_URL, and whether the server"
            " runs"
        )
    if fault is Fault.PERMISSION:
        return QueueUnavailable(
            "Redis does not let this user read the ledger: docs/security.md says what it needs"
        )
    if fault is Fault.NOT_REDIS:
        return QueueUnavailable(
            "what answers does not speak as Redis does: check CALLSPOOL_REDIS_URL"
        )
    return QueueUnavailable(f"Redis refuses to answer ({word}): see its log")
