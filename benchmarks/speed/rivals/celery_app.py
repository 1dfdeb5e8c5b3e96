"""What `celery -A benchmarks.speed.rivals.celery_app worker` runs.

Tasks are acknowledged when they are fetched (celery's default, and the fast way), no results are
kept, and the prefetch lets a batch fill, as celery-batches asks for.
"""

from __future__ import annotations

import os

from celery import Celery
from celery_batches import Batches, SimpleRequest

from benchmarks.speed.contacts import BATCH
from benchmarks.speed.rivals.posting import REDIS_URL, post

app = Celery("speed", broker=os.environ[REDIS_URL])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=0,
    broker_connection_retry_on_startup=True,
    worker_send_task_events=False,
)


@app.task(name="call", base=Batches, flush_every=BATCH, flush_interval=1)
def call(requests: list[SimpleRequest]) -> None:
    post([request.args[0] for request in requests])
