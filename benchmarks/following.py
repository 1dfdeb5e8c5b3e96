"""How soon outcomes are known, and how many reads that takes: a day of calls, by five policies.

python -m benchmarks.following --calls 1000000 --lines 1500

Nothing is called or read: calls are drawn by chance, and what workers decide is asked of the code
that they run. Each look is one read; failed calls count once they have been unchanged for eight
gaps.
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import math
import random
from collections import Counter, deque
from typing import TYPE_CHECKING

from benchmarks.call_day import HOURS, TIMES, Day, Looks
from callspool_ledger.writes.follow_calls import Unit
from callspool_worker.following.call_log import LOG_PAGE
from callspool_worker.following.frontier import (
    Frontier,
    UnitMemory,
    plan_apart,
    plan_look,
    plan_pass,
)
from callspool_worker.following.window_reader import WindowWidths
from callspool_worker.following.windows import (
    SearchedSpan,
    TimeWindow,
    cover,
    group_units,
    is_worth,
    plan_search,
)
from callspool_worker.proving.api_lists import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLS_A_RUN = 100
READS_A_PASS, DUE_A_PASS, UNITS_A_PASS = 100, 50, 5000


def follow_each(day: Day, *, doubling: bool) -> Looks:
    """Each run has its own clock: every minute, or after a gap that doubles without news."""
    looks, gaps = Looks(day, 0), Counter[int]()
    due = [
        (moment + (TIMES.first if doubling else 60), run) for run, moment in enumerate(day.created)
    ]
    heapq.heapify(due)
    while due:
        looks.now, run = heapq.heappop(due)
        looks.read()
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
        self._look_at_due()
        frontier = Frontier(self._group(self._front[:UNITS_A_PASS]), self._memories)
        while (group := frontier.next_group(self._now_ms())) is not None:
            if self.looks.reads.total() - before >= READS_A_PASS:
                return TIMES.younger / 60
            frontier.note(group, has_news=self._look_together([unit.batch for unit in group]))
        if frontier.younger:
            chosen = random.choice(frontier.younger)
            if frontier.is_due(chosen, self._now_ms()):
                self._look_together([unit.batch for unit in chosen])
        pause = plan_pass(frontier, self._memories, self._now_ms(), TIMES)
        soonest = self._apart[0][0] - self.looks.now if self._apart else pause
        return max(1.0, min(pause, soonest))

    def _look_at_due(self) -> None:
        for run in self._pop_due(DUE_A_PASS):
            self._look_together([run])

    def _pop_due(self, most: int) -> list[int]:
        found: list[int] = []
        while self._apart and self._apart[0][0] <= self.looks.now and len(found) < most:
            found.append(heapq.heappop(self._apart)[1])
        return found

    def _group(self, runs: Sequence[int]) -> Sequence[Sequence[Unit]]:
        return group_units([self._unit(run) for run in runs], 0)

    def _look_together(self, runs: Sequence[int]) -> bool:
        for _ in runs:
            self.looks.read()
        return self._judge(runs)

    def _judge(self, runs: Sequence[int]) -> bool:
        found = [(run, *self.looks.look(run)) for run in runs]
        has_news = any(news for _, news, _, _ in found)
        gone = set[int]()
        for run, own, waits, final in found:
            memory = self._memories[run]
            memory.waits = waits
            self._memories[run] = memory = plan_look(
                memory,
                self._now_ms(),
                TIMES,
                has_news=own if waits else has_news,
                final_ms=math.ceil(final * 1000) if waits else None,
                heeds_log=self._heeds_log,
            )
            if self.looks.left[run] and plan_apart(memory, self._now_ms()) is None:
                if run not in self._fronted(run):
                    bisect.insort(self._front, run)
                continue
            gone.add(run)
            if self.looks.left[run]:
                apart = plan_apart(memory, self._now_ms()) or 0.0
                heapq.heappush(self._apart, (self.looks.now + apart, run))
        self._front = [run for run in self._front if run not in gone]
        return has_news

    def _fronted(self, run: int) -> Sequence[int]:
        at = bisect.bisect_left(self._front, run)
        return self._front[at : at + 1]

    @property
    def _heeds_log(self) -> bool:
        return False

    def _unit(self, run: int) -> Unit:
        told = "x" if self._memories[run].gap else ""
        documents = len(self._day.ends[run])
        return Unit(run, int(self._day.created[run] * 1000), told, documents)

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
            left = looks.left.get(run, set(range(len(self._day.ends[run]))))
            is_over = left <= ended | looks.known.get(run, {}).keys()
            due[run] = looks.now if is_over else max(looks.now, first + TIMES.patience)
            if run in self._front:
                self._front.remove(run)
                self._apart.append((due[run], run))
        self._apart = [(min(at, due.get(run, at)), run) for at, run in self._apart]
        heapq.heapify(self._apart)

    def _judge(self, runs: Sequence[int]) -> bool:
        for run in runs:
            self._unseen.pop(run, None)
        return super()._judge(runs)

    @property
    def _heeds_log(self) -> bool:
        return True


class WindowDay(FrontierDay):
    """As workers do it where windows of time are honoured; with the search for follow-ups."""

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        self._widths = WindowWidths(TIMES)
        self._till = 0.0

    def _pass(self) -> float:
        if self._front:
            self._widths.begin("", [self._unit(run) for run in self._front[:UNITS_A_PASS]])
        while self._till < self._day.created[-1]:
            window = plan_search(
                SearchedSpan(0, int(self._till)), self.looks.now, self._widths.search(""), TIMES
            )
            if window is None:
                break
            shown = self._count(window)
            self.looks.read(max(1, math.ceil(shown / PAGE_SIZE)))
            self._widths.note_search("", window.seconds, shown)
            self._till = window.to_s + 1
        return super()._pass()

    def _count(self, window: TimeWindow) -> int:
        """How many tasks a window holds."""
        first = bisect.bisect_left(self._day.created, window.from_s)
        return bisect.bisect_left(self._day.created, window.to_s + 1) - first

    def _look_at_due(self) -> None:
        runs = sorted(self._pop_due(UNITS_A_PASS))
        for group in self._group(runs):
            self._look_together([unit.batch for unit in group])

    def _group(self, runs: Sequence[int]) -> Sequence[Sequence[Unit]]:
        units = [self._unit(run) for run in runs]
        return group_units(units, self._widths.begin("", units))

    def _look_together(self, runs: Sequence[int]) -> bool:
        window = cover([self._day.created[run] for run in runs])
        if not is_worth(len(runs), self._widths.expect("", window)):
            return super()._look_together(runs)
        shown = self._count(window)
        self.looks.read(max(1, math.ceil(shown / PAGE_SIZE)))
        if window.seconds > self._widths.begin("", []) // 2:
            self._widths.note_look("", window.seconds, shown)
        return self._judge(runs)


def draw_bars(numbers: Sequence[float], most: float) -> str:
    """Returns a bar for each number, the highest for ``most``."""
    return "".join(" ▁▂▃▄▅▆▇█"[math.ceil(8 * min(1.0, number / most))] for number in numbers)


def main() -> None:
    """Prints a table, and a plot of the reads and of the delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=1_500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    day = Day.draw(asked.calls, CALLS_A_RUN, asked.lines, asked.seed)
    policies = {
        "each run every minute": follow_each(day, doubling=False),
        "each run, doubling": follow_each(day, doubling=True),
        "frontier (callspool)": FrontierDay(day).play(),
        "frontier, with the call log": LogDay(day).play(),
    }
    single = Day.draw(asked.calls, 1, asked.lines, asked.seed)
    policies["one contact a run: windows"] = WindowDay(single).play()
    print(f"{asked.calls:,} calls, {HOURS:g} h, {asked.lines:,} lines, {CALLS_A_RUN} or 1 a run")
    print("| policy | reads a call | most reads an hour | reached: half known after | 95 % |")
    print("|---|---:|---:|---:|---:|")
    for name, looks in policies.items():
        delays = sorted(looks.delays)
        half, most = (delays[int(len(delays) * share)] / 60 for share in (0.5, 0.95))
        print(
            f"| {name} | {looks.reads.total() / asked.calls:.3f}"
            f" | {max(looks.reads.values()):,} | {half:.1f} min | {most:.1f} min |"
        )
    print(f"\n{'reads, a bar an hour (full: 0.125 a call)':<52}delays, a bar a minute")
    hourly = asked.calls / HOURS / 8
    for name, looks in policies.items():
        reads = draw_bars([looks.reads[hour] for hour in range(16)], hourly)
        minutes = Counter(min(19, int(delay // 60)) for delay in looks.delays)
        late = draw_bars([minutes[minute] for minute in range(20)], max(minutes.values()))
        print(f"{name:<34}{reads:<18}{late}")


if __name__ == "__main__":
    main()
