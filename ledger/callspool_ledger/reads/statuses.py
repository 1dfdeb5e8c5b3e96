"""Where documents are, those too that no worker has accepted: in the queue, refused, or unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callspool.errors import MessageUnreadable
from callspool.request.identity import DEFAULT_ACCOUNT, read_document_id
from callspool.request.message import decode
from callspool_ledger.reads.dead import read_refused
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reading import of_one_space
from callspool_ledger.reads.views import DocumentStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from callspool.redis_io.scripts import Command
    from callspool.request.identity import Scope
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips

MESSAGES_SEARCHED = 100
"""The newest messages of the queue in which a document is searched: up to half a megabyte each."""

REFUSALS_SEARCHED = 1000


@of_one_space
def read_all_statuses(
    keys: PartitionKeys,
    scope: Scope,
    document_ids: Sequence[str],
    message_id: str | None = None,
    accepted_only: bool = False,
) -> Trips[dict[str, DocumentStatus]]:
    """Reads where documents of one scope are, by their ids.

    ``message_id``: the message that brought them, which is looked for instead of the newest ones.
    ``accepted_only``: search neither the queue nor the refusals; what is there is unknown then.
    """
    found = yield from _read_accepted(keys, scope, document_ids)
    left = [each for each in document_ids if each not in found]
    if left and not accepted_only:
        found |= yield from _read_unaccepted(keys, scope, left, message_id)
        # A worker may have accepted it in between.
        left = [each for each in left if each not in found]
        found |= yield from _read_accepted(keys, scope, left)
    return {each: found.get(each) or DocumentStatus(each, "unknown") for each in document_ids}


def _read_accepted(
    keys: PartitionKeys, scope: Scope, document_ids: Sequence[str]
) -> Trips[dict[str, DocumentStatus]]:
    statuses = yield from read_statuses(scope, document_ids).trips(keys)
    return {each.document_id: each for each in statuses if each is not None}


def _read_unaccepted(
    keys: PartitionKeys, scope: Scope, document_ids: Sequence[str], message_id: str | None
) -> Trips[dict[str, DocumentStatus]]:
    newest: Command = ("XREVRANGE", keys.requests, "+", "-", "COUNT", MESSAGES_SEARCHED)
    (entries,) = yield [
        newest if message_id is None else ("XRANGE", keys.requests, message_id, message_id)
    ]
    queued = set(_ids_in(entries, scope))
    found = {each: DocumentStatus(each, "queued") for each in document_ids if each in queued}
    refusals = yield from read_refused(REFUSALS_SEARCHED).trips(keys)
    for each in refusals:
        name = each.document_id or ""
        is_meant = each.account == scope.account and message_id in (None, each.message)
        if is_meant and name in document_ids and name not in found:
            reason = f"{each.field}: {each.reason}"
            found[name] = DocumentStatus(name, "refused", reason=reason)
    return found


def _ids_in(entries: Any, scope: Scope) -> Iterator[str]:
    for _, fields in entries or ():
        try:
            requests = decode(fields).requests
        except MessageUnreadable:
            continue
        for each in requests:
            account = each.account or DEFAULT_ACCOUNT
            if (account, each.space_token, each.campaign or "") == tuple(scope):
                yield from (read_document_id(bytes(raw)) for raw in each.documents)
