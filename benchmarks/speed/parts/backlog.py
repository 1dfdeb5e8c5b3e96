"""Documents that wait: enqueued, accepted into the ledger, and not sent while all is paused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.speed.senders import FIRST_OF_BACKLOG
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering

if TYPE_CHECKING:
    from benchmarks.speed.rig import Rig

POLL = 0.1
LIMIT = 1_800.0
ENQUEUED_AT_ONCE = 200_000


def pause(rig: Rig, campaign: str | None = None) -> None:
    """Nothing of the campaign, or nothing at all, is sent from now on."""
    Steering([rig.client], "benchmark").pause(Selector(campaign=campaign))


def resume(rig: Rig) -> None:
    """Everything may be sent again."""
    Steering([rig.client], "benchmark").resume(Selector())


def fill(rig: Rig, count: int, size: int, *, apart: bool = False) -> int:
    """Enqueues strangers in pieces, and waits until all are accepted; the first one's number.

    ``apart``: in the campaign `BACKLOG`, by the sender `callspool_lanes`.
    """
    first = rig.strangers(count) + (FIRST_OF_BACKLOG if apart else 0)
    for start in range(first, first + count, ENQUEUED_AT_ONCE):
        piece = min(ENQUEUED_AT_ONCE, first + count - start)
        rig.producer.send(start, piece, size)
        wait_until_accepted(rig)
    return first


def wait_until_accepted(rig: Rig) -> None:
    """Waits until no message of call requests is left."""
    deadline = time.monotonic() + LIMIT
    while rig.summary().spooled:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not accepted after {LIMIT} s\n{rig.logs()}")
        time.sleep(POLL)
