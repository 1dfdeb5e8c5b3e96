"""Call requests as they were posted, and what a caller may ask about and cancel afterwards."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from callspool.aio import AsyncCallQueue
from callspool.enqueue.aio_connections import AsyncPartitionConnections
from callspool.enqueue.connections import Partitioning
from callspool.enqueue.receipts import EnqueueTally, error_of, scope_of
from callspool.enqueue.storing import OutgoingMessage, Stored
from callspool.errors import InvalidCallRequest
from callspool.redis_io.servers import async_server_of
from callspool.request.call_request import CallRequest, PreparedRequest
from callspool.request.checks import check_head, check_raw_document, check_timely
from callspool.request.message import SHARED_BYTES, SHARED_DOCUMENTS, encode
from callspool_operators.serving.admission import check_scope, fill_in
from callspool_operators.serving.bodies import (
    DUPLICATE,
    ENQUEUED,
    INVALID,
    MOST_DOCUMENTS,
    DocumentReply,
    DocumentVerdict,
    KnownDocument,
)
from callspool_operators.serving.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.request.call_request import CheckedEnvelope, Rules
    from callspool.request.identity import Scope
    from callspool.settings import Settings
    from callspool_ledger.access import AccessKey
    from callspool_ledger.reads.views import DocumentStatus
    from callspool_operators.serving.bodies import DocumentsQuery, PostedRequest


TIMEOUT: Final = 10.0
"""Seconds for the round trips of one request to Redis."""


_HEAD = ("space_token", "pilot", "context", "schedule", "campaign", "account", "expires_at")


class JudgedRequests(NamedTuple):
    """What is to be enqueued, and a verdict for each document; its scope where it has one."""

    prepared: list[PreparedRequest]
    verdicts: list[DocumentVerdict]
    scopes: list[Scope | None]


def count_documents(requests: Sequence[PostedRequest]) -> int:
    """Returns how many documents were posted; raises `Problem` for none, or too many."""
    for place, request in enumerate(requests):
        if not request.documents:
            raise Problem("wrong-shape", f"request {place}: documents must hold at least one")
    documents = sum(len(request.documents) for request in requests)
    if not documents:
        raise Problem("wrong-shape", "the body must hold at least one call request")
    if documents > MOST_DOCUMENTS:
        raise Problem("too-large", f"at most {MOST_DOCUMENTS:,} documents: send them in parts")
    return documents


def judge(requests: Sequence[PostedRequest], key: AccessKey, rules: Rules) -> JudgedRequests:
    """Checks call requests, good ones beside bad ones.

    Raises `Problem` if one of them is outside of the key's scope: then none is enqueued.
    """
    heads = [_check_head(request, key, rules) for request in requests]
    judged = JudgedRequests([], [], [])
    seen: set[tuple[Scope, str]] = set()
    for request, head in zip(requests, heads, strict=True):
        if isinstance(head, InvalidCallRequest):
            fault = DocumentVerdict(INVALID, field=head.field, reason=head.reason)
            judged.verdicts.extend([fault] * len(request.documents))
            judged.scopes.extend([None] * len(request.documents))
            continue
        good: list[bytes] = []
        for raw in request.documents:
            judged.verdicts.append(_judge_document(bytes(raw), head.scope, rules, seen, good))
            judged.scopes.append(head.scope)
        if good:
            judged.prepared.append(PreparedRequest(head, [good]))
    return judged


def state_request(**fields: Any) -> CallRequest:
    """Returns a call request without documents, its fields not checked yet."""
    return CallRequest(**fields, documents=())


def _check_head(
    request: PostedRequest, key: AccessKey, rules: Rules
) -> CheckedEnvelope | InvalidCallRequest:
    fill_in(request, key)
    stated = {field: getattr(request, field) for field in _HEAD}
    try:
        envelope = check_head(state_request(**stated), rules)
        check_scope(key, envelope.scope)
        check_timely(envelope, time.time())
    except InvalidCallRequest as fault:
        return fault
    return envelope


def _judge_document(
    raw: bytes, scope: Scope, rules: Rules, seen: set[tuple[Scope, str]], good: list[bytes]
) -> DocumentVerdict:
    try:
        document = check_raw_document(raw, rules)
    except InvalidCallRequest as fault:
        return DocumentVerdict(INVALID, fault.document_id, fault.field, fault.reason)
    identity = (scope, document.document_id)
    if identity in seen:
        return DocumentVerdict(DUPLICATE, document.document_id)
    seen.add(identity)
    good.append(document.raw)
    return DocumentVerdict(ENQUEUED, document.document_id)


class IntakeQueue:
    """Puts prepared requests into the queue, from one event loop."""

    def __init__(self, settings: Settings) -> None:
        server = async_server_of(settings.redis_url)
        self._partitioning = Partitioning(server, settings.partitions, settings.max_waiting)
        self._connections = AsyncPartitionConnections(self._partitioning)

    async def enqueue(
        self, prepared: Sequence[PreparedRequest], trace: str | None, key: str
    ) -> None:
        """Returns once Redis has all of it; raises `QueueFull`, `QueueUnavailable` and the like."""
        messages = [
            OutgoingMessage(message, trace, self._partitioning.partition_of(each.envelope), key)
            for each in prepared
            for message in encode(each)
        ]
        if not messages:
            return
        deadline = asyncio.get_running_loop().time() + TIMEOUT
        await self._connections.check_partitions(deadline)
        if len(messages) == 1 and _is_small(messages[0]):
            outcome = await self._connections.submit(messages[0], deadline)
            if not isinstance(outcome, Stored):
                raise error_of(outcome, enqueued=0)
            return
        outcomes = await self._connections.store_all(messages, deadline)
        EnqueueTally().add(messages, outcomes)

    async def close(self) -> None:
        """Closes the connections."""
        await self._connections.close()


def _is_small(message: OutgoingMessage) -> bool:
    return message.message.documents <= SHARED_DOCUMENTS and message.size <= SHARED_BYTES


def add_known(
    judged: JudgedRequests, found: Mapping[Scope, Mapping[str, KnownDocument]]
) -> list[DocumentVerdict]:
    """Returns the verdicts with what the ledger knew of their documents."""
    return [
        verdict
        if scope is None or verdict.document_id is None
        else replace(verdict, known=found.get(scope, {}).get(verdict.document_id))
        for verdict, scope in zip(judged.verdicts, judged.scopes, strict=True)
    ]


def check_query(asked: DocumentsQuery, key: AccessKey) -> Scope:
    """Returns the scope of the documents that are meant; raises `Problem`."""
    fill_in(asked, key)
    if not asked.space_token:
        raise Problem("wrong-shape", "space_token is missing: name the space")
    scope = scope_of(asked.space_token, asked.campaign, asked.account)
    check_scope(key, scope)
    return scope


class DocumentReader:
    """Reads where documents are, from one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._queue = AsyncCallQueue.from_settings(settings, timeout=TIMEOUT)

    async def read(self, scope: Scope, ids: Sequence[str]) -> list[DocumentReply]:
        """Returns the documents in the order asked for; raises `QueueUnavailable`."""
        found = await self._read(scope, ids)
        return [_reply(each, found[each]) for each in ids]

    async def read_known(self, scope: Scope, ids: Sequence[str]) -> dict[str, KnownDocument]:
        """Returns what the ledger knows of documents, by their ids."""
        found = await self._read(scope, ids)
        return {
            each: KnownDocument(status.state, status.accepted_at)
            for each, status in found.items()
            if status is not None and status.accepted_at is not None
        }

    async def _read(self, scope: Scope, ids: Sequence[str]) -> dict[str, DocumentStatus | None]:
        found = await self._queue.status_many(
            ids,
            space_token=scope.space_token,
            campaign=scope.campaign,
            account=scope.account,
            accepted_only=True,
        )
        return {each: None if one.state == "unknown" else one for each, one in found.items()}

    async def close(self) -> None:
        """Closes the connections."""
        await self._queue.close()


def _reply(document_id: str, status: DocumentStatus | None) -> DocumentReply:
    if status is None:
        return DocumentReply(document_id=document_id)
    return DocumentReply(
        document_id=document_id,
        state=status.state,
        outcome=status.outcome,
        reason=status.reason,
        run_id=status.run_id,
        task_id=status.task_id,
        attempts=status.attempts,
        accepted_at=status.accepted_at,
        settled_at=status.settled_at,
    )
