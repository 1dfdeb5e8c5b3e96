"""What callers post and get back, problems included: checks and OpenAPI are made of these."""

import math
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

import msgspec

from callspool.errors import CallspoolError, LedgerMismatch, QueueFull, QueueUnavailable
from callspool.redis_io.errors import RedisError
from callspool.request.message import describe_fault
from callspool_ledger.errors import LedgerUnavailable

MEDIA_TYPE: Final = "application/problem+json"
KINDS: Final = {
    "not-json": (400, "The body cannot be read"),
    "broken-off": (400, "The body broke off"),
    "key-missing": (401, "A key is needed"),
    "key-unknown": (401, "The key is not known"),
    "out-of-scope": (403, "The key does not allow this"),
    "not-found": (404, "There is no such thing here"),
    "method": (405, "Another method is needed"),
    "too-slow": (408, "The body came too slowly"),
    "too-large": (413, "The body is too large"),
    "media-type": (415, "The body is of a type that is not read"),
    "wrong-shape": (422, "The body is not what is asked for"),
    "too-fast": (429, "The key has used up its rate"),
    "queue-full": (429, "The queue is full"),
    "fault": (500, "The server made a mistake"),
    "queue-away": (503, "Redis does not answer"),
    "busy": (503, "The server is busy"),
}
"""Each kind's status and title; `type` is ``urn:callspool:problem:`` and the kind."""

RETRY_SOON: Final = 5.0


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document. ``enqueued``: documents of this request that Redis certainly has."""

    type: str
    title: str
    status: int
    detail: str
    enqueued: int | None = None
    rows: int | None = None
    """Rows of an upload that are done."""


class Problem(Exception):  # noqa: N818 - the name of RFC 9457
    """Ends a request with a problem document.

    ``retry_after`` in seconds; ``allow``: the methods that the path takes.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        retry_after: float | None = None,
        enqueued: int | None = None,
        rows: int | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.allow = allow
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.enqueued = enqueued
        self.rows = rows

    @property
    def status(self) -> int:
        return KINDS[self.kind][0]

    @property
    def document(self) -> ProblemDocument:
        return ProblemDocument(
            type=f"urn:callspool:problem:{self.kind}",
            title=KINDS[self.kind][1],
            status=self.status,
            detail=self.detail,
            enqueued=self.enqueued,
            rows=self.rows,
        )

    @property
    def headers(self) -> Mapping[str, str]:
        found = {"cache-control": "no-store"}
        if self.retry_after is not None:
            found["retry-after"] = str(max(1, math.ceil(self.retry_after)))
        if self.allow is not None:
            found["allow"] = self.allow
        if self.status == HTTPStatus.UNAUTHORIZED:
            found["www-authenticate"] = 'Bearer realm="callspool"'
        return found


def problem_of(error: Exception, *, rows: int | None = None) -> Problem:
    """Returns the problem that an error of callspool is to its caller."""
    enqueued = getattr(error, "enqueued", None)
    again = "repeating the request is safe"
    if isinstance(error, Problem):
        return error
    if isinstance(error, QueueFull):
        return Problem(
            "queue-full",
            f"the queue has no room now; {again}",
            retry_after=RETRY_SOON,
            enqueued=enqueued,
            rows=rows,
        )
    if isinstance(error, QueueUnavailable | LedgerUnavailable | LedgerMismatch | RedisError):
        return Problem(
            "queue-away",
            f"the queue cannot be reached now; {again}",
            retry_after=RETRY_SOON,
            enqueued=enqueued,
            rows=rows,
        )
    if isinstance(error, CallspoolError):
        return Problem("wrong-shape", str(error), rows=rows)
    return Problem("fault", f"see the log of callspool serve; {again}")


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

    document_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_IDS)]
    space_token: str | None = None
    campaign: str | None = None
    account: str | None = None


class CancelQuery(DocumentsQuery, forbid_unknown_fields=True, kw_only=True):
    """Documents that are to be cancelled, as in `DocumentsQuery`; there may be fewer of them."""

    document_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_CANCELLED)]


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
