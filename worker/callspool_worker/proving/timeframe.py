"""Which runs can be an attempt's, by the server's clock and ours: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool_worker.proving.records import Question, RunSeen

SLACK = 30.0
"""Seconds by which clocks may differ beyond what is known of them."""

UNKNOWN_ZONE = 15 * 3600.0
"""Seconds by which times may be off while nothing tells their zone, or the server's clock."""

ZONE_STEP = 900.0
"""Zones differ by whole quarters of an hour."""

LONGEST_DELAY = 60.0
"""Seconds between an attempt's begin and its run's, usually at most."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clock that runs are dated by, against Redis': it is ``low`` to ``high`` seconds ahead.

    ``slack``: seconds by which even that may be wrong. Wherever two readings of a run's time are
    possible, the one counts by which less is concluded.
    """

    low: float
    high: float
    slack: float = SLACK

    @property
    def offset(self) -> float:
        """Seconds ahead, by which a run began as late as it can have."""
        return self.low

    def may_be_of(self, run: RunSeen, question: Question, quiet: float) -> bool:
        """Whether a run began while the attempt may have made it; yes if it tells no time."""
        if run.created is None:
            return True
        until = question.since_ms / 1000 + quiet
        latest, earliest = run.created - self.low, run.created - self.high
        return question.begin_ms / 1000 - self.slack <= latest and earliest <= until + self.slack

    def is_before(self, run: RunSeen, moment_ms: float) -> bool:
        """Whether a run certainly began before a moment of Redis' clock."""
        return run.created is not None and run.created - self.low < moment_ms / 1000 - self.slack


def clocks(
    server_date: float | None, now: float, runs: Iterable[RunSeen], known: Mapping[str, float]
) -> Clocks:
    """What is known of the clock that runs are dated by.

    ``server_date`` is what the server said at ``now`` (both seconds since 1970). ``known``: runs
    whose attempt is known, with the time of its begin in ms of Redis' clock. Their runs began soon
    after that, which shows how far off the times of runs are, whatever their zone.
    """
    dated = [run for run in runs if run.created is not None]
    ahead = [
        run.created - known[run.run_id] / 1000
        for run in dated
        if run.created is not None and run.run_id in known
    ]
    zoned = all(run.zoned for run in dated)
    if server_date is None:
        if not ahead:
            return Clocks(0.0, 0.0, UNKNOWN_ZONE)
        return Clocks(min(ahead) - LONGEST_DELAY, max(ahead))
    offset = server_date - now
    if zoned:
        return _dated_by(offset, ahead)
    if not ahead:
        return Clocks(offset, offset, UNKNOWN_ZONE)
    shifts = [round((each - offset) / ZONE_STEP) * ZONE_STEP for each in ahead]
    return Clocks(offset + min(shifts), offset + max(shifts))


def _dated_by(offset: float, ahead: list[float]) -> Clocks:
    """The clock of ``Date``, unless runs are dated by another one."""
    least = min(ahead, default=offset)
    if abs(least - offset) <= SLACK:
        return Clocks(offset, offset)
    return Clocks(min(offset, least), max(offset, least))
