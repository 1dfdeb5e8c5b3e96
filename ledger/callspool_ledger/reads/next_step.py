"""What comes next for a document, in words for the person who asks."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool_ledger.reads.campaigns import Bar
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.views import GateView

CANCELLED = "cancelled by an operator, which is final for its campaign (--again calls it)"

_CREATED = {
    "open": "The API has it; workers look what became of its call (docs/following.md).",
    "lost_sight": "The API has it; what became of its call is not known, and no worker looks.",
}


def next_step(
    document_id: str,
    letter: str,
    batch: BatchEntry,
    gate: GateView | None,
    outcome: str | None = None,
    bar: Bar | None = None,
) -> str:
    """Returns the next thing that will happen, or the command that would change it.

    ``gate``: what keeps its lane from sending, if anything does; ``bar``: what its campaign does.
    """
    if letter == "w" and gate is None and bar is not None:
        return bar.next_step
    if letter == "w":
        return _waiting(batch, gate)
    if letter == "c":
        return _CREATED.get(outcome or "", "Its call is over.")
    return {
        "s": "It is being sent; the answer will be recorded.",
        "d": _in_doubt(document_id, batch),
        "h": _in_doubt(document_id, batch),
        "x": "It is not sent again by itself: correct the document and enqueue it anew, or"
        f" `callspool dead replay --document-id {shlex.quote(document_id)}` sends it as it is.",
        "X": "It was given up (callspool dead drop); enqueued anew, it is sent.",
        "k": f"It was {CANCELLED}.",
        "K": "It is called if it is enqueued anew and on no list: callspool suppress remove",
        "e": _after_expiry(batch),
    }[letter]


def _after_expiry(batch: BatchEntry) -> str:
    if "ended" in batch.fields:
        return (
            "Its campaign ended before it could be sent; give that a later end and enqueue it anew."
        )
    return "Its time was over before it could be sent; enqueue it anew with a later one."


def _in_doubt(document_id: str, batch: BatchEntry) -> str:
    if not batch.held:
        return (
            "It may have been created: workers read its space back, and send it again only when"
            " it is proven that it was not (callspool doubts list tells how that stands)."
        )
    one = f"--document-id {shlex.quote(document_id)}"
    return (
        f"It may have been created, and no look at the API can prove whether ({batch.held}), so it"
        f" is not sent again by itself: look into the space, then `callspool doubts confirm {one}`"
        f" if it is there; `callspool doubts resend {one}` sends it again and may call somebody"
        " twice."
    )


def _waiting(batch: BatchEntry, gate: GateView | None) -> str:
    if gate is not None and gate.kind == "paused":
        flags = gate.selector.flags
        return f"It is {describe_gate(gate)}; `callspool resume {flags}` lets it be sent."
    if gate is not None and gate.passing:
        return f"It waits: {gate.reason}."
    if gate is not None:
        return (
            f"I{describe_gate(gate)[1:]}. It is tried again now and then, and at once after"
            f" `callspool resume {gate.selector.flags}` or by a new `callspool run`."
        )
    if batch.phase == "resting":
        due = datetime.fromtimestamp(batch.due_ms / 1000, UTC).astimezone()
        return f"It is sent again at {due.isoformat(sep=' ', timespec='seconds')}."
    if batch.phase == "open":
        return "Its batch leaves when it is full or has waited CALLSPOOL_LINGER."
    return "Its batch leaves as soon as a worker is free."


def describe_gate(gate: GateView) -> str:
    """Returns in words what keeps a document from being sent."""
    if gate.kind == "paused":
        return "paused" + (f" by {gate.by}" if gate.by else "") + (gate.note and f" ({gate.note})")
    if gate.passing:
        return gate.reason
    return f"its {gate.selector.level} is parked: {gate.reason.rstrip('.')}"


UNCONFIRMED = "in a run that the API never confirmed"
"""Why a created document may not be called: its run may have broken off."""

_FOUND = ("proven", "recalled")
"""Codes of creations that no answer reported."""


def describe_unconfirmed(batch: BatchEntry, place: int) -> str | None:
    """Returns why a created document may not be called: no answer of the API named its run.

    None where one did, or where what became of the call is known: that says more.
    """
    proof = batch.proof(place)
    if proof is None or batch.outcome(place) not in (None, "open", "lost_sight"):
        return None
    created = (line for line in batch.history if line.outcome == "created")
    codes = [line.code for line in created if line.attempt == proof[2]]
    return UNCONFIRMED if codes and all(code in _FOUND for code in codes) else None
