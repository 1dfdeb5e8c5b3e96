"""What an answer means for the batch that was sent: a pure function, the whole table.

It knows no clock, no Redis and no HTTP. One sentence decides every doubt: whatever the API may
have carried out is never sent again before it is proven that it was not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from callspool_worker.decisions.answers import (
    Answer,
    Answered,
    NoAnswer,
    NotSent,
    Reply,
    code_of,
    ids_of_all,
    read_reply,
)
from callspool_worker.decisions.wording import (
    LONGEST,
    Level,
    blames_a_document,
    places_named,
    shared_fault,
    words_of,
)

Outcome = Literal[
    "created", "partial", "rejected", "throttled", "server_error", "no_answer", "not_sent"
]

REJECTION_RETRIES = 3
"""Times a batch is sent again after a 206 that blames nothing of its own: some could heal (O)."""

ALIKE = 3
"""Lone documents refused in a row, none created between, that make it the lane's fault."""

_PARKED: dict[int, Level] = {401: "account", 403: "space", 404: "lane"}
_REJECTED = frozenset({400, 413, 422})
_MOVED = frozenset({301, 302, 307, 308})
_ELSEWHERE = frozenset({405, 415})
"""What the API itself never answers to a create-call: something else listens at its address."""

_ADDRESS = "is this the API's address? see CALLSPOOL_API_URL"
_ANOTHERS = "an answer came before the request was complete, so it belongs to another one"
_NOT_FROM_THE_API = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class AttemptView:
    """What a decision depends on besides the answer.

    ``documents`` in the batch; ``tries`` used up before this attempt; ``max_attempts`` is the
    budget; ``refused_alone``: documents of the same isolation that were refused alone already,
    with none created since (0 where nobody counts them).
    """

    documents: int
    tries: int
    max_attempts: int
    refused_alone: int = 0


@dataclass(frozen=True, slots=True)
class Created:
    """Every document was created, ``task_ids`` in their order. ``run_id`` may be empty."""

    outcome: ClassVar[Outcome] = "created"
    run_id: str
    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Park:
    """Nothing was created, and nothing else would be: keep everything and stop sending."""

    outcome: ClassVar[Outcome] = "rejected"
    level: Level
    detail: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing was created; send the batch again later, not before ``retry_after`` seconds."""

    outcome: Outcome
    costs_try: bool
    retry_after: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Isolate:
    """Nothing was created; split the batch until the document at fault stands alone.

    ``places``: of the documents that the answer blames in so many words, by their order; they are
    sent alone at once.
    """

    outcome: ClassVar[Outcome] = "rejected"
    detail: str
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Throttle:
    """Nothing was created; the whole account waits, ``retry_after`` seconds if the API says so."""

    outcome: ClassVar[Outcome] = "throttled"
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Bury:
    """A document that stands alone cannot be sent; it is kept with the API's own words.

    ``is_certain``: the answer blames the document itself; else the fault may be the API's.
    """

    outcome: ClassVar[Outcome] = "rejected"
    detail: str
    is_certain: bool = False


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Some, all or none may be created: prove it, within ``run_id`` where there is one.

    ``answered``: the API itself spoke, so it is no longer at work on the request. ``parks``: what
    it said keeps others from being created, too. ``refusal``: what follows if nothing was created.
    """

    outcome: Outcome
    run_id: str | None
    answered: bool
    detail: str
    parks: Park | None = None
    refusal: Isolate | Bury | None = None


Decision = Created | InDoubt | Retry | Isolate | Park | Throttle | Bury


def decide(answer: Answer, attempt: AttemptView) -> Decision:
    """Returns what to do with a batch after this answer."""
    match answer:
        case NotSent(reason):
            return Retry("not_sent", costs_try=False, retry_after=None, detail=reason)
        case NoAnswer(reason):
            return InDoubt("no_answer", run_id=None, answered=False, detail=reason)
        case Answered():
            return _decide_answered(answer, read_reply(answer), attempt)


def after_missing(attempt: AttemptView, outcome: Outcome, detail: str) -> Retry | Isolate | Bury:
    """Decides about a batch in doubt that is proven missing: again, in parts, or never."""
    if attempt.tries + 1 < attempt.max_attempts:
        return Retry(outcome, costs_try=True, retry_after=None, detail=detail)
    return Bury(detail) if attempt.documents == 1 else Isolate(detail)


def is_failure(decision: Decision) -> bool:
    """Whether the API did not carry out what it was asked, or nobody knows whether it did."""
    outcomes = {"server_error", "no_answer", "not_sent"}
    return isinstance(decision, InDoubt | Retry) and decision.outcome in outcomes


def label(answer: Answer, decision: Decision) -> tuple[Outcome, str]:
    """Returns the labels ``outcome`` and ``code`` of a submission; no code where no answer came."""
    code = code_of(answer) if isinstance(answer, Answered) else 0
    return decision.outcome, str(code) if 100 <= code < 600 else ""


def _decide_answered(answer: Answered, reply: Reply, attempt: AttemptView) -> Decision:
    if 200 <= reply.code < 300:
        return _decide_success(answer, reply, attempt)
    server_error = 500 <= reply.code < 600
    if server_error or reply.traces:
        return _doubt(answer, reply, "server_error" if server_error else "partial")
    if _is_elsewhere(answer, reply.code):
        return Park("account", wrong_address(answer))
    return _decide_refused(answer, reply, attempt)


def _decide_refused(answer: Answered, reply: Reply, attempt: AttemptView) -> Decision:
    if reply.code in _REJECTED:
        return _decide_rejected(answer, reply, attempt)
    if reply.code in _PARKED:
        return Park(_PARKED[reply.code], words_of(answer))
    if reply.code == 429:
        return Throttle(answer.retry_after)
    return _doubt(answer, reply, "no_answer")


def _decide_success(answer: Answered, reply: Reply, attempt: AttemptView) -> Decision:
    if not answer.request_complete:
        return Retry("not_sent", costs_try=False, retry_after=None, detail=_ANOTHERS)
    task_ids = ids_of_all(reply.task_ids, attempt.documents)
    if task_ids:
        return Created(reply.run_id or "", task_ids)
    if reply.is_json and (reply.traces or reply.task_ids is not None):
        return _doubt(answer, reply, "partial")
    if reply.code == 206 and reply.is_json:
        return _decide_rejected(answer, reply, attempt)
    return _doubt(answer, reply, "no_answer")


def _decide_rejected(answer: Answered, reply: Reply, attempt: AttemptView) -> Decision:
    detail = words_of(answer)
    level = shared_fault(answer.json, detail) if reply.code != 413 else None
    if level:
        return Park(level, detail)
    last_try = min(REJECTION_RETRIES, attempt.max_attempts - 1)
    if reply.code == 206 and attempt.tries < last_try:
        return Retry("rejected", True, answer.retry_after, detail)
    if attempt.documents > 1:
        return Isolate(detail, places_named(answer.json, attempt.documents))
    if attempt.refused_alone >= ALIKE and reply.code != 413:
        return Park("lane", detail)
    is_certain = reply.code == 413 or blames_a_document(answer.json, detail)
    return Bury(detail, is_certain)


def _is_elsewhere(answer: Answered, code: int) -> bool:
    """Whether something else than the API answered: a redirect, or the page of a proxy or a web
    site, which knows nothing of documents.
    """
    return code in _MOVED | _ELSEWHERE or (code in _REJECTED - {413} and answer.is_page)


def has_moved(answer: Answered) -> bool:
    """Whether the answer is a redirect that says where the API is now."""
    return bool(answer.location) and answer.status in _MOVED


def wrong_address(answer: Answered) -> str:
    """Says what to do about an answer that is not the API's."""
    if answer.location:
        moved = f"the API has moved to {answer.location} (HTTP {answer.status})"
        return f"{moved}; set CALLSPOOL_API_URL, or the account's api_url, to its new address"
    words = words_of(answer)
    said = words if words.startswith("HTTP ") else f"HTTP {answer.status}: {words}"
    return f"{said[: LONGEST - len(_ADDRESS) - 2]}; {_ADDRESS}"


def _doubt(answer: Answered, reply: Reply, outcome: Outcome) -> InDoubt | Retry:
    detail = words_of(answer)
    if not answer.request_complete:
        outcome = "not_sent" if reply.traces else outcome
        detail = _ANOTHERS if reply.traces else detail
        return Retry(outcome, False, answer.retry_after, detail)
    own_words = (reply.by_api or _is_packed_json(answer)) and reply.code not in _NOT_FROM_THE_API
    return InDoubt(outcome, reply.run_id, own_words, detail)


def _is_packed_json(answer: Answered) -> bool:
    """Whether the API spoke, in a compression that is not understood here."""
    return bool(answer.packed) and not answer.is_page


@dataclass(frozen=True, slots=True)
class ProbeRefused:
    """The token is refused still."""

    detail: str
    code: str


@dataclass(frozen=True, slots=True)
class ProbeFailed:
    """The API is down still."""

    detail: str
    code: str


def read_probe(answer: Answer) -> ProbeRefused | ProbeFailed | None:
    """Returns what a read says; None if it leaves open whether a batch would be created."""
    match answer:
        case NotSent(reason) | NoAnswer(reason):
            return ProbeFailed(reason, "")
        case Answered():
            code = code_of(answer)
            if has_moved(answer):
                return ProbeRefused(wrong_address(answer), str(code))
            if code == 401:
                return ProbeRefused(words_of(answer), str(code))
            return ProbeFailed(words_of(answer), str(code)) if 500 <= code < 600 else None
