"""How soon outcomes are known, and how many reads that takes: a day of calls, by four policies.

python -m benchmarks.following --runs 10000 --lines 1500

Nothing is called or read: calls are drawn by chance, and what workers decide is asked of the code
that they run. Each look is one read; failed calls count once they have been unchanged for eight
gaps.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections import Counter, deque
from dataclasses import dataclass, field

from callspool_ledger.writes.follow_calls import Unit
from callspool_worker.following.call_log import LOG_PAGE
from callspool_worker.following.frontier import (
    FollowTimes,
    Frontier,
    UnitMemory,
    plan_apart,
    plan_final,
    plan_look,
    plan_pass,
)

CALLS_A_RUN, LINES_A_RUN, HOURS = 100, 10, 11.0
NOT_REACHED = 0.3
TIMES = FollowTimes(900.0, 259_200.0)
READS_A_PASS, DUE_A_PASS, UNITS_A_PASS = 100, 50, 1000


@dataclass
class Day:
    """When each run was created, when each of its calls ended, and whether that reached anybody."""

    created: list[float]
    ends: list[list[tuple[float, bool]]]

    @classmethod
    def draw(cls, runs: int, lines: int, seed: int) -> Day:
        """Draws a day: runs are created evenly, and called in their order."""
        chance = random.Random(seed)
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
                while free and len(ends[first]) < CALLS_A_RUN and ringing[first] < LINES_A_RUN:
                    is_reached = chance.random() >= NOT_REACHED
                    end = now + 15 + (chance.uniform(20, 90) if is_reached else 0)
                    ends[first].append((end, is_reached))
                    heapq.heappush(events, (end, 1, first))
                    ringing[first] += 1
                    free -= 1
                waiting.popleft() if len(ends[first]) == CALLS_A_RUN else waiting.rotate(-1)
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

    def look(self, run: int) -> tuple[bool, bool, float]:
        """Reads a run: whether something is new, whether all that is open failed, final when."""
        self.now += 1 / self.rate if self.rate else 0
        self.reads[int(self.now // 3600)] += 1
        left = self.left.setdefault(run, set(range(CALLS_A_RUN)))
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


def follow_each(day: Day, *, doubling: bool) -> Looks:
    """Each run has its own clock: every minute, or after a gap that doubles without news."""
    looks, gaps = Looks(day, 0), Counter[int]()
    due = [
        (moment + (TIMES.first if doubling else 60), run) for run, moment in enumerate(day.created)
    ]
    heapq.heapify(due)
    while due:
        looks.now, run = heapq.heappop(due)
        news, _, _ = looks.look(run)
        if looks.left[run]:
            gap = min(max(2 * gaps[run], int(TIMES.gap)), int(TIMES.longest))
            gaps[run] = int(TIMES.gap) if news else gap
            heapq.heappush(due, (looks.now + (gaps[run] if doubling else 60), run))
    return looks


class FrontierDay:
    """As workers do it, in the rate of one account."""

    def __init__(self, day: Day) -> None:
        self.looks = Looks(day, 1.0)
        self._day = day
        self._memories: dict[int, UnitMemory] = {}
        self._front: list[int] = []
        self._apart: list[tuple[float, int]] = []

    def play(self) -> Looks:
        """Makes passes until every call has its outcome."""
        looks, arrived = self.looks, 0
        while arrived < len(self._day.created) or self._front or self._apart:
            while arrived < len(self._day.created) and self._day.created[arrived] <= looks.now:
                first = self._day.created[arrived] + TIMES.first
                self._memories[arrived] = UnitMemory(next_ms=int(first * 1000))
                self._front.append(arrived)
                arrived += 1
            pause = self._pass()  # which moves the clock, too
            looks.now += pause
        return looks

    def _pass(self) -> float:
        before = self.looks.reads.total()
        for _ in range(DUE_A_PASS):
            if self._apart and self._apart[0][0] <= self.looks.now:
                self._look(heapq.heappop(self._apart)[1])
        units = [self._unit(run) for run in sorted(self._front)[:UNITS_A_PASS]]
        frontier = Frontier(units, self._memories)
        while (unit := frontier.next_unit(self._now_ms())) is not None:
            if self.looks.reads.total() - before >= READS_A_PASS:
                return TIMES.younger / 60
            frontier.note(self._memories[unit.batch], has_news=self._look(unit.batch))
        if frontier.younger:
            chosen = random.choice(frontier.younger).batch
            if self._memories[chosen].next_ms <= self._now_ms():
                self._look(chosen)
        pause = plan_pass(frontier, self._memories, self._now_ms(), TIMES)
        soonest = self._apart[0][0] - self.looks.now if self._apart else pause
        return max(1.0, min(pause, soonest))

    def _look(self, run: int) -> bool:
        news, waits, final = self.looks.look(run)
        final_ms = math.ceil(final * 1000) if waits else None
        memory = self._memories[run]
        memory.waits = waits
        memory = plan_look(
            memory,
            self._now_ms(),
            TIMES,
            has_news=news,
            final_ms=final_ms,
            heeds_log=self._heeds_log,
        )
        self._memories[run] = memory
        if run in self._front:
            self._front.remove(run)
        if self.looks.left[run]:
            apart = plan_apart(memory, self._now_ms())
            if apart is None:
                self._front.append(run)
            else:
                heapq.heappush(self._apart, (self.looks.now + apart, run))
        return news

    @property
    def _heeds_log(self) -> bool:
        return False

    def _unit(self, run: int) -> Unit:
        told = "x" if self._memories[run].gap else ""
        return Unit(run, int(self._day.created[run] * 1000), told)

    def _now_ms(self) -> int:
        return int(self.looks.now * 1000)


class LogDay(FrontierDay):
    """As workers do it where the account may read its call log, which shows every ring."""

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        self._rings = deque(
            sorted(
                (end, run, call)
                for run, ends in enumerate(day.ends)
                for call, (end, _) in enumerate(ends)
            )
        )
        self._next_log = 0.0
        self._unseen: dict[int, tuple[float, set[int]]] = {}
        """Run → the first end that no look has seen, and the calls that ended since."""

    def _pass(self) -> float:
        if self._next_log <= self.looks.now:
            self._read_log()
        pause = super()._pass()
        return max(1.0, min(pause, self._next_log - self.looks.now))

    def _read_log(self) -> None:
        looks, hinted, rows = self.looks, set[int](), 0
        while self._rings and self._rings[0][0] <= looks.now:
            end, run, call = self._rings.popleft()
            self._unseen.setdefault(run, (end, set()))[1].add(call)
            hinted.add(run)
            rows += 1
        for _ in range(1 + rows // LOG_PAGE):
            looks.now += 1 / looks.rate
            looks.reads[int(looks.now // 3600)] += 1
        self._next_log = looks.now + TIMES.log
        due = {}
        for run in hinted:
            first, ended = self._unseen[run]
            left = looks.left.get(run, set(range(CALLS_A_RUN)))
            is_over = left <= ended | looks.known.get(run, {}).keys()
            due[run] = looks.now if is_over else max(looks.now, first + TIMES.patience)
            if run in self._front:
                self._front.remove(run)
                self._apart.append((due[run], run))
        self._apart = [(min(at, due.get(run, at)), run) for at, run in self._apart]
        heapq.heapify(self._apart)

    def _look(self, run: int) -> bool:
        self._unseen.pop(run, None)
        return super()._look(run)

    @property
    def _heeds_log(self) -> bool:
        return True


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=1_500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    day = Day.draw(asked.runs, asked.lines, asked.seed)
    policies = {
        "each run every minute": follow_each(day, doubling=False),
        "each run, doubling": follow_each(day, doubling=True),
        "frontier (callspool)": FrontierDay(day).play(),
        "frontier, with the call log": LogDay(day).play(),
    }
    calls = asked.runs * CALLS_A_RUN
    print(f"{calls:,} calls in {asked.runs:,} runs, {HOURS:g} h, {asked.lines:,} lines")
    print("| policy | reads a call | most reads an hour | reached: half known after | 95 % |")
    print("|---|---:|---:|---:|---:|")
    for name, looks in policies.items():
        delays = sorted(looks.delays)
        half, most = (delays[int(len(delays) * share)] / 60 for share in (0.5, 0.95))
        print(
            f"| {name} | {looks.reads.total() / calls:.3f} | {max(looks.reads.values()):,}"
            f" | {half:.1f} min | {most:.1f} min |"
        )


if __name__ == "__main__":
    main()
