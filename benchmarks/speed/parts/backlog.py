"""Documents that wait: enqueued, accepted into the ledger, and not sent while all is paused."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.speed.senders import FIRST_OF_BACKLOG

if TYPE_CHECKING:
    from benchmarks.speed.rig import Rig

POLL = 0.1
LIMIT = 1_800.0
ENQUEUED_AT_ONCE = 200_000


def operate(rig: Rig, *arguments: str) -> str:
    """One of callspool's commands, as an operator types it."""
    return subprocess.run(
        [sys.executable, "-m", "callspool", *arguments],
        env=rig.contender.environment(rig.place),
        cwd=rig.place.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout


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
