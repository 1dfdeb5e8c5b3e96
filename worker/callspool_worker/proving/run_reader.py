"""One look at a space: the runs that may be an attempt's in doubt, with their tasks."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from callspool_worker.proving.api_lists import Unreadable
from callspool_worker.proving.look_clock import ClockMemory, LookClock
from callspool_worker.proving.records import RunRead, RunSeen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set

    from callspool_worker.proving.api_lists import SpaceReader
    from callspool_worker.proving.records import Question, TaskSeen

RUNS_REMEMBERED = 20_000
SPACES_REMEMBERED = 1_000

MOST_FAULTS = 3
"""Runs that may fail to be read in one look; after that the API does."""

MOST_TASKS = 500_000
"""Tasks that are kept of all runs in one look: some 300 bytes each."""

UNLIKELY_A_LOOK = 50
"""Runs that are read in one look though clocks say that they are no attempt's in doubt."""

MOST_RECORDED = 20
"""Runs that are recorded as another attempt's and are read all the same, at most."""

FEW = 8
"""Runs that are read whatever clocks say: the newest of the attempt's size."""

MOST_UNLIKELY = 200
"""Such runs that are read at all where all clocks agree: more of them are others'."""

NOBODYS = ("\0",)
"""The names of a run that is certainly none of ours: no document has this one."""


class RunMemory:
    """What never changes of runs that were read: the mark of their tasks, or one document of them.

    A run that holds anything but an attempt's documents is not that attempt's. Of spaces it keeps
    what their servers' clocks are.
    """

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[str | None, tuple[str, ...]]] = OrderedDict()
        self._said: OrderedDict[tuple[int, int, str], None] = OrderedDict()
        self._clocks: OrderedDict[str, ClockMemory] = OrderedDict()
        self._misled: OrderedDict[tuple[int, str | None], None] = OrderedDict()

    def clocks_of(self, space: str) -> ClockMemory:
        """Returns what earlier looks at a space showed of its servers' clocks."""
        found = self._clocks.setdefault(space, ClockMemory())
        self._clocks.move_to_end(space)
        if len(self._clocks) > SPACES_REMEMBERED:
            self._clocks.popitem(last=False)
        return found

    def is_news(self, batch: int, attempt: int, why: str) -> bool:
        """Whether nobody asked before if this may be said of an attempt."""
        said = batch, attempt, why
        if said in self._said:
            return False
        self._said[said] = None
        if len(self._said) > RUNS_REMEMBERED:
            self._said.popitem(last=False)
        return True

    def mislead(self, question: Question) -> None:
        """Keeps that the answer to an attempt named a run which is another attempt's."""
        self._misled[question.attempt, question.run_id] = None
        if len(self._misled) > RUNS_REMEMBERED:
            self._misled.popitem(last=False)

    def is_misled(self, attempt: int, run_id: str | None) -> bool:
        """Whether the run that an attempt's answer named is known to be another attempt's."""
        return (attempt, run_id) in self._misled

    def learn(self, run_id: str, tasks: Sequence[TaskSeen]) -> None:
        """Keeps whose a run is, as far as its tasks tell."""
        mark = next((task.mark for task in tasks if task.mark), None)
        names = next((task.names for task in tasks if task.names), ())
        if not names and any(task.has_input for task in tasks):
            names = NOBODYS
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


class RunReader:
    """Reads what some questions need, each page once for all of them. Raises `Unreadable`.

    ``known``: runs that the ledger knows to be somebody's, and when their attempt began. ``now``
    tells Redis' time in seconds. ``patient``: a run that gives no answer does not end the look.
    """

    def __init__(
        self,
        reader: SpaceReader,
        questions: Sequence[Question],
        known: Mapping[str, float],
        memory: RunMemory,
        clock: LookClock,
        now: Callable[[], float],
        *,
        patient: bool = False,
    ) -> None:
        self._reader = reader
        self._questions = questions
        self._known = known
        self._memory = memory
        self._now = now
        self._patient = patient
        self._wanted_marks = {mark for question in questions for mark in question.marks}
        self._wanted_ids = {one for question in questions for one in question.places}
        self._tasks_kept = 0
        self._put_off: list[RunSeen] = []
        self._seen: dict[str, RunSeen] = {}
        self._broken: Unreadable | None = None
        self.collected: list[RunRead] = []
        """What was read so far, also where a look could not be finished."""
        self.clock = clock
        self.faults = 0

    def read(self) -> list[RunRead]:
        """Returns the runs that may matter, with their tasks."""
        named = {question.run_id for question in self._questions if question.run_id}
        named |= {run for question in self._questions for run in question.own_runs}
        seen = self._runs() if any(not each.run_id for each in self._questions) else {}
        for run_id in named - seen.keys():
            seen[run_id] = RunSeen(run_id, None, zoned=False, batch_count=None)
        self._seen = seen
        likely, unlikely = self._sort([run for run in seen.values() if run.run_id not in named])
        read = [self._run_with_tasks(run) for run in seen.values() if run.run_id in named]
        read += [self._run_with_tasks(run) for run in likely]
        if self._broken is not None:
            raise self._broken
        if all(_is_found(question, read) for question in self._questions):
            return read
        others = [self._run_with_tasks(run) for run in self._recorded_for_others(seen, named)]
        read += [run for run in others if any(t.mark in self._wanted_marks for t in run.tasks)]
        self._put_off = unlikely[UNLIKELY_A_LOOK:]
        return read + [self._run_with_tasks(run) for run in unlikely[:UNLIKELY_A_LOOK]]

    def _recorded_for_others(self, seen: Mapping[str, RunSeen], named: Set[str]) -> list[RunSeen]:
        """Runs that fit, and that another attempt was answered with: answers may be mixed up."""
        marked = [question for question in self._questions if question.mark is not None]
        fitting = [
            run
            for run in seen.values()
            if run.run_id in self._known.keys() - named
            and any(q.is_of_size(run) and self.clock.is_likely(run, q) for q in marked)
        ]
        fitting.sort(key=lambda run: run.moment or 0.0)
        return self._unknown(fitting[:MOST_RECORDED])

    def those_of(self, question: Question, runs: Sequence[RunRead]) -> list[RunRead]:
        """Returns the runs that may be an attempt's, of those that were read."""
        return [run for run in runs if question.owns(run) or self._matters_to(question, run)]

    def known_after(self, moment: float) -> list[RunSeen]:
        """Runs that are known to be somebody's and were made then or later, the newest first."""
        later = [
            run
            for run in self._seen.values()
            if run.run_id in self._known and (run.moment or 0.0) >= moment
        ]
        return sorted(later, key=lambda run: run.moment or 0.0, reverse=True)

    def _matters_to(self, question: Question, run: RunRead) -> bool:
        if run.tasks or run.fault:
            return self.clock.may_be(run.seen, question)
        # What earlier attempts left without tasks was waited for when these were in doubt.
        return self.clock.is_since(run.seen, question.sent_ms, agreed=self.clock.agrees(question))

    def is_unread_for(self, question: Question) -> bool:
        """Whether runs that may be the attempt's were put off to the next look."""
        return any(self._may_be_of(run, question) for run in self._put_off)

    def _run_with_tasks(self, run: RunSeen) -> RunRead:
        enough = run.batch_count or 0
        try:
            tasks, growing = self._reader.tasks(run.run_id, whole=self._concerns, enough=enough)
        except Unreadable as fault:
            self.faults += 1
            if (fault.passing and not self._patient) or self.faults > MOST_FAULTS:
                raise
            return RunRead(run, (), str(fault))
        self._tasks_kept += len(tasks)
        if self._tasks_kept > MOST_TASKS:
            raise Unreadable(f"the runs in question have more than {MOST_TASKS:,} tasks")
        self._memory.learn(run.run_id, tasks)
        self.collected.append(RunRead(run, tuple(tasks), growing=growing))
        return self.collected[-1]

    def _runs(self) -> dict[str, RunSeen]:
        """The runs back to the oldest attempt, and not much further.

        What was seen says when that is: not the order that a list is said to have. Of a list that
        cannot be read to its end, what was seen: proof of a creation counts all the same.
        """
        begin = min(each.begin_ms for each in self._questions if not each.run_id)
        found: dict[str, RunSeen] = {}
        try:
            for page in self._reader.runs():
                found.update((run.run_id, run) for run in page)
                self.clock.see(page, self._now(), self._reader.server_date)
                if self.clock.is_newest_first and self.clock.is_past(page[-1], begin):
                    break
        except Unreadable as fault:
            if not found:
                raise
            self._broken = fault
        return found

    def _sort(self, runs: Sequence[RunSeen]) -> tuple[list[RunSeen], list[RunSeen]]:
        """The runs to be read: those that clocks allow, and the others, the newest first."""
        likely, unlikely = [], []
        for run in runs:
            if run.run_id in self._known:
                continue
            if any(self.clock.is_likely(run, each) for each in self._questions):
                likely.append(run)
            elif any(each.is_of_size(run) for each in self._questions):
                unlikely.append(run)
        return self._unknown(likely), self._unknown(self._worth_reading(unlikely))

    def _worth_reading(self, unlikely: list[RunSeen]) -> list[RunSeen]:
        """The newest few, and all that a clock which jumped would explain."""
        unlikely.sort(key=lambda run: run.moment or 0.0, reverse=True)
        first, others = unlikely[:FEW], unlikely[FEW:]
        explained = [run for run in others if any(self._may_be_of(run, q) for q in self._questions)]
        if len(explained) > MOST_UNLIKELY and all(map(self.clock.agrees, self._questions)):
            return first
        return first + explained

    def _unknown(self, runs: Iterable[RunSeen]) -> list[RunSeen]:
        return [run for run in runs if not self._is_strange(run)]

    def _may_be_of(self, run: RunSeen, question: Question) -> bool:
        return question.is_of_size(run) and self.clock.may_be(run, question)

    def _is_strange(self, run: RunSeen) -> bool:
        return self._memory.is_strange(run.run_id, self._wanted_marks, self._wanted_ids)

    def _concerns(self, first_page: list[TaskSeen]) -> bool:
        """Whether the other pages of a run's tasks are needed, too."""
        marks = {task.mark for task in first_page if task.mark}
        if marks:
            return bool(marks & self._wanted_marks)
        if first_page and all(task.has_input and not task.names for task in first_page):
            return False
        names = {name for task in first_page for name in task.names}
        return not names or not self._wanted_ids.isdisjoint(names)


def _is_found(question: Question, runs: Iterable[RunRead]) -> bool:
    """Whether marks show that all of an attempt's documents were created."""
    tasks = (task for run in runs for task in run.tasks if task.mark in question.marks)
    found = {question.places.get(name) for task in tasks for name in task.names}
    return question.open <= found
