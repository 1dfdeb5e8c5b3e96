"""One look at one space: what is asked, and what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_worker import events
from callspool_worker.events.emitter import emit, space_shown
from callspool_worker.proving.api_lists import SpaceReader, Unreadable
from callspool_worker.proving.findings import RESENT_AFTER, Conclusion
from callspool_worker.proving.matching import match
from callspool_worker.proving.overlaps import sent_elsewhere
from callspool_worker.proving.proof_settings import LONGEST_PAUSE, SHORTEST_PAUSE, Moment
from callspool_worker.proving.questions import question_of
from callspool_worker.proving.restart import Recall
from callspool_worker.proving.run_reader import Survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_ledger.writes import Ledger, SpaceLook
    from callspool_ledger.writes.calls import Readable
    from callspool_worker.proving.proof_settings import Proving
    from callspool_worker.proving.records import Question, RunRead, TaskSeen
    from callspool_worker.proving.run_reader import Memory

LONGEST_FAILING_PAUSE = 60.0
"""Seconds between two looks at a space that cannot be read, at most."""

HELD_AFTER = 60.0
"""Seconds without a readable answer after which documents count as not provable for now."""

KNOWN_BEFORE_MS = 3_600_000
"""Milliseconds before the oldest attempt of which runs are asked for that are somebody's."""


class Inquiry:
    """A look that has begun. Raises `LedgerUnavailable`."""

    def __init__(
        self,
        ledger: Ledger,
        space: SpaceLook,
        reader: SpaceReader,
        memory: Memory,
        how: Proving,
    ) -> None:
        self._ledger = ledger
        self._space = space
        self._reader = reader
        self._memory = memory
        self._how = how
        self._moment = Moment(space)
        self._conclusion = Conclusion(ledger, self._moment, memory, how)
        self.stuck = ""
        """Why the space cannot be read for now, once that is clear."""

    def make(self) -> tuple[float, Readable]:
        """Reads, concludes and records; seconds until the next look, and what it could read."""
        questions = self._questions()
        if self._space.unread_ms:
            try:
                self._recall()
            except Unreadable as fault:
                return self._without_reading(questions, fault), "not"
            questions = self._questions()
        if not questions:
            return 1.0, "read"
        begin = min(question.begin_ms for question in questions)
        known = self._ledger.known_runs(self._space.key, begin - KNOWN_BEFORE_MS)
        survey = Survey(
            self._reader,
            questions,
            known,
            self._memory,
            self._moment.now,
            self._how.quiet_of,
            patient=self._moment.failing() >= HELD_AFTER,
        )
        try:
            runs = survey.read()
            marks_kept = self._keeps_marks(questions, runs, known)
        except Unreadable as fault:
            return self._without_reading(questions, fault), "not"
        elsewhere = sent_elsewhere(self._ledger, self._space, questions, runs)
        pauses = []
        for question in questions:
            theirs = [
                run
                for run in runs
                if question.owns(run)
                or survey.clocks.may_be_of(run.seen, question, self._how.quiet_of(question))
            ]
            finding = match(
                question, theirs, marks_kept=marks_kept, sent_elsewhere=elsewhere[question.batch]
            )
            pauses.append(self._conclusion.draw(question, finding, survey.clocks.offset))
        pause = max(SHORTEST_PAUSE, min(*pauses, LONGEST_PAUSE))
        return pause, "partly" if survey.faults else "read"

    def _recall(self) -> None:
        """Reads back what Redis forgot when it restarted, and lets the space send again."""
        known = self._ledger.known_runs(self._space.key, self._space.unread_ms - KNOWN_BEFORE_MS)
        recall = Recall(
            self._ledger,
            self._space,
            self._reader,
            known,
            self._moment.now,
            self._how.dedupe_window,
        )
        recall.make(self._space.unread_ms)
        self._let_send()

    def _let_send(self) -> None:
        """Lets a space send again that waited to be read back."""
        step = self._ledger.calls.read_back(self._space.key, self._space.epoch)
        self._ledger.run([step])

    def _questions(self) -> list[Question]:
        found = self._ledger.batches(self._space.batches)
        asked = (
            question_of(self._ledger.id, number, entry, documents)
            for number, (entry, documents) in found.items()
        )
        return [question for question in asked if question is not None]

    def _keeps_marks(
        self, questions: Sequence[Question], runs: Sequence[RunRead], known: dict[str, float]
    ) -> bool:
        """Whether the API gives marks back: seen just now, or looked up where it matters."""
        ours = f"{self._ledger.id}-"
        if any((task.mark or "").startswith(ours) for run in runs for task in run.tasks):
            return True
        if not any(question.mark for question in questions):
            return False
        if not any(run.tasks for run in runs):
            return False  # nothing there whose owner would be in question
        newest = sorted(known, key=lambda run_id: known[run_id])[-3:]
        return any(
            (task.mark or "").startswith(ours)
            for run_id in newest
            for task in self._first_tasks(run_id)
        )

    def _first_tasks(self, run_id: str) -> list[TaskSeen]:
        try:
            return self._reader.tasks(run_id, whole=lambda _: False)
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
        if fault.refused or failing >= HELD_AFTER:
            self.stuck = f"Redis restarted, and the space cannot be read back: {fault}"
        if self._space.unread_ms and hopeless and self._how.resend_unproven:
            self._let_send()
        for question in questions:
            if fault.refused or failing >= HELD_AFTER:
                self._conclusion.hold(question, f"its space cannot be read back: {fault}")
            if hopeless:
                self._conclusion.send_unproven(question, len(question.open))
        # While a space is unread nothing of it is sent.
        longest = LONGEST_FAILING_PAUSE if fault.refused or not self._space.unread_ms else 3.0
        return min(longest, max(1.0, failing / 2))
