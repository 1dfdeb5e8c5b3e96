"""What a fault does to a request, as numbers: a pure function of the fault and the documents."""

from __future__ import annotations

from dataclasses import dataclass

from callspool_sandbox.answers import (
    Answer,
    Headers,
    api_answer,
    in_form,
    proxy_answer,
    validation,
)
from callspool_sandbox.faults.model import (
    Cut,
    Drip,
    Drop,
    Fault,
    Hang,
    Partial,
    Refuse,
    Status,
)

_BODILESS = {204, 304}
_PROXYS_OWN = {413, 502, 503, 504}
_REFUSALS = {
    "space": "Invalid Space Token",
    "access": "You Don't have Access to this Space",
    "org": "Org-Handle is required",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The way of one request, in this order.

    The run is written (``opens``) and ``first`` documents are created, the log's line is written,
    ``pause`` seconds pass, ``rest`` documents are created, the answer goes out, then ``late``
    documents are created, one every ``delay`` seconds. The answer is ``own`` in place of the usual
    one, or lists ``listed`` ids in place of all; ``cut``, ``drip`` or ``drop`` say how it travels.
    ``unseen`` requests are answered before anybody checks them.
    """

    opens: bool = True
    first: int = 0
    pause: float = 0.0
    rest: int = 0
    late: int = 0
    delay: float = 0.0
    own: Answer | None = None
    listed: int | None = None
    listed_status: int = 200
    cut: Cut | None = None
    drip: Drip | None = None
    drop: Drop | None = None
    unseen: bool = False


def plan(fault: Fault | None, documents: int, now: float) -> Plan:
    """The plan for a request of so many documents; ``now`` is the server's unix time."""
    match fault:
        case Status():
            made = _status(fault, documents, now)
        case Refuse():
            made = Plan(opens=False, own=_refusal(fault), unseen=True)
        case Partial():
            made = _partial(fault, documents)
        case Drop():
            made = _drop(fault, documents)
        case Hang():
            first = _created(fault.where, fault.created, documents)[0]
            opens = fault.where in {"amid", "after"}
            made = Plan(opens=opens, first=first, pause=fault.seconds, rest=documents - first)
        case Cut():
            made = Plan(first=documents, cut=fault)
        case Drip():
            made = Plan(first=documents, drip=fault)
        case None:
            made = Plan(first=documents)
    return made


def _status(fault: Status, documents: int, now: float) -> Plan:
    first, late = _created(fault.where, fault.created, documents)
    own = status_answer(fault, now)
    seen = fault.where != "before"
    return Plan(opens=seen, first=first, late=late, delay=fault.delay, own=own, unseen=not seen)


def _partial(fault: Partial, documents: int) -> Plan:
    listed = _some(fault.created, documents)
    first = listed if fault.where == "amid" else documents
    return Plan(first=first, listed=listed, listed_status=fault.status)


def _drop(fault: Drop, documents: int) -> Plan:
    first, late = _created(fault.where, fault.created, documents)
    seen = fault.where not in {"before_body", "before"}
    return Plan(opens=seen, first=first, late=late, delay=fault.delay, drop=fault, unseen=not seen)


def _created(where: str, created: int | None, documents: int) -> tuple[int, int]:
    """How many documents are created before the answer, and how many after it."""
    if where == "amid":
        return _some(created, documents), 0
    if where == "late":
        first = min(created or 0, documents)
        return first, documents - first
    return (documents, 0) if where in {"after", "response"} else (0, 0)


def _some(created: int | None, documents: int) -> int:
    return documents // 2 if created is None else min(created, documents)


def status_answer(fault: Status, now: float) -> Answer:
    """The answer that a `status` fault gives."""
    status = fault.status
    headers: Headers = []
    if fault.retry_after is not None:
        headers.append(("Retry-After", str(fault.retry_after)))
    if status == 429:
        headers += _rate_headers(fault, now)
    if fault.body is None and status in _PROXYS_OWN and fault.http_status is None:
        return proxy_answer(status, headers=headers)
    answer = api_answer(
        status,
        http_status=fault.http_status,
        message=fault.message,
        errors=fault.errors,
        headers=headers,
    )
    return in_form(answer, "empty" if answer.status in _BODILESS else fault.body or "api")


def _rate_headers(fault: Status, now: float) -> Headers:
    limit = fault.per_second_over or fault.in_flight_over or 60
    return [
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", str(int(now) + (fault.retry_after or 1))),
    ]


def _refusal(fault: Refuse) -> Answer:
    message = _REFUSALS.get(fault.field)
    if message:
        return api_answer(206, message=message)
    return validation({fault.field: ["This field is required."]})
