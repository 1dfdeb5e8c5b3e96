"""The exporter: the whole installation, read from the ledger at each scrape."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from callspool.errors import QueueUnavailable
from callspool.redis_io.servers import server_of
from callspool_ledger.errors import describe_mismatch
from callspool_ledger.reads.reader import LedgerReader, connect_partitions
from callspool_ledger.reads.summary import read_partitions
from callspool_worker.metrics.collector import LedgerCollector
from callspool_worker.metrics.serving import MetricsPage, MetricsServer, Pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool.settings import Settings
    from callspool_ledger.reads.snapshot import Snapshot

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
