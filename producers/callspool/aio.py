"""`AsyncCallQueue`: `CallQueue` for services that run on an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Iterable, Sequence
from typing import TYPE_CHECKING

from callspool.enqueue.aio_connections import AsyncPartitionConnections
from callspool.enqueue.queue_reads import AsyncQueueReads, ReadClients
from callspool.enqueue.receipts import (
    EnqueueTally,
    OnInvalid,
    Portion,
    Receipt,
    Summary,
    document_ids,
    error_of,
    note_enqueued,
    portions,
    scope_of,
    small_message,
)
from callspool.enqueue.storing import OutgoingMessage, Stored
from callspool.errors import InvalidCallRequest
from callspool.redis_io.servers import async_server_of, server_of
from callspool.request.checks import prepare
from callspool.request.message import encode
from callspool.request.text import as_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from typing import Self
    from uuid import UUID

    import redis.asyncio

    from callspool.enqueue.connections import Partitioning
    from callspool.enqueue.steering import QueueSteering
    from callspool.redis_io.servers import RedisEndpoint
    from callspool.request.call_request import CallRequest, PreparedRequest, Rules
    from callspool.request.message import Message
    from callspool_ledger.reads.views import DocumentStatus

DOCUMENTS_ON_THE_LOOP = 200
"""A larger request is checked in a thread, so that it does not hold up the event loop."""
TURN = 0.005
"""Seconds of checking requests before other tasks get their turn."""


class _Loop:
    """What belongs to one event loop of one process."""

    def __init__(self, partitioning: Partitioning) -> None:
        self.pid = os.getpid()
        self.connections = AsyncPartitionConnections(partitioning)
        self.reads = ReadClients(lambda place: partitioning.server_of(place).async_client())


class AsyncCallQueue(AsyncQueueReads):
    """As `CallQueue`, its methods awaitable; ``url_or_client`` may be a `redis.asyncio.Redis`.

    It makes connections of its own for each event loop that uses it, one after another or in
    several threads. Close it (``async with``, or `close`) on the loop that used it: connections
    that a closed loop left open are freed when the queue is next used.
    """

    _opened: dict[asyncio.AbstractEventLoop, _Loop]

    def _find_server(self) -> RedisEndpoint:
        return async_server_of(self._given)

    async def enqueue(self, request: CallRequest, *, trace: str | None = None) -> Receipt:
        """As `CallQueue.enqueue`. If the task is cancelled, Redis may have the request or not."""
        single = self._singles.prepare(request)
        if single is not None:
            message, ids, partition, own = single
            message_id = await self._share(message, self._trace_of(own, trace), partition)
            return Receipt(1, 1, ids, message_id)
        prepared = await self._prepare(request)
        trace = self._trace_of(prepared.traceparent, trace)
        partition = self._partitioning.partition_of(prepared.envelope)
        small = small_message(prepared)
        if small is not None:
            message_id = await self._share(small, trace, partition)
            return Receipt(small.documents, 1, document_ids(prepared), message_id)
        loop = asyncio.get_running_loop()
        connections = self._here(loop).connections
        deadline = loop.time() + self._timeout
        await connections.check_partitions(deadline)
        tally = EnqueueTally()
        for messages in portions(encode(prepared), trace, partition):
            tally.add(messages, await connections.store_all(messages, deadline))
        every = document_ids(prepared)
        return Receipt(tally.documents, tally.messages, every, tally.first_id)

    async def enqueue_many(
        self,
        requests: Iterable[CallRequest] | AsyncIterable[CallRequest],
        *,
        on_invalid: OnInvalid | None = None,
    ) -> Summary:
        """As `CallQueue.enqueue_many`; takes an async iterable too."""
        loop = asyncio.get_running_loop()
        connections = self._here(loop).connections
        await connections.check_partitions(loop.time() + self._timeout)
        portion, tally = Portion(), EnqueueTally(on_invalid)

        async def store() -> None:
            if messages := portion.take():
                tally.add(
                    messages, await connections.store_all(messages, loop.time() + self._timeout)
                )

        coming = _each(requests)
        while True:
            try:
                prepared = await self._prepare(await anext(coming))
                trace = self._trace_of(prepared.traceparent)
            except StopAsyncIteration:
                break
            except InvalidCallRequest as fault:
                if not tally.skips_invalid:
                    await store()
                tally.leave_out(fault)
                continue
            except Exception as error:
                await store()
                note_enqueued(error, tally.documents)
                raise
            tally.requests += 1
            partition = self._partitioning.partition_of(prepared.envelope)
            for message in encode(prepared):
                if portion.add(message, trace, partition):
                    await store()
        await store()
        return tally.summary

    async def cancel(
        self,
        document_id: str | UUID,
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
    ) -> DocumentStatus:
        """As `CallQueue.cancel`, in a thread; it needs a queue that was made from a URL."""
        scope, name = scope_of(space_token, campaign, account), as_text(document_id)
        await asyncio.to_thread(self._steering().cancel, name, scope)
        return await self.status(name, space_token=space_token, campaign=campaign, account=account)

    async def pause(
        self,
        *,
        account: str | None = None,
        space_token: str | None = None,
        campaign: str | None = None,
        note: str = "",
        until: datetime | None = None,
    ) -> int:
        """As `CallQueue.pause`, in a thread; it needs a queue that was made from a URL."""
        steer = self._steering()
        return await asyncio.to_thread(steer.pause, account, space_token, campaign, note, until)

    async def resume(
        self,
        *,
        account: str | None = None,
        space_token: str | None = None,
        campaign: str | None = None,
    ) -> int:
        """As `CallQueue.resume`, in a thread; it needs a queue that was made from a URL."""
        steer = self._steering()
        return await asyncio.to_thread(steer.resume, account, space_token, campaign)

    def _steering(self) -> QueueSteering:
        from callspool.enqueue.steering import QueueSteering  # noqa: PLC0415 - not needed to enqueue

        return QueueSteering(server_of(self._given, self._timeout), self._partitions)

    async def close(self) -> None:
        """Closes the connections of the running event loop; a later call opens new ones."""
        here = self._opened.pop(asyncio.get_running_loop(), None)
        if here is not None:
            await here.connections.close()
            for client in here.reads.clients.values():
                await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _share(self, message: Message, trace: str | None, partition: int) -> str:
        """Stores a message along with those of other tasks; returns its id."""
        loop = asyncio.get_running_loop()
        connections = self._here(loop).connections
        deadline = loop.time() + self._timeout
        await connections.check_partitions(deadline)
        outcome = await connections.submit(OutgoingMessage(message, trace, partition), deadline)
        if not isinstance(outcome, Stored):
            raise error_of(outcome, enqueued=0)
        return outcome.entry_id.decode()

    async def _prepare(self, request: CallRequest) -> PreparedRequest:
        if _is_large(request):
            return await asyncio.to_thread(_prepare, request, self._rules)
        return prepare(request, self._rules)

    def _read_clients(self) -> ReadClients[redis.asyncio.Redis]:
        return self._here(asyncio.get_running_loop()).reads

    def _here(self, loop: asyncio.AbstractEventLoop) -> _Loop:
        """Returns the running event loop's own connections."""
        here = self._opened.get(loop)
        if here is None or here.pid != os.getpid():
            for other in [each for each in list(self._opened) if each.is_closed()]:
                self._opened.pop(other, None)
            here = self._opened[loop] = _Loop(self._partitioning)
        return here


def _is_large(request: CallRequest) -> bool:
    documents: object = getattr(request, "documents", None)
    return isinstance(documents, Sequence) and len(documents) > DOCUMENTS_ON_THE_LOOP


def _prepare(request: CallRequest, rules: Rules) -> PreparedRequest:
    """As `prepare`, for a thread: a StopIteration would never reach the task that awaits it."""
    try:
        return prepare(request, rules)
    except StopIteration as end:
        raise RuntimeError("a document raised StopIteration") from end


async def _each(
    requests: Iterable[CallRequest] | AsyncIterable[CallRequest],
) -> AsyncIterator[CallRequest]:
    """Yields the requests one by one; amid a plain iterable, other tasks get their turn."""
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
        return
    loop = asyncio.get_running_loop()
    turn_ends = loop.time() + TURN
    for request in requests:
        yield request
        if loop.time() >= turn_ends:
            await asyncio.sleep(0)
            turn_ends = loop.time() + TURN
