"""A day of calls that is drawn by chance, and what looks at it have shown."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from dataclasses import dataclass, field

from callspool_worker.following.frontier import FollowTimes, plan_final

LINES_A_RUN, HOURS = 10, 11.0
NOT_REACHED = 0.3
TIMES = FollowTimes(900.0, 259_200.0)


@dataclass
class Day:
    """When each run was created, when each of its calls ended, and whether that reached anybody."""

    created: list[float]
    ends: list[list[tuple[float, bool]]]

    @classmethod
    def draw(cls, calls: int, size: int, lines: int, seed: int) -> Day:
        """Draws a day: runs of ``size`` contacts are created evenly, and called in their order."""
        chance, runs = random.Random(seed), calls // size
        created = [number * HOURS * 3600 / runs for number in range(runs)]
        ends: list[list[tuple[float, bool]]] = [[] for _ in range(runs)]
        events = [(moment, -1, run) for run, moment in enumerate(created)]
        heapq.heapify(events)
        waiting, ringing, free = deque[int](), Counter[int](), lines
        while events:
            now, over, run = heapq.heappop(events)
            if over < 0:
                waiting.append(run)
            else:
                ringing[run] -= 1
                free += 1
            for _ in range(len(waiting)):
                first = waiting[0]
                while free and len(ends[first]) < size and ringing[first] < LINES_A_RUN:
                    is_reached = chance.random() >= NOT_REACHED
                    end = now + 15 + (chance.uniform(20, 90) if is_reached else 0)
                    ends[first].append((end, is_reached))
                    heapq.heappush(events, (end, 1, first))
                    ringing[first] += 1
                    free -= 1
                waiting.popleft() if len(ends[first]) == size else waiting.rotate(-1)
        return cls(created, ends)


@dataclass
class Looks:
    """What looks have shown so far. ``rate``: reads a second, 0 for any number."""

    day: Day
    rate: float
    now: float = 0.0
    delays: list[float] = field(default_factory=list)
    reads: Counter[int] = field(default_factory=Counter)
    """By hour."""
    known: dict[int, dict[int, float]] = field(default_factory=dict)
    """Run → failed call → since when."""
    left: dict[int, set[int]] = field(default_factory=dict)

    def read(self, pages: int = 1) -> None:
        """Makes so many reads."""
        for _ in range(pages):
            self.now += 1 / self.rate if self.rate else 0
            self.reads[int(self.now // 3600)] += 1

    def look(self, run: int) -> tuple[bool, bool, float]:
        """Looks at a run that was read: whether something is new, whether all that is open failed,
        and when that is final.
        """
        left = self.left.setdefault(run, set(range(len(self.day.ends[run]))))
        failed, news = self.known.setdefault(run, {}), False
        for call in list(left):
            end, is_reached = self.day.ends[run][call]
            if end > self.now:
                continue
            if is_reached:
                self.delays.append(self.now - end)
            elif call not in failed:
                failed[call] = self.now
            if is_reached or self.now - failed[call] >= TIMES.failure:
                left.discard(call)
            news = news or is_reached or failed[call] == self.now
        waits = bool(left) and left <= failed.keys()
        since = [failed[call] for call in left if call in failed]
        return news, waits, plan_final(since, TIMES) if since else 0.0
