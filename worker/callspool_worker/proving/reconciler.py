"""The threads that look: each worker process has some, and each looks at one space at a time."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from callspool_ledger.writes import LedgerUnavailable
from callspool_worker import events
from callspool_worker.events.event import emit
from callspool_worker.proving.api_lists import SpaceReader
from callspool_worker.proving.look import OneLook
from callspool_worker.proving.run_reader import RunMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from callspool_ledger.guard import Guard
    from callspool_ledger.writes import Ledger, SpaceLook
    from callspool_ledger.writes.follow_calls import Readable
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.proving.api_lists import Get
    from callspool_worker.proving.questions import ProofSettings


BROKEN_OFF_PAUSE = 1.0
"""Seconds until a look that was broken off is made again."""

SIGN_OF_LIFE = 2.0
"""Seconds between two signs that a look goes on."""


class SpaceProver:
    """Reads spaces back. Threads may share it.

    ``get`` reads a path of the API: (account, path, query) → answer. ``guard`` counts the calls
    that Redis forgot.
    """

    def __init__(
        self,
        ledger: Ledger,
        get: Callable[[str, tuple[str, ...], Mapping[str, str | int]], Answer],
        how: ProofSettings,
        guard: Guard | None = None,
    ) -> None:
        self._ledger = ledger
        self._get = get
        self._how = how
        self._guard = guard
        self._memory = RunMemory()

    def _reading(self, looker: str, space: SpaceLook) -> Get:
        """Reads for one look, and shows now and then that it goes on."""
        told_at = time.monotonic()

        def get(path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
            nonlocal told_at
            answer = self._get(space.account, path, query)
            if time.monotonic() - told_at > SIGN_OF_LIFE:
                told_at = time.monotonic()
                self._ledger.run([self._ledger.calls.keep_looking(looker, space.key)])
            return answer

        return get

    def look(self, looker: str) -> bool:
        """Looks at the space that is due first, if one is; tells whether one was.

        ``looker`` names this thread among all that ever were. Raises `LedgerUnavailable`.
        """
        space = self._ledger.look(looker, self._how.accounts)
        if space is None:
            return False
        reader = SpaceReader(space.space_token, self._reading(looker, space))
        look = OneLook(self._ledger, space, reader, self._memory, self._how, self._guard)
        # A look that this process or Redis breaks off says nothing about the API.
        outcome: tuple[float, Readable] = BROKEN_OFF_PAUSE, "read"
        try:
            outcome = look.make()
        finally:
            pause, read = outcome
            looked = self._ledger.calls.end_look(
                looker,
                space.key,
                math.ceil(pause * 1000),
                read=read,
                stuck=look.stuck,
            )
            self._ledger.run([looked])
        return True


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

    def __init__(self, provers: Sequence[SpaceProver], incarnation: str) -> None:
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

    def _look(self, prover: SpaceProver, looker: str) -> float:
        """One look; seconds until the next one at the same partition."""
        try:
            return 0.0 if prover.look(looker) else self._idle_pause
        except LedgerUnavailable:
            return IDLE_PAUSE
        except Exception as error:  # noqa: BLE001 - doubts are settled by no one else
            emit(events.StepFailed(part="reading back", pause=FAILED_PAUSE), error=error)
            return FAILED_PAUSE
