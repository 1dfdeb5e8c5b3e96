"""The ticket of one request: until when it may run, and how far it came."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import httpx

from callspool_worker.api.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool_worker.answers import NotSentKind

POOL_SECONDS = 5.0
"""The wait for a free connection, at most."""


class Withheld(Exception):  # noqa: N818 - an event of its own, no failure
    """The last byte was not sent, because its deadline had passed."""


class Ticket(float):
    """Limits and progress of one request; as a number, the point in time when it must be over.

    httpcore hands a request's timeouts to the network as they are. `callspool_worker.api.network`
    takes them for points in time, so that the sum of all steps is bounded and not each one.
    """

    __slots__ = ("answered", "complete", "part", "send_before", "stage")

    def __new__(cls, until: float, send_before: float = math.inf) -> Ticket:
        ticket = super().__new__(cls, until)
        ticket.send_before = min(until, send_before)
        ticket.stage = "pool"
        ticket.part = "all"
        ticket.complete = False
        ticket.answered = False
        return ticket

    send_before: float
    """The point in time from which the last byte may not be sent any more."""
    stage: NotSentKind
    """How far the request came; what it failed at, if it is not complete."""
    part: Literal["all", "head", "body", "last byte"]
    """What the next write holds; the last byte of a body is a write of its own."""
    complete: bool
    """Whether the last byte was handed to the kernel, or may have been."""
    answered: bool
    """Whether the answer was read to its end."""

    def left(self, at_most: float = math.inf) -> float:
        """Seconds that a step may take; raises TimeoutError if there are none."""
        seconds = min(self - now(), at_most)
        if seconds <= 0:
            raise TimeoutError("the time for the whole request is over")
        return seconds

    def extensions(self) -> dict[str, object]:
        """What makes httpcore carry this ticket; the wait for a connection is a plain duration."""
        pool = min(max(self - now(), 0.0), POOL_SECONDS)
        return {"timeout": {"pool": pool, "connect": self, "write": self, "read": self}}


class WithheldBody(httpx.SyncByteStream):
    """A request body whose last byte is a write of its own, announced on the ticket."""

    def __init__(self, body: bytes, ticket: Ticket) -> None:
        if len(body) < 2:
            raise ValueError("a request body is a JSON object, which has two bytes at least")
        self._body = body
        self._ticket = ticket
        ticket.part = "head"

    def __iter__(self) -> Iterator[bytes]:
        self._ticket.part = "body"
        yield self._body[:-1]
        self._ticket.part = "last byte"
        yield self._body[-1:]
