"""`CallQueue`: a backend service enqueues its call requests with it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from callspool.enqueue.connections import PartitionConnections, Partitioning
from callspool.enqueue.queue_reads import QueueReads, ReadClients
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
from callspool.redis_io.servers import server_of
from callspool.request.checks import prepare
from callspool.request.message import encode
from callspool.request.text import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Self
    from uuid import UUID

    import redis

    from callspool.enqueue.steering import QueueSteering
    from callspool.redis_io.servers import RedisEndpoint
    from callspool.request.call_request import CallRequest
    from callspool.request.message import Message
    from callspool_ledger.reads.views import DocumentStatus


_END: Final[Any] = object()


class _Process:
    """What belongs to one process and is never shared with its children."""

    def __init__(self, partitioning: Partitioning) -> None:
        self.connections = PartitionConnections(partitioning)
        self.reads = ReadClients(lambda place: partitioning.server_of(place).client())


class CallQueue(QueueReads):
    """Enqueues call requests, and reads what became of their documents.

    ``url_or_client``: a Redis URL (``redis://``, ``rediss://``, ``unix://``; of a cluster
    ``redis+cluster://``, with Sentinels ``redis+sentinel://``), or a `redis.Redis` whose address
    and credentials are taken over. ``timeout``: seconds that `enqueue` blocks at most, in total.
    ``region``: of numbers without a country code (``IN``). ``send_e164``: send numbers whose
    country is known as E.164.
    ``default_context``: for requests without one. ``max_waiting``: with
    more documents waiting, calls raise `QueueFull`. ``partitions``: how many the ledger has
    (docs/scale.md); if it has another number, calls raise `LedgerMismatch`. ``current_trace``
    returns the W3C traceparent for requests that have none.

    Threads may share it, and so may processes made with fork: each makes connections of its own.
    It connects with the first call. Raises `SettingsError` for an argument that cannot be used.
    """

    _opened: dict[int, _Process]

    def _find_server(self) -> RedisEndpoint:
        return server_of(self._given, self._timeout)

    def enqueue(self, request: CallRequest, *, trace: str | None = None) -> Receipt:
        """Enqueues one call request; returns when Redis has all of it.

        ``trace``: the W3C traceparent, if the request has none. Raises `InvalidCallRequest`
        (nothing is stored), `QueueFull` or `QueueUnavailable`; the last two carry ``enqueued``, the
        documents that Redis certainly has. Enqueueing the same request again is then safe:
        documents are recognised by their ids. Blocks for at most the queue's timeout (seconds);
        checking the request and looking up the host's name come on top.
        """
        single = self._singles.prepare(request)
        if single is not None:
            message, ids, partition, own = single
            return Receipt(1, 1, ids, self._share(message, self._trace_of(own, trace), partition))
        prepared = prepare(request, self._rules)
        trace = self._trace_of(prepared.traceparent, trace)
        partition = self._partitioning.partition_of(prepared.envelope)
        small = small_message(prepared)
        if small is not None:
            message_id = self._share(small, trace, partition)
            return Receipt(small.documents, 1, document_ids(prepared), message_id)
        connections = self._process().connections
        deadline = time.monotonic() + self._timeout
        connections.check_partitions(deadline)
        tally = EnqueueTally()
        for messages in portions(encode(prepared), trace, partition):
            tally.add(messages, connections.store_all(messages, deadline))
        every = document_ids(prepared)
        return Receipt(tally.documents, tally.messages, every, tally.first_id)

    def enqueue_many(
        self, requests: Iterable[CallRequest], *, on_invalid: OnInvalid | None = None
    ) -> Summary:
        """Enqueues call requests of any iterable, in constant memory, many in a round trip.

        Raises as `enqueue`, and every error carries ``enqueued``. The error for an invalid request
        carries its place (``request``); ``on_invalid``, if given, is called with that error
        instead, and the others go on. An error of ``requests`` itself comes through, with
        ``enqueued`` and a note that says the same. In either case all requests before it are in
        the queue. The timeout (seconds) is for each round trip.
        """
        connections = self._process().connections
        connections.check_partitions(time.monotonic() + self._timeout)
        portion, tally = Portion(), EnqueueTally(on_invalid)

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
                if not tally.skips_invalid:
                    store()
                tally.leave_out(fault)
                continue
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

    def cancel(
        self,
        document_id: str | UUID,
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
    ) -> DocumentStatus:
        """Takes back a document that waits: it is not sent. Returns where it is then.

        ``cancelled``: it will not be called. It was too late where it is sent, in doubt or created;
        what is ``queued`` can be cancelled once a worker has accepted it. `cancel`, `pause` and
        `resume` do what the commands of that name do, and need a user of Redis that may
        (docs/security.md). Raises `QueueUnavailable`.
        """
        scope, name = scope_of(space_token, campaign, account), as_text(document_id)
        self._steering().cancel(name, scope)
        return self.status(name, space_token=space_token, campaign=campaign, account=account)

    def pause(
        self,
        *,
        account: str | None = None,
        space_token: str | None = None,
        campaign: str | None = None,
        note: str = "",
        until: datetime | None = None,
    ) -> int:
        """Stops sending on all workers; returns how many documents wait behind it.

        Several arguments together mean what all of them mean; without any it is everything.
        ``note``: why. ``until`` (aware): when workers end the pause. Raises `QueueUnavailable`.
        """
        return self._steering().pause(account, space_token, campaign, note, until)

    def resume(
        self,
        *,
        account: str | None = None,
        space_token: str | None = None,
        campaign: str | None = None,
    ) -> int:
        """Sends again what was paused or parked; returns how many documents waited.

        Arguments as of `pause`. Raises `QueueUnavailable`.
        """
        return self._steering().resume(account, space_token, campaign)

    def _steering(self) -> QueueSteering:
        from callspool.enqueue.steering import QueueSteering  # noqa: PLC0415 - not needed to enqueue

        return QueueSteering(self._server, self._partitions)

    def close(self) -> None:
        """Closes this process's connections; a later call opens new ones."""
        process = self._opened.pop(os.getpid(), None)
        if process is not None:
            process.connections.close()
            for client in process.reads.clients.values():
                client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _share(self, message: Message, trace: str | None, partition: int) -> str:
        """Stores a message along with those of other threads; returns its id."""
        connections = self._process().connections
        deadline = time.monotonic() + self._timeout
        connections.check_partitions(deadline)
        outcome = connections.submit(OutgoingMessage(message, trace, partition), deadline)
        if not isinstance(outcome, Stored):
            raise error_of(outcome, enqueued=0)
        return outcome.entry_id.decode()

    def _process(self) -> _Process:
        """Returns this process's own connections; in a child after fork, never the parent's."""
        pid = os.getpid()
        process = self._opened.get(pid)
        if process is None:
            # setdefault is one step: threads that meet here after a fork get the same one, and no
            # lock is involved that the parent could have held.
            process = self._opened.setdefault(pid, _Process(self._partitioning))
            for other in [each for each in list(self._opened) if each != pid]:
                inherited = self._opened.pop(other, None)
                if inherited is not None:
                    inherited.connections.abandon()
        return process

    def _read_clients(self) -> ReadClients[redis.Redis]:
        return self._process().reads
