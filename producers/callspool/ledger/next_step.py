"""What will happen to a document next, in a sentence that an operator can act on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool.identity import Scope
    from callspool.ledger.entries import BatchEntry


def next_step(scope: Scope, letter: str, batch: BatchEntry, closed_gates: set[str]) -> str:
    """The next thing that will happen, or what can be done."""
    if letter == "w":
        return _waiting(scope, batch, closed_gates)
    return {
        "s": "It is being sent; the answer will be recorded.",
        "d": "It may have been created, so it is not sent again; look into the space, or start"
        " workers with CALLSPOOL_ON_DOUBT=resend, which may call somebody twice.",
        "c": "The API has it; the call itself is the API's business.",
        "x": "It is not sent again; correct the document and enqueue it anew.",
        "X": "It was enqueued anew, and that document is the one that counts now.",
        "k": "It was cancelled and will not be sent.",
        "e": "Its time was over before it could be sent; enqueue it anew with a later one.",
    }[letter]


def _waiting(scope: Scope, batch: BatchEntry, closed_gates: set[str]) -> str:
    behind = (
        f"account:{scope.account}",
        f"space:{scope.account}|{scope.space_token}",
        f"lane:{batch.lane}",
    )
    closed = next((gate for gate in behind if gate in closed_gates), None)
    if closed:
        level = closed.partition(":")[0]
        return (
            f"Its {level} is parked (callspool status says why); it is tried again now and then,"
            " and at once by a new `callspool run`."
        )
    if batch.phase == "resting":
        due = datetime.fromtimestamp(batch.due_ms / 1000, UTC).astimezone()
        return f"It is sent again at {due:%Y-%m-%d %H:%M:%S %z}."
    if batch.phase == "open":
        return "Its batch leaves when it is full or has waited CALLSPOOL_LINGER."
    return "Its batch leaves as soon as a worker is free."
