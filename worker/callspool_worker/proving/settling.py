"""What a look shows of an attempt, recorded in the ledger step by step."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from callspool_ledger.writes import Look, follow_calls
from callspool_worker import backoff, events
from callspool_worker.events.event import emit, emit_after, pair, run_shown, whole
from callspool_worker.proving.findings import (
    LONGEST_PAUSE,
    RESENT_AFTER,
    SHORTEST_PAUSE,
    SOON,
    GiveUp,
    Hold,
    LookAgain,
    Over,
    SendAgain,
    Standing,
    conclude,
    decide_unproven,
)
from callspool_worker.proving.matching import GROWING, OVERLAP, UNREAD, Circumstances, match
from callspool_worker.proving.questions import gap_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Call, Reply
    from callspool_ledger.writes import Ledger
    from callspool_worker.proving.findings import Conclusion
    from callspool_worker.proving.questions import LookTime, ProofSettings
    from callspool_worker.proving.records import Finding, Found, Question, RefusedWith, RunRead
    from callspool_worker.proving.run_reader import RunMemory

UNREAD_RUN = "a run that may be its own cannot be read (callspool doubts list tells why)"


class Settler:
    """Records what one look shows. Raises `LedgerUnavailable`."""

    def __init__(
        self, ledger: Ledger, moment: LookTime, memory: RunMemory, how: ProofSettings
    ) -> None:
        self._ledger = ledger
        self._moment = moment
        self._memory = memory
        self._how = how

    def settle(self, question: Question, finding: Finding) -> float:
        """Records what a finding proves; seconds until another look at it is worth while."""
        left, blocked = self._record_all(question, finding)
        # Once held it stays so while it waits, although the quiet period begins anew.
        held = blocked or (finding.waits if question.held else "")
        quiet = self._how.quiet_for(question, finding)
        changed = self._observe(question, finding.observation, held, quiet)
        if not left or changed is None:
            return LONGEST_PAUSE
        if held:
            # A run that cannot be read is told without its fault: that quotes the API.
            why = UNREAD_RUN if finding.unread else held
            self._tell_held(question, why, len(left), is_known=held == question.held)
        is_whole = len(left) == len(question.places)
        standing = self._standing(
            question,
            left=len(left),
            changed=changed,
            quiet=quiet,
            blocked=blocked,
            may_heal=finding.unread and self._moment.failing() < RESENT_AFTER,
            waits=finding.waits,
            refused=question.refusal.words if question.refusal and is_whole else "",
        )
        conclusion = conclude(standing)
        # A run without tasks: creating stopped at the first document, if the API itself says so.
        is_first = is_whole and finding.lags and question.answered
        alone = (min(question.places.values()),) if is_first else question.stopped_at
        pause = self._carry_out(question, conclusion, finding.observation, alone)
        is_soon = finding.waits == UNREAD or (
            finding.waits == GROWING and isinstance(conclusion, LookAgain)
        )
        return min(pause, SOON) if is_soon else pause

    def record_marked(self, questions: Sequence[Question], runs: Sequence[RunRead]) -> bool:
        """Settles what bears a mark among runs that are not all; whether anything does."""
        about = Circumstances(None, lambda _: False)
        found = [
            (question, each)
            for question in questions
            for each in match(question, runs, about).found
            if not each.claimed
        ]
        for question, each in found:
            self._record_found(question, each)
        return bool(found)

    def hold(self, question: Question, reason: str) -> None:
        """Keeps why documents cannot be proven now; they stay in doubt."""
        self._observe(question, "", reason, 0.0)

    def send_unproven(self, question: Question) -> None:
        """Sends again what cannot be proven, if that is the policy."""
        standing = self._standing(
            question, left=len(question.open), changed=0.0, quiet=self._how.quiet_of(question)
        )
        self._carry_out(question, decide_unproven(standing), "", question.stopped_at)

    def _standing(self, question: Question, **shown: Any) -> Standing:
        return Standing(
            tries=question.tries,
            max_attempts=self._how.max_attempts,
            since=question.since_ms / 1000,
            began=self._moment.begin,
            took=self._moment.seconds(),
            good_for=follow_calls.LOOK_GOOD_MS / 1000,
            resend_unproven=self._how.resend_unproven,
            **shown,
        )

    def _carry_out(
        self,
        question: Question,
        conclusion: Conclusion,
        observation: str,
        alone: tuple[int, ...],
    ) -> float:
        """Records a conclusion; seconds until the next look.

        ``alone``: places of documents that are sent alone, if they are sent again.
        """
        match conclusion:
            case Over():
                return LONGEST_PAUSE
            case LookAgain(seconds):
                return seconds
            case Hold(why, seconds):
                self.hold(question, why)
                self._tell_held(question, why, len(question.open), is_known=why == question.held)
                return seconds
            case SendAgain(rests=rests, proven=proven):
                look = Look(self._moment.space.at_ms, observation) if proven else None
                delay = backoff.delay(question.tries) if rests else 0.0
                self._ledger.run([self._resend(question, conclusion, delay, look, alone)])
                return SOON if proven else SHORTEST_PAUSE
            case GiveUp(why, refused):
                look = Look(self._moment.space.at_ms, observation)
                refusal = question.refusal if refused else None
                step = self._ledger.calls.bury_missing(
                    question.batch,
                    question.attempt,
                    look,
                    why,
                    code=refusal.code if refusal else "",
                    unless_alike=None if refusal and refusal.certain else self._ledger.limits,
                )
                self._ledger.run([emit_after(step, partial(self._buried_event, question, refusal))])
                return SOON

    def _record_all(self, question: Question, finding: Finding) -> tuple[set[int], str]:
        """Settles what was found; the places that are left, and why nothing follows from that."""
        left, blocked = set(question.open), finding.blocked
        for found in finding.found:
            if self._record_found(question, found):
                left -= found.tasks.keys()
            elif left & found.tasks.keys():
                blocked = blocked or OVERLAP
        if finding.twice and len(left) < len(question.open):
            emit(events.Repeated(**self._about(question), documents=finding.twice))
        return left, blocked

    def _observe(self, question: Question, found: str, held: str, quiet: float) -> float | None:
        """Since when the same was found, in seconds of Redis' clock; None if the doubt is over."""
        step = self._ledger.calls.observe(
            question.batch,
            question.attempt,
            found=found,
            held=held,
            began_ms=self._moment.space.at_ms,
            gap_ms=math.ceil(gap_of(quiet) * 1000),
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

    def _resend(
        self,
        question: Question,
        how: SendAgain,
        delay: float,
        look: Look | None,
        alone: tuple[int, ...],
    ) -> Call:
        step = self._ledger.calls.resend(
            question.batch,
            question.attempt,
            delay_ms=math.ceil(delay * 1000),
            size=how.size,
            tries=min(question.tries - (not how.costs_try), self._how.max_attempts - 1),
            look=look,
            alone=alone,
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

    def _buried_event(
        self, question: Question, refusal: RefusedWith | None, reply: Reply
    ) -> events.MissingDead | None:
        documents = whole(reply)
        if documents < 1:
            return None
        code = refusal.code if refusal else None
        return events.MissingDead(**self._about(question), documents=documents, code=code)

    def _tell_held(
        self, question: Question, why: str, left: int, *, is_known: bool = False
    ) -> None:
        """Says why an attempt cannot be proven: once, however often it is looked at."""
        if not is_known and self._memory.is_news(question.batch, question.attempt, why):
            emit(events.Held(**self._about(question), documents=left, why=why))
