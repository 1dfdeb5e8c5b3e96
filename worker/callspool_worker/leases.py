"""Leases: how long an attempt may take before its documents count as in doubt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MARGIN = 10.0
"""Seconds beyond the request's own limit: for what is recorded after the answer."""


def longest_stop(request_timeout: float) -> float:
    """Seconds in which a worker that is told to stop has certainly finished what it sent."""
    return 2 * (request_timeout + MARGIN)


@dataclass(slots=True)
class LeaseWatch:
    """Tells which takes were seen unchanged for a whole lease, by one observer's own clock.

    ``lease`` in seconds. Nobody's wall clock takes part, so a jump of any clock frees nothing.
    """

    lease: float
    _since: dict[tuple[str, str], float] = field(default_factory=dict)

    def look_away(self) -> None:
        """Forgets what was seen: while nobody looks, holders cannot report either."""
        self._since.clear()

    def overdue(self, sending: Mapping[str, str], now: float) -> list[tuple[str, str]]:
        """The takes (taker, ``batch:attempt``) that are over their lease at ``now``."""
        held = {take: self._since.get(take, now) for take in sending.items()}
        self._since = held
        return [take for take, since in held.items() if now - since >= self.lease]
