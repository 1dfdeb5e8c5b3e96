"""What `dramatiq benchmarks.duel.rivals.dramatiq_app` runs.

A message is acknowledged after its actor has returned, and Retries is part of the default
middleware: both are dramatiq's own defaults. A worker counts as gone after 10 s without a
heartbeat (default 60), and its messages are looked for with every tenth command (default: every
thousandth), which only makes them come back sooner.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.duel.rivals.posting import REDIS_URL, RefusedError, ThrottledError, post
from benchmarks.duel.stage import LEAST_BACKOFF, MOST_BACKOFF, TRIES

if TYPE_CHECKING:
    from benchmarks.duel.roll import Document

broker = RedisBroker(
    url=os.environ[REDIS_URL], heartbeat_timeout=10_000, maintenance_chance=100_000
)
dramatiq.set_broker(broker)


@dramatiq.actor(
    max_retries=TRIES,
    min_backoff=int(LEAST_BACKOFF * 1000),
    max_backoff=int(MOST_BACKOFF * 1000),
    throws=RefusedError,
)
def call(documents: list[Document]) -> None:
    """Calls them all with one request; where that is refused, each alone."""
    try:
        post(documents)
    except ThrottledError as error:
        raise dramatiq.Retry(delay=int(error.seconds * 1000)) from error
    except RefusedError:
        if len(documents) == 1:
            raise
        for document in documents:
            call.send([document])
