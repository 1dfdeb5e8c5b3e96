"""`callspool exporter`: the metrics of the whole installation, until it is told to stop."""

from __future__ import annotations

import os
import signal
import threading

import click

from callspool.settings import load_settings
from callspool.settings.kinds import ListenAddress, Whole
from callspool_operators.options.options import redis_option
from callspool_operators.options.parsing import as_setting
from callspool_worker.metrics.exporter import exporter as serving
from callspool_worker.metrics.exporter import url_of

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
    callback=as_setting(Whole(0, 65_535)),
    metavar="N",
    default="9191",
    help="Port to listen on (9191); 0 takes a free one.",
)
@click.option(
    "--host",
    callback=as_setting(ListenAddress()),
    metavar="HOST",
    default="127.0.0.1",
    help="Address to listen on (127.0.0.1).",
)
@redis_option
def exporter(port: int, host: str, redis_url: str | None) -> None:
    """Serve the metrics of the whole installation to Prometheus.

    /metrics is read from the ledger at each scrape; /healthz says that the exporter lives, /readyz
    that Redis answers it. Any number of exporters may run; none changes anything. SIGTERM or
    Ctrl-C ends it.
    """
    settings = load_settings(os.environ, overrides={"redis_url": redis_url})
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with serving(settings, host, port) as server:
        url = url_of(host, server.port)
        click.echo(f"callspool exporter listening on {url}/metrics")
        while not stopped.wait(POLL):
            pass
