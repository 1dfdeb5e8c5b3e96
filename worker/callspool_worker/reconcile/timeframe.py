"""Which runs can be an attempt's, by the server's clock and ours: pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool_worker.reconcile.sightings import Question, RunSeen

SLACK = 30.0
"""Seconds by which clocks may differ beyond what is known of them."""

UNKNOWN_ZONE = 15 * 3600.0
"""Seconds by which a time without a zone may be off while nothing tells its zone."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The server's clock against Redis'.

    ``offset``: seconds that the server's is ahead. ``slack``: seconds by which that may be wrong.
    """

    offset: float
    slack: float = SLACK

    def may_be_of(self, run: RunSeen, question: Question, quiet: float) -> bool:
        """Whether a run began while the attempt may have made it; yes if it tells no time."""
        if run.created is None:
            return True
        began = run.created - self.offset
        until = question.since_ms / 1000 + quiet
        return question.sent_ms / 1000 - self.slack <= began <= until + self.slack

    def is_before(self, run: RunSeen, moment_ms: float) -> bool:
        """Whether a run certainly began before a moment of Redis' clock."""
        return run.created is not None and run.created - self.offset < moment_ms / 1000 - self.slack


def clocks(
    server_date: float | None, now: float, runs: Iterable[RunSeen], known: Mapping[str, float]
) -> Clocks:
    """What is known of the server's clock.

    ``server_date`` is what it said at ``now`` (both seconds since 1970). ``known``: runs whose
    creation was recorded, with that time in ms of Redis' clock: they show how far off the times
    of runs are, whatever their zone.
    """
    seen = list(runs)
    off = [
        run.created - known[run.run_id] / 1000
        for run in seen
        if run.created is not None and run.run_id in known
    ]
    if off:
        return Clocks(statistics.median(off))
    offset = server_date - now if server_date is not None else 0.0
    zoned = all(run.zoned for run in seen if run.created is not None)
    return Clocks(offset, SLACK if zoned else UNKNOWN_ZONE)
