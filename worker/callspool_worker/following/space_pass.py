"""One pass over the calls of a space: which batches are looked at, and what that showed."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from callspool_ledger.writes.follow_calls import recorded_of
from callspool_worker import events
from callspool_worker.events.event import emit, space_shown
from callspool_worker.following.batch_look import TasksRead, judge_batch, read_tasks
from callspool_worker.following.frontier import (
    Frontier,
    plan_apart,
    plan_last_looks,
    plan_look,
    plan_pass,
    recall_unit,
)
from callspool_worker.following.hours_check import HoursCheck
from callspool_worker.following.read_turns import PassEnded
from callspool_worker.following.strangers import StrangerCheck
from callspool_worker.following.window_reader import SpaceWindows
from callspool_worker.following.windows import (
    SMALL,
    SearchedSpan,
    find_times,
    group_units,
    plan_search,
)
from callspool_worker.proving.api_lists import SpaceReader, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.redis_io.scripts import Call
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.writes import Ledger
    from callspool_ledger.writes.follow_calls import FollowPass, Recorded, Unit
    from callspool_worker.following.batch_look import BatchFaults, LookFinding
    from callspool_worker.following.call_log import CallLogs
    from callspool_worker.following.frontier import UnitMemory
    from callspool_worker.following.read_turns import FollowSettings, ReadTurns
    from callspool_worker.following.window_reader import WindowWidths
    from callspool_worker.following.windows import WindowTasks

MOST_DUE = 50
"""Batches that are looked at apart from the oldest in one pass, each by its runs."""

MOST_SEARCH_READS = 20
"""Reads of one pass that look for follow-ups, at most."""

BATCHES_A_TRIP = 200
"""Batches that are read from the ledger, or recorded, in one round trip."""


class SpacePass:
    """One pass over the calls of a space."""

    def __init__(
        self,
        ledger: Ledger,
        turns: ReadTurns,
        how: FollowSettings,
        follower: str,
        space: FollowPass,
        faults: BatchFaults,
        logs: CallLogs,
        home: Ledger,
        widths: WindowWidths,
    ) -> None:
        self._logs = logs
        self._heeds_log = False
        self._ledger = ledger
        self._how = how
        self._follower = follower
        self._space = space
        self._faults = faults
        self._turns = turns
        self._reader = SpaceReader(space.space_token, turns.read)
        self._windows = SpaceWindows(ledger, home, turns, self._reader, space, how, widths)
        self._searched = SearchedSpan.parse(space.searched)
        self._strangers = StrangerCheck(ledger, space, follower, how)
        units = [*space.oldest, *space.due, *space.younger]
        self._memories = {unit.batch: recall_unit(unit, how.times) for unit in units}
        self._begun = time.monotonic()
        self._hours = HoursCheck(ledger)

    def make(self) -> float:
        """Looks at the batches that are due; seconds until the next pass.

        Raises `LedgerUnavailable`.
        """
        times = self._how.times
        frontier = Frontier([], self._memories)
        try:
            self._heeds_log = self._logs.read(
                self._space.account, self._follower, self._reader, self._space.at_ms
            )
            self._windows.begin()
            self._search_for_follow_ups()
            self._look_at_due()
            groups = group_units(self._space.oldest, self._windows.width)
            frontier = Frontier(groups, self._memories)
            while (group := frontier.next_group(self._now_ms())) is not None:
                has_news = self._look_together(group)
                frontier.note(group, has_news=has_news)
            self._look_at_younger(frontier)
        except PassEnded as end:
            return times.younger / 60 if end.is_turn_over else times.younger
        except Unreadable as fault:
            self._tell_unreadable(fault)
            return times.longest if fault.refused else times.younger
        pause = plan_pass(frontier, self._memories, self._now_ms(), times)
        return min(pause, times.log) if self._heeds_log else pause

    def _search_for_follow_ups(self) -> None:
        """Goes through windows that no batch is looked at in any more: follow-ups stand there."""
        while self._windows.width and self._turns.counted.total() < MOST_SEARCH_READS:
            now_s = self._now_ms() / 1000
            if self._searched is None:
                begun = math.floor(now_s - self._how.times.search)
                self._searched = self._keep_searched(begun, begun)
            window = plan_search(self._searched, now_s, self._windows.search_width, self._how.times)
            if window is None:
                return
            shown = self._windows.read_whole(window)
            if shown is not None:
                self._strangers.settle_window(shown.others(()))
                self._searched = self._keep_searched(self._searched.start_s, window.to_s + 1)

    def _keep_searched(self, start_s: int, till_s: int) -> SearchedSpan:
        told = ("HSET", self._ledger.keys.searched, self._space.key, f"{start_s} {till_s}")
        self._ledger.run_commands([told])
        return SearchedSpan(start_s, till_s)

    def _look_at_due(self) -> None:
        """Looks at the batches that have a time of their own, small ones in windows."""
        width = self._windows.width
        small = [unit for unit in self._space.due if width and unit.documents <= SMALL]
        entries = self._read_entries(small)
        known = ((batch, find_times(entry)) for batch, entry in entries.items())
        created = {batch: min(times) for batch, times in known if times}
        ended: list[Unit] = []
        rest: list[Unit] = []
        for unit in small:
            (ended if self._memories[unit.batch].after == "follow_ups" else rest).append(unit)
        large = [unit for unit in self._space.due if not width or unit.documents > SMALL]
        for unit in [*self._end_searched(ended, entries), *large][:MOST_DUE]:
            self._look_together([unit])
        rest.sort(key=lambda unit: created.get(unit.batch, 0.0))
        lonely = 0
        for group in group_units(rest, width, created):
            lonely += len(group) == 1
            if lonely <= MOST_DUE:
                self._look_together(group)

    def _end_searched(self, units: Sequence[Unit], entries: Mapping[int, BatchEntry]) -> list[Unit]:
        """Ends following batches whose follow-ups were looked for; those that were not are left."""
        left: list[Unit] = []
        steps: list[Call] = []
        for unit in units:
            entry = entries.get(unit.batch)
            times = find_times(entry) if entry else None
            covered = (
                self._searched.covers(times, self._how.times) if self._searched and times else False
            )
            if covered is False:
                left.append(unit)
            else:
                again = None if covered else self._how.times.longest
                steps.append(self._build_step(unit, self._memories[unit.batch], again))
        self._record_all([unit for unit in units if unit not in left], steps)
        return left

    def _read_entries(self, units: Sequence[Unit]) -> dict[int, BatchEntry]:
        found: dict[int, BatchEntry] = {}
        for at in range(0, len(units), BATCHES_A_TRIP):
            batches = [unit.batch for unit in units[at : at + BATCHES_A_TRIP]]
            held = self._ledger.batches(batches)
            found |= {batch: entry for batch, (entry, _) in held.items()}
        return found

    def _look_together(self, units: Sequence[Unit]) -> bool:
        """Looks at batches, in one window where that is worth it; whether something is new."""
        entries = self._read_entries(units)
        known = [unit for unit in units if unit.batch in entries]
        shown = None
        if len(known) > 1:
            shown = self._windows.read_for([entries[unit.batch] for unit in known])
        if shown is None:
            looked = [self._look_at(unit, entries[unit.batch]) for unit in known]
            return any(looked)
        has_news = self._judge_window(known, entries, shown)
        for unit in known:
            if not shown.shows(entries[unit.batch]):
                has_news |= self._look_at(unit, entries[unit.batch])
        return has_news

    def _judge_window(
        self, units: Sequence[Unit], entries: Mapping[int, BatchEntry], shown: WindowTasks
    ) -> bool:
        """Records what a window shows of batches: as one, so that they stay together."""
        found = [
            (unit, entry, self._judge(unit, entry, shown.read_of(entry)))
            for unit in units
            if shown.shows(entry := entries[unit.batch])
        ]
        has_news = any(finding.has_news for _, _, finding in found)
        steps = []
        for unit, entry, finding in found:
            news = finding.has_news if finding.memory.waits else has_news
            memory, again = self._plan(finding, has_news=news)
            self._memories[unit.batch] = memory
            steps.append(self._build_step(unit, memory, again, entry, finding))
        self._record_all([unit for unit, _, _ in found], steps)
        own = {
            one for unit in units for tasks in entries[unit.batch].tasks().values() for one in tasks
        }
        self._strangers.settle_window(shown.others(own))
        return has_news

    def _record_all(self, units: Sequence[Unit], steps: Sequence[Call]) -> None:
        for at in range(0, len(steps), BATCHES_A_TRIP):
            replies = self._ledger.run(steps[at : at + BATCHES_A_TRIP])
            for unit, reply in zip(units[at:], replies, strict=False):
                self._take_reply(unit, recorded_of(reply))

    def _look_at_younger(self, frontier: Frontier) -> None:
        """A group by chance behind the frontier: calls may go out in another order."""
        behind = [[unit] for unit in self._space.younger] or frontier.younger
        if not behind:
            return
        chosen = random.choice(behind)  # noqa: S311 - no secret
        if frontier.is_due(chosen, self._now_ms()):
            self._look_together(chosen)

    def _now_ms(self) -> int:
        """Redis' time, as far as this process can tell."""
        return self._space.at_ms + round((time.monotonic() - self._begun) * 1000)

    def _look_at(self, unit: Unit, entry: BatchEntry) -> bool:
        """Looks at a batch by its runs and records what is new; whether something is."""
        read = self._read_tasks(unit, entry, self._memories[unit.batch])
        if read.strangers:
            self._strangers.settle(unit.batch, entry, read)
        finding = self._judge(unit, entry, read)
        memory, again = self._plan(finding, has_news=finding.has_news)
        step = self._build_step(unit, memory, again, entry, finding)
        self._record_all([unit], [step])
        self._memories[unit.batch] = memory
        return finding.has_news

    def _judge(self, unit: Unit, entry: BatchEntry, read: TasksRead) -> LookFinding:
        if read.kind:
            self._tell_no_calls(read.kind)
        return judge_batch(
            entry,
            read,
            self._memories[unit.batch],
            self._how.outcomes,
            self._now_ms(),
            self._how.times,
            is_lost=self._is_lost(unit),
        )

    def _is_lost(self, unit: Unit) -> bool:
        """Whether sight is lost of the calls of a batch that are still open."""
        lost_ms = unit.since_ms + self._how.times.lost_after * 1000
        return not self._memories[unit.batch].after and lost_ms <= self._now_ms()

    def _read_tasks(self, unit: Unit, entry: BatchEntry, memory: UnitMemory) -> TasksRead:
        """The tasks of a batch; none where it cannot be read and must not hold up others."""
        try:
            read = read_tasks(self._reader, entry, memory)
        except Unreadable as fault:
            is_last = self._is_lost(unit) or (
                not fault.refused and self._faults.is_last(unit.batch)
            )
            if not is_last:
                raise
            self._tell_unreadable(fault)
            return TasksRead()
        self._faults.forget_batch(unit.batch)
        return read

    def _plan(self, finding: LookFinding, *, has_news: bool) -> tuple[UnitMemory, float | None]:
        """What is remembered of a batch, and the seconds until it is looked at apart."""
        if not finding.left:
            times = self._how.times
            return plan_last_looks(finding.memory, times, lacks=finding.lacks_evaluation)
        now_ms = self._now_ms()
        memory = plan_look(
            finding.memory,
            now_ms,
            self._how.times,
            has_news=has_news,
            final_ms=finding.final_ms,
            heeds_log=self._heeds_log,
        )
        return memory, plan_apart(memory, now_ms)

    def _build_step(
        self,
        unit: Unit,
        memory: UnitMemory,
        again: float | None,
        entry: BatchEntry | None = None,
        finding: LookFinding | None = None,
    ) -> Call:
        return self._ledger.calls.record_calls(
            self._follower,
            self._space.key,
            unit.batch,
            memory=msgspec.json.encode(memory).decode(),
            again_ms=None if again is None else math.ceil(again * 1000),
            news=finding.news if finding else {},
            entry=entry,
            outside=self._hours.find_outside(entry, finding) if entry and finding else None,
        )

    def _take_reply(self, unit: Unit, recorded: Recorded | None) -> None:
        if recorded is None:
            raise PassEnded
        self._tell_ended(unit, recorded)

    def _tell_ended(self, unit: Unit, recorded: Recorded) -> None:
        if recorded.changes:
            outcomes = dict(Counter(to for _, to in recorded.changes))
            account = self._space.account
            emit(
                events.CallsEnded(
                    batch=unit.batch, account=account, outcomes=outcomes, open=recorded.open
                )
            )

    def _tell_no_calls(self, kind: str) -> None:
        if self._faults.is_news(f"{self._space.key}|{kind}"):
            space, account = space_shown(self._space.space_token), self._space.account
            emit(events.NoCalls(account=account, space=space, execution_type=kind))

    def _tell_unreadable(self, fault: Unreadable) -> None:
        if self._faults.is_news(self._space.key):
            space, account = space_shown(self._space.space_token), self._space.account
            emit(events.CallsUnreadable(account=account, space=space, refused=fault.refused))
