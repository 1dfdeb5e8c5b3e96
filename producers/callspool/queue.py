"""`CallQueue`: how a backend service hands over its call requests."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from callspool.enqueue.connections import PartitionConnections
from callspool.enqueue.outcomes import OutgoingMessage, Stored
from callspool.enqueue.partitioning import Partitioning, has_partitions
from callspool.enqueue.queue_options import (
    DEFAULT_MAX_WAITING,
    DEFAULT_TIMEOUT,
    DEFAULT_URL,
    STATUS_IDS,
    Configured,
    scope_of,
)
from callspool.enqueue.receipts import (
    EnqueueTally,
    InvalidRequestInMany,
    Portion,
    Receipt,
    Summary,
    document_ids,
    error_of,
    note_enqueued,
    portions,
    small_message,
)
from callspool.errors import InvalidCallRequest, QueueUnavailable
from callspool.redis_io.errors import TRANSPORT_ERRORS, describe
from callspool.redis_io.servers import server_of
from callspool.request.checks import prepare
from callspool.request.identity import partition_of
from callspool.request.message import encode
from callspool.request.single_request import SingleRequests
from callspool_ledger import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    import redis

    from callspool.request.call_request import CallRequest
    from callspool.request.message import Message
    from callspool_ledger.reads.reader import DocumentStatus


_END: Final[Any] = object()


class _Process:
    """What belongs to one process and is never shared with its children."""

    def __init__(self, partitioning: Partitioning) -> None:
        self.connections = PartitionConnections(partitioning)
        self.readers: dict[int, redis.Redis] = {}
        self.is_checked = False


class CallQueue(Configured):
    """The queue of call requests: enqueue, and ask what became of a document.

    ``url_or_client``: a Redis URL (``redis://``, ``rediss://``, ``unix://``; of a cluster
    ``redis+cluster://``, with Sentinels ``redis+sentinel://``), or a `redis.Redis` whose address
    and credentials are taken over. ``timeout``: seconds that `enqueue` may block, in total.
    ``region``: of numbers without a country code (``IN``). ``send_e164``: send numbers whose
    country is known as E.164.
    ``default_context``: for requests without one. ``max_waiting``: documents waiting,
    beyond which `QueueFull` is raised. ``partitions``: those of the ledger (docs/scale.md); where
    it has another number, calls raise `LedgerMismatch`. ``current_trace`` is asked for the W3C
    traceparent of requests that have none.

    May be shared by threads, and by processes made with fork: each makes connections of its own.
    Nothing is connected before the first call. Raises `SettingsError` for an argument that cannot
    be used.
    """

    def __init__(
        self,
        url_or_client: str | redis.Redis = DEFAULT_URL,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        region: str | None = None,
        send_e164: bool = True,
        default_context: str | None = None,
        max_waiting: int = DEFAULT_MAX_WAITING,
        current_trace: Callable[[], str | None] | None = None,
        partitions: int = 1,
    ) -> None:
        super().__init__(
            url_or_client,
            timeout=timeout,
            region=region,
            send_e164=send_e164,
            default_context=default_context,
            max_waiting=max_waiting,
            current_trace=current_trace,
            partitions=partitions,
        )
        self._server = server_of(url_or_client, self._timeout)
        self._partitioning = Partitioning(self._server, self._partitions, self._max_waiting)
        self._singles = SingleRequests(self._rules, self._partitioning.partition_of)
        self._processes: dict[int, _Process] = {}

    def enqueue(self, request: CallRequest, *, trace: str | None = None) -> Receipt:
        """Hands over one call request; returns after Redis has all of it.

        ``trace``: the W3C traceparent, where the request has none. Raises `InvalidCallRequest`
        (nothing is stored), `QueueFull` or `QueueUnavailable`; the last two carry ``enqueued``, the
        documents that Redis certainly has. Enqueueing the same request again is then safe:
        documents are recognised by their ids. Blocks for the queue's timeout at most, apart from
        checking the request and from the system's look-up of the host's name.
        """
        single = self._singles.prepare(request)
        if single is not None:
            message, ids, partition, own = single
            self._share(message, self._trace_of(own, trace), partition)
            return Receipt(1, 1, ids)
        prepared = prepare(request, self._rules)
        trace = self._trace_of(prepared.traceparent, trace)
        partition = self._partitioning.partition_of(prepared.envelope)
        small = small_message(prepared)
        if small is not None:
            self._share(small, trace, partition)
            return Receipt(small.documents, 1, document_ids(prepared))
        connections = self._process().connections
        deadline = time.monotonic() + self._timeout
        connections.check_partitions(deadline)
        tally = EnqueueTally()
        for messages in portions(encode(prepared), trace, partition):
            tally.add(messages, connections.store_all(messages, deadline))
        return Receipt(tally.documents, tally.messages, document_ids(prepared))

    def enqueue_many(self, requests: Iterable[CallRequest]) -> Summary:
        """Hands over call requests from any iterable, in constant memory, many in a round trip.

        Raises as `enqueue`, and every error carries ``enqueued``. An invalid request is told
        with its place (``request``). Where ``requests`` raises, its own error comes through, with
        ``enqueued`` and a note that says the same. In either case all requests before are in the
        queue. The timeout is for each round trip.
        """
        connections = self._process().connections
        connections.check_partitions(time.monotonic() + self._timeout)
        portion, tally = Portion(), EnqueueTally()

        def store() -> None:
            if messages := portion.take():
                tally.add(messages, connections.store_in_turn(messages, self._timeout))

        coming = iter(requests)
        while True:
            try:
                request = next(coming, _END)
                if request is _END:
                    break
                prepared = prepare(request, self._rules)
                trace = self._trace_of(prepared.traceparent)
            except InvalidCallRequest as fault:
                store()
                raise InvalidRequestInMany(fault, tally.requests, tally.documents) from None
            except Exception as error:
                store()
                note_enqueued(error, tally.documents)
                raise
            tally.requests += 1
            partition = self._partitioning.partition_of(prepared.envelope)
            for message in encode(prepared):
                if portion.add(message, trace, partition):
                    store()
        store()
        return tally.summary

    def status(
        self,
        document_id: str,
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
    ) -> DocumentStatus | None:
        """What became of a document; None when no worker has accepted it (yet).

        Raises `QueueUnavailable`.
        """
        found = self.status_many(
            [document_id], space_token=space_token, campaign=campaign, account=account
        )
        return found[document_id]

    def status_many(
        self,
        document_ids: Iterable[str],
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
    ) -> dict[str, DocumentStatus | None]:
        """What became of documents of one scope; None for those that no worker has accepted.

        Raises `QueueUnavailable`, and `LedgerMismatch` if the ledger has other partitions.
        """
        from callspool_ledger.reads.reader import Readings  # noqa: PLC0415 - not needed to enqueue

        scope = scope_of(space_token, campaign, account)
        wanted = list(dict.fromkeys(document_ids))
        partition = partition_of(scope.account, scope.space_token, self._partitions)
        readings = Readings(self._reader(partition), partition)
        process = self._process()
        found: list[DocumentStatus | None] = []
        try:
            if not process.is_checked:
                known = Readings(self._reader(0)).partitions()
                process.is_checked = has_partitions(known, self._partitions)
            for start in range(0, len(wanted), STATUS_IDS):
                found += readings.documents(scope, wanted[start : start + STATUS_IDS])
        except TRANSPORT_ERRORS as error:
            raise QueueUnavailable(describe(error, str(self._server))) from None
        return dict(zip(wanted, found, strict=True))

    def close(self) -> None:
        """Closes this process's connections; a later call makes new ones."""
        process = self._processes.pop(os.getpid(), None)
        if process is not None:
            process.connections.close()
            for reader in process.readers.values():
                reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _share(self, message: Message, trace: str | None, partition: int) -> None:
        """Stores a message along with those of other threads."""
        connections = self._process().connections
        deadline = time.monotonic() + self._timeout
        connections.check_partitions(deadline)
        outcome = connections.submit(OutgoingMessage(message, trace, partition), deadline)
        if not isinstance(outcome, Stored):
            raise error_of(outcome, enqueued=0)

    def _process(self) -> _Process:
        """This process's own connections; in a child after fork, never the parent's."""
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            # setdefault is one step: threads that meet here after a fork get the same one, and no
            # lock is involved that the parent could have held.
            process = self._processes.setdefault(pid, _Process(self._partitioning))
            for other in [each for each in list(self._processes) if each != pid]:
                inherited = self._processes.pop(other, None)
                if inherited is not None:
                    inherited.connections.abandon()
        return process

    def _reader(self, partition: int) -> redis.Redis:
        readers = self._process().readers
        if partition not in readers:
            readers[partition] = self._server.at(keys.prefix(partition)).client()
        return readers[partition]
