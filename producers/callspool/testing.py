"""Queues for the tests of services that enqueue: they check, record, and need no Redis."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from callspool.aio import AsyncCallQueue
from callspool.enqueue.receipts import (
    InvalidRequestInMany,
    Receipt,
    Summary,
    document_ids,
    note_enqueued,
    scope_of,
)
from callspool.errors import CallspoolError, InvalidCallRequest
from callspool.queue import CallQueue
from callspool.request.call_request import traceparent_of
from callspool.request.checks import prepare
from callspool.request.message import encode

if TYPE_CHECKING:
    from callspool.request.call_request import CallRequest, Rules
    from callspool.request.identity import Scope
    from callspool_ledger.reads.views import DocumentStatus


class RequestRecorder:
    """Records what a queue was given.

    ``requests``: the call requests, as they were passed. ``documents``: their documents as the API
    would get them, in order. ``error``: while set, it is raised instead of recording, as
    ``queue.error = QueueFull("full")``.
    """

    _rules: Rules

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.error: Exception | None = None
        self.clear()

    def clear(self) -> None:
        """Forgets everything that was recorded; ``error`` stays."""
        self.requests: list[CallRequest] = []
        self.documents: list[dict[str, Any]] = []
        self._accepted: dict[tuple[Scope, str], datetime] = {}

    def _record(self, request: CallRequest, trace: str | None = None) -> Receipt:
        prepared = prepare(request, self._rules)
        traceparent_of(trace)
        if self.error is not None:
            raise self.error
        ids = document_ids(prepared)
        now = datetime.now(UTC)
        self.requests.append(request)
        self.documents += [msgspec.json.decode(document) for document in prepared.documents]
        for document_id in ids:
            self._accepted.setdefault((prepared.envelope.scope, document_id), now)
        return Receipt(len(ids), sum(1 for _ in encode(prepared)), ids)

    def _record_one_of_many(self, request: CallRequest, so_far: Summary) -> Summary:
        try:
            receipt = self._record(request)
        except InvalidCallRequest as fault:
            raise InvalidRequestInMany(fault, so_far.requests, so_far.documents) from None
        return Summary(so_far.requests + 1, so_far.documents + receipt.documents)

    def _statuses(self, scope: Scope, wanted: Iterable[str]) -> dict[str, DocumentStatus | None]:
        return {document_id: self._status(scope, document_id) for document_id in wanted}

    def _status(self, scope: Scope, document_id: str) -> DocumentStatus | None:
        from callspool_ledger.reads.views import DocumentStatus  # noqa: PLC0415 - brings in redis

        accepted_at = self._accepted.get((scope, document_id))
        if accepted_at is None:
            return None
        return DocumentStatus(
            document_id=document_id,
            state="waiting",
            run_id=None,
            task_id=None,
            attempts=0,
            reason=None,
            accepted_at=accepted_at,
            settled_at=None,
        )


class RecordingQueue(RequestRecorder, CallQueue):
    """A `CallQueue` that checks as the real one does and records instead of storing.

    Documents that were recorded are ``waiting``. `RequestRecorder` says what a test may look at.
    """

    def enqueue(self, request: CallRequest, *, trace: str | None = None) -> Receipt:
        return self._record(request, trace)

    def enqueue_many(self, requests: Iterable[CallRequest]) -> Summary:
        summary = Summary(0, 0)
        try:
            for request in requests:
                summary = self._record_one_of_many(request, summary)
        except CallspoolError:
            raise
        except Exception as error:
            note_enqueued(error, summary.documents)
            raise
        return summary

    def status_many(
        self,
        document_ids: Iterable[str],
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
    ) -> dict[str, DocumentStatus | None]:
        return self._statuses(scope_of(space_token, campaign, account), document_ids)


class AsyncRecordingQueue(RequestRecorder, AsyncCallQueue):
    """As `RecordingQueue`, for services that use an `AsyncCallQueue`."""

    async def enqueue(
        self,
        request: CallRequest,
        *,
        trace: str | None = None,
    ) -> Receipt:
        return self._record(request, trace)

    async def enqueue_many(
        self, requests: Iterable[CallRequest] | AsyncIterable[CallRequest]
    ) -> Summary:
        summary = Summary(0, 0)
        try:
            if isinstance(requests, AsyncIterable):
                async for request in requests:
                    summary = self._record_one_of_many(request, summary)
            else:
                for request in requests:
                    summary = self._record_one_of_many(request, summary)
        except CallspoolError:
            raise
        except Exception as error:
            note_enqueued(error, summary.documents)
            raise
        return summary

    async def status_many(
        self,
        document_ids: Iterable[str],
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
    ) -> dict[str, DocumentStatus | None]:
        return self._statuses(scope_of(space_token, campaign, account), document_ids)
