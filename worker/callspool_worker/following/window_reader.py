"""Reading windows of time, where the API is seen to honour them and to answer soon."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from callspool_ledger.writes.account_calls import ask_windows
from callspool_worker.following.windows import (
    MOST_TASKS_PROBED,
    PROMPT,
    SMALL,
    TimeWindow,
    WindowTasks,
    count_tasks,
    cover,
    find_times,
    guess_density,
    is_worth,
    judge_probe,
    plan_probe,
    plan_width,
    time_of_task,
)
from callspool_worker.proving.api_lists import PAGE_SIZE, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.writes import Ledger
    from callspool_ledger.writes.account_calls import WindowWord
    from callspool_ledger.writes.follow_calls import FollowPass, Unit
    from callspool_worker.following.frontier import FollowTimes
    from callspool_worker.following.read_turns import FollowSettings, ReadTurns
    from callspool_worker.proving.api_lists import SpaceReader

FEW = 20
"""Small batches of a space from which on a probe is worth its reads."""

MOST_WINDOW_PAGES = 60
"""Pages of one window, at most."""

PROBE_TURN = 3600.0
"""Seconds after which another follower may probe where one was killed amid it."""

IGNORED: Final = 86_400.0
"""Seconds for which a server that ignores the filter is not asked again."""

PROBED = 50
"""Batches of which a probe is made."""


STEADY = 0.25
"""By which share a width may be off before another one is taken."""

SEARCHED_AT_ONCE = 5
"""Pages of a window of a search, about."""


class WindowWidths:
    """How wide windows are in each space, in seconds, as their pages have shown."""

    def __init__(self, times: FollowTimes) -> None:
        self._times = times
        self._densities: dict[str, float] = {}
        """Tasks a second."""
        self._looks: dict[str, int] = {}
        self._searches: dict[str, int] = {}
        self._large: dict[str, int] = {}

    def note_large(self, space: str, now_ms: int) -> None:
        """Takes note that a space has too many tasks for a probe; others of its account may not."""
        self._large[space] = now_ms + round(4000 * self._times.gap)

    def is_large(self, space: str, now_ms: int) -> bool:
        """Whether a space had too many tasks for a probe a while ago."""
        return self._large.get(space, 0) > now_ms

    def begin(self, space: str, units: Sequence[Unit]) -> int:
        """Returns how wide the windows are in which these batches are looked at."""
        if space not in self._looks:
            self.note_look(space, 1000, round(1000 * guess_density(units)))
        return self._looks[space]

    def expect(self, space: str, window: TimeWindow) -> float:
        """Returns how many tasks are likely to be in a window."""
        return self._densities[space] * window.seconds

    def note_look(self, space: str, seconds: int, tasks: int) -> None:
        """Takes note of how many tasks a window of a look has."""
        self._densities[space] = density = max(1, tasks) / seconds
        width, before = plan_width(density, self._times), self._looks.get(space, 0)
        if abs(width - before) > STEADY * before:
            self._looks[space] = width

    def search(self, space: str) -> int:
        """Returns how wide the next window of a search is."""
        return self._searches.get(space) or self._looks.get(space, 1)

    def note_search(self, space: str, seconds: int, tasks: int) -> None:
        """Takes note of how many tasks a window of a search has."""
        wanted = SEARCHED_AT_ONCE * PAGE_SIZE * seconds // max(1, tasks)
        most = min(2 * seconds, int(2 * self._times.gap))
        self._searches[space] = max(1, min(wanted, most))


class SpaceWindows:
    """The windows that one pass reads. ``width``: seconds; 0 while windows are not read."""

    def __init__(
        self,
        ledger: Ledger,
        home: Ledger,
        turns: ReadTurns,
        reader: SpaceReader,
        space: FollowPass,
        how: FollowSettings,
        widths: WindowWidths,
    ) -> None:
        self._ledger = ledger
        self._home = home
        self._turns = turns
        self._reader = reader
        self._space = space
        self._how = how
        self._widths = widths
        self.width = 0

    @property
    def search_width(self) -> int:
        return self._widths.search(self._space.key)

    def begin(self) -> None:
        """Finds out whether windows are read in this pass; probes where that is not known.

        Raises `PassEnded` and `LedgerUnavailable`.
        """
        units = [*self._space.oldest, *self._space.due]
        small = [unit for unit in units if unit.documents <= SMALL]
        if self._how.windows == "never" or len(small) < 2:
            return
        is_large = self._widths.is_large(self._space.key, self._space.at_ms)
        word = self._say("", PROBE_TURN if len(small) >= FEW and not is_large else 0)
        if word == 1 or (word == 2 and self._probe(small)):
            self.width = self._widths.begin(self._space.key, self._space.oldest)

    def read_for(self, entries: Sequence[BatchEntry]) -> WindowTasks | None:
        """Returns the tasks of the window that these batches were created in; None if that is not
        worth its reads, or could not be read.

        It ends with the page that shows the last of them. Raises `PassEnded`.
        """
        times = [find_times(entry) for entry in entries]
        known = [moment for each in times for moment in each or ()]
        if not self.width or not known:
            return None
        shown, key = WindowTasks(cover(known)), self._space.key
        if not is_worth(len(entries), self._widths.expect(key, shown.window)):
            return None
        unseen = [entry for entry, each in zip(entries, times, strict=True) if each]
        for number in range(1, MOST_WINDOW_PAGES + 1):
            size = self._read_page(shown, number)
            if size is None:
                return None
            unseen = [entry for entry in unseen if not shown.shows(entry)]
            count = shown.count or len(shown.tasks)
            if number == 1 and shown.window.seconds > self.width // 2:
                self._widths.note_look(key, shown.window.seconds, count)
            if size < PAGE_SIZE and len(unseen) == sum(map(bool, times)):
                self.refuse(IGNORED)  # not one of the tasks that were created then
                return None
            is_last = not unseen or size < PAGE_SIZE or not self.width
            if is_last or not is_worth(len(unseen), count, number):
                break
        return shown

    def read_whole(self, window: TimeWindow) -> WindowTasks | None:
        """Returns all tasks of a window; None where it could not be read, or is far too wide.

        Raises `PassEnded`.
        """
        shown, key = WindowTasks(window), self._space.key
        for number in range(1, MOST_WINDOW_PAGES + 1):
            size = self._read_page(shown, number)
            if size is None:
                return None
            count = shown.count or len(shown.tasks)
            if number == 1:
                self._widths.note_search(key, window.seconds, count)
            # Pages may be shorter than was asked for: its count tells, or an empty page.
            is_short = size < PAGE_SIZE if shown.count is None else len(shown.tasks) >= count
            if is_short or not size:
                return shown
            is_wide = count > 3 * SEARCHED_AT_ONCE * PAGE_SIZE and window.seconds > 1
            if not self.width or is_wide:
                return None
        return shown

    def _read_page(self, shown: WindowTasks, number: int) -> int | None:
        """Reads a page; how many entries it has, None where windows are no good here."""
        try:
            page = self._reader.window_page(number, shown.window.query)
        except Unreadable as fault:
            self.refuse(IGNORED if fault.refused else 4 * self._how.times.gap)
            return None
        if page is None:
            return 0
        shown.count = page.count
        if not shown.add(page.entries):
            self.refuse(IGNORED)
            return None
        if self._turns.took > PROMPT:
            self.refuse(4 * self._how.times.gap)
        return len(page.entries)

    def refuse(self, seconds: float) -> None:
        """Reads no windows any more, for so long."""
        self.width = 0
        self._say("refused", min(seconds, IGNORED))

    def _say(self, word: WindowWord, seconds: float) -> int:
        step = ask_windows(self._space.account, word, math.ceil(seconds * 1000))
        (reply,) = self._home.run([step])
        return reply if isinstance(reply, int) else 0

    def _probe(self, units: Sequence[Unit]) -> bool:
        """Whether a server honours windows that nobody has asked for them lately.

        A space with many tasks is not asked: one that ignores the filter lists them all.
        """
        pause = self._how.times.younger
        try:
            numbers = [unit.batch for unit in (*units[: PROBED // 2], *units[-PROBED // 2 :])]
            entries = [entry for entry, _ in self._ledger.batches(numbers).values()]
            tasks = {
                one: moment
                for entry in entries
                for tasks in entry.tasks().values()
                for one in tasks
                if (moment := time_of_task(one)) is not None
            }
            if (probe := plan_probe(tasks)) is None:
                return False
            if self._how.windows != "always":
                runs = self._reader.runs_page()
                size = count_tasks(runs.entries, runs.count) if runs else None
                if size is None or size > MOST_TASKS_PROBED:
                    self._widths.note_large(self._space.key, self._space.at_ms)
                    return False
            page = self._reader.window_page(1, probe.window.query)
            honours = page and judge_probe(probe, page.entries, page.count, self._turns.took)
            if honours:
                pause = 0.0
                return self._say("honoured", 0) == 1
            if honours is not None:
                pause = IGNORED
        except Unreadable as fault:
            pause = IGNORED if fault.refused or not fault.passing else 4 * self._how.times.gap
        finally:
            if pause:
                self._say("refused", pause)
        return False
