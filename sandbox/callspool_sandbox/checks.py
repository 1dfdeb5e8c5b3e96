"""What the API looks at before it creates anything, in its order, and what it says then."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from callspool_sandbox.answers import Answer, api_answer, of_document, proxy_answer, validation
from callspool_sandbox.data.storage import first_unstorable, holds_infinity

if TYPE_CHECKING:
    from callspool_sandbox.options import Options

MARKS = {"reject": 400, "unprocessable": 422, "fail": 500}
"""A document whose field `sandbox` is one of these words makes its whole request fail so."""

_MARK_ERRORS: dict[str, object] = {
    "documents": ["A document has an invalid contact_number."],
}
_NAMED = "value is not a valid number"
_SCHEDULES = {"now", "auto", "custom"}
_REQUIRED = ["This field is required."]


class Sent(msgspec.Struct, gc=False):
    """What the sandbox reads of a document; the rest is kept as the bytes it came in."""

    name: Any = None
    contact_number: Any = None
    document_id: str | int | None = None
    id: str | int | None = None
    callspool_attempt: Any = None
    sandbox: Any = None


class Body(msgspec.Struct, gc=False):
    """A create request."""

    pilot: Any = None
    context: Any = None
    schedule: Any = None
    documents: list[Sent] | None = None


_decoder = msgspec.json.Decoder(Body)


@dataclass(slots=True)
class Received:
    """A create request as it came in, looked through once.

    ``ids`` holds each document's `ref_id`: `id`, else `document_id` (O). ``incomplete``: one has no
    name or number; ``has_id``: one carries `id`; ``mark``: the status that a marked one asks for,
    and its place. ``problem`` answers a body that cannot be understood. ``storable``: so many
    documents can be stored, of more than these the next one cannot.
    """

    raw: bytes
    body: Body
    problem: Answer | None = None
    ids: list[str | int | None] = field(default_factory=list)
    attempts: set[str] = field(default_factory=set)
    incomplete: bool = False
    has_id: bool = False
    mark: tuple[int, int] | None = None
    storable: int | None = None


def read_body(raw: bytes) -> Received:
    """Decodes a create request; never raises."""
    try:
        received = Received(raw, _decoder.decode(raw))
    except msgspec.ValidationError:
        problem = validation({"documents": ["A list of objects is expected."]})
        return Received(raw, Body(), problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Received(raw, Body(), api_answer(400, message="JSON parse error"))
    if holds_infinity(raw):
        # Nobody could pass it on to the service behind: an exception, and a page in HTML (R).
        received.problem = proxy_answer(500)
    received.storable = first_unstorable(raw)
    for place, sent in enumerate(received.body.documents or ()):
        received.ids.append(sent.document_id)
        if sent.callspool_attempt is not None:
            received.attempts.add(str(sent.callspool_attempt))
        if not sent.name or not sent.contact_number:
            received.incomplete = True
        if sent.id is not None:
            received.has_id = True
            received.ids[-1] = sent.id
        if received.mark is None and str(sent.sandbox) in MARKS:
            received.mark = MARKS[str(sent.sandbox)], place
    return received


def check_sender(authorization: str, options: Options) -> Answer | None:
    """401 for a token that is missing or wrong, or None. Nobody looks at the `Org-Handle` (R)."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "Token" or not token.strip():
        return api_answer(401, message="Authentication credentials were not provided.")
    if options.token is not None and token.strip() != options.token:
        return api_answer(401)
    return None


def check_organisation(org_handle: str, options: Options) -> Answer | None:
    """What agents say to an `Org-Handle` that is missing or unknown (R), or None."""
    if not org_handle:
        return api_answer(400, message="Organization handle is required in Org-Handle header")
    if options.org_handle is not None and org_handle != options.org_handle:
        return Answer(404, b'{"message":"Organization not found"}')
    return None


def check_create(received: Received, now: float) -> Answer | None:
    """The answer to a create request that creates nothing, or None where all is well."""
    if received.problem is not None:
        return received.problem
    body = received.body
    if body.documents is not None and not body.documents:
        return api_answer(500, message="sandbox: empty documents, see sandbox_violation in the log")
    errors: dict[str, object] = {}
    for name, value in (("pilot", body.pilot), ("context", body.context)):
        if not isinstance(value, str) or not value.strip():
            errors[name] = _REQUIRED
    if body.documents is None:
        errors["documents"] = _REQUIRED
    elif received.incomplete:
        errors["documents"] = ["name and contact_number are required."]
    if errors:
        return validation(errors)
    return _check_schedule(body.schedule, now) or _check_mark(received.mark)


def _check_schedule(schedule: Any, now: float) -> Answer | None:
    if schedule is None:
        return None
    if not isinstance(schedule, dict):
        return validation({"schedule": ["An object is expected."]})
    return _check_custom(schedule, now) if schedule.get("type") == "custom" else None


def _check_custom(schedule: dict[str, Any], now: float) -> Answer | None:
    needed = ("calling_date", "calling_time")
    missing = [field for field in needed if not isinstance(schedule.get(field), str)]
    if missing:
        return validation({"schedule": [f"{field} is required." for field in missing]})
    try:
        moment = datetime.fromisoformat(f"{schedule['calling_date']}T{schedule['calling_time']}")
    except ValueError:
        return validation({"schedule": ["calling_date is YYYY-MM-DD, calling_time is HH:MM."]})
    if moment.replace(tzinfo=UTC).timestamp() < now:
        return api_answer(400, message="Schedule time is in the past")
    return None


def _check_mark(mark: tuple[int, int] | None) -> Answer | None:
    if mark is None:
        return None
    status, place = mark
    if status == 422:
        return of_document(place, "contact_number", _NAMED, "type_error.str")
    return api_answer(status, errors=_MARK_ERRORS if status < 401 else None)


def violation(received: Received) -> str | None:
    """What only a client's bug can send; the log tells it."""
    if received.problem is not None:
        return "the body is not a create request"
    if received.body.documents == []:
        return "empty documents: the API would call a whole stored collection"
    schedule = received.body.schedule
    if isinstance(schedule, dict) and schedule.get("type") not in _SCHEDULES:
        return "a schedule type that the API does not know runs at once"
    if received.has_id:
        return "a document carries id, which the API prefers to document_id"
    if len(set(received.ids)) < len(received.ids) and None not in received.ids:
        return "two documents of one request have the same document_id"
    return None
