"""Repeats a step of the ledger until it answers: what happened outside must stay known inside."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from callspool.errors import CallspoolError
from callspool_ledger.writes import LedgerFull, LedgerUnavailable
from callspool_worker import events
from callspool_worker.events.event import emit

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable


FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
REMINDER = 60.0
"""Seconds after which it is said again that the ledger does not answer."""

Result = TypeVar("Result")


class GivenUp(CallspoolError):  # noqa: N818 - says what the worker did
    """The worker's time to stop was over before the ledger answered."""


class LedgerRetry:
    """Repeats a step of the ledger while Redis is away, for as long as this worker may run.

    ``stop`` asks to begin nothing new; ``give_up_after`` seconds later unanswered steps raise
    `GivenUp`. Until then they are repeated without end: Redis may be away for as long as it likes.
    """

    def __init__(self, stop: threading.Event, give_up_after: float) -> None:
        self._stop = stop
        self._give_up_after = give_up_after
        self._stopped_at: float | None = None

    @property
    def stopping(self) -> bool:
        """Whether nothing new may be begun."""
        return self._stop.is_set()

    def until_answered(
        self, step: Callable[[], Result], when_full: Callable[[], None] | None = None
    ) -> Result:
        """What the step returns, once the ledger answers.

        ``when_full`` is called between tries while Redis is out of memory: it may make room.
        """
        pause, told_at, began = FIRST_PAUSE, -REMINDER, 0.0
        while True:
            try:
                found = step()
            except LedgerUnavailable as error:
                if self._is_over():
                    raise GivenUp(f"stopped before the ledger answered: {error}") from error
                if time.monotonic() - told_at >= REMINDER:
                    told_at = time.monotonic()
                    began = began or told_at
                    emit(events.LedgerAway(why=str(error), seconds=round(told_at - began, 1)))
                if when_full is not None and isinstance(error, LedgerFull):
                    when_full()
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                if began:
                    emit(events.LedgerBack(seconds=round(time.monotonic() - began, 1)))
                return found

    def _is_over(self) -> bool:
        if not self._stop.is_set():
            return False
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
        return time.monotonic() - self._stopped_at > self._give_up_after
