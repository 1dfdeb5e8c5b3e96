"""The exporter: the whole installation, read from the ledger at each scrape."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from callspool.errors import QueueUnavailable
from callspool.ledger.readings import Readings
from callspool.spooling.options import server_of
from callspool_worker.metrics.collector import LedgerCollector
from callspool_worker.metrics.serving import MetricsServer, Page, Pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool.settings import Settings

TIMEOUT = 2.0
"""Seconds for each step of asking Redis: a scrape has ten, as a rule."""


@contextmanager
def exporter(settings: Settings) -> Iterator[MetricsServer]:
    """Serves the ledger while the context lasts; Redis may come and go meanwhile.

    Raises `SettingsError` where the address cannot be listened on.
    """
    with server_of(settings.redis_url, TIMEOUT).client() as client:
        readings = Readings(client)

        def readyz() -> Page:
            try:
                readings.now_ms()
            except QueueUnavailable as reason:
                return Page(is_well=False, text=str(reason))
            return Page(is_well=True, text="ok")

        pages = Pages(
            metrics=LedgerCollector(readings.metrics, settings.max_waiting),
            healthz=lambda: Page(is_well=True, text="ok"),
            readyz=readyz,
        )
        server = MetricsServer(
            settings.exporter_host, settings.exporter_port, pages, setting="--port"
        )
        server.start()
        try:
            yield server
        finally:
            server.close()
