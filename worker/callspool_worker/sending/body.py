"""The body of a create-call, joined from bytes: no document is parsed on its way.

Stored documents are joined by a character that JSON never holds. What stands between two of them
in a body also carries the attempt's mark, an extra field that comes back in the task's ``input``
(O) and tells whose task it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from callspool.request.identity import Scope, read_document_ids, scope_tag
from callspool_ledger.keys import attempt_word
from callspool_ledger.writes import SEPARATOR, LaneKey

if TYPE_CHECKING:
    from callspool_ledger.writes import Taken

MARK_FIELD = "callspool_attempt"
BYTES_A_DOCUMENT = 64
"""What a document adds to a body at most besides itself: the mark and a comma."""

_encode = msgspec.json.Encoder().encode
_TAIL = b"]}"


def head(lane: LaneKey) -> bytes:
    """Returns the body up to the first document."""
    return b'{"pilot":%b,"context":%b,"schedule":%b,"documents":[' % (
        _encode(lane.pilot),
        _encode(lane.context),
        lane.schedule.encode(),
    )


def empty_body_bytes(lane: LaneKey) -> int:
    """Returns the bytes of a body of this lane without any document."""
    return len(head(lane)) + len(_TAIL)


def mark(ledger_id: str, attempt: int, lane: LaneKey) -> str:
    """Returns the opaque word that every document of an attempt carries.

    It names the ledger and the attempt, and tells the scope, in case the ledger forgot the attempt.
    """
    scope = Scope(lane.account, lane.space_token, lane.campaign)
    return f"{attempt_word(ledger_id, attempt)}-{scope_tag(scope)}"


def document_ids(taken: Taken) -> list[str]:
    """Returns the ids of the documents to send, in their order."""
    return read_document_ids(taken.documents.split(SEPARATOR))


def compose(taken: Taken, mark_word: str | None) -> bytes:
    """Returns the body for a batch, its documents as they came, marked if there is a word."""
    if mark_word is None:
        documents = taken.documents.replace(SEPARATOR, b",")
    else:
        closing = b',"%b":"%b"}' % (MARK_FIELD.encode(), mark_word.encode())
        # Split at one byte and joined again: a third of what it costs to replace two bytes.
        opened = [document[:-1] for document in taken.documents.split(SEPARATOR)]
        documents = (closing + b",").join(opened) + closing
    return head(taken.lane) + documents + _TAIL
