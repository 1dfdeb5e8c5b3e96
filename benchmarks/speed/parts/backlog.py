"""Documents that wait: enqueued, accepted into the ledger, and not sent while all is paused."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

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


def fill(rig: Rig, first: int, count: int, size: int) -> None:
    """Enqueues in pieces, so that the stream never holds much, and waits until all is accepted."""
    for start in range(first, first + count, ENQUEUED_AT_ONCE):
        piece = min(ENQUEUED_AT_ONCE, first + count - start)
        rig.producer.send(start, piece, size)
        wait_until_accepted(rig)


def wait_until_accepted(rig: Rig) -> None:
    """Waits until no message of call requests is left."""
    deadline = time.monotonic() + LIMIT
    while rig.summary().spooled:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not accepted after {LIMIT} s\n{rig.logs()}")
        time.sleep(POLL)
