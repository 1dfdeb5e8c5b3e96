"""Following: spaces with open calls are looked at, one pass over one space at a time."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from callspool_ledger.writes import LedgerUnavailable
from callspool_ledger.writes.follow_calls import pass_of, recorded_of
from callspool_worker import events
from callspool_worker.events.event import emit, space_shown
from callspool_worker.following.batch_look import (
    BatchFaults,
    TasksRead,
    judge_batch,
    read_tasks,
)
from callspool_worker.following.call_log import CallLogs
from callspool_worker.following.frontier import (
    Frontier,
    PassEnded,
    ReadTurns,
    plan_apart,
    plan_last_looks,
    plan_look,
    plan_pass,
    recall_unit,
)
from callspool_worker.following.hours_check import HoursCheck
from callspool_worker.following.strangers import StrangerCheck
from callspool_worker.proving.api_lists import SpaceReader, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.writes import Ledger
    from callspool_ledger.writes.follow_calls import FollowPass, Recorded, Unit
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.following.batch_look import LookFinding
    from callspool_worker.following.frontier import FollowSettings, UnitMemory

MOST_DUE = 50
"""Batches that are looked at apart from the oldest in one pass."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds until the next look for a space that is due, times the number of partitions."""

FAILED_PAUSE = 5.0
"""Seconds."""


class Follower:
    """Looks at calls of a partition. ``get`` reads a path of the API: (account, path, query) →
    answer; ``homes``: where each account's keys are; ``sleep`` waits for a turn to read, and says
    whether this process is to end. ``logs``: the call logs, where these are read.
    """

    def __init__(
        self,
        ledger: Ledger,
        homes: Mapping[str, Ledger],
        get: Callable[[str, tuple[str, ...], Mapping[str, str | int]], Answer],
        how: FollowSettings,
        sleep: Callable[[float], object] = time.sleep,
        logs: CallLogs | None = None,
    ) -> None:
        self._logs = logs or CallLogs([ledger], homes, how.times)
        self._ledger = ledger
        self._homes = homes
        self._get = get
        self._how = how
        self._sleep = sleep
        self._faults = BatchFaults()

    def look(self, follower: str) -> bool:
        """Makes a pass over the space that is due first, if one is; tells whether one was.

        ``follower`` names this thread among all that ever were. Raises `LedgerUnavailable`.
        """
        pause = math.ceil(self._how.times.younger * 1000)
        step = self._ledger.calls.follow(follower, pause, self._how.accounts)
        space = pass_of(self._ledger.run([step])[0])
        if space is None:
            return False
        turns = ReadTurns(
            self._ledger,
            self._homes[space.account],
            partial(self._get, space.account),
            self._how,
            self._sleep,
            follower,
            space,
        )
        delay = self._how.times.younger
        try:
            here = SpacePass(
                self._ledger, turns, self._how, follower, space, self._faults, self._logs
            )
            delay = here.make()
        finally:
            end = self._ledger.calls.end_following(
                follower,
                space.key,
                math.ceil(delay * 1000),
                turns.counted,
                math.ceil(self._how.times.younger / 60 * 1000),
            )
            self._ledger.run([end])
        return True


def build_followers(
    ledgers: Sequence[Ledger],
    homes: Mapping[str, Ledger],
    get: Callable[[str, tuple[str, ...], Mapping[str, str | int]], Answer],
    how: FollowSettings,
    sleep: Callable[[float], object],
) -> list[Follower]:
    """Returns the followers of all partitions, which share the call logs; as of `Follower`."""
    logs = CallLogs(ledgers, homes, how.times)
    return [Follower(ledger, homes, get, how, sleep, logs) for ledger in ledgers]


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
    ) -> None:
        self._logs = logs
        self._heeds_log = False
        self._ledger = ledger
        self._how = how
        self._follower = follower
        self._space = space
        self._faults = faults
        self._reader = SpaceReader(space.space_token, turns.read)
        self._strangers = StrangerCheck(ledger, space)
        units = [*space.oldest, *space.due, *space.younger]
        self._memories = {unit.batch: recall_unit(unit, how.times) for unit in units}
        self._begun = time.monotonic()
        self._hours = HoursCheck(ledger)

    def make(self) -> float:
        """Looks at the batches that are due; seconds until the next pass.

        Raises `LedgerUnavailable`.
        """
        frontier, times = Frontier(self._space.oldest, self._memories), self._how.times
        try:
            self._heeds_log = self._logs.read(
                self._space.account, self._follower, self._reader, self._space.at_ms
            )
            for ended in self._space.due[:MOST_DUE]:
                self._look_at(ended)
            while (unit := frontier.next_unit(self._now_ms())) is not None:
                has_news = self._look_at(unit)
                frontier.note(self._memories[unit.batch], has_news=has_news)
            self._look_at_younger(frontier)
        except PassEnded as end:
            return times.younger / 60 if end.is_turn_over else times.younger
        except Unreadable as fault:
            self._tell_unreadable(fault)
            return times.longest if fault.refused else times.younger
        pause = plan_pass(frontier, self._memories, self._now_ms(), times)
        return min(pause, times.log) if self._heeds_log else pause

    def _look_at_younger(self, frontier: Frontier) -> None:
        """One batch by chance behind the frontier: calls may go out in another order."""
        behind = [*(self._space.younger or frontier.younger)]
        if not behind:
            return
        chosen = random.choice(behind)  # noqa: S311 - no secret
        if self._memories[chosen.batch].next_ms <= self._now_ms():
            self._look_at(chosen)

    def _now_ms(self) -> int:
        """Redis' time, as far as this process can tell."""
        return self._space.at_ms + round((time.monotonic() - self._begun) * 1000)

    def _look_at(self, unit: Unit) -> bool:
        """Looks at a batch and records what is new; whether something is."""
        held = self._ledger.batches([unit.batch]).get(unit.batch)
        if held is None:
            return False
        entry, memory = held[0], self._memories[unit.batch]
        lost_ms = unit.since_ms + self._how.times.lost_after * 1000
        is_lost = not memory.after and lost_ms <= self._now_ms()
        read = self._read_tasks(unit, entry, memory, is_lost=is_lost)
        if read.kind:
            self._tell_no_calls(read.kind)
        if read.strangers:
            self._strangers.settle(unit.batch, entry, read)
        finding = judge_batch(
            entry,
            read,
            memory,
            self._how.outcomes,
            self._now_ms(),
            self._how.times,
            is_lost=is_lost,
        )
        return self._record(unit, entry, finding)

    def _read_tasks(
        self, unit: Unit, entry: BatchEntry, memory: UnitMemory, *, is_lost: bool
    ) -> TasksRead:
        """The tasks of a batch; none where it cannot be read and must not hold up others."""
        try:
            read = read_tasks(self._reader, entry, memory)
        except Unreadable as fault:
            if not is_lost and (fault.refused or not self._faults.is_last(unit.batch)):
                raise
            self._tell_unreadable(fault)
            return TasksRead()
        self._faults.forget_batch(unit.batch)
        return read

    def _record(self, unit: Unit, entry: BatchEntry, finding: LookFinding) -> bool:
        now_ms, times = self._now_ms(), self._how.times
        again: float | None = None
        if finding.left:
            memory = plan_look(
                finding.memory,
                now_ms,
                times,
                has_news=finding.has_news,
                final_ms=finding.final_ms,
                heeds_log=self._heeds_log,
            )
            again = plan_apart(memory, now_ms)
        else:
            memory, again = plan_last_looks(finding.memory, times, lacks=finding.lacks_evaluation)
        step = self._ledger.calls.record_calls(
            self._follower,
            self._space.key,
            unit.batch,
            memory=msgspec.json.encode(memory).decode(),
            again_ms=None if again is None else math.ceil(again * 1000),
            news=finding.news,
            entry=entry,
            outside=self._hours.find_outside(entry, finding),
        )
        recorded = recorded_of(self._ledger.run([step])[0])
        if recorded is None:
            raise PassEnded
        self._memories[unit.batch] = memory
        self._tell_ended(unit, recorded)
        return finding.has_news

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


class FollowingThread:
    """Follows calls until it is stopped.

    ``build`` makes the followers of the partitions; it is given what waits, and says whether this
    thread is to end. ``gap``: seconds between two looks at a batch.
    """

    def __init__(
        self,
        build: Callable[[Callable[[float], bool]], Sequence[Follower]],
        name: str,
        gap: float,
    ) -> None:
        self._stopped = threading.Event()
        self._followers = build(self._stopped.wait)
        self._name = f"{name}:follow"
        pause = min(max(gap / 60, SHORTEST_PAUSE), LONGEST_PAUSE)
        self._pause = pause * max(1, len(self._followers))
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ends the thread after what it is reading, in ``timeout`` seconds at most."""
        self._stopped.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopped.is_set():
            looked = [self._look(follower) for follower in self._followers]
            if not any(looked):
                self._stopped.wait(self._pause)

    def _look(self, follower: Follower) -> bool:
        """Makes one pass in one partition; tells whether one was due."""
        try:
            return not self._stopped.is_set() and follower.look(self._name)
        except LedgerUnavailable:
            return False
        except Exception as error:  # noqa: BLE001 - calls are followed by no one else
            emit(events.StepFailed(part="following calls", pause=FAILED_PAUSE), error=error)
            self._stopped.wait(FAILED_PAUSE)
            return False
