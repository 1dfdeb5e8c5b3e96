"""The worker processes of one supervisor: what they report, added up so that no count goes back."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from callspool_worker.liveness.heartbeat import ProcessStats, read_vitals

if TYPE_CHECKING:
    from collections.abc import Callable

FRESH = 10.0
"""Seconds after which a report says nothing of the present any more."""

WEDGED = 30.0
"""Seconds in which every process has swept in good order, or has found that Redis is away."""

_GROWING = ("messages_accepted", "log_lines_dropped", "cpu_seconds")


@dataclass(slots=True)
class _ProcessReport:
    vitals: ProcessStats
    at: float


class Totals(NamedTuple):
    """All processes together. ``vitals`` holds sums, of ages the longest; what only grows includes
    processes that are gone."""

    vitals: ProcessStats
    restarts: int


class Crew:
    """Listens to the processes (a supervisor's ``witness``). Safe among threads.

    A report that went unheard with its process is missing from the counts, but none is taken back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reports: dict[str, _ProcessReport] = {}
        self._gone = ProcessStats()
        self._ends = 0

    def on_report(self, incarnation: str, vitals: bytes) -> None:
        """A process told its vital signs."""
        read = read_vitals(vitals)
        if read is not None:
            with self._lock:
                self._reports[incarnation] = _ProcessReport(read, self._clock())

    def on_end(self, incarnation: str) -> None:
        """A process is gone: what it counted stays."""
        with self._lock:
            self._ends += 1
            last = self._reports.pop(incarnation, None)
            if last is not None:
                for name in _GROWING:
                    _add(self._gone, last.vitals, name)

    def totals(self) -> Totals:
        """What the processes report, together."""
        now, found = self._clock(), ProcessStats()
        with self._lock:
            for name in _GROWING:
                _add(found, self._gone, name)
            for report in self._reports.values():
                _add_all(found, report.vitals, now - report.at)
            return Totals(found, self._ends)

    def ready(self) -> int:
        """How many processes work, by their own word of a moment ago."""
        now = self._clock()
        with self._lock:
            return sum(now - report.at < FRESH for report in self._reports.values())

    def seconds_wedged(self) -> float:
        """For how many seconds the sweep of some process hangs or fails; 0 if none does so long."""
        now = self._clock()
        with self._lock:
            ages = [each.vitals.wedged_for + now - each.at for each in self._reports.values()]
        longest = max(ages, default=0.0)
        return longest if longest > WEDGED else 0.0


def _add(total: ProcessStats, more: ProcessStats, name: str) -> None:
    setattr(total, name, getattr(total, name) + getattr(more, name))


def _add_all(total: ProcessStats, more: ProcessStats, silent_for: float) -> None:
    for name in (
        *_GROWING,
        "threads",
        "busy_threads",
        "connections_idle",
        "connections_busy",
        "memory_bytes",
        "open_fds",
    ):
        _add(total, more, name)
    for account, number in more.in_flight.items():
        total.in_flight[account] = total.in_flight.get(account, 0) + number
    for account, limit in more.limits.items():
        total.limits[account] = max(limit, total.limits.get(account, 0.0))
    total.sweep_age = max(total.sweep_age, more.sweep_age + silent_for)
