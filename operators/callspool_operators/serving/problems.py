"""Problems as callers get them (RFC 9457): what went wrong, and nothing that they sent."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from callspool.errors import (
    CallspoolError,
    CursorTooOld,
    LedgerMismatch,
    QueueFull,
    QueueUnavailable,
)
from callspool.redis_io.errors import redis_errors
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
    "cursor-too-old": (410, "The feed does not reach back so far"),
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
    oldest: str | None = None
    """The cursor before the oldest event that is kept."""


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
        oldest: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.allow = allow
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.enqueued = enqueued
        self.rows = rows
        self.oldest = oldest

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
            oldest=self.oldest,
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


def problem_of(error: Exception) -> Problem:
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
        )
    away = QueueUnavailable, LedgerUnavailable, LedgerMismatch, *redis_errors()
    if isinstance(error, away):
        return Problem(
            "queue-away",
            f"the queue cannot be reached now; {again}",
            retry_after=RETRY_SOON,
            enqueued=enqueued,
        )
    if isinstance(error, CursorTooOld):
        return Problem(
            "cursor-too-old",
            "events behind this cursor are gone: go on from `oldest`, and ask for the state of what"
            " you miss",
            oldest=error.oldest,
        )
    if isinstance(error, CallspoolError):
        return Problem("wrong-shape", str(error))
    return Problem("fault", f"see the log of callspool serve; {again}")


_KINDS: Final = {400: "wrong-shape", 404: "not-found", 405: "method", 413: "too-large"}
_log = logging.getLogger("callspool.serve")


def send_problem(_: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """Answers with a problem document."""
    return Response(
        msgspec.json.encode(problem.document),
        status_code=problem.status,
        headers=dict(problem.headers),
        media_type=MEDIA_TYPE,
    )


def send_refusal(request: Request[Any, Any, Any], refused: HTTPException) -> Response[bytes]:
    """Answers what the framework refused: no such route or method, a wrong parameter."""
    kind = _KINDS.get(refused.status_code)
    if kind is None:
        return send_fault(request, refused)
    detail = {
        400: "a parameter of the query is not as it has to be",
        404: "there is no such path: /openapi.json lists all",
        405: "this path takes another method: /openapi.json lists all",
    }.get(refused.status_code, "the body is too large")
    allow = (refused.headers or {}).get("allow")
    return send_problem(request, Problem(kind, detail, allow=allow))


def send_fault(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
    """Answers what an error of callspool means; logs any other one, by its kind alone."""
    problem = problem_of(fault)
    if problem.status == 500:
        # Its text may quote a body: a name or a number.
        _log.error("%s %s: %s", request.method, request.url.path, type(fault).__name__)
    elif isinstance(fault, CallspoolError) and problem.status != 422:
        _log.warning("%s: %s", type(fault).__name__, fault)
    elif isinstance(fault, redis_errors()):
        _log.warning(
            "%s: the user of Redis may not do this, or Redis is away", type(fault).__name__
        )
    return send_problem(request, problem)
