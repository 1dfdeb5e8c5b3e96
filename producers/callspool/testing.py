"""Queues for the tests of services that enqueue: they check, record, and need no Redis."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import msgspec

from callspool.aio import AsyncCallQueue
from callspool.enqueue.receipts import (
    EnqueueTally,
    OnInvalid,
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
from callspool.request.schedule import check_until
from callspool.request.text import as_text

if TYPE_CHECKING:
    from uuid import UUID

    from callspool.request.call_request import CallRequest, Rules
    from callspool.request.identity import Scope
    from callspool_ledger.reads.feed import EventPage, FeedEvent
    from callspool_ledger.reads.views import DocumentState, DocumentStatus


class RequestRecorder:
    """Records what a queue was given.

    ``requests``: the call requests, as they were passed. ``documents``: their documents as the API
    would get them, in order. ``error``: while set, it is raised instead of recording, as
    ``queue.error = QueueFull("full")``. ``pauses``: what is paused now, as (account, space token,
    campaign). A recorded document is ``waiting`` until `pretend` says otherwise; what it says is
    also an event.
    """

    _rules: Rules

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.error: Exception | None = None
        self.clear()

    def clear(self) -> None:
        """Forgets everything that was recorded and pretended; ``error`` stays."""
        self.requests: list[CallRequest] = []
        self.documents: list[dict[str, Any]] = []
        self.pauses: set[Pause] = set()
        self._accepted: dict[tuple[Scope, str], datetime] = {}
        self._pretended: dict[str, dict[str, Any]] = {}
        self._told: list[FeedEvent] = []

    def pretend(
        self,
        document_id: str,
        state: DocumentState,
        *,
        run_id: str | None = None,
        task_id: str | None = None,
        reason: str | None = None,
        outcome: str | None = None,
    ) -> None:
        """Lets `status` say that a document is in that state, in every scope, and `events` too.

        ``outcome``: of its call, once it is created. Raises `ValueError` for what is no state, or
        no outcome.
        """
        from callspool_ledger.reads.views import OUTCOMES, DocumentState  # noqa: PLC0415 - brings in redis

        if state not in get_args(DocumentState):
            raise ValueError(f"no state of a document: {state}")
        if state == "created":
            outcome = outcome or "open"
        if outcome is not None and (state != "created" or outcome not in OUTCOMES):
            raise ValueError(f"no outcome of a document that is {state}: {outcome}")
        settled = datetime.now(UTC) if state in _SETTLED else None
        before = self._pretended.get(document_id, {})
        self._pretended[document_id] = {
            "state": state,
            "run_id": run_id,
            "task_id": task_id,
            "reason": reason,
            "attempts": int(state not in _UNSENT),
            "settled_at": settled,
            "outcome": outcome,
        }
        for scope, name in self._accepted:
            if name == document_id:
                self._tell(scope, document_id, before.get("state"))

    def _tell(self, scope: Scope, document_id: str, before: str | None) -> None:
        from callspool_ledger.reads.feed import FeedEvent  # noqa: PLC0415 - brings in redis

        now = self._pretended[document_id]
        kinds = [now["state"]] if now["state"] in _TOLD and now["state"] != before else []
        if now["outcome"] not in {None, "open"}:
            kinds.append("lost_sight" if now["outcome"] == "lost_sight" else "ended")
        for kind in kinds:
            is_of_call = kind in {"ended", "lost_sight"}
            open_call = "open" if kind == "created" else None
            self._told.append(
                FeedEvent(
                    id=f"0-0-{len(self._told)}-0",
                    time=datetime.now(UTC),
                    type=kind,
                    account=scope.account,
                    campaign=scope.campaign or None,
                    document_id=document_id,
                    run_id=now["run_id"],
                    task_id=now["task_id"],
                    outcome=now["outcome"] if is_of_call else open_call,
                    reason=now["reason"],
                )
            )

    def _events(self, cursor: str, since: datetime | None, limit: int) -> EventPage:
        from callspool_ledger.reads import feed  # noqa: PLC0415 - brings in redis

        if self.error is not None:
            raise self.error
        (start,) = feed.decode_cursor(cursor, 1)
        later = [event for event in self._told[start.number :] if not since or event.time >= since]
        found = later[:limit]
        read = self._told.index(found[-1]) + 1 if found else len(self._told)
        return feed.EventPage(found, feed.encode_cursor([feed.Position(0, read)]))

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
        return Receipt(len(ids), sum(1 for _ in encode(prepared)), ids, f"{len(self.requests)}-0")

    def _record_one_of_many(self, request: CallRequest, tally: EnqueueTally) -> None:
        try:
            receipt = self._record(request)
        except InvalidCallRequest as fault:
            tally.leave_out(fault)
        else:
            tally.requests += 1
            tally.documents += receipt.documents

    def _statuses(self, scope: Scope, wanted: Iterable[object]) -> dict[str, DocumentStatus]:
        from callspool_ledger.reads.views import DocumentStatus  # noqa: PLC0415 - brings in redis

        found: dict[str, DocumentStatus] = {}
        for document_id in map(as_text, wanted):
            accepted_at = self._accepted.get((scope, document_id))
            pretended = self._pretended.get(document_id, {})
            state = "unknown" if accepted_at is None else "waiting"
            fields = {"state": state, **pretended, "accepted_at": accepted_at}
            found[document_id] = DocumentStatus(document_id, **fields)
        return found

    def _cancel(self, scope: Scope, document_id: object) -> DocumentStatus:
        name = as_text(document_id)
        if self._statuses(scope, [name])[name].state == "waiting":
            self.pretend(name, "cancelled")
        return self._statuses(scope, [name])[name]

    def _pause(self, pause: Pause) -> int:
        self.pauses.add(pause)
        return self._count_waiting(pause)

    def _resume(self, pause: Pause) -> int:
        self.pauses -= {each for each in self.pauses if _covers(pause, each)}
        return self._count_waiting(pause)

    def _count_waiting(self, pause: Pause) -> int:
        waiting = [
            document_id
            for scope, document_id in self._accepted
            if _covers(pause, scope)
            and self._statuses(scope, [document_id])[document_id].state == "waiting"
        ]
        return len(waiting)


Pause: TypeAlias = tuple[str | None, str | None, str | None]
_SETTLED = frozenset({"created", "cancelled", "expired"})
_TOLD = _SETTLED | {"dead"}
_UNSENT = frozenset({"queued", "refused", "unknown", "waiting", "cancelled", "expired", "conflict"})


def _covers(wide: Pause, narrow: Pause | Scope) -> bool:
    return all(one in (None, other) for one, other in zip(wide, narrow, strict=True))


class RecordingQueue(RequestRecorder, CallQueue):
    """A `CallQueue` that checks as the real one does and records instead of storing.

    Documents that were recorded are ``waiting``. `RequestRecorder` says what a test may look at,
    and pretend.
    """

    def enqueue(self, request: CallRequest, *, trace: str | None = None) -> Receipt:
        return self._record(request, trace)

    def enqueue_many(
        self, requests: Iterable[CallRequest], *, on_invalid: OnInvalid | None = None
    ) -> Summary:
        tally = EnqueueTally(on_invalid)
        with _noting_what_is_enqueued(tally):
            for request in requests:
                self._record_one_of_many(request, tally)
        return tally.summary

    def status_many(
        self,
        document_ids: Iterable[str | UUID],
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
        **_searched: object,
    ) -> dict[str, DocumentStatus]:
        return self._statuses(scope_of(space_token, campaign, account), document_ids)

    def events(
        self,
        cursor: str = "",
        *,
        since: datetime | None = None,
        limit: int = 500,
        **_how: object,
    ) -> EventPage:
        """Returns what `pretend` and `cancel` told; it never waits."""
        return self._events(cursor, since, limit)

    def cancel(
        self,
        document_id: str | UUID,
        *,
        space_token: str,
        campaign: str | None = None,
        account: str | None = None,
    ) -> DocumentStatus:
        return self._cancel(scope_of(space_token, campaign, account), document_id)

    def pause(
        self,
        *,
        account: str | None = None,
        space_token: str | None = None,
        campaign: str | None = None,
        until: datetime | None = None,
        **_note: object,
    ) -> int:
        check_until(until)
        return self._pause((account, space_token, campaign))

    def resume(
        self,
        *,
        account: str | None = None,
        space_token: str | None = None,
        campaign: str | None = None,
    ) -> int:
        return self._resume((account, space_token, campaign))


def _as_coroutine(method: Callable[..., Any]) -> Any:
    @wraps(method)
    async def answer(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return answer


class AsyncRecordingQueue(RequestRecorder, AsyncCallQueue):
    """As `RecordingQueue`, for services that use an `AsyncCallQueue`."""

    if not TYPE_CHECKING:  # type checkers read the signatures of AsyncCallQueue
        enqueue = _as_coroutine(RecordingQueue.enqueue)
        status_many = _as_coroutine(RecordingQueue.status_many)
        events = _as_coroutine(RecordingQueue.events)
        cancel = _as_coroutine(RecordingQueue.cancel)
        pause = _as_coroutine(RecordingQueue.pause)
        resume = _as_coroutine(RecordingQueue.resume)

    async def enqueue_many(
        self,
        requests: Iterable[CallRequest] | AsyncIterable[CallRequest],
        *,
        on_invalid: OnInvalid | None = None,
    ) -> Summary:
        tally = EnqueueTally(on_invalid)
        with _noting_what_is_enqueued(tally):
            if isinstance(requests, AsyncIterable):
                async for request in requests:
                    self._record_one_of_many(request, tally)
            else:
                for request in requests:
                    self._record_one_of_many(request, tally)
        return tally.summary


@contextmanager
def _noting_what_is_enqueued(tally: EnqueueTally) -> Iterator[None]:
    try:
        yield
    except CallspoolError:
        raise
    except Exception as error:
        note_enqueued(error, tally.documents)
        raise
