"""The clock of requests, and the limits of one request: until when it may run, how far it came."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_worker.decisions.answers import NotSentKind


# Linux's monotonic clock stands still in suspension, its boot clock does not; macOS has no boot
# clock, and its CLOCK_MONOTONIC goes on (`time.monotonic` there reads another one, which stops).
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Returns seconds since some moment, the same one for every process of this machine."""
    return time.clock_gettime(_CLOCK)


def always() -> bool:
    """Returns True: nothing but its deadline keeps the last byte back."""
    return True


class Withheld(Exception):  # noqa: N818 - an event of its own, no failure
    """The last byte was not sent: its deadline had passed, or the request may not be sent now."""


class Ticket:
    """Limits and progress of one request: the sum of all its steps is bounded, not each one."""

    __slots__ = ("answered", "complete", "may_send", "send_before", "stage", "until")

    def __init__(
        self,
        until: float,
        send_before: float = math.inf,
        may_send: Callable[[], bool] = always,
    ) -> None:
        self.until = until
        """The point in time when the request must be over."""
        self.send_before = min(until, send_before)
        """The point in time from which the last byte may not be sent any more."""
        self.may_send = may_send
        """Asked before the last byte: whether it may be sent."""
        self.stage: NotSentKind = "pool"
        """How far the request came; what it failed at, if it is not complete."""
        self.complete = False
        """Whether the last byte was handed to the kernel, or may have been."""
        self.answered = False
        """Whether the answer was read to its end."""

    def seconds_left(self, at_most: float = math.inf) -> float:
        """Returns the seconds that a step may take; raises TimeoutError if there are none."""
        seconds = min(self.until - now(), at_most)
        if seconds <= 0:
            raise TimeoutError("the time for the whole request is over")
        return seconds
