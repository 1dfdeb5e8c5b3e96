"""From a decision to the steps that record it in the ledger."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from callspool_ledger.writes.calls import FAILURES_IN_A_ROW
from callspool_worker import backoff
from callspool_worker.decisions.answers import Answered, NotSent, code_of
from callspool_worker.decisions.decide import (
    Bury,
    Created,
    InDoubt,
    Isolate,
    Park,
    ProbeFailed,
    ProbeRefused,
    Retry,
    Throttle,
    is_failure,
    label,
    read_probe,
)
from callspool_worker.decisions.second_look import MAY_EXIST, note_refused
from callspool_worker.events import attempt_events as ending
from callspool_worker.events.attempt_events import Ending
from callspool_worker.events.event import emit_after

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.hours.caps import CapHit
    from callspool.redis_io.scripts import Call
    from callspool_ledger.guard import Hit
    from callspool_ledger.writes import Ledger, Taken
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.decisions.decide import AttemptView, Decision
    from callspool_worker.decisions.second_look import Ours, Refused

GUARD_AWAY_MS = 1000
"""Milliseconds that a batch waits when it could not be asked whether it may be sent."""

LONGEST_REST = 5.0
"""Seconds that an account rests at most between two tries to reach its API."""

ASKED_FOR_MS = 60_000
"""Milliseconds after a refusal for which a batch waits where reads are throttled, too; after them
it is in doubt, and shares the looks of those."""

FORGOTTEN = "Redis forgot whether this was sent before, and a run without a mark holds it"

_encode = msgspec.json.Encoder().encode


class RefusalNote(msgspec.Struct, omit_defaults=True):
    """What the API refused a request with, in its words; ``certain``: it blames the document."""

    words: str
    code: str
    certain: bool = False


class Proof(msgspec.Struct, omit_defaults=True):
    """What a proof has to go by: whether the API itself spoke, its run, and its clock."""

    answered: bool
    sent_at: float
    server_date: float | None = None
    run_id: str | None = None
    suspect: str = ""
    """A run that may have created the documents before Redis forgot that they were sent."""
    refusal: RefusalNote | None = None
    """What the API refused it with, which counts once it is proven that nothing was created."""


class Recorder:
    """Turns what came of an attempt into the ledger's steps; one for all threads of a process."""

    def __init__(self, ledger: Ledger) -> None:
        self._limits = ledger.limits
        self._calls = ledger.calls
        self._unreachable: dict[str, int] = {}

    def steps(
        self,
        taken: Taken,
        view: AttemptView,
        answer: Answer,
        decision: Decision,
        seconds: float = 0.0,
        rests: float = 0.0,
    ) -> list[Call]:
        """The steps that record the end of an attempt, in their order; each tells what it did.

        ``seconds``: how long the request took. ``rests``: for how long its account then rests.
        """
        if not isinstance(answer, NotSent):
            self._unreachable.pop(taken.lane.account, None)
        if isinstance(answer, NotSent) and answer.kind == "withheld":
            return [self.give_back(taken)]
        outcome, code = label(answer, decision)
        why = "" if isinstance(answer, Answered) else answer.kind
        over = Ending(taken, outcome, code, seconds, why, rests)
        look = note_refused(answer, decision, taken.count, seconds)
        match decision:
            case Created(run_id, task_ids):
                proof = _encode(_proof(taken, answer))
                ids = taken.quoted_ids if self._limits.feed != "off" else b""
                step = self._calls.record_created(taken, run_id, task_ids, code, proof, ids)
                steps = [over.recorded_by(step, "created", run_id=run_id)]
            case InDoubt():
                steps = self._doubt(over, answer, decision)
            case Retry():
                steps = self._retry(over, decision)
            case Isolate():
                step = self._split(over, view, decision)
                steps = [over.recorded_by(step, "parted")]
            case Bury():
                step = self._bury(over, decision)
                steps = [over.recorded_by(step, "dead")]
            case Park():
                steps = self._park(over, decision, look)
            case Throttle():
                step = self._back(over, 0, 0.0, "the API asked to slow down", look)
                steps = [over.recorded_by(step, "throttled")]
        return [*steps, *self._reopen(taken, decision)]

    def rest(self, taken: Taken, seconds: float) -> list[Call]:
        """Returns the step by which the whole account sends nothing more for a while, if it is to.

        It goes before what puts the batch back, which else would be taken at once.
        """
        if not seconds:
            return []
        delay = _ms(backoff.delay(1, seconds))
        return [self._calls.throttle(taken.lane.account, delay)]

    def give_back(self, taken: Taken) -> Call:
        """Returns the step that returns a batch of which nothing was sent."""
        return self._calls.put_back(taken, tries=0, delay_ms=0)

    def wait_for_guard(self, taken: Taken, why: str) -> Call:
        """Returns the step that returns a batch because the guard cannot be asked."""
        return self._calls.put_back(
            taken,
            tries=0,
            delay_ms=GUARD_AWAY_MS,
            detail=why,
            may_count=True,
        )

    def suppress(self, taken: Taken, hits: Sequence[Hit]) -> Call:
        """The step that cancels those of a batch that must not be called; the others wait."""
        places = taken.places
        told = [(hit.kind, hit.source.reason, [places[at] for at in hit.places]) for hit in hits]
        step = self._calls.suppress(taken, told)
        return emit_after(step, partial(ending.suppressed_event, taken))

    def defer(self, taken: Taken, hits: Sequence[CapHit]) -> Call:
        """Returns the step that puts documents over a cap aside until they may be called."""
        places = taken.places
        told = [(hit.due_ms, hit.reached.text, [places[at] for at in hit.places]) for hit in hits]
        return emit_after(self._calls.defer(taken, told), partial(ending.deferred_event, taken))

    def _rest(self, over: Ending, seconds: float, decision: str, detail: str) -> list[Call]:
        """The whole account waits; the batch is the first to go when it goes on."""
        return [
            self._calls.throttle(over.taken.lane.account, _ms(seconds)),
            over.recorded_by(self._back(over, 0, 0.0, detail), decision, rests=seconds),
        ]

    def _back(self, over: Ending, tries: int, seconds: float, detail: str, look: str = "") -> Call:
        return self._calls.put_back(
            over.taken,
            tries=tries,
            delay_ms=_ms(seconds),
            outcome=over.outcome,
            code=over.code,
            detail=detail,
            may_count=bool(look) and over.taken.is_guarded,
            look=look,
        )

    def _retry(self, over: Ending, decision: Retry) -> list[Call]:
        if decision.costs_try:
            seconds = backoff.delay(over.taken.tries + 1, decision.retry_after)
            step = self._back(over, 1, seconds, decision.detail)
            return [over.recorded_by(step, "again", rests=seconds)]
        # What could not be sent would not be sent for another batch either: the account rests.
        account = over.taken.lane.account
        failures = self._unreachable[account] = self._unreachable.get(account, 0) + 1
        seconds = min(backoff.delay(failures, decision.retry_after), LONGEST_REST)
        rest = self._rest(over, seconds, "again", decision.detail)
        return [*rest, self._fail(over.taken, decision.detail, over.code)]

    def _fail(self, taken: Taken, detail: str, code: str, *, was_sent: bool = False) -> Call:
        account = taken.lane.account
        reason = f"the API is down, and tried now and then: {detail}"
        batch = taken.batch if was_sent else None
        step = self._calls.fail(
            account, reason=reason, code=code, batch=batch, space=taken.lane.space_token
        )
        return emit_after(step, partial(ending.down, account, code, FAILURES_IN_A_ROW))

    def after_reading(self, taken: Taken, answer: Answer) -> list[Call] | None:
        """What follows for a probe when a read went before it; None if the batch may be sent.

        A token that is refused for a read is refused for a batch as well, and an API that is down
        would only leave the batch in doubt. Anything else says nothing about create-calls.
        """
        match read_probe(answer):
            case ProbeRefused(detail, code):
                gate = taken.gate or _gate("account", taken)
                step = self._calls.park(self._limits, gate, reason=detail, code=code)
                step = emit_after(step, partial(ending.parked_event, taken, gate, code))
            case ProbeFailed(detail, code):
                step = self._fail(taken, detail, code)
            case None:
                return None
        return [step, self.give_back(taken)]

    def after_looking(
        self, taken: Taken, refused: Refused, read: Answer, found: Ours | None
    ) -> list[Call] | None:
        """What follows when a space was read because of an earlier refusal of a batch; None if
        nothing of it was created, so that it may be sent.
        """
        code = code_of(read) if isinstance(read, Answered) else 0
        if code == 429 and taken.at_ms - refused.refused_ms < ASKED_FOR_MS:
            rest = backoff.delay(1, read.retry_after if isinstance(read, Answered) else None)
            return [self._calls.throttle(taken.lane.account, _ms(rest)), self.give_back(taken)]
        probed = read_probe(read)
        if isinstance(probed, ProbeRefused) or (taken.gate and probed is not None):
            return self.after_reading(taken, read)
        if found is None:
            return None
        began, date = refused.taken_ms, read.server_date if isinstance(read, Answered) else None
        step = self._calls.doubt(
            taken,
            outcome="rejected",
            code=refused.code,
            detail=MAY_EXIST,
            proof=_encode(Proof(True, began / 1000, date, found.run_id)),
            earlier=f"{refused.attempt} {began} {int(refused.is_marked)}",
        )
        over = Ending(replace(taken, attempt=refused.attempt), "rejected", refused.code, 0.0)
        return [over.recorded_by(step, "in_doubt", run_id=found.run_id)]

    def _split(self, over: Ending, view: AttemptView, decision: Isolate) -> Call:
        sent = [place for place, letter in enumerate(over.taken.states) if letter == "s"]
        return self._calls.split(
            over.taken,
            tries=min(over.taken.tries, view.max_attempts - 1),
            outcome=over.outcome,
            code=over.code,
            detail=decision.detail,
            alone=[sent[place] for place in decision.places if place < len(sent)],
        )

    def hold_suspects(self, taken: Taken, suspects: Mapping[int, str]) -> Call:
        """Holds what may have been sent before Redis forgot it: place → the run that may hold it.

        Such documents get a batch each first, since the others are to be sent.
        """
        if len(suspects) < taken.count:
            return self._calls.split(
                taken, tries=taken.tries, outcome="", code="", detail="", alone=list(suspects)
            )
        proof = Proof(False, taken.at_ms / 1000, suspect=next(iter(suspects.values())))
        return self._calls.doubt(
            taken, outcome="no_answer", code="", detail=FORGOTTEN, proof=_encode(proof)
        )

    def _bury(self, over: Ending, decision: Bury) -> Call:
        return self._calls.bury(
            over.taken,
            outcome=over.outcome,
            code=over.code,
            detail=decision.detail,
            unless_alike=None if decision.is_certain else self._limits,
        )

    def _doubt(self, over: Ending, answer: Answer, decision: InDoubt) -> list[Call]:
        taken = over.taken
        proof = _proof(taken, answer, answered=decision.answered, run_id=decision.run_id)
        if refusal := decision.refusal:
            certain = isinstance(refusal, Bury) and refusal.is_certain
            proof.refusal = RefusalNote(refusal.detail, over.code, certain)
        step = self._calls.doubt(
            taken,
            outcome=decision.outcome,
            code=over.code,
            detail=decision.detail,
            proof=_encode(proof),
        )
        # Without the API's words, which may name a person: those are for `callspool show`.
        step = over.recorded_by(step, "in_doubt", run_id=decision.run_id)
        if decision.parks:
            return [self._close(over, decision.parks), step]
        if decision.outcome in {"partial", "rejected"}:
            return [step]
        return [step, self._fail(taken, decision.detail, over.code, was_sent=True)]

    def _park(self, over: Ending, decision: Park, look: str) -> list[Call]:
        back = self._back(over, 0, 0.0, decision.detail, look)
        return [self._close(over, decision), over.recorded_by(back, "parked")]

    def _close(self, over: Ending, park: Park) -> Call:
        gate = _gate(park.level, over.taken)
        step = self._calls.park(self._limits, gate, reason=park.detail, code=over.code)
        return over.parked_by(step, gate)

    def _reopen(self, taken: Taken, decision: Decision) -> list[Call]:
        """A probe that got past what had closed its gate opens it, whatever it met behind it."""
        if not taken.gate:
            return []
        if isinstance(decision, Bury) and not decision.is_certain:
            return []  # burying opens it, unless the fault may be the API's
        if is_failure(decision):
            return []
        is_past = isinstance(decision, Created | Isolate | Bury)
        step = self._calls.open_gate(taken.gate, if_down=not is_past)
        return [emit_after(step, partial(ending.opened_event, taken))]


def _proof(
    taken: Taken, answer: Answer, *, answered: bool = False, run_id: str | None = None
) -> Proof:
    date = answer.server_date if isinstance(answer, Answered) else None
    return Proof(answered, taken.at_ms / 1000, date, run_id)


def _gate(level: str, taken: Taken) -> str:
    if level == "account":
        return f"account:{taken.lane.account}"
    if level == "space":
        return f"space:{taken.lane.account}|{taken.lane.space_token}"
    return f"lane:{taken.lane_id}"


def _ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)
