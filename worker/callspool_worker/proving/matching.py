"""Whose task is whose: a pure function from what was read back to what it proves.

With marks the question is answered task by task. Without them a run counts as an attempt's if all
of its tasks are documents of that attempt, no other open attempt holds one of these, it is dated in
the attempt's time, and no other run fits as well; it is then claimed, atomically, by the ledger.
What might be the attempt's and cannot be told is never counted as missing: it blocks, with the
reason.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callspool_ledger.reads.entries import NOTHING
from callspool_worker.proving.records import Finding, Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from callspool_worker.proving.records import Question, RunRead, RunSeen, TaskSeen

OVERLAP = "another open attempt sent the same documents, and the API does not say whose task it is"
SEVERAL = "several runs hold these documents, and the API does not say which one is this attempt's"
NAMELESS = "the run's tasks do not say which documents they are"
SIZE = "a run holds these documents, but its batch_count is not the number that was sent"
DATED = "a run holds these documents, without a mark, and is not dated in the attempt's time"
GROWING = "a run that may be its own counts more tasks than it lists"
SHORT = "a run that may be its own lists fewer tasks than its batch_count: they may yet appear"
FORGOTTEN = "Redis forgot whether they were sent; a run holds them, and the API gives no marks back"
UNREAD = "there are more runs that may be its own than were read by now"


@dataclass(slots=True)
class _Sorted:
    """Runs by what they may be to one attempt."""

    mine: list[RunRead] = field(default_factory=list)
    likely: list[RunRead] = field(default_factory=list)
    empty: list[RunRead] = field(default_factory=list)
    unread: list[RunRead] = field(default_factory=list)
    nameless: list[RunRead] = field(default_factory=list)
    odd: list[RunRead] = field(default_factory=list)
    dated: list[RunRead] = field(default_factory=list)

    @property
    def watched(self) -> list[RunRead]:
        """Those in which something may yet change that matters."""
        return [*self.mine, *self.likely, *self.empty, *self.nameless, *self.odd, *self.dated]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about the runs besides themselves.

    ``marked_till``: the time of the newest run that the API gives a mark of ours back for, by its
    own clock; what is not newer and has no mark is not of an attempt that marked its documents.
    ``in_time``: whether a run is dated in the attempt's time. ``sent_elsewhere``: ids of documents
    in other attempts that are open. ``is_unread``: whether runs that may be its own are to be read.
    """

    marked_till: float | None
    in_time: Callable[[RunSeen], bool]
    sent_elsewhere: frozenset[str] = frozenset()
    is_unread: bool = False

    def rules_out(self, question: Question, run: RunRead) -> bool:
        """Whether a run without a mark is certainly not the attempt's."""
        if question.mark is None or self.marked_till is None or run.seen.moment is None:
            return False
        return run.seen.moment <= self.marked_till


def match(question: Question, runs: Sequence[RunRead], about: Circumstances) -> Finding:
    """Returns what these runs tell of one attempt.

    ``runs``: every run that could be its, with the tasks they have now.
    """
    those = _sort(question, runs, about)
    blocked = FORGOTTEN if question.suspect else ""
    blocked = blocked or _why_blocked(question, those, about.sent_elsewhere)
    likely = those.likely
    claimed = likely if len(likely) == 1 and not blocked and not those.mine else []
    found, twice = _group_by_run(
        question, [*((run, False) for run in those.mine), *((run, True) for run in claimed)]
    )
    unfinished = [run for run in [*those.mine, *likely, *those.empty] if run.is_short]
    return Finding(
        found,
        _observation(those.watched),
        blocked,
        bool(those.unread),
        twice,
        waits=_why_waiting(question, those, unfinished, about),
        lags=any(not run.tasks for run in unfinished),
    )


def _sort(question: Question, runs: Iterable[RunRead], about: Circumstances) -> _Sorted:
    those = _Sorted()
    for run in runs:
        counted = run.seen.batch_count in (None, 0, len(question.places))
        if run.fault and (question.owns(run) or counted):
            those.unread.append(run)
        elif question.owns(run):
            those.mine.append(run)
        elif not run.tasks:
            those.empty += [run] * counted
        elif about.rules_out(question, run) or any(task.mark is not None for task in run.tasks):
            continue
        elif all(place_of(question, task) is not None for task in run.tasks):
            fits = those.likely if about.in_time(run.seen) else those.dated
            (fits if counted else those.odd).append(run)
        elif counted and all(_may_be(question, task) for task in run.tasks):
            those.nameless.append(run)
    return those


def place_of(question: Question, task: TaskSeen) -> int | None:
    """The place of the document that a task was made from; None if it is none of the attempt's."""
    places = (question.places.get(name) for name in task.names)
    return next((place for place in places if place is not None), None)


def _may_be(question: Question, task: TaskSeen) -> bool:
    return task.is_nameless or place_of(question, task) is not None


def _is_strange(question: Question, task: TaskSeen) -> bool:
    """Whether a task in a run of the attempt's own belongs to none of its documents."""
    if task.mark in question.earlier:
        return False  # that attempt may have held others, too
    if question.mark is not None and task.mark is not None and task.mark != question.mark:
        return True
    return place_of(question, task) is None


def _why_blocked(question: Question, those: _Sorted, sent_elsewhere: frozenset[str]) -> str:
    if those.unread:
        run = those.unread[0]
        return f"run {run.seen.run_id} cannot be read: {run.fault}"
    if those.nameless or any(_is_strange(question, t) for run in those.mine for t in run.tasks):
        return NAMELESS
    if those.mine:
        return ""
    if those.odd or those.dated:
        return SIZE if those.odd else DATED
    if len(those.likely) > 1:
        return SEVERAL
    overlapping = any(
        name in sent_elsewhere for run in those.likely for task in run.tasks for name in task.names
    )
    return OVERLAP if overlapping else ""


def _why_waiting(
    question: Question, those: _Sorted, unfinished: Sequence[RunRead], about: Circumstances
) -> str:
    """Why nothing counts as missing even after the quiet; "" where it does.

    A run that lists too few tasks may be one whose creating broke off. Only where the API itself
    said that it failed this is taken for granted.
    """
    if any(run.growing for run in [*those.mine, *those.likely]):
        return GROWING
    if unfinished and not question.answered:
        return SHORT
    return UNREAD if about.is_unread else ""


def _group_by_run(
    question: Question, runs: Iterable[tuple[RunRead, bool]]
) -> tuple[tuple[Found, ...], int]:
    """The attempt's documents by run; one with two tasks counts once, in the older run."""
    placed: dict[int, str] = {}
    found: list[Found] = []
    twice = 0
    for run, claimed in sorted(runs, key=lambda each: each[0].seen.moment or 0.0):
        tasks: dict[int, str] = {}
        for place, task_id in _own_tasks(question, run.tasks):
            if place in placed:
                twice += placed[place] != task_id
                continue
            placed[place] = tasks[place] = task_id
        if tasks:
            found.append(
                Found(
                    run.seen.run_id,
                    dict(sorted(tasks.items())),
                    claimed,
                    _attempt_of(question, run),
                )
            )
    return tuple(found), twice


def _attempt_of(question: Question, run: RunRead) -> int:
    marks = (task.mark for task in run.tasks if task.mark is not None)
    return question.earlier.get(next(marks, ""), question.attempt)


def _own_tasks(question: Question, tasks: Iterable[TaskSeen]) -> Iterable[tuple[int, str]]:
    for task in tasks:
        if task.mark is not None and question.mark is not None and task.mark not in question.marks:
            continue
        place = place_of(question, task)
        if place is not None:
            yield place, task.task_id


def _observation(runs: Sequence[RunRead]) -> str:
    """A short word for what is there: equal as long as nothing changes."""
    if not runs:
        return NOTHING
    parts = sorted(f"{run.seen.run_id}:{len(run.tasks)}" for run in runs)
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()
