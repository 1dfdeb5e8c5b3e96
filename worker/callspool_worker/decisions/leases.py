"""Leases: how long an attempt may take before its documents count as in doubt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


MARGIN = 10.0
"""Seconds beyond the request's own limit: for what is recorded after the answer."""


def longest_stop(request_timeout: float) -> float:
    """Returns seconds within which a worker that stops has certainly finished what it sent."""
    return 2 * (request_timeout + MARGIN)


Take = tuple[str, str]
"""A taker, and what it holds: ``batch:attempt``."""


@dataclass(slots=True)
class LeaseWatch:
    """Tells which takes were seen unchanged for a whole lease, by one observer's own clock.

    Every take has the lease of the worker that made it; ``lease`` is that of takes which name none,
    in seconds. No wall clock takes part, so a jump of any clock frees nothing.
    """

    lease: float
    _seen: dict[Take, tuple[float, float]] = field(default_factory=dict)

    def look_away(self) -> None:
        """Forgets what was seen: while nobody looks, holders cannot report either."""
        self._seen.clear()

    def overdue(
        self,
        sending: Mapping[str, str],
        now: float,
        leases: Callable[[Sequence[str]], Sequence[float | None]],
    ) -> list[Take]:
        """Returns the takes whose lease is over at ``now``; ``leases``: those of new takes."""
        new = [take for take in sending.items() if take not in self._seen]
        asked = leases([held for _, held in new]) if new else ()
        for take, lease in zip(new, asked, strict=True):
            self._seen[take] = now, self.lease if lease is None else lease
        self._seen = {take: self._seen[take] for take in sending.items()}
        return [take for take, (since, lease) in self._seen.items() if now - since >= lease]
