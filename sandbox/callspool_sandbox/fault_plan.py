"""Which fault meets a request, and what the sandbox then does."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from callspool_sandbox.fault_files import (
    Cut,
    Drip,
    Drop,
    Fault,
    Hang,
    Mixed,
    PackedAnswer,
    Partial,
    Refuse,
    Status,
    is_early,
)
from callspool_sandbox.protocol import (
    Answer,
    Headers,
    api_answer,
    in_form,
    proxy_answer,
    validation,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_sandbox.protocol import Endpoint


_READS: tuple[Endpoint, ...] = ("runs", "tasks", "space_tasks", "agents", "call_logs")
_ALL: tuple[Endpoint, ...] = ("create", *_READS)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the conditions of a fault look at. ``body_bytes`` is 0 for a read."""

    endpoint: Endpoint
    space: str
    pilot: object = None
    document_ids: Sequence[object] = ()
    body_bytes: int = 0


class Chooser:
    """Holds each fault's counts; seeded, each fault draws from a stream of its own."""

    def __init__(self, faults: Sequence[Fault], seed: int | None) -> None:
        armed = [
            _Armed(fault, random.Random(None if seed is None else f"{seed}/{place}"))  # noqa: S311
            for place, fault in enumerate(faults)
        ]
        self._early = [each for each in armed if is_early(each.fault)]
        self._late = [each for each in armed if not is_early(each.fault)]
        self.in_flight: Counter[Endpoint] = Counter()

    def before_body(self, facts: Facts, now: float) -> Fault | None:
        """Returns the fault that fires when only a request's head is there; ``now``: monotonic."""
        return self._first(self._early, facts, now)

    def after_body(self, facts: Facts, now: float) -> Fault | None:
        """Returns the fault that fires when the whole request is there."""
        return self._first(self._late, facts, now)

    def _first(self, armed: Sequence[_Armed], facts: Facts, now: float) -> Fault | None:
        chosen: Fault | None = None
        for each in armed:
            # Every fault counts every request that it is about, also one that another fault met.
            if each.is_about(facts) and chosen is None and each.fires(self.in_flight, now):
                chosen = each.fault
        return chosen


class _Armed:
    def __init__(self, fault: Fault, chance: random.Random) -> None:
        self.fault = fault
        self._chance = chance
        self._seen = 0
        self._used = 0
        self._passed: deque[float] = deque()
        self._endpoints = _endpoints(fault)
        self._ids = _as_set(fault.document_id)
        self._nth = _as_set(fault.nth)

    def is_about(self, facts: Facts) -> bool:
        """Whether the request is one that `nth` counts; counts it."""
        fault = self.fault
        about = (
            facts.endpoint in self._endpoints
            and (fault.space is None or fault.space == facts.space)
            and (fault.pilot is None or fault.pilot == facts.pilot)
            and (fault.documents_over is None or len(facts.document_ids) > fault.documents_over)
            and (fault.body_over is None or facts.body_bytes > fault.body_over)
            and (self._ids is None or any(known in self._ids for known in facts.document_ids))
        )
        self._seen += about
        return about

    def fires(self, in_flight: Counter[Endpoint], now: float) -> bool:
        fault = self.fault
        fires = (
            (self._nth is None or self._seen in self._nth)
            and (fault.times is None or self._used < fault.times)
            and (fault.between is None or fault.between[0] <= now < fault.between[1])
            and self._is_crowded(in_flight, fault.in_flight_over)
            and (fault.probability is None or self._chance.random() < fault.probability)
            and self._too_fast(now, fault.per_second_over)
        )
        self._used += fires
        return fires

    def _is_crowded(self, in_flight: Counter[Endpoint], limit: int | None) -> bool:
        if limit is None:
            return True
        return sum(in_flight[endpoint] for endpoint in self._endpoints) > limit

    def _too_fast(self, now: float, limit: int | None) -> bool:
        if limit is None:
            return True
        while self._passed and self._passed[0] <= now - 1:
            self._passed.popleft()
        if len(self._passed) >= limit:
            return True
        self._passed.append(now)
        return False


def _endpoints(fault: Fault) -> tuple[Endpoint, ...]:
    if fault.on == "any":
        return _ALL
    return _READS if fault.on == "reads" else (fault.on,)


def _as_set(given: object) -> frozenset[object] | None:
    if given is None:
        return None
    return frozenset(given) if isinstance(given, list) else frozenset([given])


_BODILESS = {204, 304}
_PROXYS_OWN = {413, 502, 503, 504}
_REFUSALS = {
    "space": "Invalid Space Token",
    "access": "You Don't have Access to this Space",
    "org": "Org-Handle is required",
}


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The way of one request, in this order.

    The run is written (``opens``) and ``first`` documents are created, the log's line is written,
    ``pause`` seconds pass, ``rest`` documents are created, the answer goes out, then ``late``
    documents are created, one every ``delay`` seconds. The answer is ``own`` in place of the usual
    one, or lists ``listed`` ids in place of all; ``cut``, ``drip``, ``drop`` or ``packed`` say how
    it travels, ``mixed`` what else does. ``unseen`` requests are answered before anybody checks
    them; ``wakes``: the pause ends at that second after the sandbox was ready.
    """

    opens: bool = True
    first: int = 0
    pause: float = 0.0
    wakes: float | None = None
    rest: int = 0
    late: int = 0
    delay: float = 0.0
    own: Answer | None = None
    listed: int | None = None
    listed_status: int = 200
    cut: Cut | None = None
    drip: Drip | None = None
    drop: Drop | None = None
    packed: PackedAnswer | None = None
    mixed: Mixed | None = None
    unseen: bool = False

    @property
    def rest_before_reading(self) -> bool:
        """Whether a read is made after the silence, as it would be of a request that was held."""
        return bool(self.pause) and not self.opens

    def pause_at(self, running: float) -> float:
        """Returns the silence, in seconds, for what comes ``running`` seconds after the start."""
        return self.pause if self.wakes is None else max(0.0, self.wakes - running)

    def without_creating(self, own: Answer) -> FaultPlan:
        """Returns the same for a request that is refused."""
        return replace(self, opens=False, first=0, rest=0, late=0, own=own, mixed=None)

    def until(self, storable: int, own: Answer) -> FaultPlan:
        """Returns the same where only the first ``storable`` documents can be stored."""
        if self.first + self.rest + self.late <= storable:
            return self
        first = min(self.first, storable)
        rest = min(self.rest, storable - first)
        return replace(self, first=first, rest=rest, late=0, own=own)


def plan(fault: Fault | None, documents: int, now: float) -> FaultPlan:
    """Returns the plan for a request of this many documents; ``now`` is the server's unix time."""
    match fault:
        case Status():
            made = _status(fault, documents, now)
        case Refuse():
            made = FaultPlan(opens=False, own=_refusal(fault), unseen=True)
        case Partial():
            made = _partial(fault, documents)
        case Drop():
            made = _drop(fault, documents)
        case Hang():
            made = _hang(fault, documents)
        case Mixed():
            carried_out = fault.where == "after"
            made = FaultPlan(opens=carried_out, first=documents * carried_out, mixed=fault)
        case Cut() | Drip() | PackedAnswer() | None:
            made = _travelling(fault, documents)
    return made


def _status(fault: Status, documents: int, now: float) -> FaultPlan:
    first, late = _split_creation(fault.where, fault.created, documents)
    own = status_answer(fault, now)
    seen = fault.where != "before"
    return FaultPlan(
        opens=seen, first=first, late=late, delay=fault.delay, own=own, unseen=not seen
    )


def _partial(fault: Partial, documents: int) -> FaultPlan:
    listed = _some(fault.created, documents)
    first = listed if fault.where == "amid" else documents
    return FaultPlan(first=first, listed=listed, listed_status=fault.status)


def _drop(fault: Drop, documents: int) -> FaultPlan:
    first, late = _split_creation(fault.where, fault.created, documents)
    seen = fault.where not in {"before_body", "before"}
    return FaultPlan(
        opens=seen, first=first, late=late, delay=fault.delay, drop=fault, unseen=not seen
    )


def _travelling(fault: Cut | Drip | PackedAnswer | None, documents: int) -> FaultPlan:
    """Everything is created; only the way of the answer is another one."""
    made = FaultPlan(first=documents)
    if isinstance(fault, Cut):
        return replace(made, cut=fault)
    if isinstance(fault, Drip):
        return replace(made, drip=fault)
    return made if fault is None else replace(made, packed=fault)


def _hang(fault: Hang, documents: int) -> FaultPlan:
    first = _split_creation(fault.where, fault.created, documents)[0]
    opens = fault.where in {"amid", "after"}
    pause = FaultPlan(pause=fault.seconds, wakes=fault.until)
    return replace(pause, opens=opens, first=first, rest=documents - first)


def _split_creation(where: str, created: int | None, documents: int) -> tuple[int, int]:
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
    """Returns the answer that a `status` fault gives."""
    status = fault.status
    headers: Headers = []
    if fault.retry_after is not None:
        headers.append(("Retry-After", str(fault.retry_after)))
    if fault.location is not None:
        headers.append(("Location", fault.location))
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
        ("X-RateLimit-Reset", str(int(now) + _whole(fault.retry_after))),
    ]


def _whole(asked: int | str | None) -> int:
    return asked if isinstance(asked, int) and asked else 1


def _refusal(fault: Refuse) -> Answer:
    message = _REFUSALS.get(fault.field)
    if message:
        return api_answer(206, message=message)
    return validation({fault.field: ["This field is required."]})
