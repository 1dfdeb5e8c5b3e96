"""What follows from what was found of an attempt, step by step in the ledger."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from callspool_ledger.writes import Look, calls
from callspool_worker import backoff, events
from callspool_worker.decisions.decide import AttemptView, Bury, Isolate, after_missing
from callspool_worker.events.emitter import emit, emit_after, pair, run_shown, whole
from callspool_worker.proving.matching import OVERLAP
from callspool_worker.proving.proof_settings import LONGEST_PAUSE, SHORTEST_PAUSE

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Call, Reply
    from callspool_ledger.writes import Ledger
    from callspool_worker.proving.proof_settings import Moment, Proving
    from callspool_worker.proving.records import Finding, Found, Question
    from callspool_worker.proving.run_reader import Memory

RESENT_AFTER = 600.0
"""Seconds without a readable answer after which the policy `resend` sends again without proof."""

UNREAD_RUN = "a run that may be its own cannot be read (callspool doubts list tells why)"

TOO_SLOW = "reading its space back takes longer than a look may be old"


class Conclusion:
    """Draws conclusions from one look. Raises `LedgerUnavailable`."""

    def __init__(self, ledger: Ledger, moment: Moment, memory: Memory, how: Proving) -> None:
        self._ledger = ledger
        self._partition = ledger.partition
        self._moment = moment
        self._memory = memory
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
            emit(events.Repeated(**self._about(question), documents=finding.twice))
        changed = self._observe(question, finding.observation, blocked)
        if not left or changed is None:
            return LONGEST_PAUSE
        if blocked:
            # A run that cannot be read is told without its fault: that quotes the API.
            why = UNREAD_RUN if finding.unread else blocked
            self._tell_held(question, why, len(left), is_known=blocked == question.held)
            may_heal = finding.unread and self._moment.failing() < RESENT_AFTER
            return LONGEST_PAUSE if may_heal else self.send_unproven(question, len(left))
        if finding.newest_empty is not None:
            changed = max(changed, finding.newest_empty - offset)
        quiet_till = changed + self._how.quiet_of(question)
        if self._moment.begin < quiet_till:
            return self._pause_until(question, quiet_till)
        if self._moment.elapsed() * 1000 > calls.LOOK_GOOD_MS:
            self.hold(question, TOO_SLOW)
            self._tell_held(question, TOO_SLOW, len(left))
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
            why = f"sent {question.tries} times, and never proven"
            self.hold(question, why)
            self._tell_held(question, why, left)
            return LONGEST_PAUSE
        self._ledger.run([self._resend(question, left, backoff.delay(question.tries), None)])
        return SHORTEST_PAUSE

    def _observe(self, question: Question, found: str, held: str) -> float | None:
        """Since when the same was found, in seconds of Redis' clock; None if the doubt is over."""
        step = self._ledger.calls.observe(
            question.batch,
            question.attempt,
            found=found,
            held=held,
            began_ms=self._moment.space.at_ms,
            gap_ms=math.ceil(self._how.gap_of(question) * 1000),
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
        step = self._ledger.calls.record_proven(
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
        documents, twice = pair(reply)
        if documents or twice:
            about = {**self._about(question), "attempt": found.attempt}
            run_id = run_shown(found.run_id)
            emit(events.Proven(**about, documents=documents, run_id=run_id, twice=twice))
        return True

    def _send_missing(self, question: Question, left: int, look: Look) -> None:
        """Lets what is proven missing be sent again, or buries it when its tries are used up."""
        self._ledger.run([self._again(question, left, look)])

    def _again(self, question: Question, left: int, look: Look) -> Call:
        view = AttemptView(left, question.tries - 1, self._how.max_attempts)
        detail = "sent, and missing at the API again and again"
        decision = after_missing(view, "no_answer", detail)
        if isinstance(decision, Bury):
            held = question.batch, question.attempt
            step = self._ledger.calls.bury_missing(*held, look, detail)
            return emit_after(step, partial(self._buried, question))
        if isinstance(decision, Isolate):
            return self._resend(question, math.ceil(left / 2), 0.0, look)
        return self._resend(question, left, backoff.delay(question.tries), look)

    def _resend(self, question: Question, size: int, delay: float, look: Look | None) -> Call:
        step = self._ledger.calls.resend(
            question.batch,
            question.attempt,
            delay_ms=math.ceil(delay * 1000),
            size=size,
            tries=min(question.tries, self._how.max_attempts - 1),
            look=look,
            alone=question.stopped_at,
        )
        return emit_after(step, partial(self._sent_again, question, delay, look is not None))

    def _about(self, question: Question) -> dict[str, Any]:
        account = self._moment.space.account
        return {"batch": question.batch, "attempt": question.attempt, "account": account}

    def _sent_again(
        self, question: Question, delay: float, proof: bool, reply: Reply
    ) -> events.SentAgain | None:
        documents = whole(reply)
        if documents < 1:
            return None
        about = self._about(question)
        rests = round(delay, 3)
        return events.SentAgain(**about, documents=documents, proof=proof, rests=rests)

    def _buried(self, question: Question, reply: Reply) -> events.MissingDead | None:
        documents = whole(reply)
        if documents < 1:
            return None
        return events.MissingDead(**self._about(question), documents=documents)

    def _tell_held(
        self, question: Question, why: str, left: int, *, is_known: bool = False
    ) -> None:
        """Says why an attempt cannot be proven: once, however often it is looked at."""
        if not is_known and self._memory.is_news(question.batch, question.attempt, why):
            emit(events.Held(**self._about(question), documents=left, why=why))

    def _pause_until(self, question: Question, moment: float) -> float:
        """Looks soon after a doubt began, then ever less often, and when the quiet is over."""
        left = moment - self._moment.now()
        age = self._moment.now() - question.since_ms / 1000
        return min(left + SHORTEST_PAUSE, max(1.0, age), LONGEST_PAUSE)
