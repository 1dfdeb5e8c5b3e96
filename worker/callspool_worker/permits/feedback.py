"""What an answer says of the load that its account may put on the API: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callspool_worker.decisions.answers import Answered, NoAnswer
from callspool_worker.decisions.reply import code_of

if TYPE_CHECKING:
    from callspool_worker.decisions.answers import Answer, Quota

LONGEST_REST = 600.0
"""Seconds of rest that an API may ask for; after that a single request tries it all the same."""

_TOO_MANY = frozenset({429, 503, 504})
_MAY_ASK_FOR_REST = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Feedback:
    """``carried_out``: it was, so how long it took counts. ``too_many``: it was refused, or not
    answered, as an API does that has too much to do. ``throttled``: in the API's own word for it.
    ``rest``: seconds for which it asks, None if it does not. ``quota``: what it takes yet.
    """

    carried_out: bool = False
    too_many: bool = False
    throttled: bool = False
    rest: float | None = None
    quota: Quota | None = None


def feedback(answer: Answer) -> Feedback:
    """What an answer to a create-call says of the load."""
    match answer:
        case Answered():
            code = code_of(answer)
            asks = code in _MAY_ASK_FOR_REST and answer.retry_after is not None
            return Feedback(
                carried_out=200 <= code < 300,
                too_many=code in _TOO_MANY,
                throttled=code == 429,
                rest=min(answer.retry_after or 0.0, LONGEST_REST) if asks else None,
                quota=answer.quota if code != 429 else None,
            )
        case NoAnswer():
            return Feedback(too_many=answer.kind == "timeout")
        case _:
            return Feedback()
