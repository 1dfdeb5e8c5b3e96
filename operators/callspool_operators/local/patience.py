"""Asking Redis again while it is away for a moment: a run outlives its restart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import comes_from_passing
from callspool_ledger.writes import LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

REDIS_PATIENCE = 60.0
"""Seconds without an answer of Redis after which the run gives up looking."""

PAUSE = 0.2
"""Seconds between two tries."""

Found = TypeVar("Found")


def ask_until_answered(
    step: Callable[[], Found],
    between: Callable[[], object] = lambda: None,
    patience: float | None = None,
) -> Found:
    """Returns what the step returns, once Redis answers; it must be safe to repeat.

    ``between`` is called between two tries. Raises the step's error at once where waiting does not
    help, else after ``patience`` seconds: `REDIS_PATIENCE` for a Redis that has answered before.
    """
    give_up_at = time.monotonic() + (REDIS_PATIENCE if patience is None else patience)
    while True:
        try:
            return step()
        except (QueueUnavailable, LedgerUnavailable) as error:
            if not comes_from_passing(error) or time.monotonic() > give_up_at:
                raise
        between()
        time.sleep(PAUSE)
