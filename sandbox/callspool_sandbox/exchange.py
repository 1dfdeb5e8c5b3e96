"""One request and what is sent back for it, without a word about how its bytes travel."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callspool_sandbox.answers import Answer, in_form
from callspool_sandbox.faults.model import label
from callspool_sandbox.faults.packing import pack
from callspool_sandbox.routes import Route, path_for_log

if TYPE_CHECKING:
    from callspool_sandbox.clock import Clock
    from callspool_sandbox.faults.model import Fault
    from callspool_sandbox.faults.plan import FaultPlan


@dataclass(slots=True)
class Head:
    """A request's head. ``number`` counts requests, from 1, in the order of their arrival.

    ``route`` is None for a path that the API does not have, ``clock`` that of the server which
    answers, ``early`` the fault that was chosen before the body was there.
    """

    number: int
    method: str
    target: str
    headers: dict[bytes, bytes]
    route: Route | None
    clock: Clock
    early: Fault | None = None
    started: float = field(default_factory=time.monotonic)

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    def for_log(self, fault: Fault | None) -> dict[str, object]:
        """What every line about this request says."""
        met = fault or self.early
        return {
            "request": self.number,
            "method": self.method,
            "path": path_for_log(self.target),
            "fault": label(met) if met else None,
            "seconds": round(time.monotonic() - self.started, 6),
        }


@dataclass(slots=True)
class HttpReply:
    """What goes out: an answer, or None for a connection that is closed without one.

    ``behind``: another one that follows it, though nobody asked.
    """

    answer: Answer | None
    steps: FaultPlan
    behind: Answer | None = None


def reply(answer: Answer, steps: FaultPlan) -> HttpReply:
    """The answer as its plan wants it sent."""
    if steps.drop is not None and steps.drop.where != "response":
        return HttpReply(None, steps)
    if steps.packed is not None:
        answer = pack(answer, steps.packed)
    if steps.cut is not None:
        answer = in_form(answer, "cut", steps.cut.bytes)
    return HttpReply(answer, steps)


def logged_status(status: int, steps: FaultPlan) -> int | None:
    """The status that goes out, or None where nothing does."""
    return status if steps.drop is None or steps.drop.where == "response" else None
