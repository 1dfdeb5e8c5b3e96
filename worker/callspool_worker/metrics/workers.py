"""What `callspool worker` serves of its processes: what they report, added up, and its probes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.registry import Collector

from callspool.errors import QueueUnavailable
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.servers import locate_partition
from callspool_worker.liveness import ProcessStats, read_vitals
from callspool_worker.metrics.definitions import counter, family_of, gauge
from callspool_worker.metrics.exporter import TIMEOUT, MetricsPage, MetricsServer, Pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from callspool.settings import Settings
    from callspool_worker.metrics.definitions import Values


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


class WorkerStats:
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
        """Takes the vital signs that a process reported."""
        read = read_vitals(vitals)
        if read is not None:
            with self._lock:
                self._reports[incarnation] = _ProcessReport(read, self._clock())

    def on_end(self, incarnation: str) -> None:
        """Keeps what a process counted that is gone."""
        with self._lock:
            self._ends += 1
            last = self._reports.pop(incarnation, None)
            if last is not None:
                for name in _GROWING:
                    _add(self._gone, last.vitals, name)

    def totals(self) -> Totals:
        """Returns what the processes report, together."""
        now, found = self._clock(), ProcessStats()
        with self._lock:
            for name in _GROWING:
                _add(found, self._gone, name)
            for report in self._reports.values():
                _add_all(found, report.vitals, now - report.at)
            return Totals(found, self._ends)

    def ready(self) -> int:
        """Returns how many processes work, by their own word of a moment ago."""
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


DESERTED = 15.0
"""Seconds without any process after which this supervisor counts as dead: longer than a restart."""

DEFINITIONS = (
    gauge(
        "callspool_worker_requests_in_flight",
        "Requests to the API on their way, reads included.",
        ("account",),
    ),
    gauge("callspool_worker_threads", "Threads that accept and submit."),
    gauge("callspool_worker_busy_threads", "Those of them that do so now."),
    gauge("callspool_worker_connections", "API connections: idle, busy.", ("state",)),
    gauge(
        "callspool_worker_limit",
        "Requests that the account may have in flight, as this worker last saw it.",
        ("account",),
    ),
    gauge(
        "callspool_worker_sweep_lag_seconds",
        "Age of the last finished sweep, of the process where it is oldest.",
    ),
    counter(
        "callspool_worker_messages_accepted_total",
        "Messages of producers accepted by these processes.",
    ),
    counter("callspool_worker_restarts_total", "Processes that ended and were started again."),
    counter(
        "callspool_worker_log_lines_dropped_total", "Lines of the log that its rate limit left out."
    ),
    gauge("callspool_worker_processes", "Worker processes alive."),
    counter(
        "callspool_worker_process_cpu_seconds_total",
        "User and system time of these processes, those that are gone included.",
    ),
    gauge(
        "callspool_worker_process_resident_memory_bytes",
        "Resident memory of these processes together.",
    ),
    gauge(
        "callspool_worker_process_open_fds", "Open file descriptors of these processes together."
    ),
)


class WorkerStatsCollector(Collector):
    """The processes' reports as metrics; ``alive`` tells how many processes there are."""

    def __init__(self, stats: WorkerStats, alive: Callable[[], int]) -> None:
        self._stats = stats
        self._alive = alive

    def collect(self) -> Iterator[Metric]:
        """Yields the families, as the processes reported last."""
        samples = self._samples()
        for definition in DEFINITIONS:
            yield family_of(definition, samples[definition.name])

    def _samples(self) -> dict[str, Values]:
        vitals, restarts = self._stats.totals()
        found: dict[str, float] = {
            "threads": vitals.threads,
            "busy_threads": vitals.busy_threads,
            "sweep_lag_seconds": vitals.sweep_age,
            "messages_accepted_total": vitals.messages_accepted,
            "restarts_total": restarts,
            "log_lines_dropped_total": vitals.log_lines_dropped,
            "processes": self._alive(),
            "process_cpu_seconds_total": vitals.cpu_seconds,
            "process_resident_memory_bytes": vitals.memory_bytes,
            "process_open_fds": vitals.open_fds,
        }
        return {
            **{f"callspool_worker_{name}": {(): number} for name, number in found.items()},
            "callspool_worker_requests_in_flight": {
                (account,): number for account, number in vitals.in_flight.items()
            },
            "callspool_worker_limit": {
                (account,): limit for account, limit in vitals.limits.items()
            },
            "callspool_worker_connections": {
                ("idle",): vitals.connections_idle,
                ("busy",): vitals.connections_busy,
            },
        }


class Probes:
    """Whether a supervisor's processes live, and whether they can work. ``ping`` asks Redis."""

    def __init__(
        self,
        stats: WorkerStats,
        alive: Callable[[], int],
        ping: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stats = stats
        self._alive = alive
        self._ping = ping
        self._clock = clock
        self._seen_alive_at = clock()

    def healthz(self) -> MetricsPage:
        """Answers no where a restart may help: no process for a while, or a sweep that hangs."""
        if self._alive():
            self._seen_alive_at = self._clock()
        elif self._clock() - self._seen_alive_at > DESERTED:
            return MetricsPage(is_well=False, text="no worker process lives: see the log")
        wedged = self._stats.seconds_wedged()
        if wedged:
            return MetricsPage(is_well=False, text=f"a process has not swept for {wedged:.0f} s")
        return MetricsPage(is_well=True, text="ok")

    def readyz(self) -> MetricsPage:
        """Answers no while nothing can be sent: Redis is away, or no process works yet."""
        try:
            self._ping()
        except QueueUnavailable as reason:
            return MetricsPage(is_well=False, text=str(reason))
        if not self._stats.ready():
            return MetricsPage(is_well=False, text="no worker process is ready")
        return MetricsPage(is_well=True, text="ok")


@contextmanager
def serving(settings: Settings, stats: WorkerStats, alive: Callable[[], int]) -> Iterator[None]:
    """Serves metrics and probes of a supervisor's processes while the context lasts.

    Raises `SettingsError` where the address cannot be listened on.
    """
    with locate_partition(settings.redis_url, TIMEOUT).client() as client:
        probes = Probes(stats, alive, LedgerReader(client).check_writes)
        pages = Pages(WorkerStatsCollector(stats, alive), probes.healthz, probes.readyz)
        server = MetricsServer(
            settings.metrics_host, settings.metrics_port, pages, setting="--metrics-port"
        )
        server.start()
        try:
            yield
        finally:
            server.close()
