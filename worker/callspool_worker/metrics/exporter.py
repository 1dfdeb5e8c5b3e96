"""The exporter: the whole installation, read from the ledger at each scrape."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from callspool.errors import QueueUnavailable
from callspool.redis_io.servers import server_of
from callspool_ledger.errors import describe_mismatch
from callspool_ledger.reads.all_partitions import clients_of, readings_of
from callspool_worker.metrics.collector import LedgerCollector
from callspool_worker.metrics.serving import MetricsPage, MetricsServer, Pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool.settings import Settings
    from callspool_ledger.reads.metrics import Snapshot
    from callspool_ledger.reads.reader import Readings

TIMEOUT = 2.0
"""Seconds for each step of asking Redis: a scrape has ten, as a rule."""


@contextmanager
def exporter(settings: Settings, host: str, port: int) -> Iterator[MetricsServer]:
    """Serves the ledger there while the context lasts; Redis may come and go meanwhile.

    Raises `SettingsError` where the address cannot be listened on.
    """
    with ExitStack() as stack:
        clients = clients_of(server_of(settings.redis_url, TIMEOUT), settings.partitions)
        for client in clients:
            stack.callback(client.close)
        readings = readings_of(clients)

        def readyz() -> MetricsPage:
            try:
                _check(readings, len(clients))
            except QueueUnavailable as reason:
                return MetricsPage(is_well=False, text=str(reason))
            return MetricsPage(is_well=True, text="ok")

        pages = Pages(
            metrics=LedgerCollector(
                partial(_metrics, readings, len(clients)), settings.max_waiting * len(clients)
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


def _metrics(readings: Readings, partitions: int) -> Snapshot:
    _check(readings, partitions)
    return readings.metrics()


def _check(readings: Readings, partitions: int) -> None:
    """Raises `QueueUnavailable` where some partitions would be left out, or nothing answers."""
    known = readings.partitions()
    if known not in {0, partitions}:
        raise QueueUnavailable(describe_mismatch(known, partitions))
