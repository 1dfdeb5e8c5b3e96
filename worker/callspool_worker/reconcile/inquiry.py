"""One look at one space: what is asked, what was found, and what follows for each attempt."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callspool_worker import backoff
from callspool_worker.decisions import AttemptView, Bury, Isolate, after_missing
from callspool_worker.ledger import Look, calls
from callspool_worker.reconcile.elsewhere import sent_elsewhere
from callspool_worker.reconcile.matching import OVERLAP, match
from callspool_worker.reconcile.questions import question_of
from callspool_worker.reconcile.reading import SpaceReader, Unreadable
from callspool_worker.reconcile.recall import Recall
from callspool_worker.reconcile.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.scripts import Call
    from callspool_worker.ledger import Ledger, SpaceLook
    from callspool_worker.reconcile.sightings import Finding, Found, Question, RunRead
    from callspool_worker.reconcile.survey import Marks

SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
"""Seconds between two looks at a space that can be read."""

LONGEST_FAILING_PAUSE = 60.0
"""Seconds between two looks at a space that cannot be read, at most."""

HELD_AFTER = 60.0
"""Seconds without a readable answer after which documents count as not provable for now."""

RESENT_AFTER = 600.0
"""Seconds without a readable answer after which the policy `resend` sends again without proof."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proving:
    """How this process proves.

    ``accounts``: those whose spaces it can read. ``quiet`` and ``quiet_answered``: seconds without
    change before a document counts as missing, the latter where the API itself answered.
    ``resend_unproven``: what is decided where reading back is not possible. ``dedupe_window``:
    seconds for which documents that Redis forgot are remembered.
    """

    accounts: tuple[str, ...]
    quiet: float
    quiet_answered: float
    max_attempts: int
    resend_unproven: bool
    dedupe_window: float

    def quiet_of(self, question: Question) -> float:
        return self.quiet_answered if question.answered else self.quiet


class Inquiry:
    """A look that has begun. Raises `LedgerUnavailable`."""

    def __init__(
        self,
        ledger: Ledger,
        space: SpaceLook,
        reader: SpaceReader,
        marks: Marks,
        how: Proving,
    ) -> None:
        self._ledger = ledger
        self._space = space
        self._reader = reader
        self._marks = marks
        self._how = how
        self._begun = time.monotonic()
        self.stuck = ""
        """Why the space cannot be read for now, once that is clear."""

    def make(self) -> tuple[float, bool]:
        """Reads, concludes and records; seconds until the next look, and whether it could read."""
        questions = self._questions()
        if self._space.unread_ms:
            try:
                self._recall()
            except Unreadable as fault:
                return self._without_reading(questions, fault), False
            questions = self._questions()
        if not questions:
            return SHORTEST_PAUSE, True
        begin = min(question.sent_ms for question in questions)
        known = self._ledger.known_runs(self._space.key, begin - 3_600_000)
        survey = Survey(self._reader, questions, known, self._marks, self._now, self._how.quiet_of)
        try:
            runs = survey.read()
            marks_kept = self._keeps_marks(questions, runs, known)
        except Unreadable as fault:
            return self._without_reading(questions, fault), False
        elsewhere = sent_elsewhere(self._ledger, self._space, questions, runs)
        pauses = []
        for question in questions:
            theirs = [
                run
                for run in runs
                if survey.clocks.may_be_of(run.seen, question, self._how.quiet_of(question))
            ]
            finding = match(
                question, theirs, marks_kept=marks_kept, sent_elsewhere=elsewhere[question.batch]
            )
            pauses.append(self._conclude(question, finding, survey.clocks.offset))
        return max(SHORTEST_PAUSE, min(*pauses, LONGEST_PAUSE)), True

    def _recall(self) -> None:
        """Reads back what Redis forgot when it restarted, and lets the space send again."""
        known = self._ledger.known_runs(self._space.key, self._space.unread_ms - 3_600_000)
        recall = Recall(
            self._ledger, self._space, self._reader, known, self._now, self._how.dedupe_window
        )
        recall.make(self._space.unread_ms)
        self._let_send()

    def _let_send(self) -> None:
        """Lets a space send again that waited to be read back."""
        step = calls.read_back(self._ledger.partition, self._space.key, self._space.epoch)
        self._ledger.run([step])

    def _questions(self) -> list[Question]:
        found = self._ledger.batches(self._space.batches)
        asked = (
            question_of(self._ledger.id, number, entry, documents)
            for number, (entry, documents) in found.items()
        )
        return [question for question in asked if question is not None]

    def _now(self) -> float:
        """Redis' time in seconds, as far as this process can tell."""
        return self._space.at_ms / 1000 + time.monotonic() - self._begun

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
            for task in self._reader.tasks(run_id, whole=lambda _: False)
        )

    def _conclude(self, question: Question, finding: Finding, offset: float) -> float:
        """Records what a finding proves; seconds until another look at it is worth while."""
        blocked = finding.blocked
        left = set(question.open)
        for found in finding.found:
            if self._record_found(question, found):
                left -= found.tasks.keys()
            elif left & found.tasks.keys():
                blocked = blocked or OVERLAP
        observe = calls.observe(
            self._ledger.partition,
            question.batch,
            question.attempt,
            found=finding.observation,
            held=blocked,
        )
        (changed_ms,) = self._ledger.run([observe])
        if not left or not isinstance(changed_ms, int) or changed_ms < 0:
            return LONGEST_PAUSE
        if blocked:
            self._tell_once(question, blocked)
            return self._resend(question, left) if self._how.resend_unproven else LONGEST_PAUSE
        quiet_since = changed_ms / 1000
        if finding.newest_empty is not None:
            quiet_since = max(quiet_since, finding.newest_empty - offset)
        quiet_till = quiet_since + self._how.quiet_of(question)
        if self._space.at_ms / 1000 < quiet_till:
            return self._pause_until(question, quiet_till)
        self._send_missing(question, left, finding.observation)
        return 1.0

    def _record_found(self, question: Question, found: Found) -> bool:
        """Settles documents that were found; False if the run belongs to another attempt."""
        tasks = {place: one for place, one in found.tasks.items() if place in question.open}
        if not tasks:
            return True
        step = calls.proven(
            self._ledger.partition,
            question.batch,
            question.attempt,
            question.seal,
            run_id=found.run_id,
            ids=list(tasks.values()),
            places=_mask(tasks, question),
            claim=found.claimed,
        )
        (reply,) = self._ledger.run([step])
        if not isinstance(reply, list) or int(reply[0]) < 0:
            return False
        if reply[0]:
            _log.info(
                "batch %d, attempt %d: %d documents in doubt are proven to be created, in run %s",
                question.batch,
                question.attempt,
                reply[0],
                found.run_id,
            )
        return True

    def _send_missing(self, question: Question, left: set[int], observation: str) -> None:
        """Lets what is proven missing be sent again, or buries it when its tries are used up."""
        look = Look(self._space.at_ms, observation)
        (documents,) = self._ledger.run([self._again(question, left, look)])
        if isinstance(documents, int) and documents > 0:
            _log.warning(
                "batch %d, attempt %d: %d documents are missing at the API",
                question.batch,
                question.attempt,
                documents,
            )

    def _again(self, question: Question, left: set[int], look: Look | None) -> Call:
        batch, attempt = question.batch, question.attempt
        view = AttemptView(len(left), question.tries - 1, self._how.max_attempts)
        detail = "sent, and missing at the API again and again"
        match_ = after_missing(view, "no_answer", detail)
        if isinstance(match_, Bury):
            return calls.bury_missing(self._ledger.partition, batch, attempt, detail)
        size, tries, delay = len(left), question.tries, backoff.delay(question.tries)
        if isinstance(match_, Isolate):
            size, tries, delay = math.ceil(len(left) / 2), self._how.max_attempts - 1, 0.0
        return calls.resend(
            self._ledger.partition,
            batch,
            attempt,
            delay_ms=math.ceil(delay * 1000),
            size=size,
            tries=tries,
            look=look,
        )

    def _resend(self, question: Question, left: set[int]) -> float:
        """The policy `resend`, once the quiet period is over: a person may be called twice."""
        quiet_till = question.since_ms / 1000 + self._how.quiet_of(question)
        if self._now() < quiet_till:
            return self._pause_until(question, quiet_till)
        (documents,) = self._ledger.run([self._again(question, left, None)])
        _log.warning("%s documents in doubt are sent again without proof", documents)
        return SHORTEST_PAUSE

    def _pause_until(self, question: Question, moment: float) -> float:
        """Looks soon after a doubt began, then ever less often, and when the quiet is over."""
        left = moment - self._now()
        age = self._now() - question.since_ms / 1000
        return min(left + SHORTEST_PAUSE, max(1.0, age / 2), LONGEST_PAUSE)

    def _without_reading(self, questions: Sequence[Question], fault: Unreadable) -> float:
        """What follows when the space could not be read."""
        failing = self._now() - (self._space.failing_ms or self._space.at_ms) / 1000
        hopeless = fault.refused or failing >= RESENT_AFTER
        if not self._space.failing_ms:
            _log.warning(
                "a space of account %s cannot be read back: %s", self._space.account, fault
            )
        if fault.refused or failing >= HELD_AFTER:
            self.stuck = f"Redis restarted, and the space cannot be read back: {fault}"
        if self._space.unread_ms and hopeless and self._how.resend_unproven:
            self._let_send()
        for question in questions:
            if self._how.resend_unproven:
                if hopeless:
                    self._resend(question, set(question.open))
            elif fault.refused or failing >= HELD_AFTER:
                self._hold(question, f"its space cannot be read back: {fault}")
        return min(LONGEST_FAILING_PAUSE, max(1.0, failing / 2))

    def _hold(self, question: Question, reason: str) -> None:
        step = calls.observe(
            self._ledger.partition, question.batch, question.attempt, found="", held=reason
        )
        self._ledger.run([step])

    def _tell_once(self, question: Question, blocked: str) -> None:
        _log.warning(
            "batch %d, attempt %d cannot be proven: %s", question.batch, question.attempt, blocked
        )


def _mask(tasks: dict[int, str], question: Question) -> str:
    return "".join("1" if place in tasks else "0" for place in range(question.size))
