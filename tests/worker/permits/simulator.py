"""An API and workers without end of work, on a clock that is only counted."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field

import msgspec

from callspool_worker.permits.limiter import GRACE, LimitState, Window, adjust, pause

REFUSAL = 0.005
"""Seconds that an API takes to refuse."""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is different from that second on; -1: as before."""

    at: float
    limit: int = -1
    latency: float = -1.0
    capacity: int = -1


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``limit``: requests in flight that it takes (0: any number); it refuses the others.

    ``capacity``: as many at a time as take ``latency`` seconds; with more, all take longer. 0: any
    number. ``jitter``: share of the latency by which answers differ; above 1 they are erratic: many
    come soon, few very late. ``refusing``: from when until
    when it refuses everything; ``stray``: the share that it refuses at any time. ``retry_after``:
    seconds for which it asks when it refuses.
    """

    latency: float
    limit: int = 0
    capacity: int = 0
    jitter: float = 0.0
    retry_after: float = 0.0
    stray: float = 0.0
    refusing: tuple[float, float] = (0.0, 0.0)
    changes: list[Change] = []

    def at(self, now: float) -> tuple[int, float, int]:
        """Its limit, its latency and its capacity at that time."""
        limit, latency, capacity = self.limit, self.latency, self.capacity
        for change in self.changes:
            if now >= change.at:
                limit = change.limit if change.limit >= 0 else limit
                latency = change.latency if change.latency >= 0 else latency
                capacity = change.capacity if change.capacity >= 0 else capacity
        return limit, latency, capacity


@dataclass
class Seen:
    """What happened after the warm-up."""

    seconds: float = 0.0
    carried_out: int = 0
    refused: int = 0
    in_flight_seconds: float = 0.0
    possible: float = 0.0
    peak: int = 0

    @property
    def in_flight(self) -> float:
        return self.in_flight_seconds / self.seconds

    @property
    def share(self) -> float:
        """Of what the API would have carried out."""
        return self.carried_out / self.possible

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.refused + self.carried_out)


@dataclass
class World:
    """One account. ``threads``: requests in flight that all workers together can have."""

    server: Server
    threads: int
    seed: int = 1
    standing: LimitState = field(default_factory=LimitState)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._now = 0.0
        self._order = itertools.count()
        self._ends: list[tuple[float, int, float, int, bool]] = []
        self._cut = 0
        self._rest_until = 0.0
        self._streak = 0
        self._served = 0
        self._refusals = 0
        self._rest = 0.0
        self._decides_at = 0.0
        self._begin_window()
        self._next = 0.0

    def run(self, seconds: float, warm_up: float) -> Seen:
        seen = Seen(seconds - warm_up)
        while self._now < seconds:
            self._decide()
            self._begin_what_may_be()
            now = min(self._ends[0][0] if self._ends else seconds, seconds)
            if self._now < self._rest_until:
                now = min(now, self._rest_until)
            self._note(seen, max(now, warm_up) - max(self._now, warm_up))
            self._now = now
            if self._ends and self._ends[0][0] <= now:
                self._end(seen, counted=now >= warm_up)
        return seen

    def _begin_window(self) -> None:
        self._answered, self._sum, self._most = 0, 0.0, 0

    def _note(self, seen: Seen, seconds: float) -> None:
        limit, latency, capacity = self.server.at(self._now)
        seen.peak = max(seen.peak, len(self._ends))
        seen.in_flight_seconds += len(self._ends) * seconds
        begin, end = self.server.refusing
        if not begin <= self._now < end:
            possible = min(limit or self.threads, capacity or self.threads)
            seen.possible += min(possible, self.threads) / latency * seconds

    def _begin_what_may_be(self) -> None:
        if self._now < self._rest_until:
            return
        while len(self._ends) < min(self.standing.limit, self.threads):
            limit, latency, capacity = self.server.at(self._now)
            begin, end = self.server.refusing
            refuses = begin <= self._now < end or bool(limit and self._served >= limit)
            if self.server.stray and self._chance.random() < self.server.stray:
                refuses = True
            crowd = max(1.0, (self._served + 1) / capacity) if capacity else 1
            takes = latency * crowd * self._noise()
            self._served += not refuses
            item = (
                self._now + (REFUSAL if refuses else takes),
                next(self._order),
                self._now,
                self._cut,
                refuses,
            )
            heapq.heappush(self._ends, item)
            self._most = max(self._most, len(self._ends))

    def _noise(self) -> float:
        if self.server.jitter > 1:
            return self._chance.expovariate(1)
        return 1 + self._chance.uniform(-1, 1) * self.server.jitter

    def _end(self, seen: Seen, *, counted: bool) -> None:
        _, _, begun, cut, refused = heapq.heappop(self._ends)
        if refused:
            seen.refused += counted
            self._refused(begun, cut)
            return
        self._served -= 1
        seen.carried_out += counted
        self._answered += 1
        self._sum += self._now - begun
        self._streak = 0
        if self._now >= self._next and not self._refusals:
            self._change(0)

    def _refused(self, begun: float, cut: int) -> None:
        if cut != self._cut:
            return
        if not self._refusals:
            self._streak += 1
            backoff = 0.1 * 2 ** (self._streak - 2) if self._streak > 1 else 0.0
            rest = max(self.server.retry_after, min(backoff, 5.0))
            self._decides_at = self._now + GRACE
            self._rest = rest
            self._rest_until = max(self._rest_until, self._now + max(GRACE, rest))
        self._refusals += 1

    def _decide(self) -> None:
        if self._refusals and self._now >= self._decides_at:
            self._change(self._refusals)
            self._refusals = 0
            self._cut += 1

    def _change(self, refused: int) -> None:
        seconds = self._sum / self._answered if self._answered else 0.0
        window = Window(self._answered, seconds, refused, self._most, self._rest if refused else 0)
        before, self.standing = self.standing, adjust(self.standing, window, self._now)
        if before is self.standing:
            return
        self._next = self._now + pause(self.standing)
        self._begin_window()
        self._most = len(self._ends)
