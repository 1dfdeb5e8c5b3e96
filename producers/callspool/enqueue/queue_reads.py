"""What queues read back of the ledger: where documents are, and the feed of events."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic

from callspool.enqueue.connections import has_partitions
from callspool.enqueue.receipts import STATUS_IDS, Client, Configured, scope_of
from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import describe, transport_errors
from callspool.request.identity import partition_of
from callspool.request.text import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    import redis
    import redis.asyncio

    from callspool_ledger.reads.feed import EventPage, Position
    from callspool_ledger.reads.reader import AsyncLedgerReader, LedgerReader
    from callspool_ledger.reads.reading import Found, Reading
    from callspool_ledger.reads.views import DocumentStatus

MOST_EVENTS = 10_000
"""Events of one page, at most."""

LONGEST_WAIT = 600.0
"""Seconds that `events` waits, at most."""

CLUSTER_PAUSE = 0.25
"""Seconds between two looks for events in a cluster, where no command waits on several nodes."""

_READER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


class ReadClients(Generic[Client]):
    """The clients of one process, or of one event loop, that read the partitions."""

    def __init__(self, connect: Callable[[int], Client]) -> None:
        self._connect = connect
        self.clients: dict[int, Client] = {}
        self.is_checked = False

    def client(self, partition: int) -> Client:
        """Returns the client that reads a partition."""
        if partition not in self.clients:
            self.clients[partition] = self._connect(partition)
        return self.clients[partition]


class QueueReads(Configured["redis.Redis"]):
    """The reads of a `CallQueue`."""

    def _read_clients(self) -> ReadClients[redis.Redis]:
        raise NotImplementedError

    def status(
        self,
        document_id: str | UUID,
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
        message_id: str | None = None,
    ) -> DocumentStatus:
        """Returns what became of a document.

        ``message_id``: of its receipt; without it only the newest messages of the queue are
        searched for a document that no worker has accepted yet. Raises `QueueUnavailable`.
        """
        found = self.status_many(
            [document_id],
            space_token=space_token,
            campaign=campaign,
            account=account,
            message_id=message_id,
        )
        return found[as_text(document_id)]

    def status_many(
        self,
        document_ids: Iterable[str | UUID],
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
        message_id: str | None = None,
        accepted_only: bool = False,
    ) -> dict[str, DocumentStatus]:
        """Returns what became of documents of one scope, by their ids.

        ``accepted_only``: search neither the queue nor what was refused, which costs less.

        Raises `QueueUnavailable`, and `LedgerMismatch` if the ledger has another number of
        partitions.
        """
        from callspool_ledger.reads.statuses import read_all_statuses  # noqa: PLC0415 - not needed to enqueue

        scope = scope_of(space_token, campaign, account)
        wanted = list(dict.fromkeys(map(as_text, document_ids)))
        partition = partition_of(scope.account, scope.space_token, self._partitions)
        found: dict[str, DocumentStatus] = {}
        with _describe_faults(self._server):
            reader = self._ledger_reader(partition, 1)
            for start in range(0, len(wanted), STATUS_IDS):
                some = wanted[start : start + STATUS_IDS]
                found |= reader.ask(read_all_statuses(scope, some, message_id, accepted_only))
        return found

    def events(
        self,
        cursor: str = "",
        *,
        since: datetime | None = None,
        wait: float = 0.0,
        limit: int = 500,
        reader: str | None = None,
    ) -> EventPage:
        """Returns events of the feed behind a cursor, the oldest first, and the next cursor.

        Without ``cursor`` it begins at the oldest event that is kept, or at ``since`` (aware).
        ``wait``: seconds to wait for the first event, where there is none yet. ``limit``: events,
        at most. ``reader``: a name under which the metrics tell how far behind you are; ``cursor``
        then counts as dealt with. Raises `CursorTooOld` where events were dropped that you did not
        read, `InvalidCursor`, and the errors of `status_many`.
        """
        from callspool_ledger.reads.feed import join_page, read_feed  # noqa: PLC0415 - as above

        positions = _check_page(cursor, since, wait, limit, reader, self._partitions)
        deadline = time.monotonic() + wait
        with _describe_faults(self._server):
            ledger = self._ledger_reader(0, self._partitions)
            while True:
                page = join_page(ledger.ask(read_feed(positions, limit, reader)), limit)
                left = deadline - time.monotonic()
                if page.events or left <= 0:
                    return page
                self._wait_for_event(positions, left)

    def _wait_for_event(self, positions: Sequence[Position], left: float) -> None:
        if self._server.is_cluster:
            time.sleep(min(left, CLUSTER_PAUSE))
            return
        from callspool_ledger.reads.feed import wait_command  # noqa: PLC0415 - as above

        command = wait_command(positions, min(left, self._timeout / 2))
        client: Any = self._read_clients().client(0)
        client.execute_command(*command)

    def _ledger_reader(self, first: int, partitions: int) -> LedgerReader:
        from callspool_ledger.reads.reader import LedgerReader  # noqa: PLC0415 - as above
        from callspool_ledger.reads.summary import read_partitions  # noqa: PLC0415 - as above

        clients = self._read_clients()
        if not clients.is_checked:
            known = LedgerReader(clients.client(0)).ask(read_partitions())
            clients.is_checked = has_partitions(known, self._partitions)
        every = [clients.client(first + place) for place in range(partitions)]
        return LedgerReader(*every, partition=first)


class AsyncQueueReads(Configured["redis.asyncio.Redis"]):
    """The reads of an `AsyncCallQueue`."""

    def _read_clients(self) -> ReadClients[redis.asyncio.Redis]:
        raise NotImplementedError

    async def status(
        self,
        document_id: str | UUID,
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
        message_id: str | None = None,
    ) -> DocumentStatus:
        """As `CallQueue.status`."""
        found = await self.status_many(
            [document_id],
            space_token=space_token,
            campaign=campaign,
            account=account,
            message_id=message_id,
        )
        return found[as_text(document_id)]

    async def status_many(
        self,
        document_ids: Iterable[str | UUID],
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
        message_id: str | None = None,
        accepted_only: bool = False,
    ) -> dict[str, DocumentStatus]:
        """As `CallQueue.status_many`."""
        from callspool_ledger.reads.statuses import read_all_statuses  # noqa: PLC0415 - not needed to enqueue

        scope = scope_of(space_token, campaign, account)
        wanted = list(dict.fromkeys(map(as_text, document_ids)))
        partition = partition_of(scope.account, scope.space_token, self._partitions)
        found: dict[str, DocumentStatus] = {}
        with _describe_faults(self._server):
            reader = await self._ledger_reader(partition)
            for start in range(0, len(wanted), STATUS_IDS):
                some = wanted[start : start + STATUS_IDS]
                reading = read_all_statuses(scope, some, message_id, accepted_only)
                found |= await self._ask(reader, reading)
        return found

    async def events(
        self,
        cursor: str = "",
        *,
        since: datetime | None = None,
        wait: float = 0.0,
        limit: int = 500,
        reader: str | None = None,
    ) -> EventPage:
        """As `CallQueue.events`."""
        from callspool_ledger.reads.feed import join_page, read_feed, wait_command  # noqa: PLC0415 - as above

        positions = _check_page(cursor, since, wait, limit, reader, self._partitions)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        with _describe_faults(self._server):
            readers = [await self._ledger_reader(place) for place in range(self._partitions)]
            while True:
                reading = read_feed(positions, limit, reader)
                parts = [part for each in readers for part in await self._ask(each, reading)]
                page = join_page(parts, limit)
                left = deadline - loop.time()
                if page.events or left <= 0:
                    return page
                if self._server.is_cluster:
                    await asyncio.sleep(min(left, CLUSTER_PAUSE))
                    continue
                command = wait_command(positions, min(left, self._timeout / 2))
                client: Any = self._read_clients().client(0)
                async with asyncio.timeout(self._timeout):
                    await client.execute_command(*command)

    async def _ask(self, reader: AsyncLedgerReader, reading: Reading[Found]) -> Found:
        async with asyncio.timeout(self._timeout):
            return await reader.ask(reading)

    async def _ledger_reader(self, partition: int) -> AsyncLedgerReader:
        from callspool_ledger.reads.reader import AsyncLedgerReader  # noqa: PLC0415 - as above
        from callspool_ledger.reads.summary import read_partitions  # noqa: PLC0415 - as above

        clients = self._read_clients()
        if not clients.is_checked:
            known = await self._ask(AsyncLedgerReader(clients.client(0)), read_partitions())
            clients.is_checked = has_partitions(known, self._partitions)
        return AsyncLedgerReader(clients.client(partition), partition)


@contextmanager
def _describe_faults(server: object) -> Iterator[None]:
    try:
        yield
    except transport_errors() as error:
        raise QueueUnavailable(describe(error, str(server))) from None


def _check_page(
    cursor: str,
    since: datetime | None,
    wait: float,
    limit: int,
    reader: str | None,
    partitions: int,
) -> list[Position]:
    """Returns where to begin; raises `InvalidCursor`, or ValueError for another argument."""
    from callspool_ledger.reads.feed import cursor_since, decode_cursor  # noqa: PLC0415 - as above

    if not 0 <= wait <= LONGEST_WAIT:
        raise ValueError(f"wait: must be from 0 to {LONGEST_WAIT:.0f} seconds")
    if not 1 <= limit <= MOST_EVENTS:
        raise ValueError(f"limit: must be from 1 to {MOST_EVENTS} events")
    if reader is not None and not _READER.fullmatch(reader):
        raise ValueError("reader: must be a name of at most 64 letters, digits, or any of _.:-")
    if since is not None and (cursor or since.tzinfo is None):
        raise ValueError("since: must be a time with a zone, and comes without a cursor")
    return decode_cursor(cursor or (cursor_since(since, partitions) if since else ""), partitions)
