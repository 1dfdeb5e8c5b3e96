"""Proving: spaces with documents in doubt are read back, one look at one space at a time."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from callspool_worker.proving.api_lists import SpaceReader
from callspool_worker.proving.look import Inquiry
from callspool_worker.proving.run_reader import RunMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callspool_ledger.writes import Ledger, SpaceLook
    from callspool_ledger.writes.proof_calls import Readable
    from callspool_worker.decisions.answers import Answer
    from callspool_worker.proving.api_lists import Get
    from callspool_worker.proving.proof_settings import Proving

BROKEN_OFF_PAUSE = 1.0
"""Seconds until a look that was broken off is made again."""

SIGN_OF_LIFE = 2.0
"""Seconds between two signs that a look goes on."""


class Prover:
    """Reads spaces back. Threads may share it.

    ``get`` reads a path of the API: (account, path, query) → answer.
    """

    def __init__(
        self,
        ledger: Ledger,
        get: Callable[[str, tuple[str, ...], Mapping[str, str | int]], Answer],
        how: Proving,
    ) -> None:
        self._ledger = ledger
        self._get = get
        self._how = how
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
        inquiry = Inquiry(self._ledger, space, reader, self._memory, self._how)
        # A look that this process or Redis breaks off says nothing about the API.
        outcome: tuple[float, Readable] = BROKEN_OFF_PAUSE, "read"
        try:
            outcome = inquiry.make()
        finally:
            pause, read = outcome
            looked = self._ledger.calls.end_look(
                looker,
                space.key,
                math.ceil(pause * 1000),
                read=read,
                stuck=inquiry.stuck,
            )
            self._ledger.run([looked])
        return True
