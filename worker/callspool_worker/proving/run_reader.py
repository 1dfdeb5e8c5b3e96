"""One look at a space: the runs that may be an attempt's in doubt, with their tasks."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from callspool_worker.proving.api_lists import Unreadable
from callspool_worker.proving.records import RunRead, RunSeen
from callspool_worker.proving.timeframe import Clocks, clocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set

    from callspool_worker.proving.api_lists import SpaceReader
    from callspool_worker.proving.records import Question, TaskSeen

RUNS_REMEMBERED = 20_000

MOST_FAULTS = 3
"""Runs that may fail to be read in one look; after that the API does."""

MOST_TASKS = 500_000
"""Tasks that are kept of all runs in one look: some 300 bytes each."""


class Memory:
    """What never changes of runs that were read: the mark of their tasks, or one document of them.

    A run that holds anything but an attempt's documents is not that attempt's.
    """

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[str | None, tuple[str, ...]]] = OrderedDict()
        self._said: OrderedDict[tuple[int, int, str], None] = OrderedDict()

    def is_news(self, batch: int, attempt: int, why: str) -> bool:
        """Whether nobody asked before if this may be said of an attempt."""
        said = batch, attempt, why
        if said in self._said:
            return False
        self._said[said] = None
        if len(self._said) > RUNS_REMEMBERED:
            self._said.popitem(last=False)
        return True

    def learn(self, run_id: str, tasks: Sequence[TaskSeen]) -> None:
        mark = next((task.mark for task in tasks if task.mark), None)
        names = next((task.names for task in tasks if task.names), ())
        if mark is None and not names:
            return
        self._of[run_id] = mark, names
        if len(self._of) > RUNS_REMEMBERED:
            self._of.popitem(last=False)

    def is_strange(self, run_id: str, marks: Set[str], ids: Set[str]) -> bool:
        """Whether a run is known to have neither one of these marks nor one of these documents."""
        mark, names = self._of.get(run_id, (None, ()))
        if mark is not None:
            return mark not in marks
        return bool(names) and ids.isdisjoint(names)


class Survey:
    """Reads what some questions need, each page once for all of them. Raises `Unreadable`.

    ``known``: runs that the ledger knows to be somebody's, and when their attempt began. ``now``
    tells Redis' time in seconds, ``quiet_of`` for how long nothing has to change. ``patient``: a
    run that gives no answer does not end the look.
    """

    def __init__(
        self,
        reader: SpaceReader,
        questions: Sequence[Question],
        known: Mapping[str, float],
        memory: Memory,
        now: Callable[[], float],
        quiet_of: Callable[[Question], float],
        *,
        patient: bool = False,
    ) -> None:
        self._reader = reader
        self._questions = questions
        self._known = known
        self._memory = memory
        self._now = now
        self._quiet_of = quiet_of
        self._patient = patient
        self._wanted_marks = {mark for question in questions for mark in question.marks}
        self._wanted_ids = {one for question in questions for one in question.places}
        self._tasks_kept = 0
        self.clocks = Clocks(0.0, 0.0)
        self.faults = 0

    def read(self) -> list[RunRead]:
        """The runs that may matter, with their tasks."""
        named = {question.run_id for question in self._questions if question.run_id}
        named |= {run for question in self._questions for run in question.own_runs}
        seen = self._runs() if any(not each.run_id for each in self._questions) else {}
        for run_id in named - seen.keys():
            seen[run_id] = RunSeen(run_id, None, zoned=False, batch_count=None)
        return [
            self._run_with_tasks(run)
            for run in seen.values()
            if run.run_id in named or self._may_matter(run)
        ]

    def _run_with_tasks(self, run: RunSeen) -> RunRead:
        try:
            tasks = self._reader.tasks(run.run_id, whole=self._concerns)
        except Unreadable as fault:
            self.faults += 1
            if (fault.passing and not self._patient) or self.faults > MOST_FAULTS:
                raise
            return RunRead(run, (), str(fault))
        self._tasks_kept += len(tasks)
        if self._tasks_kept > MOST_TASKS:
            raise Unreadable(f"the runs in question have more than {MOST_TASKS:,} tasks")
        self._memory.learn(run.run_id, tasks)
        return RunRead(run, tuple(tasks))

    def _runs(self) -> dict[str, RunSeen]:
        """The runs back to the oldest attempt, and not much further."""
        begin = min(each.begin_ms for each in self._questions if not each.run_id)
        found: dict[str, RunSeen] = {}
        for page in self._reader.runs():
            found.update((run.run_id, run) for run in page)
            self.clocks = clocks(self._reader.server_date, self._now(), found.values(), self._known)
            newest_first = (page[0].created or 0.0) >= (page[-1].created or 0.0)
            if newest_first and all(self.clocks.is_before(run, begin) for run in page):
                break
        return {
            run_id: run for run_id, run in found.items() if not self.clocks.is_before(run, begin)
        }

    def _may_matter(self, run: RunSeen) -> bool:
        if run.run_id in self._known:
            return False
        if not any(
            self.clocks.may_be_of(run, each, self._quiet_of(each)) for each in self._questions
        ):
            return False
        return not self._memory.is_strange(run.run_id, self._wanted_marks, self._wanted_ids)

    def _concerns(self, first_page: list[TaskSeen]) -> bool:
        """Whether the other pages of a run's tasks are needed, too."""
        marks = {task.mark for task in first_page if task.mark}
        if marks:
            return bool(marks & self._wanted_marks)
        names = {name for task in first_page for name in task.names}
        return not names or not self._wanted_ids.isdisjoint(names)
