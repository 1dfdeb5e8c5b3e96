"""Whose task is whose: a pure function from what was read back to what it proves.

With marks the question is answered task by task. Without them a run counts as an attempt's if all
of its tasks are documents of that attempt, no other open attempt holds one of these, and no other
run fits as well; it is then claimed, atomically, by the ledger.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from callspool_worker.reconcile.sightings import Finding, Found

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool_worker.reconcile.sightings import Question, RunRead, TaskSeen

NOTHING = "nothing"
"""The observation of an attempt of which nothing is there."""

OVERLAP = "another open attempt sent the same documents, and the API does not say whose task it is"
SEVERAL = "several runs hold these documents, and the API does not say which one is this attempt's"
NAMELESS = "the run's tasks do not say which documents they are"


def match(
    question: Question,
    runs: Sequence[RunRead],
    *,
    marks_kept: bool,
    sent_elsewhere: frozenset[str] = frozenset(),
) -> Finding:
    """What these runs tell of one attempt.

    ``runs``: every run that could be its, with the tasks they have now. ``marks_kept``: the API is
    known to give marks back, so that a task without one is not of an attempt that marked its
    documents. ``sent_elsewhere``: ids of documents in other attempts that are open.
    """
    mine: list[RunRead] = []
    likely: list[RunRead] = []
    empty: list[RunRead] = []
    for run in runs:
        if run.seen.run_id == question.run_id or run.seen.run_id in question.own_runs:
            mine.append(run)
        elif not run.tasks:
            if run.seen.batch_count in (None, len(question.places)):
                empty.append(run)
        elif any(task.mark is not None for task in run.tasks):
            if question.mark and any(task.mark == question.mark for task in run.tasks):
                mine.append(run)
        elif _fits(question, run) and not (question.mark and marks_kept):
            likely.append(run)
    blocked = _why_blocked(question, mine, likely, sent_elsewhere)
    claimed = likely if len(likely) == 1 and not blocked and not mine else []
    found, twice = _found(
        question, [*((run, False) for run in mine), *((run, True) for run in claimed)]
    )
    return Finding(found, _observation([*mine, *likely]), blocked, twice, _newest(empty))


def _fits(question: Question, run: RunRead) -> bool:
    """Whether an unmarked run may be the attempt's: its size, and nothing but its documents."""
    if run.seen.batch_count not in (None, len(question.places)):
        return False
    return all(task.document_id in question.places for task in run.tasks)


def _why_blocked(
    question: Question,
    mine: Sequence[RunRead],
    likely: Sequence[RunRead],
    sent_elsewhere: frozenset[str],
) -> str:
    named = [run for run in mine if run.seen.run_id == question.run_id]
    if any(run.tasks and all(task.document_id is None for task in run.tasks) for run in named):
        return NAMELESS
    if mine or not likely:
        return ""
    if len(likely) > 1:
        return SEVERAL
    (run,) = likely
    overlapping = any(task.document_id in sent_elsewhere for task in run.tasks)
    return OVERLAP if overlapping else ""


def _found(
    question: Question, runs: Iterable[tuple[RunRead, bool]]
) -> tuple[tuple[Found, ...], int]:
    """The attempt's documents by run; one with two tasks counts once, in the older run."""
    placed: dict[int, str] = {}
    found: list[Found] = []
    twice = 0
    for run, claimed in sorted(runs, key=lambda each: each[0].seen.created or 0.0):
        tasks: dict[int, str] = {}
        for place, task_id in _own_tasks(question, run.tasks):
            if place in placed:
                twice += placed[place] != task_id
                continue
            placed[place] = tasks[place] = task_id
        if tasks:
            found.append(Found(run.seen.run_id, dict(sorted(tasks.items())), claimed))
    return tuple(found), twice


def _own_tasks(question: Question, tasks: Iterable[TaskSeen]) -> Iterable[tuple[int, str]]:
    for task in tasks:
        if task.mark is not None and question.mark is not None and task.mark != question.mark:
            continue
        place = question.places.get(task.document_id or "")
        if place is not None:
            yield place, task.task_id


def _observation(runs: Sequence[RunRead]) -> str:
    """A short word for what is there: equal as long as nothing changes."""
    if not runs:
        return NOTHING
    parts = sorted(f"{run.seen.run_id}:{len(run.tasks)}" for run in runs)
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _newest(runs: Sequence[RunRead]) -> float | None:
    return max((run.seen.created or 0.0 for run in runs), default=None)
