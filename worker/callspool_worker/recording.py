"""From a decision to the steps that record it in the ledger."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import msgspec

from callspool_worker import backoff
from callspool_worker.answers import Answered, NotSent
from callspool_worker.decisions import (
    Bury,
    Created,
    InDoubt,
    Isolate,
    Park,
    Retry,
    Throttle,
    is_failure,
    label,
)
from callspool_worker.ledger import calls
from callspool_worker.probes import ProbeFailed, ProbeRefused, read_probe

if TYPE_CHECKING:
    from callspool.scripts import Call
    from callspool_worker.answers import Answer
    from callspool_worker.decisions import AttemptView, Decision
    from callspool_worker.ledger import Ledger, Taken

LONGEST_REST = 5.0
"""Seconds that an account rests at most between two tries to reach its API."""

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Proof(msgspec.Struct, omit_defaults=True):
    """What a proof has to go by: whether the API itself spoke, its run, and its clock."""

    answered: bool
    sent_at: float
    server_date: float | None = None
    run_id: str | None = None


class Recorder:
    """Turns what came of an attempt into the ledger's steps; one for all threads of a process."""

    def __init__(self, ledger: Ledger) -> None:
        self._limits = ledger.limits
        self._partition = ledger.partition
        self._unreachable: dict[str, int] = {}

    def steps(
        self, taken: Taken, view: AttemptView, answer: Answer, decision: Decision
    ) -> list[Call]:
        """The steps that record the end of an attempt, in their order."""
        if not isinstance(answer, NotSent):
            self._unreachable.pop(taken.lane.account, None)
        if isinstance(answer, NotSent) and answer.kind == "withheld":
            return [self.give_back(taken)]
        outcome, code = label(answer, decision)
        match decision:
            case Created(run_id, task_ids):
                steps = [calls.created(self._partition, taken, run_id, task_ids, code)]
            case InDoubt():
                steps = self._doubt(taken, answer, decision, code)
            case Retry():
                steps = self._retry(taken, decision, code)
            case Isolate(detail):
                steps = [self._split(taken, view, outcome, code, detail)]
            case Bury(detail):
                steps = [self._bury(taken, outcome, code, detail)]
            case Park(level, detail):
                steps = self._park(taken, level, code, detail)
            case Throttle(retry_after):
                seconds = backoff.delay(taken.tries + 1, retry_after)
                steps = self._rest(taken, seconds, outcome, code, "the API asked to slow down")
        return [*steps, *self._reopen(taken, decision)]

    def give_back(self, taken: Taken) -> Call:
        """The step that returns a batch of which nothing was sent."""
        return calls.put_back(self._partition, taken, tries=0, delay_ms=0)

    def _rest(
        self, taken: Taken, seconds: float, outcome: str, code: str, detail: str
    ) -> list[Call]:
        """The whole account waits; the batch is the first to go when it goes on."""
        return [
            calls.throttle(self._partition, taken.lane.account, _ms(seconds)),
            self._back(taken, 0, 0.0, outcome, code, detail),
        ]

    def _back(
        self, taken: Taken, tries: int, seconds: float, outcome: str, code: str, detail: str
    ) -> Call:
        return calls.put_back(
            self._partition,
            taken,
            tries=tries,
            delay_ms=_ms(seconds),
            outcome=outcome,
            code=code,
            detail=detail,
        )

    def _retry(self, taken: Taken, decision: Retry, code: str) -> list[Call]:
        outcome, detail = decision.outcome, decision.detail
        if decision.costs_try:
            seconds = backoff.delay(taken.tries + 1, decision.retry_after)
            return [self._back(taken, 1, seconds, outcome, code, detail)]
        # What could not be sent would not be sent for another batch either: the account rests.
        account = taken.lane.account
        failures = self._unreachable[account] = self._unreachable.get(account, 0) + 1
        if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th …: an outage is no flood
            _log.warning("account %s: the API cannot be reached: %s", account, detail)
        seconds = min(backoff.delay(failures, decision.retry_after), LONGEST_REST)
        rest = self._rest(taken, seconds, outcome, code, detail)
        return [*rest, self._fail(taken, detail, code)]

    def _fail(self, taken: Taken, detail: str, code: str) -> Call:
        reason = f"the API is down, and tried now and then: {detail}"
        return calls.fail(self._partition, taken.lane.account, reason=reason, code=code)

    def after_reading(self, taken: Taken, answer: Answer) -> list[Call] | None:
        """What follows for a probe when a read went before it; None if the batch may be sent.

        A token that is refused for a read is refused for a batch as well, and an API that is down
        would only leave the batch in doubt. Anything else says nothing about create-calls.
        """
        match read_probe(answer):
            case ProbeRefused(detail, code):
                gate = taken.gate
                step = calls.park(self._partition, self._limits, gate, reason=detail, code=code)
            case ProbeFailed(detail, code):
                step = self._fail(taken, detail, code)
            case None:
                return None
        return [step, self.give_back(taken)]

    def _split(self, taken: Taken, view: AttemptView, outcome: str, code: str, detail: str) -> Call:
        tries = min(taken.tries, view.max_attempts - 1)
        return calls.split(
            self._partition, taken, tries=tries, outcome=outcome, code=code, detail=detail
        )

    def _bury(self, taken: Taken, outcome: str, code: str, detail: str) -> Call:
        return calls.bury(self._partition, taken, outcome=outcome, code=code, detail=detail)

    def _doubt(self, taken: Taken, answer: Answer, decision: InDoubt, code: str) -> list[Call]:
        proof = Proof(
            answered=decision.answered,
            sent_at=taken.at_ms / 1000,
            server_date=answer.server_date if isinstance(answer, Answered) else None,
            run_id=decision.run_id,
        )
        step = calls.doubt(
            self._partition,
            taken,
            outcome=decision.outcome,
            code=code,
            detail=decision.detail,
            proof=_encode(proof),
        )
        # Without the API's words, which may name a person: those are for `callspool show`.
        _log.warning(
            "batch %d, attempt %d: %d documents are in doubt: %s %s",
            taken.batch,
            taken.attempt,
            taken.count,
            decision.outcome,
            code,
        )
        if decision.outcome == "partial":
            return [step]
        return [step, self._fail(taken, decision.detail, code)]

    def _park(self, taken: Taken, level: str, code: str, detail: str) -> list[Call]:
        gate = _gate(level, taken)
        _log.warning("batch %d: its %s is parked: %s", taken.batch, level, code)
        return [
            calls.park(self._partition, self._limits, gate, reason=detail, code=code),
            self._back(taken, 0, 0.0, "rejected", code, detail),
        ]

    def _reopen(self, taken: Taken, decision: Decision) -> list[Call]:
        """A probe that got past what had closed its gate opens it, whatever it met behind it."""
        if not taken.gate:
            return []
        if isinstance(decision, Created | Isolate | Bury):
            return [calls.open_gate(self._partition, taken.gate)]
        if is_failure(decision):
            return []
        return [calls.open_gate(self._partition, taken.gate, if_down=True)]


def _gate(level: str, taken: Taken) -> str:
    if level == "account":
        return f"account:{taken.lane.account}"
    if level == "space":
        return f"space:{taken.lane.account}|{taken.lane.space_token}"
    return f"lane:{taken.lane_id}"


def _ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)
