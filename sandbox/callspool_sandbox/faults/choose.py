"""Which fault, if any, a request meets: the first of the file that fires."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callspool_sandbox.faults.model import Fault, is_early

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_sandbox.routes import Endpoint

_READS: tuple[Endpoint, ...] = ("runs", "tasks", "space_tasks", "agents")
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
        """The fault that fires when only a request's head is there; ``now`` is monotonic."""
        return self._first(self._early, facts, now)

    def after_body(self, facts: Facts, now: float) -> Fault | None:
        """The fault that fires when the whole request is there."""
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
