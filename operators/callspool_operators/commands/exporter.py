"""`callspool exporter`: the metrics of the whole installation, until it is told to stop."""

from __future__ import annotations

import os
import signal
import threading

import click

from callspool.settings import load_settings
from callspool_operators.options.options import redis_option
from callspool_worker.metrics.exporter import exporter as serving
from callspool_worker.metrics.serving import url_of

_EXAMPLES = """\b
Examples:
  callspool exporter
  callspool exporter --host 0.0.0.0 --port 9191 --redis redis://queue.example:6379/0
"""
POLL = 0.5
"""Seconds between two looks for a signal that another thread received."""


@click.command("exporter", epilog=_EXAMPLES)
@click.option(
    "--port",
    type=int,
    metavar="N",
    help="Port to listen on (9191); 0 takes a free one. [CALLSPOOL_EXPORTER_PORT]",
)
@click.option(
    "--host", metavar="HOST", help="Address to listen on (127.0.0.1). [CALLSPOOL_EXPORTER_HOST]"
)
@redis_option
def exporter(port: int | None, host: str | None, redis_url: str | None) -> None:
    """Serve the metrics of the whole installation to Prometheus.

    /metrics is read from the ledger at each scrape; /healthz says that the exporter lives, /readyz
    that Redis answers it. Any number of exporters may run; none changes anything. SIGTERM or
    Ctrl-C ends it.
    """
    flags = {"exporter_port": port, "exporter_host": host, "redis_url": redis_url}
    settings = load_settings(os.environ, overrides=flags)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with serving(settings) as server:
        url = url_of(settings.exporter_host, server.port)
        click.echo(f"callspool exporter listening on {url}/metrics")
        while not stopped.wait(POLL):
            pass
