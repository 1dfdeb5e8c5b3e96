"""How each contender's producer enqueues: by name, what opens (redis URL) → (send).

``send`` takes the number of the first person, how many, and how many in a request.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis

from benchmarks.speed.contacts import BATCH, CONTEXT, PILOT, SPACE, Document, requests
from callspool import AsyncCallQueue, CallQueue, CallRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Send = Callable[[int, int, int], object]

CONCURRENT = 50
"""Threads, or tasks, that call ``enqueue`` at once."""


LANES = "SPEED_LANES"
"""What tells `callspool_lanes` among how many lanes to share the requests out."""

BACKLOG = "backlog"
FIRST_OF_BACKLOG = 2_000_000_000
"""From this number on people belong to a campaign of their own, which can be paused."""


def request(
    documents: list[Document], space: str = SPACE, campaign: str | None = None
) -> CallRequest:
    """Returns a call request for these people."""
    return CallRequest(
        space_token=space, pilot=PILOT, context=CONTEXT, documents=documents, campaign=campaign
    )


@contextmanager
def callspool(url: str) -> Iterator[Send]:
    """`enqueue_many`."""
    with CallQueue(url) as queue:
        yield lambda *portion: queue.enqueue_many(map(request, requests(*portion)))


@contextmanager
def callspool_single(url: str) -> Iterator[Send]:
    """`enqueue`, one by one."""
    with CallQueue(url) as queue:

        def send(*portion: int) -> None:
            for documents in requests(*portion):
                queue.enqueue(request(documents))

        yield send


@contextmanager
def callspool_threads(url: str) -> Iterator[Send]:
    """`enqueue` from many threads, each waiting until it is stored."""
    with CallQueue(url) as queue:
        enqueue = lambda documents: queue.enqueue(request(documents))  # noqa: E731 - said in short
        yield lambda *portion: _in_threads(enqueue, requests(*portion))


@contextmanager
def callspool_tasks(url: str) -> Iterator[Send]:
    """`enqueue` from many tasks of one event loop."""
    queue = AsyncCallQueue(url)

    async def many(coming: Iterator[list[Document]]) -> None:
        async def one_after_another() -> None:
            for documents in coming:
                await queue.enqueue(request(documents))

        await asyncio.gather(*(one_after_another() for _ in range(CONCURRENT)))

    with asyncio.Runner() as runner:
        yield lambda *portion: runner.run(many(requests(*portion)))
        runner.run(queue.close())


@contextmanager
def callspool_lanes(url: str) -> Iterator[Send]:
    """`enqueue_many`, each request for the next one of many lanes."""
    lanes = int(os.environ[LANES])

    def campaign(first: int, number: int) -> str:
        return BACKLOG if first >= FIRST_OF_BACKLOG else f"lane-{number % lanes}"

    with CallQueue(url) as queue:

        def send(first: int, count: int, size: int) -> None:
            queue.enqueue_many(
                request(each, campaign=campaign(first, number))
                for number, each in enumerate(requests(first, count, size))
            )

        yield send


@contextmanager
def dramatiq(url: str) -> Iterator[Send]:
    """A message for each contact."""
    yield _dramatiq(url, 1)


@contextmanager
def dramatiq_threads(url: str) -> Iterator[Send]:
    """A message for each contact, from many threads."""
    actor = _actor(url)
    yield lambda first, count, _size: _in_threads(actor.send, requests(first, count, 1))


@contextmanager
def afternoon(url: str) -> Iterator[Send]:
    """A message for a hundred contacts."""
    yield _dramatiq(url, BATCH)


@contextmanager
def celery(url: str) -> Iterator[Send]:
    """A task for each contact, over one connection."""
    os.environ["SPEED_REDIS_URL"] = url
    app = importlib.import_module("benchmarks.speed.rivals.celery_app").app

    def send(first: int, count: int, _size: int) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for (document,) in requests(first, count, 1):
                app.send_task("call", args=[document], producer=producer, ignore_result=True)

    yield send


@contextmanager
def floor(url: str) -> Iterator[Send]:
    """Ready bodies."""
    rival = importlib.import_module("benchmarks.speed.rivals.floor")
    with redis.Redis.from_url(url) as client:
        rival.prepare(client)
        yield lambda *portion: rival.enqueue(client, requests(*portion))


SENDERS: dict[str, Callable[[str], AbstractContextManager[Send]]] = {
    "callspool": callspool,
    "callspool-single": callspool_single,
    "callspool-threads": callspool_threads,
    "callspool-tasks": callspool_tasks,
    "callspool-lanes": callspool_lanes,
    "dramatiq": dramatiq,
    "dramatiq-threads": dramatiq_threads,
    "afternoon": afternoon,
    "celery": celery,
    "floor": floor,
}


def _actor(url: str) -> Any:
    os.environ["SPEED_REDIS_URL"] = url
    return importlib.import_module("benchmarks.speed.rivals.dramatiq_app").call


def _dramatiq(url: str, size: int) -> Send:
    actor = _actor(url)

    def send(first: int, count: int, _size: int) -> None:
        for documents in requests(first, count, size):
            actor.send(documents)

    return send


def _in_threads(
    enqueue: Callable[[list[Document]], object], coming: Iterator[list[Document]]
) -> None:
    lock = threading.Lock()
    failures: list[BaseException] = []

    def following() -> list[Document] | None:
        with lock:
            return next(coming, None)

    def work() -> None:
        try:
            while (documents := following()) is not None:
                enqueue(documents)
        except Exception as error:  # noqa: BLE001 - reported to the caller that waits for the threads
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(CONCURRENT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
