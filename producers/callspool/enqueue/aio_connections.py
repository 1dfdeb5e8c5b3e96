"""Round trips to Redis from an event loop: its connections, each within a deadline."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.exceptions import ReadOnlyError

from callspool.enqueue.connections import (
    IDLE_CONNECTIONS,
    ask_partitions,
    group_by_partition,
    read_partitions,
    restore_order,
)
from callspool.enqueue.group_commit import AsyncGroupCommit
from callspool.enqueue.storing import Outage, compute_pauses, list_passing, why_not_stored
from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import transport_errors
from callspool.redis_io.scripts import drive_async, pack, read_reply_async

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.enqueue.connections import Partitioning
    from callspool.enqueue.storing import NotStored, Outcome, OutgoingMessage, Spool
    from callspool.redis_io.scripts import Command, Reply
    from callspool.redis_io.servers import RedisEndpoint


class AsyncSpoolConnections:
    """The connections of one event loop to one partition, and how messages travel over them."""

    def __init__(self, server: RedisEndpoint, spool: Spool) -> None:
        self._server = server
        self._spool = spool
        self._idle: list[Any] = []
        self._closed = False

    async def store_all(
        self, messages: Sequence[OutgoingMessage], deadline: float
    ) -> list[Outcome]:
        """As `store`; repeats what failed for the moment, until the deadline."""
        loop = asyncio.get_running_loop()
        outcomes = await self.store(messages, deadline)
        for pause in compute_pauses():
            again = list_passing(outcomes)
            if not again or loop.time() + pause >= deadline:
                break
            await asyncio.sleep(pause)
            retried = await self.store([messages[place] for place in again], deadline)
            for place, outcome in zip(again, retried, strict=True):
                outcomes[place] = outcome
        return outcomes

    async def store(self, messages: Sequence[OutgoingMessage], deadline: float) -> list[Outcome]:
        """Stores messages, as a rule in one round trip; returns each one's outcome, in order."""
        exchange = partial(self.exchange, deadline=deadline)
        try:
            return await drive_async(self._spool.store(messages), exchange)
        except transport_errors() as error:
            return [why_not_stored(error, str(self._server))] * len(messages)

    async def exchange(self, commands: Sequence[Command], deadline: float) -> list[Reply]:
        """Makes one round trip; raises `TimeoutError` after the deadline (of the loop's clock)."""
        is_new = not self._idle
        connection = self._server.connection() if is_new else self._idle.pop()
        try:
            async with asyncio.timeout_at(deadline):
                if is_new:
                    await connection.connect()
                await connection.send_packed_command([pack(commands)])
                replies = [await read_reply_async(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        was_demoted = any(isinstance(reply, ReadOnlyError) for reply in replies)
        if was_demoted or self._closed or len(self._idle) >= IDLE_CONNECTIONS:
            await connection.disconnect(nowait=True)
        else:
            self._idle.append(connection)
        return replies

    async def close(self) -> None:
        """Closes the connections: those in use when their round trip is over."""
        self._closed = True
        while self._idle:
            await self._idle.pop().disconnect()


class AsyncPartitionConnections:
    """The connections of one event loop to every partition, and what its tasks share of them."""

    def __init__(self, partitioning: Partitioning) -> None:
        self._partitions = partitioning.partitions
        self._where = str(partitioning.server)
        self._connections = partitioning.for_each(AsyncSpoolConnections)
        self._groups = [AsyncGroupCommit(each.store) for each in self._connections]
        self._outages = [Outage() for _ in self._connections]
        self._is_checked = partitioning.partitions == 1

    async def check_partitions(self, deadline: float) -> None:
        """As `PartitionConnections.check_partitions`; ``deadline`` by the loop's clock."""
        if self._is_checked:
            return
        loop = asyncio.get_running_loop()
        for pause in compute_pauses():
            failure = await self._ask(deadline)
            if failure is None:
                self._is_checked = True
                return
            if not failure.again or loop.time() + pause >= deadline:
                raise QueueUnavailable(failure.reason)
            await asyncio.sleep(pause)

    async def _ask(self, deadline: float) -> NotStored | None:
        exchange = partial(self._connections[0].exchange, deadline=deadline)
        try:
            replies = await drive_async(ask_partitions(self._partitions), exchange)
        except transport_errors() as error:
            return why_not_stored(error, self._where)
        return read_partitions(replies, self._partitions, self._where)

    async def submit(self, message: OutgoingMessage, deadline: float) -> Outcome:
        """Stores one message by the deadline, along with those of other tasks."""
        outage, loop = self._outages[message.partition], asyncio.get_running_loop()
        if (failure := outage.failure(loop.time())) is not None:
            return failure
        outcome = await self._groups[message.partition].submit(message, deadline)
        outage.note(outcome, loop.time())
        return outcome

    async def store_all(
        self, messages: Sequence[OutgoingMessage], deadline: float
    ) -> list[Outcome]:
        """Stores messages, all partitions at once; returns their outcomes, in order."""
        if self._partitions == 1:
            return await self._store_in(0, messages, deadline)
        parts = group_by_partition(messages)
        outcomes = await asyncio.gather(
            *(
                self._store_in(partition, [messages[at] for at in places], deadline)
                for partition, places in parts.items()
            )
        )
        return restore_order(zip(parts.values(), outcomes, strict=True))

    async def _store_in(
        self, partition: int, messages: Sequence[OutgoingMessage], deadline: float
    ) -> list[Outcome]:
        outage, loop = self._outages[partition], asyncio.get_running_loop()
        if (failure := outage.failure(loop.time())) is not None:
            return [failure] * len(messages)
        outcomes = await self._connections[partition].store_all(messages, deadline)
        outage.note(outcomes[-1], loop.time())
        return outcomes

    async def close(self) -> None:
        """Closes the connections: those in use when their round trip is over."""
        for each in self._connections:
            await each.close()
