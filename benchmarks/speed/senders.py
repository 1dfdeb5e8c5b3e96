"""How each contender's producer enqueues: by name, a function of (redis URL) → (send).

``send`` takes the number of the first person, how many, and how many in a request.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
from typing import TYPE_CHECKING, Any

import redis

from benchmarks.speed.contacts import BATCH, CONTEXT, PILOT, SPACE, Document, requests
from callspool import AsyncCallQueue, CallQueue, CallRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Send = Callable[[int, int, int], None]

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
    """A call request for these people."""
    return CallRequest(
        space_token=space, pilot=PILOT, context=CONTEXT, documents=documents, campaign=campaign
    )


def callspool(url: str) -> Send:
    """`enqueue_many`."""
    queue = CallQueue(url)

    def send(first: int, count: int, size: int) -> None:
        queue.enqueue_many(map(request, requests(first, count, size)))

    return send


def callspool_single(url: str) -> Send:
    """`enqueue`, one by one."""
    queue = CallQueue(url)

    def send(first: int, count: int, size: int) -> None:
        for documents in requests(first, count, size):
            queue.enqueue(request(documents))

    return send


def callspool_threads(url: str) -> Send:
    """`enqueue` from many threads, each waiting until it is stored."""
    queue = CallQueue(url)

    def send(first: int, count: int, size: int) -> None:
        _in_threads(lambda documents: queue.enqueue(request(documents)), first, count, size)

    return send


def callspool_tasks(url: str) -> Send:
    """`enqueue` from many tasks of one event loop."""
    loop = asyncio.new_event_loop()
    queue = AsyncCallQueue(url)

    async def many(first: int, count: int, size: int) -> None:
        coming = requests(first, count, size)

        async def one_after_another() -> None:
            for documents in coming:
                await queue.enqueue(request(documents))

        await asyncio.gather(*(one_after_another() for _ in range(CONCURRENT)))

    return lambda first, count, size: loop.run_until_complete(many(first, count, size))


def callspool_lanes(url: str) -> Send:
    """`enqueue_many`, each request for the next one of many lanes."""
    queue, lanes = CallQueue(url), int(os.environ[LANES])

    def send(first: int, count: int, size: int) -> None:
        coming = enumerate(requests(first, count, size))
        if first >= FIRST_OF_BACKLOG:
            queue.enqueue_many(request(each, campaign=BACKLOG) for _, each in coming)
        else:
            queue.enqueue_many(
                request(each, campaign=f"lane-{number % lanes}") for number, each in coming
            )

    return send


def dramatiq(url: str) -> Send:
    """A message for each contact."""
    return _dramatiq(url, 1)


def dramatiq_threads(url: str) -> Send:
    """A message for each contact, from many threads."""
    actor = _actor(url)
    return lambda first, count, _size: _in_threads(actor.send, first, count, 1)


def afternoon(url: str) -> Send:
    """A message for a hundred contacts."""
    return _dramatiq(url, BATCH)


def celery(url: str) -> Send:
    """A task for each contact, over one connection."""
    os.environ["SPEED_REDIS_URL"] = url
    app = importlib.import_module("benchmarks.speed.rivals.celery_app").app

    def send(first: int, count: int, _size: int) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for (document,) in requests(first, count, 1):
                app.send_task("call", args=[document], producer=producer, ignore_result=True)

    return send


def floor(url: str) -> Send:
    """Ready bodies."""
    rival = importlib.import_module("benchmarks.speed.rivals.floor")
    client = redis.Redis.from_url(url)
    rival.prepare(client)
    return lambda first, count, size: rival.enqueue(client, requests(first, count, size))


SENDERS: dict[str, Callable[[str], Send]] = {
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
    enqueue: Callable[[list[Document]], object], first: int, count: int, size: int
) -> None:
    coming, lock = requests(first, count, size), threading.Lock()
    failures: list[BaseException] = []

    def following() -> Iterator[list[Document]]:
        while True:
            with lock:
                found = next(coming, None)
            if found is None:
                return
            yield found

    def work() -> None:
        try:
            for documents in following():
                enqueue(documents)
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the threads
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(CONCURRENT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
