"""How the API's servers are at the moment: a fault file may change it as time goes by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool_sandbox.faults.model import FaultFile, ServerTraits


class Ways:
    """The `server` part of a fault file with those of its `changes` that have come."""

    def __init__(self, file: FaultFile) -> None:
        self._states = file.states()
        self._started = time.monotonic()

    def running(self) -> float:
        """Seconds since the sandbox was ready, which no skew touches."""
        return time.monotonic() - self._started

    @property
    def now(self) -> ServerTraits:
        """How the server is now."""
        while len(self._states) > 1 and self._states[1][0] <= self.running():
            self._states.pop(0)
        return self._states[0][1]

    @property
    def servers(self) -> int:
        """How many servers there are; requests go to them in turn."""
        return max(len(server.skews) for _, server in self._states)

    def skew(self, server: int) -> float:
        """Seconds that a server's clock is ahead."""
        skews = self.now.skews
        return skews[server % len(skews)]
