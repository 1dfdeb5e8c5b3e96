"""What callers post and get back: the checks and the OpenAPI document are made of these structs."""

from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from callspool.request.message import describe_fault
from callspool_operators.serving.problems import Problem

MOST_DOCUMENTS: Final = 5_000
"""Documents of one ``POST /v1/requests``."""
MOST_BYTES: Final = 8 * 1024 * 1024
MOST_IDS: Final = 1_000
"""Ids of one question for states."""
MOST_CANCELLED: Final = 100

ENQUEUED: Final = "enqueued"
DUPLICATE: Final = "duplicate_in_request"
INVALID: Final = "invalid"
VERDICTS: Final = (ENQUEUED, DUPLICATE, INVALID)

Body = TypeVar("Body")


class PostedRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A call request: as in a message of the queue. What a key is bound to may be left out."""

    documents: list[msgspec.Raw]
    space_token: str | None = None
    pilot: str | None = None
    context: str | None = None
    schedule: dict[str, Any] | str | None = None
    campaign: str | None = None
    account: str | None = None
    expires_at: str | float | None = None


class KnownDocument(msgspec.Struct, frozen=True):
    """What the ledger knew of a document before this request, and since when."""

    state: str
    since: datetime


class DocumentVerdict(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What became of one document; ``field`` and ``reason``: what is wrong with an invalid one."""

    verdict: str
    document_id: str | None = None
    field: str | None = None
    reason: str | None = None
    known: KnownDocument | None = None


class IntakeReply(msgspec.Struct, frozen=True):
    """Redis has every document that is ``enqueued``; ``verdicts`` are in the order of the body."""

    enqueued: int
    duplicate_in_request: int
    invalid: int
    verdicts: list[DocumentVerdict]


class RefusedRow(msgspec.Struct, frozen=True):
    """A row of an upload that does not go on: the line on which it starts, and why."""

    line: int
    verdict: str
    reason: str


class UploadReply(msgspec.Struct, frozen=True):
    """Redis has every row that is ``enqueued``; ``refused`` holds the first 1,000 others."""

    rows: int
    enqueued: int
    duplicate_in_request: int
    invalid: int
    refused: list[RefusedRow]


class DocumentsQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Documents of one scope, by their ids. What a key is bound to may be left out."""

    document_ids: list[str]
    space_token: str | None = None
    campaign: str | None = None
    account: str | None = None


class DocumentReply(msgspec.Struct, frozen=True, kw_only=True):
    """Where a document is; ``state`` is null for one that the ledger does not know."""

    document_id: str
    state: str | None = None
    outcome: str | None = None
    reason: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    attempts: int = 0
    accepted_at: datetime | None = None
    settled_at: datetime | None = None


class StatusReply(msgspec.Struct, frozen=True):
    """The documents that were asked for, in that order."""

    documents: list[DocumentReply]


class CancelledDocument(msgspec.Struct, frozen=True):
    """Whether a document was cancelled now; else ``state`` says where it is, null if unknown."""

    document_id: str
    cancelled: bool
    state: str | None


class CancelReply(msgspec.Struct, frozen=True):
    """The documents that were to be cancelled, in that order."""

    documents: list[CancelledDocument]


def decode_body(body: bytes, kind: type[Body]) -> Body:
    """Reads a JSON body; raises `Problem` that says what is wrong, and quotes no value."""
    try:
        body.decode()
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as fault:
        raise Problem("wrong-shape", describe_fault(fault)) from None
    except msgspec.DecodeError as fault:
        raise Problem("not-json", describe_fault(fault)) from None
    except UnicodeDecodeError as fault:
        raise Problem("not-json", f"is not valid UTF-8 (byte {fault.start})") from None
    except RecursionError:
        raise Problem("not-json", "is nested too deeply") from None
