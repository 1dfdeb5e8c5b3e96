"""The threads that look: each worker process has some, and one space has one looker at a time."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from callspool_ledger.writes import LedgerUnavailable
from callspool_worker import events
from callspool_worker.events.emitter import emit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool_worker.proving.space_prover import Prover

LOOKERS = 2
"""Threads that read back in each process, so that one slow space does not hold up the others."""

IDLE_PAUSE = 0.5
"""Seconds until the next look for a space that is due; of several partitions, times their number,
"""
LONGEST_IDLE_PAUSE = 2.0
"""up to so many."""

FAILED_PAUSE = 5.0


class Reconciler:
    """Looks at spaces with documents in doubt until it is stopped; partitions take turns."""

    def __init__(self, provers: Sequence[Prover], incarnation: str) -> None:
        self._provers = list(provers)
        self._idle_pause = min(IDLE_PAUSE * len(provers), LONGEST_IDLE_PAUSE)
        self._stopped = threading.Event()
        self._nudged = threading.Event()
        self._nudged_at = -math.inf
        self._threads = [
            threading.Thread(
                target=self._run, args=(f"{incarnation}:{number}",), name="reconciler", daemon=True
            )
            for number in range(LOOKERS)
        ]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def nudge(self) -> None:
        """Ends a pause: a space may have come that is to be read back before it sends."""
        if time.monotonic() - self._nudged_at > IDLE_PAUSE:
            self._nudged_at = time.monotonic()
            self._nudged.set()

    def stop(self, timeout: float) -> None:
        """Ends the threads after what they are reading, ``timeout`` seconds for each at most."""
        self._stopped.set()
        self._nudged.set()
        for thread in self._threads:
            thread.join(timeout)

    def _run(self, looker: str) -> None:
        not_before = [0.0] * len(self._provers)
        while not self._stopped.is_set():
            if self._nudged.wait(max(0.0, min(not_before) - time.monotonic())):
                self._nudged.clear()
                not_before = [0.0] * len(self._provers)
            for place, prover in enumerate(self._provers):
                if time.monotonic() >= not_before[place] and not self._stopped.is_set():
                    not_before[place] = time.monotonic() + self._look(prover, looker)

    def _look(self, prover: Prover, looker: str) -> float:
        """One look; seconds until the next one at the same partition."""
        try:
            return 0.0 if prover.look(looker) else self._idle_pause
        except LedgerUnavailable:
            return IDLE_PAUSE
        except Exception as error:  # noqa: BLE001 - doubts are settled by no one else
            emit(events.StepFailed(part="reading back", pause=FAILED_PAUSE), error=error)
            return FAILED_PAUSE
