"""Windows of time over a space's tasks: what they cover, and what their pages show. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from callspool_worker.decisions.answers import is_id
from callspool_worker.decisions.call_outcome import BETTER, judge_calls
from callspool_worker.following.batch_look import TasksRead, call_seen, read_other_kind, read_time
from callspool_worker.proving.api_lists import PAGE_SIZE
from callspool_worker.proving.records import time_of_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.views import CallRecord
    from callspool_ledger.writes.follow_calls import Unit
    from callspool_worker.decisions.call_outcome import TaskCall
    from callspool_worker.following.frontier import FollowTimes
    from callspool_worker.proving.records import TaskSeen

SMALL = 20
"""Documents of a batch that is looked at together with others, at most."""

DENSE, EDGE = 12.0, 1.5
"""Tasks a second for which a window has one page more; seconds that it is longer than needed."""

LATER = 0.5
"""Seconds from the time in an id to `created`, at most as a rule."""

SLACK = 2.0
"""Seconds by which a task may lie outside of its window: ids and `created` differ a little."""

APART = 10.0
"""Seconds that a task lies outside of a probe's window at least, so that the probe can fail."""

MOST_TASKS_PROBED = 5_000
"""Tasks of a space in which it is tried whether the filter is honoured, at most."""

PROMPT = 2.0
"""Seconds in which a window is to be answered."""


class TimeWindow(NamedTuple):
    """A span of time by the API's clock, in whole seconds since 1970, both ends included."""

    from_s: int
    to_s: int

    @property
    def query(self) -> dict[str, int]:
        """What asks a list for it (O)."""
        return {"from_ts": self.from_s, "to_ts": self.to_s}

    @property
    def seconds(self) -> int:
        return self.to_s - self.from_s + 1

    def holds(self, moment: float | None) -> bool:
        """Whether a moment lies inside, or so near that clocks explain it."""
        return moment is not None and self.from_s - SLACK <= moment <= self.to_s + 1 + SLACK


def time_of_task(task_id: str) -> float | None:
    """Returns when a task was created by the API's clock; None if its id does not hold that."""
    return time_of_id(task_id, None)[0]


def find_times(entry: BatchEntry) -> list[float] | None:
    """Returns when the tasks of a batch were created; None if that is not known of each."""
    times = [time_of_task(one) for tasks in entry.tasks().values() for one in tasks]
    known = [moment for moment in times if moment is not None]
    return known if known and len(known) == len(times) else None


def cover(moments: Iterable[float]) -> TimeWindow:
    """Returns the narrowest window that holds these moments, and what is a little later.

    A task is stored a moment after its id was made, maybe in the next second.
    """
    known = list(moments)
    return TimeWindow(math.floor(min(known)), math.floor(max(known) + LATER))


def group_units(
    units: Sequence[Unit], width: int, created: Mapping[int, float] | None = None
) -> list[Sequence[Unit]]:
    """Returns small batches by spans of so many seconds, and each other batch alone.

    ``width`` 0: each batch is alone. ``created``: by these times, batch → seconds, where they are
    known better than by the units.
    """
    groups: list[list[Unit]] = []
    last: float | None = None
    for unit in units:
        moment = unit.since_ms / 1000 if created is None else created.get(unit.batch)
        is_small = width and unit.documents <= SMALL and moment is not None
        cell = (moment or 0.0) // width if is_small else None
        if cell is not None and cell == last:
            groups[-1].append(unit)
        else:
            groups.append([unit])
        last = cell
    return [tuple(group) for group in groups]


def guess_density(units: Sequence[Unit]) -> float:
    """Returns how many tasks a second are created, as far as these batches tell."""
    small = [unit for unit in units if unit.documents <= SMALL]
    span = max((small[-1].since_ms - small[0].since_ms) / 1000, 1.0) if small else 1.0
    return max(1, sum(unit.documents for unit in small)) / span


def plan_width(density: float, times: FollowTimes) -> int:
    """Returns the seconds of a window that fills its pages, where so many tasks a second are made.

    The more of them, the more pages, for a window is longer than its batches need.
    """
    pages = 1 + int(density / DENSE)
    return max(1, min(int(pages * PAGE_SIZE / density - EDGE), int(2 * times.gap)))


def is_worth(units: int, tasks: float | None, pages_read: int = 0) -> bool:
    """Whether reading on in a window costs less than a read for each of these batches.

    ``tasks``: in the window, as far as that is known.
    """
    pages = math.ceil((tasks or 0) / PAGE_SIZE) - pages_read
    return units > max(1, pages)


class WindowTask(NamedTuple):
    """A task that a window showed, with its run; ``kind``: what it is if it is no call."""

    run_id: str
    task: TaskSeen
    call: TaskCall
    kind: str


@dataclass(slots=True)
class WindowTasks:
    """What the pages of a window showed: tasks by their ids. ``count``: how many it counts."""

    window: TimeWindow
    tasks: dict[str, WindowTask] = field(default_factory=dict)
    count: int | None = None

    def add(self, entries: Sequence[object]) -> bool:
        """Takes in a page; whether all that it shows may lie in the window."""
        for entry in entries:
            seen = call_seen(entry)
            if seen is None or not isinstance(entry, dict):
                return False
            task, call = seen
            moments = read_time(entry.get("created")), time_of_task(task.task_id)
            if not any(map(self.window.holds, moments)):
                return False
            run_id = entry.get("run_id")
            known_run, kind = run_id if is_id(run_id) else "", read_other_kind(entry)
            self.tasks[task.task_id] = WindowTask(known_run, task, call, kind)
        return True

    def shows(self, entry: BatchEntry) -> bool:
        """Whether it shows every task of a batch, and one of each document that was created.

        Where the ledger knows a run alone, only its own list tells which task is whose.
        """
        known = {one: at for tasks in entry.tasks().values() for one, at in tasks.items()}
        created = {at for at, letter in enumerate(entry.states) if letter == "c"}
        return created <= set(known.values()) and all(one in self.tasks for one in known)

    def read_of(self, entry: BatchEntry) -> TasksRead:
        """Returns what it shows of a batch, as reading its runs would."""
        found = TasksRead()
        for tasks in entry.tasks().values():
            for task_id, place in tasks.items():
                shown = self.tasks[task_id]
                found.calls.setdefault(place, []).append(shown.call)
                found.kind = found.kind or shown.kind
        return found

    def others(self, known: Collection[str]) -> list[WindowTask]:
        """Returns the tasks that are not among these and carry a mark."""
        return [
            each
            for task_id, each in self.tasks.items()
            if task_id not in known and each.task.mark is not None
        ]


class Probe(NamedTuple):
    """A window that shows whether the filter is honoured: it holds one task, and not another."""

    window: TimeWindow
    inside: str


def plan_probe(tasks: Mapping[str, float]) -> Probe | None:
    """Returns the probe for tasks created at these times; None if all are close together."""
    inside = min(tasks, key=lambda one: tasks[one], default="")
    if not inside or max(tasks.values()) < tasks[inside] + APART:
        return None
    return Probe(cover([tasks[inside]]), inside)


def judge_probe(
    probe: Probe, entries: Sequence[object], count: int | None, seconds: float
) -> bool | None:
    """Whether the server honours the filter, and soon enough; None where nothing can be told.

    All is on one page then, the task that is known to be inside among it, and nothing else.
    """
    shown = WindowTasks(probe.window)
    if not shown.add(entries) or seconds > PROMPT or count is None:
        return False
    if count > PAGE_SIZE:
        return None if len(entries) >= PAGE_SIZE and probe.inside in shown.tasks else False
    return count == len(entries) and probe.inside in shown.tasks


def count_tasks(runs: Sequence[object], count: int | None) -> int | None:
    """Returns about how many tasks a space has, by a page of its runs; None if that is unknown."""
    sizes = [run.get("batch_count") for run in runs if isinstance(run, dict)]
    known = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    if count is None or len(known) < len(runs) or count < len(runs):
        return None
    return round(count * sum(known) / len(known)) if known else count


def judge_follow_up(
    entry: BatchEntry, place: int, calls: Sequence[TaskCall], outcomes: Mapping[str, str]
) -> tuple[str, CallRecord] | None:
    """Returns what follow-ups change about a document whose call is over; None for nothing.

    One counts where it ended better than the call itself did, as the ledger keeps that.
    """
    before, record = entry.outcome(place), entry.call(place)
    if before is None:
        return None
    own = [replace(call, follows=None) for call in calls]
    rings = record.rings if record else 0
    verdict = judge_calls(own, outcomes, is_failure_final=False, earlier_rings=rings)
    least = "reached" if before in {"open", "lost_sight"} else verdict.outcome
    if verdict.outcome != least or least not in BETTER:
        return None
    is_better = before not in BETTER or BETTER.index(least) < BETTER.index(before)
    return (least, verdict.record) if is_better else None


class SearchedSpan(NamedTuple):
    """How far a space's tasks were gone through for follow-ups: all created between the two."""

    start_s: int
    till_s: int

    @classmethod
    def parse(cls, text: str) -> SearchedSpan | None:
        """Returns what `text` tells; None for anything else."""
        start, _, till = text.partition(" ")
        return cls(int(start), int(till)) if start.isdigit() and till.isdigit() else None

    def covers(self, created: Sequence[float], times: FollowTimes) -> bool | None:
        """Whether all was gone through in which tasks created then may be followed up.

        None where it has not come so far yet; False where it never will, as it began later.
        """
        if min(created) < self.start_s:
            return False
        return True if max(created) + times.follow_ups - times.search <= self.till_s else None


def plan_search(
    span: SearchedSpan, now_s: float, width: int, times: FollowTimes
) -> TimeWindow | None:
    """Returns what is gone through next; None as long as that is too young."""
    window = TimeWindow(span.till_s, span.till_s + max(1, width) - 1)
    return window if window.to_s + times.search < now_s else None
