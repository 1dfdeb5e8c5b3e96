"""From the ledger at one moment to the families that Prometheus reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from callspool.errors import QueueUnavailable
from callspool_worker.metrics.definitions import BY_NAME, DEFINITIONS
from callspool_worker.metrics.families import family_of
from callspool_worker.metrics.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from callspool_ledger.reads.snapshot import Snapshot


class LedgerCollector(Collector):
    """Reads the ledger at each scrape. ``read`` raises `QueueUnavailable` while Redis is away.

    ``max_waiting``: the setting, in documents.
    """

    def __init__(self, read: Callable[[], Snapshot], max_waiting: int) -> None:
        self._read = read
        self._max_waiting = max_waiting

    def collect(self) -> Iterator[Metric]:
        """The families; of the ledger's only those that Redis could be asked for."""
        begun = time.perf_counter()
        try:
            snapshot = self._read()
        except QueueUnavailable:
            snapshot = None
        yield _gauge("callspool_up", 1)
        yield _gauge("callspool_redis_up", 0 if snapshot is None else 1)
        yield _gauge("callspool_scrape_seconds", time.perf_counter() - begun)
        if snapshot is None:
            return
        samples = samples_of(snapshot, self._max_waiting)
        for definition in DEFINITIONS:
            if definition.name in samples:
                yield family_of(definition, samples[definition.name])

    def describe(self) -> Iterator[Metric]:
        """The families without values, so that nothing is read when the collector is registered."""
        for definition in DEFINITIONS:
            yield family_of(definition, {})


def _gauge(name: str, value: float) -> Metric:
    return family_of(BY_NAME[name], {(): value})
