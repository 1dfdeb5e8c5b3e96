"""What came back from the API, or why nothing did, and what a create-call's reply says.

The one question that matters is whether the API can have carried out the request. `NotSent`
means that it cannot, and that this is proven; after `NoAnswer` and `Answered` it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeGuard

BODY_KEPT = 64 * 1024
"""Bytes of an answer's body that are kept for the operator."""

NotSentKind = Literal["pool", "dns", "connect", "tls", "incomplete", "withheld"]
"""How far a request came that was not sent: no free connection, no address, no connection, no
TLS, broken off before its last byte, or its last byte withheld because its deadline had passed."""

NoAnswerKind = Literal["timeout", "reset", "cut_off", "too_large", "unreadable"]
"""How an answer failed to come: not in time, connection lost, broken off amid the answer,
larger than is read, or not HTTP."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The API never had the whole request, so it cannot have carried it out."""

    reason: str
    kind: NotSentKind = "connect"


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The whole request left this machine and no whole answer came: anything may have happened."""

    reason: str
    kind: NoAnswerKind


@dataclass(frozen=True, slots=True)
class Quota:
    """What the API says that it takes yet: ``left`` requests in the next ``seconds``."""

    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer, read to its end.

    ``body`` holds its first `BODY_KEPT` bytes, ``json`` the whole of it, parsed, or None if it
    is not JSON. ``retry_after`` is in seconds from now, ``server_date`` the answer's ``Date`` in
    seconds since 1970. ``request_complete`` is False if the answer came while the last byte of
    the request was still here: then nothing can have been created by it. ``quota``: where the API
    tells it. ``location``: where a redirect leads, without what may be secret. ``packed``: the
    compression of the body, if it is one that is not understood here.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    json: object = field(default=None, repr=False)
    retry_after: float | None = None
    server_date: float | None = None
    content_type: str = ""
    request_complete: bool = True
    quota: Quota | None = None
    location: str = ""
    packed: str = ""

    @property
    def is_page(self) -> bool:
        """Whether the body is something that people look at, as proxies and web sites send it."""
        is_json = self.json is not None or (self.packed and "json" in self.content_type.lower())
        return not is_json and bool(self.body or self.packed)


Answer = NotSent | NoAnswer | Answered


LONGEST_ID = 200
"""Characters of a run's or task's id; the known ones have 33 (S)."""

_DOTS = frozenset({".", ".."})
"""Steps of a path that lead elsewhere, however they are encoded."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer says, before anything is concluded from it.

    ``code`` is the code that counts. ``is_json`` tells that the body is a JSON object,
    ``by_api`` that it has the shape of the API's own answers.
    ``run_id`` is None unless it can be used as an id. ``task_ids`` is what the body holds,
    whatever its type, and None where there is none. ``traces`` tells that something in the
    body speaks for a creation.
    """

    code: int
    is_json: bool
    by_api: bool
    run_id: str | None
    task_ids: object
    traces: bool


def read_reply(answer: Answered) -> Reply:
    """Reads an answer; whatever it holds, this does not fail."""
    body = answer.json
    if not isinstance(body, dict):
        return Reply(answer.status, False, False, None, None, traces=False)
    data = body.get("data")
    run_id, task_ids = _find("run_id", data, body), _find("task_ids", data, body)
    return Reply(
        code=_code_that_counts(answer.status, _stated_code(body)),
        is_json=True,
        by_api=_is_of_the_api(body),
        run_id=run_id if is_id(run_id) else None,
        task_ids=task_ids,
        traces=bool(run_id or task_ids) or (isinstance(data, list) and bool(data)),
    )


def code_of(answer: Answered) -> int:
    """Returns the code that counts: the body's, where HTTP says 2xx and the body does not."""
    stated = _stated_code(answer.json) if isinstance(answer.json, dict) else None
    return _code_that_counts(answer.status, stated)


def _is_of_the_api(body: dict[object, object]) -> bool:
    """Whether a body has the API's own shape: a code (S), or what it passes on with its words (R).

    A proxy that speaks JSON has a message as well, and no errors beside it.
    """
    passes_on = isinstance(body.get("message"), str) and "errors" in body
    return passes_on or _stated_code(body) is not None


def _find(name: str, *places: object) -> object:
    values = (place.get(name) for place in places if isinstance(place, dict))
    return next((value for value in values if value is not None), None)


def _code_that_counts(status: int, stated: int | None) -> int:
    if stated is None:
        return status
    # Beside an HTTP error only a graver word of the body counts: after a 500 of an inner
    # service there may be tasks, whatever the outer one made of it.
    believed = 200 <= status < 300 or 500 <= stated < 600
    return stated if believed and not 500 <= status < 600 else status


def _stated_code(body: dict[object, object]) -> int | None:
    code = body.get("status_code")
    if isinstance(code, str) and len(code) == 3 and code.isdecimal():
        return int(code)
    if isinstance(code, bool) or not isinstance(code, int):
        return None
    return code if 0 <= code <= 999 else 0  # no code at all, with up to 4,300 digits


def is_id(value: object) -> TypeGuard[str]:
    """Whether a value can serve as the id of a run or task, also as a step of a path."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        return False
    return value.isprintable() and value not in _DOTS


def ids_of_all(task_ids: object, documents: int) -> tuple[str, ...] | None:
    """Returns the ids as a tuple if they are exactly one proper id for each document, else None."""
    if not isinstance(task_ids, list) or len(task_ids) != documents or documents < 1:
        return None
    if set(map(type, task_ids)) != {str}:
        return None
    # As `is_id` for each, in a few passes over all of them.
    distinct, lengths = set(task_ids), set(map(len, task_ids))
    if len(distinct) != documents or min(lengths) == 0 or max(lengths) > LONGEST_ID:
        return None
    if not "".join(task_ids).isprintable() or not distinct.isdisjoint(_DOTS):
        return None
    return tuple(task_ids)
