"""How long to wait, by tenacity's strategies, and steps repeated until the ledger answers."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from callspool.errors import CallspoolError
from callspool_ledger.writes import LedgerFull, LedgerUnavailable
from callspool_worker import events
from callspool_worker.events.event import emit

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from tenacity.wait import wait_base


BASE = 1.0
CAP = 300.0
LONGEST_RETRY_AFTER = 600.0
"""What an API may ask for; beyond it the request is tried anyway."""

FIRST_PROBE = 30.0
LAST_PROBE = 600.0

PROMPT_RETRIES = 2

_SPREAD = 0.1

Result = TypeVar("Result")


def delay(tries: int, retry_after: float | None = None) -> float:
    """Returns seconds until the next try after ``tries`` of them: exponential, full jitter, capped.

    ``retry_after`` wins and is never undercut, up to ten minutes; a tenth is added at most, so that
    those who were told the same do not come back together.
    """
    if retry_after is not None and retry_after >= 0:
        asked = min(retry_after, LONGEST_RETRY_AFTER)
        return asked + random.uniform(0, _SPREAD * max(asked, BASE))  # noqa: S311 - no secret
    return _seconds(wait_random_exponential(multiplier=BASE, max=CAP), tries)


def promptly(
    first: Result,
    again: Callable[[], Result],
    unfinished: Callable[[Result], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Calls ``again`` at most twice while the result is ``unfinished``; returns the last one.

    Sleeps 0.6 seconds altogether, at most.
    """
    results = [first]
    retrying = Retrying(
        sleep=sleep,
        wait=wait_random_exponential(multiplier=0.2, max=0.4),
        stop=stop_after_attempt(1 + PROMPT_RETRIES),
        retry=retry_if_result(unfinished),
        retry_error_callback=_last_result,
    )
    return retrying(lambda: results.pop() if results else again())


def _last_result(state: RetryCallState) -> object:
    assert state.outcome is not None
    return state.outcome.result()


def _seconds(strategy: wait_base, attempt: int) -> float:
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = max(1, attempt)
    seconds = strategy(state)
    assert math.isfinite(seconds)
    return seconds


FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
REMINDER = 60.0
"""Seconds after which it is said again that the ledger does not answer."""


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
        """Returns what the step returns, once the ledger answers.

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
