"""`callspool worker` and `callspool exporter`: processes that work until they are told to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack, nullcontext

import click

from callspool.errors import QueueUnavailable
from callspool.settings import Settings, load_settings
from callspool.settings.kinds import LISTEN_ADDRESS, Whole
from callspool_ledger.webhooks import lease_endpoint
from callspool_ledger.writes import LedgerUnavailable, account_ledgers
from callspool_operators.local.tracking import ask_until_answered
from callspool_operators.options.clients import client_that_answers
from callspool_operators.options.options import redis_option
from callspool_operators.options.parsing import as_setting
from callspool_worker import events
from callspool_worker.api import check_start
from callspool_worker.decisions.leases import MARGIN, longest_stop
from callspool_worker.events.event import emit
from callspool_worker.logs import log_to_stderr
from callspool_worker.metrics.exporter import exporter as serve_metrics
from callspool_worker.metrics.exporter import url_of
from callspool_worker.metrics.workers import WorkerStats, serving
from callspool_worker.permits import give_up
from callspool_worker.processes.child import configuration
from callspool_worker.processes.supervisor import Supervisor
from callspool_worker.sweeping import lapse_all
from callspool_worker.webhooks.delivery import check_signing

_EXPORTER_EXAMPLES = """\b
Examples:
  callspool exporter
  callspool exporter --host 0.0.0.0 --port 9191 --redis redis://queue.example:6379/0
"""
POLL = 0.5
"""Seconds between two looks for a signal that another thread received."""


@click.command("exporter", epilog=_EXPORTER_EXAMPLES)
@click.option(
    "--port",
    callback=as_setting(Whole(0, 65_535)),
    metavar="N",
    default="9191",
    help="Port to listen on (9191); 0 takes a free one.",
)
@click.option(
    "--host",
    callback=as_setting(LISTEN_ADDRESS),
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
    with serve_metrics(settings, host, port) as server:
        url = url_of(host, server.port)
        click.echo(f"callspool exporter listening on {url}/metrics")
        while not stopped.wait(POLL):
            pass


_EXAMPLES = """\b
Examples:
  callspool worker
  callspool worker --processes 4 --threads 8 --redis redis://queue.example:6379/0
"""
PAUSE = 0.5
"""Seconds between two tries to tell the ledger of a dead worker."""
FIRST_PATIENCE = 5.0
"""Seconds for which a worker that starts waits for the first answer of Redis."""


@click.command("worker", epilog=_EXAMPLES)
@click.option(
    "--processes", type=int, metavar="N", help="Worker processes (2). [CALLSPOOL_PROCESSES]"
)
@click.option(
    "--threads", type=int, metavar="N", help="Threads of each process (8). [CALLSPOOL_THREADS]"
)
@click.option(
    "--metrics-port",
    type=int,
    metavar="N",
    help="Port for the metrics and probes of these processes (0: none). [CALLSPOOL_METRICS_PORT]",
)
@redis_option
def worker(
    processes: int | None, threads: int | None, metrics_port: int | None, redis_url: str | None
) -> int:
    """Run the workers that send what is in the queue.

    SIGTERM or Ctrl-C ends them: they finish requests under way and give the rest back. A second
    Ctrl-C ends them at once; documents that were being sent are then in doubt.
    """
    flags = {
        "processes": processes,
        "threads": threads,
        "metrics_port": metrics_port,
        "redis_url": redis_url,
    }
    settings = load_settings(os.environ, overrides=flags)
    refuse_what_cannot_work(settings)
    log_to_stderr(settings.log_level)
    is_watched = settings.metrics_port > 0
    stats = WorkerStats()
    supervisor = Supervisor(
        config=configuration(settings, vitals=is_watched),
        processes=settings.processes,
        stop_timeout=longest_stop(settings.request_timeout),
        on_child_death=lambda incarnation: put_in_doubt(settings, incarnation),
        witness=stats,
    )
    with serving(settings, stats, supervisor.alive) if is_watched else nullcontext():
        code = supervisor.run()
    if supervisor.failure is not None:
        raise supervisor.failure
    return code


def refuse_what_cannot_work(settings: Settings) -> None:
    """Raises `CallspoolError` where every worker would fail: without account, TLS or Redis."""
    if not settings.accounts:
        settings.account()
    check_start(settings.accounts)
    check_signing(settings.webhooks)
    ask_until_answered(lambda: _greet(settings.redis_url), patience=FIRST_PATIENCE)


def _greet(redis_url: str) -> None:
    with client_that_answers(redis_url):
        pass


def put_in_doubt(settings: Settings, incarnation: str) -> None:
    """Puts in doubt what a dead worker had taken, at once and not when its lease is over.

    Tries until Redis answers, or until the lease is over: then other workers have seen it.
    """
    left = set(range(settings.partitions))
    give_up_at = time.monotonic() + settings.request_timeout + MARGIN
    while True:
        try:
            _put_in_doubt(settings, incarnation, left)
        except (LedgerUnavailable, QueueUnavailable) as error:
            if time.monotonic() >= give_up_at:
                why = f"what a dead worker held waits for its lease: {error}"
                emit(events.Left(why=why))
                return
            time.sleep(PAUSE)
        else:
            return


def _put_in_doubt(settings: Settings, incarnation: str, left: set[int]) -> None:
    """Does it in the partitions that are ``left``; raises where one does not answer."""
    from callspool_worker import ledgers  # noqa: PLC0415 - much to load for what seldom happens

    failure: Exception | None = None
    with ExitStack() as stack:
        clients = ledgers.connect_all(settings)
        for client in clients:
            stack.callback(client.close)
        for partition in sorted(left):
            try:
                ledger = ledgers.open_ledger(settings, clients[partition], partition)
                lapse_all(ledger, "the worker was killed while it held this batch", incarnation)
            except (LedgerUnavailable, QueueUnavailable) as error:
                failure = error
            else:
                left.discard(partition)
                if partition == 0:
                    give_up(account_ledgers(ledger, list(settings.accounts)), incarnation)
                    ledger.run([lease_endpoint(one, incarnation, 0) for one in settings.webhooks])
    if failure is not None:
        raise failure
