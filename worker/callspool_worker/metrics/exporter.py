"""The exporter: it reads the ledger at each scrape and serves the whole installation."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from callspool.errors import QueueUnavailable
from callspool.redis_io.servers import server_of
from callspool_ledger.errors import describe_mismatch
from callspool_ledger.reads.reader import LedgerReader, connect_partitions
from callspool_ledger.reads.summary import read_partitions
from callspool_worker.metrics.definitions import BY_NAME, DEFINITIONS, family_of
from callspool_worker.metrics.samples import samples_of
from callspool_worker.metrics.serving import MetricsPage, MetricsServer, Pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from callspool.settings import Settings
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


TIMEOUT = 2.0
"""Seconds for each step of asking Redis: a scrape has ten, as a rule."""


@contextmanager
def exporter(settings: Settings, host: str, port: int) -> Iterator[MetricsServer]:
    """Serves the ledger there while the context lasts; Redis may come and go meanwhile.

    Raises `SettingsError` where the address cannot be listened on.
    """
    with ExitStack() as stack:
        clients = connect_partitions(server_of(settings.redis_url, TIMEOUT), settings.partitions)
        for client in clients:
            stack.callback(client.close)
        reader = LedgerReader(*clients)

        def readyz() -> MetricsPage:
            try:
                _check(reader, len(clients))
            except QueueUnavailable as reason:
                return MetricsPage(is_well=False, text=str(reason))
            return MetricsPage(is_well=True, text="ok")

        pages = Pages(
            metrics=LedgerCollector(
                partial(_metrics, reader, len(clients)), settings.max_waiting * len(clients)
            ),
            healthz=lambda: MetricsPage(is_well=True, text="ok"),
            readyz=readyz,
        )
        server = MetricsServer(host, port, pages, setting="--port")
        server.start()
        try:
            yield server
        finally:
            server.close()


def _metrics(reader: LedgerReader, partitions: int) -> Snapshot:
    _check(reader, partitions)
    return reader.metrics()


def _check(reader: LedgerReader, partitions: int) -> None:
    """Raises `QueueUnavailable` where some partitions would be left out, or nothing answers."""
    known = reader.ask(read_partitions())
    if known not in {0, partitions}:
        raise QueueUnavailable(describe_mismatch(known, partitions))
