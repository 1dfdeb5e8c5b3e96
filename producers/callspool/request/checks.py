"""Everything that is checked before a contact can be called.

A producer checks a whole call request with `prepare`; a worker checks what a message held with
`check_envelope` and `check_raw_document`. A request of one document, which services enqueue most,
takes a shorter way: what comes with the document is checked once, and known again after that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import (
    CallRequest,
    CheckedEnvelope,
    Document,
    DocumentLines,
    PreparedRequest,
    Rules,
    traceparent_of,
)
from callspool.request.field_checks import check_all, check_mapping, check_typed
from callspool.request.identity import DEFAULT_ACCOUNT, is_account_name
from callspool.request.message import (
    MAX_DOCUMENTS,
    SHARED_BYTES,
    TAIL,
    Message,
    RequestEnvelope,
    head_of,
)
from callspool.request.raw_document import (
    CheckedDocument,
    check_json,
    read_all_trusted,
    read_trusted,
)
from callspool.request.schedule import Schedule, check_expiry, check_schedule, is_past
from callspool.request.text import is_unicode, kind_of, plain_text, word

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = [
    "CheckedDocument",
    "Rules",
    "check_document",
    "check_envelope",
    "check_head",
    "check_raw_document",
    "check_timely",
    "prepare",
    "read_all_trusted",
]

_LISTS = (list, tuple)
FEW = 4
"""Documents from which on it costs less to check them together than one by one."""

MAX_CONTEXT_BYTES = 256 * 1024

_NOT_IN_A_PATH = re.compile(r"[\s/?#%\\]|\A\.{1,2}\Z")


def prepare(
    request: CallRequest, rules: Rules | None = None, *, now: float | None = None
) -> PreparedRequest:
    """Checks a call request of a producer and makes it ready to be enqueued.

    ``now``: unix seconds, the clock's if None. Raises `InvalidCallRequest` for the first fault,
    also for what has expired already or is scheduled for a time that is past everywhere.
    """
    rules = rules or Rules()
    now = time.time() if now is None else now
    envelope = _envelope(request, rules)
    check_timely(envelope, now)
    parts = _prepare_documents(request.documents, rules)
    return PreparedRequest(envelope, parts, traceparent_of(request.traceparent))


def check_timely(envelope: CheckedEnvelope, now: float) -> None:
    """Raises `InvalidCallRequest` for what has expired, or is scheduled for a time that is past."""
    if envelope.expires_at is not None and envelope.expires_at <= now:
        raise InvalidCallRequest("expires_at", "is past already: nobody would be called")
    if is_past(envelope.schedule, now):
        raise InvalidCallRequest("schedule", "is past already, in every time zone")


def check_head(request: CallRequest, rules: Rules) -> CheckedEnvelope:
    """Checks all of a call request but its documents, whatever time it is.

    Raises `InvalidCallRequest`.
    """
    return _envelope(request, rules)


def check_document(document: object, rules: Rules) -> CheckedDocument:
    """Checks one document of a producer; raises `InvalidCallRequest`."""
    return _document(document, rules)


def check_envelope(decoded: RequestEnvelope, rules: Rules) -> CheckedEnvelope:
    """Checks a call request that a message held, apart from its documents.

    One that has expired passes: it is the ledger's to count. Raises `InvalidCallRequest`.
    """
    if not decoded.documents:
        raise InvalidCallRequest("documents", "must hold at least one document")
    return _envelope(decoded, rules)


def check_raw_document(
    raw: bytes, rules: Rules, trusted: bool = False, place: int | None = None
) -> CheckedDocument:
    """Checks one document that a message held, cheaply if its producer was one of ours.

    ``trusted``: the message said ``checked`` = 1. ``place``: where it stands in its request, for
    the error's text. Raises `InvalidCallRequest`.
    """
    if trusted and (known := read_trusted(raw)) is not None:
        return known
    try:
        return check_json(raw, rules)
    except InvalidCallRequest as fault:
        raise fault.at(place) from None


def _prepare_documents(documents: object, rules: Rules) -> list[list[bytes] | DocumentLines]:
    single = isinstance(documents, Document | Mapping | str | bytes)
    if single or not isinstance(documents, Iterable):
        raise InvalidCallRequest("documents", f"must be a list, not {kind_of(documents)}")
    parts: list[list[bytes] | DocumentLines] = []
    if isinstance(documents, list | tuple) and type(documents) in _LISTS:
        for start in range(0, len(documents), MAX_DOCUMENTS):
            some = documents[start : start + MAX_DOCUMENTS]
            together = check_all(some, rules) if len(some) >= FEW else None
            parts.append(together or _one_by_one(some, rules, start))
    elif alone := _one_by_one(documents, rules):
        # It may give the same object again and again, with other contents each time.
        parts.append(alone)
    if not parts:
        raise InvalidCallRequest("documents", "must hold at least one document")
    return parts


def _one_by_one(documents: Iterable[object], rules: Rules, first: int = 0) -> list[bytes]:
    prepared: list[bytes] = []
    try:
        for document in documents:
            prepared.append(_document(document, rules).raw)  # noqa: PERF401 - its length is used
    except InvalidCallRequest as fault:
        raise fault.at(first + len(prepared)) from None
    return prepared


def _document(document: object, rules: Rules) -> CheckedDocument:
    if isinstance(document, Document):
        return check_typed(document, rules)
    if isinstance(document, bytes):
        return check_json(document, rules)
    if isinstance(document, dict | Mapping):
        return check_mapping(document, rules)
    raise InvalidCallRequest(
        "json", f"must be a Document, a mapping or bytes of JSON, not {kind_of(document)}"
    )


class _Stated(Protocol):
    """What a call request states, before anything is known of it."""

    @property
    def space_token(self) -> object: ...
    @property
    def pilot(self) -> object: ...
    @property
    def context(self) -> object: ...
    @property
    def schedule(self) -> object: ...
    @property
    def campaign(self) -> object: ...
    @property
    def account(self) -> object: ...
    @property
    def expires_at(self) -> object: ...


def _envelope(stated: _Stated, rules: Rules) -> CheckedEnvelope:
    return CheckedEnvelope(
        space_token=_space_token(stated.space_token),
        pilot=word("pilot", _require("pilot", stated.pilot)),
        context=_context(stated.context, rules),
        schedule=check_schedule(stated.schedule),
        campaign=word("campaign", stated.campaign) if stated.campaign else "",
        account=_account(stated.account),
        expires_at=check_expiry(stated.expires_at),
    )


def _require(field: str, value: object) -> object:
    if value is None:
        raise InvalidCallRequest(field, "is missing")
    return value


def _space_token(value: object) -> str:
    token = word("space_token", _require("space_token", value))
    # It becomes a part of the URL's path.
    if _NOT_IN_A_PATH.search(token):
        raise InvalidCallRequest(
            "space_token", "is not a token: copy the field token of Get All Spaces"
        )
    return token


def _context(value: object, rules: Rules) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        value = rules.default_context
    if not value:
        raise InvalidCallRequest(
            "context", "is missing, and the API demands it: say what the call is about"
        )
    if not isinstance(value, str):
        raise InvalidCallRequest("context", f"must be a string, not {kind_of(value)}")
    if not is_unicode(value):
        raise InvalidCallRequest("context", "holds half of a surrogate pair")
    if len(value.encode()) > MAX_CONTEXT_BYTES:
        raise InvalidCallRequest("context", f"must be at most {MAX_CONTEXT_BYTES} bytes long")
    return plain_text(value)


def _account(value: object) -> str:
    if value is None or value == "":
        return DEFAULT_ACCOUNT
    if not isinstance(value, str) or not is_account_name(value):
        raise InvalidCallRequest(
            "account", "must be a name of 1 to 32 lower-case letters, digits, _ and -"
        )
    return plain_text(value)


HEADS_KEPT: Final = 256
LONGEST_CONTEXT: Final = 4096
"""How many heads are remembered, and the characters of the longest context among them."""

_PLAIN = frozenset({str, type(None), Schedule})


class SingleRequest(NamedTuple):
    """A request of one document, ready to be enqueued."""

    message: Message
    document_ids: tuple[str]
    partition: int
    traceparent: str | None


class SingleRequests:
    """Makes messages of requests that hold one document and nothing unusual.

    ``partition_of`` says where a request belongs. Threads may share it.
    """

    def __init__(self, rules: Rules, partition_of: Callable[[CheckedEnvelope], int]) -> None:
        self._rules = rules
        self._partition_of = partition_of
        self._heads: dict[tuple[object, ...], tuple[bytes, int]] = {}

    def prepare(self, request: CallRequest) -> SingleRequest | None:
        """Checks a request and makes its message; returns None for one that goes the long way.

        Raises `InvalidCallRequest`.
        """
        documents = request.documents
        if type(documents) is not list or len(documents) != 1 or request.expires_at is not None:
            return None
        stated = (
            request.space_token,
            request.pilot,
            request.context,
            request.schedule,
            request.campaign,
            request.account,
        )
        if not _PLAIN.issuperset(map(type, stated)):
            return None
        try:
            found = self._heads.get(stated) or self._make_head(request, stated)
        except TypeError:  # a schedule that is made of what no schedule is
            return None
        if found is None:
            return None
        head, partition = found
        try:
            document = check_document(documents[0], self._rules)
        except InvalidCallRequest as fault:
            raise fault.at(0) from None
        requests = head + document.raw + TAIL
        if len(requests) > SHARED_BYTES:
            return None
        trace = None if request.traceparent is None else traceparent_of(request.traceparent)
        return SingleRequest(Message(requests, 1, head), (document.document_id,), partition, trace)

    def _make_head(
        self, request: CallRequest, stated: tuple[object, ...]
    ) -> tuple[bytes, int] | None:
        """Makes the head of a message; None if it does not stay the same, or is too large."""
        envelope = check_head(request, self._rules)
        if envelope.schedule["type"] == "custom" or len(envelope.context) > LONGEST_CONTEXT:
            return None
        if len(self._heads) >= HEADS_KEPT:
            self._heads = {}
        found = self._heads[stated] = head_of(envelope), self._partition_of(envelope)
        return found
