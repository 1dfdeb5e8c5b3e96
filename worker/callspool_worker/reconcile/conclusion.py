"""What follows from what was found of an attempt, step by step in the ledger."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from callspool_worker import backoff
from callspool_worker.decisions import AttemptView, Bury, Isolate, after_missing
from callspool_worker.ledger import Look, calls
from callspool_worker.reconcile.matching import OVERLAP
from callspool_worker.reconcile.proving import LONGEST_PAUSE, SHORTEST_PAUSE

if TYPE_CHECKING:
    from callspool.scripts import Call
    from callspool_worker.ledger import Ledger
    from callspool_worker.reconcile.proving import Moment, Proving
    from callspool_worker.reconcile.sightings import Finding, Found, Question

RESENT_AFTER = 600.0
"""Seconds without a readable answer after which the policy `resend` sends again without proof."""

TOO_SLOW = "reading its space back takes longer than a look may be old"

_log = logging.getLogger(__name__)


class Conclusion:
    """Draws conclusions from one look. Raises `LedgerUnavailable`."""

    def __init__(self, ledger: Ledger, moment: Moment, how: Proving) -> None:
        self._ledger = ledger
        self._partition = ledger.partition
        self._moment = moment
        self._how = how

    def draw(self, question: Question, finding: Finding, offset: float) -> float:
        """Records what a finding proves; seconds until another look at it is worth while.

        ``offset``: seconds that the server's clock is ahead.
        """
        blocked = finding.blocked
        left = set(question.open)
        for found in finding.found:
            if self._record_found(question, found):
                left -= found.tasks.keys()
            elif left & found.tasks.keys():
                blocked = blocked or OVERLAP
        if finding.twice and len(left) < len(question.open):
            _log.error(
                "batch %d, attempt %d: %d documents have two tasks: something on the way to the API"
                " repeated the request",
                question.batch,
                question.attempt,
                finding.twice,
            )
        changed = self._observe(question, finding.observation, blocked)
        if not left or changed is None:
            return LONGEST_PAUSE
        if blocked:
            self._tell_blocked(question, blocked)
            may_heal = finding.unread and self._moment.failing() < RESENT_AFTER
            return LONGEST_PAUSE if may_heal else self.send_unproven(question, len(left))
        if finding.newest_empty is not None:
            changed = max(changed, finding.newest_empty - offset)
        quiet_till = changed + self._how.quiet_of(question)
        if self._moment.begin < quiet_till:
            return self._pause_until(question, quiet_till)
        if self._moment.elapsed() * 1000 > calls.LOOK_GOOD_MS:
            self.hold(question, TOO_SLOW)
            return 1.0
        self._send_missing(question, len(left), Look(self._moment.space.at_ms, finding.observation))
        return 1.0

    def hold(self, question: Question, reason: str) -> None:
        """Keeps why documents cannot be proven now; they stay in doubt."""
        self._observe(question, "", reason)

    def send_unproven(self, question: Question, left: int) -> float:
        """The policy `resend`, once the quiet period is over: a person may be called twice.

        It ends with the budget of tries: then they are held, since they may well be created.
        """
        if not self._how.resend_unproven:
            return LONGEST_PAUSE
        quiet_till = question.since_ms / 1000 + self._how.quiet_of(question)
        if self._moment.now() < quiet_till:
            return self._pause_until(question, quiet_till)
        if question.tries >= self._how.max_attempts:
            self.hold(question, f"sent {question.tries} times, and never proven")
            return LONGEST_PAUSE
        step = self._resend(question, left, backoff.delay(question.tries), None)
        (documents,) = self._ledger.run([step])
        _log.warning("%s documents in doubt are sent again without proof", documents)
        return SHORTEST_PAUSE

    def _observe(self, question: Question, found: str, held: str) -> float | None:
        """Since when the same was found, in seconds of Redis' clock; None if the doubt is over."""
        step = calls.observe(
            self._partition, question.batch, question.attempt, found=found, held=held
        )
        (changed_ms,) = self._ledger.run([step])
        if not isinstance(changed_ms, int) or changed_ms < 0:
            return None
        return changed_ms / 1000

    def _record_found(self, question: Question, found: Found) -> bool:
        """Settles documents that were found; False if the run belongs to another attempt."""
        wanted = question.open | question.decided
        tasks = {place: one for place, one in found.tasks.items() if place in wanted}
        if not tasks:
            return True
        step = calls.proven(
            self._partition,
            question.batch,
            found.attempt,
            question.seal,
            run_id=found.run_id,
            ids=list(tasks.values()),
            places="".join("1" if place in tasks else "0" for place in range(question.size)),
            claim=found.claimed,
        )
        (reply,) = self._ledger.run([step])
        if not isinstance(reply, list) or int(reply[0]) < 0:
            return False
        if reply[0]:
            _log.info(
                "batch %d, attempt %d: %d documents in doubt are proven to be created, in run %s",
                question.batch,
                found.attempt,
                reply[0],
                found.run_id,
            )
        return True

    def _send_missing(self, question: Question, left: int, look: Look) -> None:
        """Lets what is proven missing be sent again, or buries it when its tries are used up."""
        (documents,) = self._ledger.run([self._again(question, left, look)])
        if isinstance(documents, int) and documents > 0:
            _log.warning(
                "batch %d, attempt %d: %d documents are missing at the API",
                question.batch,
                question.attempt,
                documents,
            )

    def _again(self, question: Question, left: int, look: Look) -> Call:
        view = AttemptView(left, question.tries - 1, self._how.max_attempts)
        detail = "sent, and missing at the API again and again"
        decision = after_missing(view, "no_answer", detail)
        if isinstance(decision, Bury):
            held = question.batch, question.attempt
            return calls.bury_missing(self._partition, *held, look, detail)
        if isinstance(decision, Isolate):
            return self._resend(question, math.ceil(left / 2), 0.0, look)
        return self._resend(question, left, backoff.delay(question.tries), look)

    def _resend(self, question: Question, size: int, delay: float, look: Look | None) -> Call:
        return calls.resend(
            self._partition,
            question.batch,
            question.attempt,
            delay_ms=math.ceil(delay * 1000),
            size=size,
            tries=min(question.tries, self._how.max_attempts - 1),
            look=look,
        )

    def _tell_blocked(self, question: Question, blocked: str) -> None:
        if blocked != question.held:
            _log.warning(
                "batch %d, attempt %d cannot be proven: %s",
                question.batch,
                question.attempt,
                blocked,
            )

    def _pause_until(self, question: Question, moment: float) -> float:
        """Looks soon after a doubt began, then ever less often, and when the quiet is over."""
        left = moment - self._moment.now()
        age = self._moment.now() - question.since_ms / 1000
        return min(left + SHORTEST_PAUSE, max(1.0, age / 2), LONGEST_PAUSE)
