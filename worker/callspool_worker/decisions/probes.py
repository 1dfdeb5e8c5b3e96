"""What a read says about an API that is to be probed: pure. A read leaves nothing in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callspool_worker.decisions.answers import Answered, NoAnswer, NotSent
from callspool_worker.decisions.reply import code_of
from callspool_worker.decisions.wording import words_of

if TYPE_CHECKING:
    from callspool_worker.decisions.answers import Answer


@dataclass(frozen=True, slots=True)
class ProbeRefused:
    """The token is refused still."""

    detail: str
    code: str


@dataclass(frozen=True, slots=True)
class ProbeFailed:
    """The API is down still."""

    detail: str
    code: str


def read_probe(answer: Answer) -> ProbeRefused | ProbeFailed | None:
    """What a read says; None if it leaves open whether a batch would be created."""
    match answer:
        case NotSent(reason) | NoAnswer(reason):
            return ProbeFailed(reason, "")
        case Answered():
            code = code_of(answer)
            if code == 401:
                return ProbeRefused(words_of(answer), str(code))
            return ProbeFailed(words_of(answer), str(code)) if 500 <= code < 600 else None
