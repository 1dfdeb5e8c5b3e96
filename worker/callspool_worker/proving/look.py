"""One look at one space: what is asked, and what was found."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from callspool_worker import events
from callspool_worker.events.event import emit, space_shown
from callspool_worker.proving.api_lists import SpaceReader, Unreadable
from callspool_worker.proving.findings import LONGEST_PAUSE, RESENT_AFTER, SHORTEST_PAUSE
from callspool_worker.proving.forgotten_takes import ForgottenTakes
from callspool_worker.proving.look_clock import LookClock
from callspool_worker.proving.matching import Circumstances, match, place_of
from callspool_worker.proving.questions import LONGEST_GAP, LookTime, question_of, sent_elsewhere
from callspool_worker.proving.run_reader import RunReader
from callspool_worker.proving.settling import Settler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_ledger.guard import Guard
    from callspool_ledger.writes import Ledger, SpaceLook
    from callspool_ledger.writes.follow_calls import Readable
    from callspool_worker.proving.questions import ProofSettings
    from callspool_worker.proving.records import Question, RunRead, TaskSeen
    from callspool_worker.proving.run_reader import RunMemory

LONGEST_FAILING_PAUSE = 60.0
"""Seconds between two looks at a space that cannot be read, at most."""

HELD_AFTER = 60.0
"""Seconds without a readable answer after which documents count as not provable for now."""

KNOWN_BEFORE_MS = 3_600_000
"""Milliseconds before the oldest attempt of which runs are asked for that are somebody's."""


class OneLook:
    """A look that has begun. Raises `LedgerUnavailable`."""

    def __init__(
        self,
        ledger: Ledger,
        space: SpaceLook,
        reader: SpaceReader,
        memory: RunMemory,
        how: ProofSettings,
        guard: Guard | None = None,
    ) -> None:
        self._ledger = ledger
        self._space = space
        self._reader = reader
        self._memory = memory
        self._how = how
        self._guard = guard
        self._moment = LookTime(space)
        self._settler = Settler(ledger, self._moment, memory, how)
        self.stuck = ""
        """Why the space cannot be read for now, once that is clear."""

    def make(self) -> tuple[float, Readable]:
        """Reads, concludes and records; seconds until the next look, and what it could read."""
        questions, pause = self._questions(), 1.0
        if self._space.unread_ms:
            try:
                pause = self._recall()
            except Unreadable as fault:
                return self._without_reading(questions, fault), "not"
            questions = self._questions()
        if not questions:
            return pause, "read"
        known = self._known_runs(min(question.begin_ms for question in questions))
        clock = LookClock(self._memory.clocks_of(self._space.key), known)
        survey = RunReader(
            self._reader,
            questions,
            known,
            self._memory,
            clock,
            self._moment.now,
            patient=self._moment.failing() >= HELD_AFTER,
        )
        try:
            runs = survey.read()
            marked_till = self._marked_till(questions, runs, survey)
        except Unreadable as fault:
            if self._settler.record_marked(questions, survey.collected):
                questions = self._questions()
            return self._without_reading(questions, fault), "not"
        elsewhere = sent_elsewhere(self._ledger, self._space, questions, runs)
        pauses = [pause] if self._space.unread_ms else []
        for question in questions:
            if self._is_misled(question, runs):
                pauses.append(SHORTEST_PAUSE)  # the next look searches the whole space for it
                continue
            about = Circumstances(
                marked_till,
                partial(clock.is_in_time, question=question, quiet=self._how.quiet_of(question)),
                elsewhere[question.batch],
                survey.is_unread_for(question),
            )
            finding = match(question, survey.those_of(question, runs), about)
            pauses.append(self._settler.settle(question, finding))
        pause = max(SHORTEST_PAUSE, min(LONGEST_PAUSE, *pauses))
        return pause, "partly" if survey.faults else "read"

    def _known_runs(self, since_ms: float) -> dict[str, float]:
        """Runs that are somebody's, and when their attempt began, from a while before on."""
        return self._ledger.known_runs(self._space.key, since_ms - KNOWN_BEFORE_MS)

    def _recall(self) -> float:
        """Reads back what Redis forgot when it restarted; seconds until another look is due."""
        known = self._known_runs(self._space.unread_ms)
        recall = ForgottenTakes(
            self._ledger,
            self._space,
            self._reader,
            known,
            LookClock(self._memory.clocks_of(self._space.key), known),
            self._moment.now,
            self._how.dedupe_window,
            self._guard,
        )
        recalled = recall.make(self._space.unread_ms)
        left = self._let_send(recalled.observation, self._how.lag if recalled.lags else 0.0)
        if left == 0:
            emit(
                events.ReadBack(
                    account=self._space.account,
                    space=space_shown(self._space.space_token),
                    documents=recalled.documents,
                    strays=recalled.strays,
                )
            )
        return min(max(left, 0.0) + SHORTEST_PAUSE, LONGEST_PAUSE)

    def _let_send(self, found: str, least_quiet: float) -> float:
        """Lets a space send again that waited to be read back, once it may; seconds until then.

        Below 0 if Redis restarted once more.
        """
        step = self._ledger.calls.read_back(
            self._space.key,
            self._space.epoch,
            began_ms=self._space.at_ms,
            found=found,
            gap_ms=math.ceil(LONGEST_GAP * 1000),
            quiet_ms=math.ceil(least_quiet * 1000),
        )
        (left,) = self._ledger.run([step])
        return left / 1000 if isinstance(left, int) else 0.0

    def _questions(self) -> list[Question]:
        found = self._ledger.batches(self._space.batches)
        asked = (
            question_of(self._ledger.id, number, entry, documents, self._memory.is_misled)
            for number, (entry, documents) in found.items()
        )
        return [question for question in asked if question is not None]

    def _is_misled(self, question: Question, runs: Sequence[RunRead]) -> bool:
        """Whether the run that the answer named is another attempt's: it was a wrong answer.

        Only marks of ours tell that, in each task that is there. The memory keeps it.
        """
        if question.mark is None or question.run_id is None:
            return False
        tasks = [t for run in runs if run.seen.run_id == question.run_id for t in run.tasks]
        is_misled = bool(tasks) and question.run_id not in question.own_runs
        for task in tasks:
            is_misled &= task.scope_tag is not None and self._is_marked([task])
            is_misled &= task.mark not in question.marks
        if is_misled:
            self._memory.mislead(question)
        return is_misled

    def _marked_till(
        self, questions: Sequence[Question], runs: Sequence[RunRead], survey: RunReader
    ) -> float | None:
        """When the newest run began that the API gives a mark of ours back for, by its own clock.

        Only what is no newer was certainly made, and read, by an API that gives marks back, which
        may change any day. It is looked up where a run without a mark matters.
        """
        seen = [run.seen.moment for run in runs if self._is_marked(run.tasks)]
        found = max((moment for moment in seen if moment is not None), default=None)
        doubtful = [run for run in runs if self._is_doubtful(questions, run)]
        newest = max((run.seen.moment or 0.0 for run in doubtful), default=0.0)
        if not doubtful or (found is not None and newest <= found):
            return found
        for run in survey.known_after(newest)[:3]:
            if self._is_marked(self._first_tasks(run.run_id)):
                return run.moment
        return found

    def _is_marked(self, tasks: Sequence[TaskSeen]) -> bool:
        ours = f"{self._ledger.id}-"
        return any((task.mark or "").startswith(ours) for task in tasks)

    def _is_doubtful(self, questions: Sequence[Question], run: RunRead) -> bool:
        """Whether a mark would tell whose a run is that has none."""
        if not run.tasks or any(task.mark for task in run.tasks):
            return False
        return any(
            question.mark is not None
            and not question.owns(run)
            and all(task.is_nameless or place_of(question, task) is not None for task in run.tasks)
            for question in questions
        )

    def _first_tasks(self, run_id: str) -> list[TaskSeen]:
        try:
            return self._reader.tasks(run_id, whole=lambda _: False)[0]
        except Unreadable as fault:
            if fault.passing:
                raise
            return []  # it is gone

    def _without_reading(self, questions: Sequence[Question], fault: Unreadable) -> float:
        """What follows when the space could not be read."""
        failing = self._moment.failing()
        hopeless = fault.refused or failing >= RESENT_AFTER
        if not self._space.failing_ms:
            space = space_shown(self._space.space_token)
            account = self._space.account
            emit(events.SpaceUnreadable(account=account, space=space, refused=fault.refused))
        if fault.refused or fault.lasting or failing >= HELD_AFTER:
            self.stuck = f"Redis restarted, and the space cannot be read back: {fault}"
        is_over = self._space.at_ms >= self._space.over_ms
        if self._space.unread_ms and hopeless and is_over and self._how.resend_unproven:
            self._ledger.run([self._ledger.calls.open_gate(f"unread:{self._space.key}")])
        for question in questions:
            if fault.refused or failing >= HELD_AFTER:
                self._settler.hold(question, f"its space cannot be read back: {fault}")
            if hopeless:
                self._settler.send_unproven(question)
        # While a space is unread nothing of it is sent.
        longest = LONGEST_FAILING_PAUSE if fault.refused or not self._space.unread_ms else 3.0
        return min(longest, max(1.0, failing / 2))
