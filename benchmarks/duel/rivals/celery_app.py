"""What `celery -A benchmarks.duel.rivals.celery_app worker` runs.

Late acknowledgement, rejection of what a lost process held, and a prefetch above `flush_every`
are what the docs of celery and celery-batches advise; so is the way in which a batch is retried.
The visibility timeout (default: an hour) is half a minute, the least that is longer than any task
takes, so that what a killed worker held comes back while the duel lasts.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
from celery import Celery
from celery_batches import Batches, SimpleRequest

from benchmarks.duel.rivals.posting import REDIS_URL, RefusedError, ThrottledError, post
from benchmarks.duel.roll import CHUNK, Document
from benchmarks.duel.stage import LEAST_BACKOFF, MOST_BACKOFF, TRIES

VISIBILITY = 30

app = Celery("duel", broker=os.environ[REDIS_URL], backend=os.environ[REDIS_URL])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=True,
    worker_prefetch_multiplier=CHUNK,
    broker_connection_retry_on_startup=True,
    visibility_timeout=VISIBILITY,
    broker_transport_options={"visibility_timeout": VISIBILITY},
    result_backend_transport_options={"visibility_timeout": VISIBILITY},
)


@app.task(
    name="call_alone",
    autoretry_for=(httpx.HTTPError, ThrottledError),
    max_retries=TRIES,
    retry_backoff=LEAST_BACKOFF,
    retry_backoff_max=MOST_BACKOFF,
)
def call_alone(document: Document) -> None:
    """Calls one; a refusal fails the task, and its result keeps why."""
    post([document])


@app.task(name="call", base=Batches, flush_every=CHUNK, flush_interval=2)
def call(requests: list[SimpleRequest]) -> None:
    """Calls them all with one request; where that is refused, each alone."""
    try:
        post([request.args[0] for request in requests])
    except ThrottledError as error:
        _again(requests, error.seconds, error)
    except RefusedError:
        for request in requests:
            call_alone.delay(request.args[0])
    except httpx.HTTPError as error:
        _again(requests, None, error)


def _again(requests: list[SimpleRequest], seconds: float | None, error: Exception) -> None:
    for request in requests:
        tries: int = request.kwargs.get("tries", 0)
        if tries >= TRIES:
            _fail(request, error)
            continue
        countdown = min(MOST_BACKOFF, LEAST_BACKOFF * 2**tries) if seconds is None else seconds
        kwargs: dict[str, Any] = {"tries": tries + 1}
        call.apply_async(args=request.args, kwargs=kwargs, countdown=countdown, task_id=request.id)


def _fail(request: SimpleRequest, error: Exception) -> None:
    reason = RuntimeError(f"{error!r} for {request.args[0]['document_id']}")
    app.backend.mark_as_failure(request.id, reason)
