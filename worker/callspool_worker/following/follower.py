"""Following: spaces with open calls are looked at, one pass over one space at a time."""

from __future__ import annotations

import math
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from callspool_ledger.writes import LedgerUnavailable
from callspool_ledger.writes.follow_calls import pass_of
from callspool_worker import events
from callspool_worker.events.event import emit
from callspool_worker.following.batch_look import BatchFaults
from callspool_worker.following.call_log import CallLogs
from callspool_worker.following.read_turns import ReadTurns
from callspool_worker.following.space_pass import SpacePass
from callspool_worker.following.window_reader import WindowWidths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from callspool_ledger.writes import Ledger
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.following.read_turns import FollowSettings

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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logs = logs or CallLogs([ledger], homes, how.times)
        self._ledger = ledger
        self._homes = homes
        self._get = get
        self._how = how
        self._sleep = sleep
        self._faults = BatchFaults()
        self._widths = WindowWidths(how.times)
        self._clock = clock

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
            self._clock,
        )
        delay = self._how.times.younger
        try:
            here = SpacePass(
                self._ledger,
                turns,
                self._how,
                follower,
                space,
                self._faults,
                self._logs,
                self._homes[space.account],
                self._widths,
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
