"""What a caller may ask about, and cancel: documents of its key's scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callspool.aio import AsyncCallQueue
from callspool.enqueue.receipts import scope_of
from callspool.errors import InvalidCallRequest
from callspool.redis_io.servers import server_of
from callspool.request.text import fault_of_word
from callspool_ledger import keys
from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.reader import connect_partitions
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_operators.serving.admission import check_scope, fill_in, wrong_shape
from callspool_operators.serving.bodies import (
    MOST_IDS,
    CancelledDocument,
    DocumentReply,
    KnownDocument,
)
from callspool_operators.serving.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.request.identity import Scope
    from callspool.settings import Settings
    from callspool_ledger.access import AccessKey
    from callspool_ledger.reads.views import DocumentStatus
    from callspool_operators.serving.bodies import DocumentsQuery

TIMEOUT: Final = 10.0


def check_query(asked: DocumentsQuery, key: AccessKey, most: int = MOST_IDS) -> Scope:
    """Returns the scope of the documents that are meant; raises `Problem`."""
    if not 1 <= len(asked.document_ids) <= most:
        raise Problem("wrong-shape", f"document_ids must hold 1 to {most:,} ids")
    fill_in(asked, key)
    if not asked.space_token:
        raise Problem("wrong-shape", "space_token is missing: name the space")
    for field, text in (
        ("space_token", asked.space_token),
        ("campaign", asked.campaign),
        ("account", asked.account),
        *(("document_ids", each) for each in asked.document_ids),
    ):
        if text and (reason := fault_of_word(text)):
            raise wrong_shape(InvalidCallRequest(field, reason))
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
            if status is not None
        }

    async def _read(self, scope: Scope, ids: Sequence[str]) -> dict[str, DocumentStatus | None]:
        return await self._queue.status_many(
            ids, space_token=scope.space_token, campaign=scope.campaign, account=scope.account
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._queue.close()


def cancel_documents(
    settings: Settings, key: AccessKey, scope: Scope, ids: Sequence[str]
) -> list[CancelledDocument]:
    """Takes back documents that wait, in a thread; raises `QueueUnavailable`.

    The journal names the key.
    """
    server = server_of(settings.redis_url, TIMEOUT).at(keys.prefix())
    clients = connect_partitions(server, settings.partitions)
    try:
        steering = Steering(clients, f"key {key.name}")
        selector = Selector(scope.account, scope.space_token, scope.campaign)
        return [_cancel_one(steering, each, selector) for each in ids]
    finally:
        for client in clients:
            client.close()


def _cancel_one(steering: Steering, document_id: str, selector: Selector) -> CancelledDocument:
    found = steering.cancel_one(document_id, selector)
    if not found:
        return CancelledDocument(document_id, cancelled=False, state=None)
    one = found[0]
    return CancelledDocument(
        document_id,
        cancelled=one.done,
        state="cancelled" if one.done else STATES.get(one.letter),
    )


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
