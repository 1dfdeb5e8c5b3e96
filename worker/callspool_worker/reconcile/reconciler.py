"""The threads that look: each worker process has some, and one space has one looker at a time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from callspool_worker import events
from callspool_worker.ledger import LedgerUnavailable
from callspool_worker.telling import tell

if TYPE_CHECKING:
    from callspool_worker.reconcile.prover import Prover

LOOKERS = 2
"""Threads that read back in each process, so that one slow space does not hold up the others."""

IDLE_PAUSE = 0.5
"""Seconds until the next look for a space that is due."""

FAILED_PAUSE = 5.0


class Reconciler:
    """Looks at spaces with documents in doubt until it is stopped."""

    def __init__(self, prover: Prover, incarnation: str) -> None:
        self._prover = prover
        self._stopped = threading.Event()
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

    def stop(self, timeout: float) -> None:
        """Ends the threads after what they are reading, ``timeout`` seconds for each at most."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout)

    def _run(self, looker: str) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            try:
                pause = 0.0 if self._prover.look(looker) else IDLE_PAUSE
            except LedgerUnavailable:
                pause = IDLE_PAUSE
            except Exception as error:  # noqa: BLE001 - doubts are settled by no one else
                tell(events.Failed(part="reading back", pause=FAILED_PAUSE), error=error)
                pause = FAILED_PAUSE
