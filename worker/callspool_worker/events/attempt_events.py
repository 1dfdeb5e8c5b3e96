"""What is told of an attempt that is over, once the ledger has recorded it: pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from callspool_ledger.writes.records import creation_of
from callspool_worker import events
from callspool_worker.events.event import emit_after, pair, run_shown, space_shown, whole

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Call, Reply
    from callspool_ledger.writes import Taken


@dataclass(frozen=True, slots=True)
class Ending:
    """An attempt with its answer's labels. ``seconds``: how long the request took.

    ``why``: how the answer failed to come, in a word, if it did. ``rests``: seconds for which its
    account sends nothing more because of it.
    """

    taken: Taken
    outcome: str
    code: str
    seconds: float
    why: str = ""
    rests: float = 0.0

    def recorded_by(
        self, step: Call, decision: str, *, rests: float = 0.0, run_id: str | None = None
    ) -> Call:
        """Returns the step, which tells the end of the attempt when the ledger has taken it."""
        return emit_after(step, partial(self._event, decision, rests, run_id))

    def parked_by(self, step: Call, gate: str) -> Call:
        """Returns the step that closes a gate, which tells that where it is news."""
        return emit_after(step, partial(parked_event, self.taken, gate, self.code))

    def _event(
        self, decision: str, rests: float, run_id: str | None, reply: Reply
    ) -> events.Attempt:
        outcome = self.outcome
        if decision == "created":
            found = creation_of(reply)
            documents, twice, created = found.created, found.twice, 0
            late = found.is_known or (found.is_mistaken and not found.doubtful)
            if found.is_mistaken:
                decision, outcome, documents = "in_doubt", "no_answer", found.doubtful
        else:
            number, twice = whole(reply), 0
            documents, late = max(0, number), number < 0
            # What a late proof settled while it was sent leaves with this step.
            created = 0 if late else self.taken.count - documents
        taken = self.taken
        return events.Attempt(
            batch=taken.batch,
            attempt=taken.attempt,
            account=taken.lane.account,
            space=space_shown(taken.lane.space_token),
            lane=taken.lane_id,
            outcome=outcome,
            code=self.code,
            decision=decision,
            why=self.why,
            documents=documents,
            seconds=round(self.seconds, 4),
            tries=taken.tries,
            rests=round(rests or self.rests, 3),
            run_id=run_shown(run_id),
            created=created,
            twice=twice,
            late=late,
            traces=taken.traces,
        )


def parked_event(taken: Taken, gate: str, code: str, reply: Reply) -> events.Parked | None:
    """Returns the event of a gate that was found closed; nothing where that is known."""
    refusals = whole(reply)
    if refusals < 1:
        return None
    return events.Parked(
        part=gate.partition(":")[0],
        account=taken.lane.account,
        space=space_shown(taken.lane.space_token),
        lane=taken.lane_id,
        code=code,
        refusals=refusals,
    )


def opened_event(taken: Taken, reply: Reply) -> events.Opened | None:
    """Returns the event of a gate that a probe opened; nothing where it stays closed."""
    if whole(reply) < 0:
        return None
    return events.Opened(
        part=taken.gate.partition(":")[0],
        account=taken.lane.account,
        space=space_shown(taken.lane.space_token),
        lane=taken.lane_id,
    )


def suppressed_event(taken: Taken, reply: Reply) -> events.NumbersSuppressed | None:
    """Returns the event of documents of a batch that must not be called."""
    documents = whole(reply)
    if documents < 1:
        return None
    return events.NumbersSuppressed(
        batch=taken.batch, account=taken.lane.account, documents=documents
    )


def deferred_event(taken: Taken, reply: Reply) -> events.DocumentsCapped | None:
    """Returns the event of documents of a batch whose numbers were called often enough."""
    documents = whole(reply)
    if documents < 1:
        return None
    return events.DocumentsCapped(
        batch=taken.batch, account=taken.lane.account, documents=documents
    )


def down(account: str, code: str, enough: int, reply: Reply) -> events.Down | None:
    """Returns the event of the failure in a row by which an API counts as down; else None."""
    failures = whole(reply)
    return (
        events.Down(account=account, code=code, failures=failures) if failures == enough else None
    )


def taken_event(taken: Taken) -> events.BatchTaken:
    """Returns the event of a batch that was taken."""
    return events.BatchTaken(
        batch=taken.batch,
        attempt=taken.attempt,
        account=taken.lane.account,
        space=space_shown(taken.lane.space_token),
        lane=taken.lane_id,
        documents=taken.count,
        tries=taken.tries,
        traces=taken.traces,
    )


def recalled_event(
    account: str, batch: int, attempt: int, run_id: str, reply: Reply
) -> events.Recalled | None:
    """Returns the event of documents that Redis forgot and the API has; None if it is known."""
    documents, twice = pair(reply)
    if not documents and not twice:
        return None
    return events.Recalled(
        batch=batch,
        attempt=attempt,
        account=account,
        documents=documents,
        run_id=run_shown(run_id),
        twice=twice,
    )
