"""`CallQueue`: how a backend service hands over its call requests."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from callspool.checks import prepare
from callspool.configured import (
    DEFAULT_MAX_WAITING,
    DEFAULT_TIMEOUT,
    DEFAULT_URL,
    STATUS_IDS,
    Configured,
    scope_of,
)
from callspool.errors import InvalidCallRequest, QueueUnavailable
from callspool.group_commit import GroupCommit
from callspool.message import encode
from callspool.receipts import (
    InvalidRequestInMany,
    Portion,
    Receipt,
    Summary,
    Tally,
    document_ids,
    error_of,
    note_enqueued,
    portions,
    small_message,
)
from callspool.spooling.options import Server, server_of
from callspool.spooling.outcomes import TRANSPORT_ERRORS, Outgoing, Stored, failure_of
from callspool.spooling.spool import Spool
from callspool.spooling.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    import redis

    from callspool.call_request import CallRequest
    from callspool.ledger.readings import DocumentStatus


class _Process:
    """What belongs to one process and is never shared with its children."""

    def __init__(self, server: Server, max_waiting: int) -> None:
        self.wire = Wire(server, Spool(max_waiting, str(server)))
        self.group = GroupCommit(self.wire.store)
        self.readers: redis.Redis | None = None


class CallQueue(Configured):
    """The queue of call requests: enqueue, and ask what became of a document.

    ``url_or_client``: a Redis URL (``redis://``, ``rediss://``, ``unix://``), or a `redis.Redis`
    whose address and credentials are taken over. ``timeout``: seconds that `enqueue` may block,
    in total. ``region``: of numbers without a country code (``IN``). ``send_e164``: send numbers
    normalised. ``default_context``: for requests without one. ``max_waiting``: documents waiting,
    beyond which `QueueFull` is raised. ``current_trace`` is asked for the W3C traceparent of
    requests that have none.

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
        send_e164: bool = False,
        default_context: str | None = None,
        max_waiting: int = DEFAULT_MAX_WAITING,
        current_trace: Callable[[], str | None] | None = None,
    ) -> None:
        super().__init__(
            url_or_client,
            timeout=timeout,
            region=region,
            send_e164=send_e164,
            default_context=default_context,
            max_waiting=max_waiting,
            current_trace=current_trace,
        )
        self._server = server_of(url_or_client, self._timeout)
        self._processes: dict[int, _Process] = {}

    def enqueue(self, request: CallRequest, *, trace: str | None = None) -> Receipt:
        """Hands over one call request; returns after Redis has all of it.

        ``trace``: the W3C traceparent, where the request has none. Raises `InvalidCallRequest`
        (nothing is stored), `QueueFull` or `QueueUnavailable`; the last two carry ``enqueued``, the
        documents that Redis certainly has. Enqueueing the same request again is then safe:
        documents are recognised by their ids. Blocks for the queue's timeout at most, apart from
        checking the request and from the system's look-up of the host's name.
        """
        prepared = prepare(request, self._rules)
        trace = self._trace_of(prepared, trace)
        process = self._process()
        deadline = time.monotonic() + self._timeout
        small = small_message(prepared)
        if small is not None:
            outcome = process.group.submit(Outgoing(small, trace), deadline)
            if not isinstance(outcome, Stored):
                raise error_of(outcome, enqueued=0)
            return Receipt(small.documents, 1, document_ids(prepared))
        tally = Tally()
        for messages in portions(encode(prepared), trace):
            tally.add(messages, process.wire.store_all(messages, deadline))
        return Receipt(tally.documents, tally.messages, document_ids(prepared))

    def enqueue_many(self, requests: Iterable[CallRequest]) -> Summary:
        """Hands over call requests from any iterable, in constant memory, many in a round trip.

        Raises as `enqueue`, and every error carries ``enqueued``. An invalid request is told
        with its place (``request``). Where ``requests`` raises, its own error comes through, with
        ``enqueued`` and a note that says the same. In either case all requests before are in the
        queue. The timeout is for each round trip.
        """
        process = self._process()
        portion, tally = Portion(), Tally()

        def store() -> None:
            if messages := portion.take():
                deadline = time.monotonic() + self._timeout
                tally.add(messages, process.wire.store_all(messages, deadline))

        coming = iter(requests)
        while True:
            try:
                prepared = prepare(next(coming), self._rules)
            except StopIteration:
                break
            except InvalidCallRequest as fault:
                store()
                raise InvalidRequestInMany(fault, tally.requests, tally.documents) from None
            except Exception as error:
                store()
                note_enqueued(error, tally.documents)
                raise
            tally.requests += 1
            trace = self._trace_of(prepared)
            for message in encode(prepared):
                if portion.add(message, trace):
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

        Raises `QueueUnavailable`.
        """
        from callspool.ledger.readings import Readings  # noqa: PLC0415 - not needed to enqueue

        scope = scope_of(space_token, campaign, account)
        wanted = list(dict.fromkeys(document_ids))
        readings = Readings(self._reader())
        found: list[DocumentStatus | None] = []
        try:
            for start in range(0, len(wanted), STATUS_IDS):
                found += readings.documents(scope, wanted[start : start + STATUS_IDS])
        except TRANSPORT_ERRORS as error:
            raise QueueUnavailable(failure_of(error, str(self._server)).reason) from None
        return dict(zip(wanted, found, strict=True))

    def close(self) -> None:
        """Closes this process's connections; a later call makes new ones."""
        process = self._processes.pop(os.getpid(), None)
        if process is not None:
            process.wire.close()
            if process.readers is not None:
                process.readers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _process(self) -> _Process:
        """This process's own connections; in a child after fork, never the parent's."""
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            # setdefault is one step: threads that meet here after a fork get the same one, and no
            # lock is involved that the parent could have held.
            process = self._processes.setdefault(pid, _Process(self._server, self._max_waiting))
            for other in [each for each in list(self._processes) if each != pid]:
                inherited = self._processes.pop(other, None)
                if inherited is not None:
                    inherited.wire.abandon()
        return process

    def _reader(self) -> redis.Redis:
        process = self._process()
        if process.readers is None:
            process.readers = self._server.client()
        return process.readers
