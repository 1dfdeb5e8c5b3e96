"""When runs began, by what the lists of one space show of its servers' clocks: pure.

What is compared is never the server's clock with ours, but its times with each other. The newest
run of a list began before the list was read. So its time tells how far at least its server's clock
is ahead of ours (below 0: behind). Whatever an attempt made afterwards is dated by that clock, too.
The rule asks nothing of clocks but that they go on evenly, so the signs that one does not are
looked for; then more runs are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool_worker.proving.records import Question, RunSeen

SLACK = 2.5
"""Seconds by which even clocks that agree may differ, as ``Date`` is in whole seconds."""

AGREED = 150.0
"""Seconds before an attempt in which runs are read all the same, where all clocks agree."""

DISAGREED = 3900.0
"""The same where they do not: an hour of daylight saving, and five minutes."""

DATED = 30.0
"""Seconds by which a run without a mark may be dated outside of its attempt's time."""

LONGEST_DELAY = 60.0
"""Seconds between an attempt's begin and its run's, usually at most."""

BOUND_KEPT = 900.0
"""Seconds for which it counts what an earlier look showed of a clock."""

ZONE_STEP = 900.0
"""Zones differ by whole quarters of an hour."""

NEVER = float("-inf")

Node = int | None
"""A server, as ids name it; None for all whose ids do not."""


@dataclass(slots=True)
class ClockMemory:
    """What looks at a space have shown of its servers' clocks: for each the least that it is ahead
    of ours and when that was seen, and how far ``Date`` was ahead last."""

    ahead: dict[Node, tuple[float, float]] = field(default_factory=dict)
    date_ahead: float | None = None


class LookClock:
    """The clocks of one look. ``known``: runs whose attempt is known, with its begin in ms."""

    def __init__(self, memory: ClockMemory, known: Mapping[str, float]) -> None:
        self._memory = memory
        self._known = known
        self._ahead: dict[Node, float] = {}
        self._samples: dict[Node, float] = {}
        self._last: float | None = None
        self._falls = self._rises = 0.0
        self._date_ahead: float | None = None
        self._date_jumped = False

    def see(self, page: Iterable[RunSeen], now: float, server_date: float | None) -> None:
        """Learns from a page of runs, in their order, that was there at ``now`` by our clock."""
        if server_date is not None:
            self._see_date(server_date - now)
        for run in page:
            if run.moment is None:
                continue
            self._follow_order(run.moment)
            self._ahead[run.node] = max(run.moment - now, self._ahead.get(run.node, NEVER))
            if run.run_id in self._known:
                sample = run.moment - self._known[run.run_id] / 1000
                self._samples[run.node] = min(sample, self._samples.get(run.node, sample))
        self._remember(now)

    def _see_date(self, ahead: float) -> None:
        before = self._memory.date_ahead if self._date_ahead is None else self._date_ahead
        self._date_jumped |= before is not None and abs(ahead - before) > SLACK
        self._date_ahead = self._memory.date_ahead = ahead

    def _follow_order(self, moment: float) -> None:
        if self._last is not None:
            self._falls += max(0.0, self._last - moment)
            self._rises += max(0.0, moment - self._last)
        self._last = moment

    def _remember(self, now: float) -> None:
        kept = self._memory.ahead
        for node, ahead in self._ahead.items():
            earlier, at = kept.get(node, (ahead, now))
            if ahead >= earlier or not 0 <= now - at <= BOUND_KEPT or self._date_jumped:
                kept[node] = ahead, now

    @property
    def is_newest_first(self) -> bool:
        """Whether the list as it was seen falls: then what follows is older yet."""
        return self._falls > 4 * self._rises

    def agrees(self, question: Question | None = None) -> bool:
        """Whether nothing shows that a clock jumped, or is another one than that of ``Date``."""
        date_ahead = self._date_ahead
        if date_ahead is None or self._date_jumped:
            return False
        told = None if question is None else question.clock_ahead
        if told is not None and abs(told - date_ahead) > 2 * SLACK:
            return False
        if min(self._falls, self._rises) > SLACK:
            return False
        return all(
            ahead <= date_ahead + SLACK and ahead <= self._samples.get(node, ahead) + SLACK
            for node, ahead in self._ahead.items()
        )

    def earliest(self, node: Node, moment_ms: float) -> float:
        """The earliest time that a server may give to a run which began at ``moment_ms`` or later.

        What earlier looks showed is forgotten once clocks disagree.
        """
        ahead = self._ahead.get(node, 0.0)
        if self.agrees() and node in self._memory.ahead:
            ahead = max(ahead, self._memory.ahead[node][0])
        return moment_ms / 1000 + ahead - SLACK

    def is_likely(self, run: RunSeen, question: Question) -> bool:
        """Whether the attempt may have made a run, by all that is known; yes if it is undated."""
        return run.moment is None or run.moment >= self.earliest(run.node, question.begin_ms)

    def is_since(self, run: RunSeen, moment_ms: float, *, agreed: bool) -> bool:
        """Whether a run began at ``moment_ms`` or later; if ``agreed``, by the clock of Date."""
        if run.moment is None:
            return True
        earliest = self.earliest(run.node, moment_ms)
        if agreed and self._date_ahead is not None and (run.made is not None or run.zoned):
            earliest = max(earliest, moment_ms / 1000 + self._date_ahead - 2 * SLACK)
        return run.moment >= earliest

    def may_be(self, run: RunSeen, question: Question) -> bool:
        """Whether a run may be the attempt's if a clock jumped, as far as that is thinkable."""
        zone = AGREED if self.agrees(question) else DISAGREED
        return run.moment is None or run.moment >= self.earliest(run.node, question.begin_ms) - zone

    def is_past(self, run: RunSeen, moment_ms: float) -> bool:
        """Whether a run began before ``moment_ms``, whatever any clock shows."""
        if run.moment is None:
            return False
        zone = AGREED if self.agrees() else DISAGREED
        return run.moment < self.earliest(run.node, moment_ms) - zone

    def is_in_time(self, run: RunSeen, question: Question, quiet: float) -> bool:
        """Whether a run without a mark is dated in its attempt's time, as far as that is known."""
        if run.moment is None:
            return True
        low, high = self._span(run)
        begin, until = question.begin_ms / 1000, question.since_ms / 1000 + quiet
        return begin + low - DATED <= run.moment <= until + high + DATED

    def _span(self, run: RunSeen) -> tuple[float, float]:
        """From how far to how far the clock that dated a run is ahead of ours."""
        if run.node in self._samples:
            sample = self._samples[run.node]
            return sample - LONGEST_DELAY, sample
        if self._date_ahead is None or (run.made is None and not run.zoned):
            return NEVER, -NEVER
        return self._date_ahead, self._date_ahead
