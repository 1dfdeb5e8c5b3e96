"""How long to wait, in seconds: tenacity's strategies, without its loop where a ledger waits."""

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
    wait_exponential,
    wait_random,
    wait_random_exponential,
)

if TYPE_CHECKING:
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
    """Seconds until the next try after ``tries`` of them: exponential, full jitter, capped.

    ``retry_after`` wins and is never undercut, up to ten minutes; a tenth is added at most, so that
    those who were told the same do not come back together.
    """
    if retry_after is not None and retry_after >= 0:
        asked = min(retry_after, LONGEST_RETRY_AFTER)
        return asked + random.uniform(0, _SPREAD * max(asked, BASE))  # noqa: S311 - no secret
    return _seconds(wait_random_exponential(multiplier=BASE, max=CAP), tries)


def probe_delay(probes: int) -> float:
    """Seconds until what is parked is tried again, after ``probes`` of them: 30 s to 10 min."""
    strategy = wait_exponential(multiplier=FIRST_PROBE, max=LAST_PROBE)
    return _seconds(strategy + wait_random(0, _SPREAD * FIRST_PROBE), probes + 1)


def promptly(
    first: Result,
    again: Callable[[], Result],
    unfinished: Callable[[Result], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """The last of two more calls of ``again`` at most, as long as a result is ``unfinished``.

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
