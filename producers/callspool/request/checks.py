"""Everything that is checked before a contact can be called.

A producer checks a whole call request with `prepare`; a worker checks what a message held with
`check_envelope` and `check_raw_document`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, Protocol

import msgspec

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import (
    KNOWN_FIELDS,
    REQUIRED_FIELDS,
    CallRequest,
    CheckedEnvelope,
    Document,
    PreparedRequest,
    Rules,
    traceparent_of,
)
from callspool.request.field_checks import (
    CheckedDocuments,
    check_all,
    check_mapping,
    check_typed,
)
from callspool.request.identity import (
    DEFAULT_ACCOUNT,
    is_account_name,
    is_made_id,
)
from callspool.request.message import (
    MAX_DOCUMENTS,
    RequestEnvelope,
)
from callspool.request.raw_document import (
    CheckedDocument,
    check_json,
    read_all_trusted,
    read_trusted,
)
from callspool.request.schedule import check_expiry, check_schedule, is_past
from callspool.request.text import as_text, is_unicode, kind_of, plain_text, word

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
MOST_FAULTS = 100
"""Faults of one request that are told together."""

_GOOD: Final[dict[Any, object]] = {"name": "Ada", "contact_number": "+14155550100"}

FEW = 4
"""Documents from which on it costs less to check them together than one by one."""

MAX_CONTEXT_BYTES = 256 * 1024

_NOT_IN_A_PATH = re.compile(r"[\s/?#%\\]|\A\.{1,2}\Z")


def prepare(
    request: object, rules: Rules | None = None, *, now: float | None = None
) -> PreparedRequest:
    """Checks a call request of a producer and makes it ready to be enqueued.

    ``now``: unix seconds, the clock's if None. Raises `InvalidCallRequest` for the first fault,
    with the others in its ``faults``; also for what has expired already or is scheduled for a time
    that is past everywhere, and for a document with the id of an earlier one.
    """
    if not isinstance(request, CallRequest):
        many = ": enqueue_many takes many" if isinstance(request, Iterable) else ""
        reason = f"must be a CallRequest, not {kind_of(request)}{many}"
        raise InvalidCallRequest("request", reason)
    rules = rules or Rules()
    now = time.time() if now is None else now
    try:
        envelope = _envelope(request, rules)
        check_timely(envelope, now)
        parts = _prepare_documents(request.documents, rules)
        trace = traceparent_of(request.traceparent)
        ids = [each for part in parts for each in part.ids]
        _refuse_same_id(ids)
    except InvalidCallRequest as fault:
        others = islice(_find_faults(request, rules, now), MOST_FAULTS)
        raise fault.among(others) from None
    return PreparedRequest(envelope, [part.raws for part in parts], trace, ids)


def _find_faults(request: CallRequest, rules: Rules, now: float) -> Iterator[InvalidCallRequest]:
    """Yields every fault of a request, but those of documents that can be read only once."""
    good: dict[str, Any] = {}
    for field, check in _CHECKS.items():
        try:
            good[field] = check(getattr(request, field), rules)
        except InvalidCallRequest as fault:
            yield fault
    steps: list[Callable[[], object]] = [
        lambda: _refuse_past(good.get("expires_at"), good.get("schedule"), now),
        lambda: traceparent_of(request.traceparent),
    ]
    ids: list[str] = []
    for place, document in enumerate(request.documents if _is_list(request.documents) else ()):
        try:
            ids.append(_document(document, rules).document_id)
        except InvalidCallRequest as first:
            ids.append("")
            yield first.at(place)
            others = dict.fromkeys(_faults_of_fields(document, rules))
            others.pop((first.field, first.reason), None)
            named = first.document_id
            yield from (
                InvalidCallRequest(*other, document=place, document_id=named) for other in others
            )
    steps.append(lambda: _refuse_same_id(ids))
    for step in steps:
        try:
            step()
        except InvalidCallRequest as fault:
            yield fault


def _faults_of_fields(document: object, rules: Rules) -> Iterator[tuple[str, str]]:
    """Yields field and reason of what is wrong, each field beside others that are good."""
    fields: dict[Any, object] = {}
    if isinstance(document, Document):
        stated = {name: getattr(document, name) for name in KNOWN_FIELDS}
        fields |= document.extra if isinstance(document.extra, Mapping) else {}
        fields |= {name: value for name, value in stated.items() if value is not None}
    elif isinstance(document, bytes):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            fields |= msgspec.json.decode(document, type=dict[str, object])
    elif isinstance(document, Mapping):
        fields |= document
    for field in dict.fromkeys([*REQUIRED_FIELDS, *fields]) if fields else ():
        alone = {name: value for name, value in _GOOD.items() if name != field}
        if field in fields:
            alone[field] = fields[field]
        try:
            check_mapping(alone, rules)
        except InvalidCallRequest as fault:
            yield fault.field, fault.reason


def _is_list(documents: object) -> bool:
    return isinstance(documents, list | tuple)


def check_timely(envelope: CheckedEnvelope, now: float) -> None:
    """Raises `InvalidCallRequest` for what has expired, or is scheduled for a time that is past."""
    _refuse_past(envelope.expires_at, envelope.schedule, now)


def _refuse_past(expires_at: float | None, schedule: Mapping[str, str] | None, now: float) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidCallRequest("expires_at", "is past already: nobody would be called")
    if schedule is not None and is_past(schedule, now):
        raise InvalidCallRequest("schedule", "is past already, in every time zone")


def _refuse_same_id(ids: Sequence[str]) -> None:
    """Raises where two documents have one id of the caller's: one of them would not be called.

    A contact without id that stands twice in a request is one contact, which is called once.
    """
    if len(set(ids)) == len(ids):
        return
    first: dict[str, int] = {}
    for place, document_id in enumerate(ids):
        if document_id and not is_made_id(document_id) and document_id in first:
            reason = f"is that of document {first[document_id]}, too: only one would be called"
            raise InvalidCallRequest("document_id", reason, document=place, document_id=document_id)
        first.setdefault(document_id, place)


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


def _prepare_documents(documents: object, rules: Rules) -> list[CheckedDocuments]:
    single = isinstance(documents, Document | Mapping | str | bytes)
    if single or not isinstance(documents, Iterable):
        raise InvalidCallRequest("documents", f"must be a list, not {kind_of(documents)}")
    parts: list[CheckedDocuments] = []
    if isinstance(documents, list | tuple) and type(documents) in _LISTS:
        for start in range(0, len(documents), MAX_DOCUMENTS):
            some = documents[start : start + MAX_DOCUMENTS]
            together = check_all(some, rules) if len(some) >= FEW else None
            parts.append(together or _one_by_one(some, rules, start))
    else:
        # It may give the same object again and again, with other contents each time.
        parts.append(_one_by_one(documents, rules))
    if not any(part.ids for part in parts):
        raise InvalidCallRequest("documents", "must hold at least one document")
    return parts


def _one_by_one(documents: Iterable[object], rules: Rules, first: int = 0) -> CheckedDocuments:
    checked: list[CheckedDocument] = []
    try:
        for document in documents:
            checked.append(_document(document, rules))  # noqa: PERF401 - its length is used
    except InvalidCallRequest as fault:
        raise fault.at(first + len(checked)) from None
    return CheckedDocuments([each.raw for each in checked], [each.document_id for each in checked])


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
        **{field: check(getattr(stated, field), rules) for field, check in _CHECKS.items()}
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
    value = as_text(value)
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


_CHECKS: Final[dict[str, Callable[[Any, Rules], Any]]] = {
    "space_token": lambda value, _: _space_token(value),
    "pilot": lambda value, _: word("pilot", _require("pilot", value)),
    "context": _context,
    "schedule": lambda value, _: check_schedule(value),
    "campaign": lambda value, _: word("campaign", value) if value else "",
    "account": lambda value, _: _account(value),
    "expires_at": lambda value, _: check_expiry(value),
}
