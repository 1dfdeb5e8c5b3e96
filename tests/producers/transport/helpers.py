"""What the tests of the broker share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dramatiq
import redis
from dramatiq import Actor, Broker, Worker

from callspool.transport import Patience, StreamsBroker
from callspool_ledger import keys

IMPATIENT = Patience(claim_after=0.3, first_delay=0.02, longest_delay=0.1, deliveries=4)


@contextmanager
def working(broker: Broker, *, threads: int = 2, timeout: int = 50) -> Iterator[Worker]:
    """A worker that runs for the while; timeout in milliseconds."""
    worker = Worker(broker, worker_threads=threads, worker_timeout=timeout)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(timeout=10_000)


def actor(
    broker: Broker, function: Callable[..., Any], *, queue: str = "work", name: str = "do"
) -> Actor[..., Any]:
    """An actor of this broker."""
    return dramatiq.actor(broker=broker, queue_name=queue, actor_name=name)(function)


def until(condition: Callable[[], object], timeout: float = 10.0) -> None:
    """Waits for a condition; fails if it does not come true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


@dataclass(frozen=True)
class DeadLetter:
    """An entry of a dead stream, taken apart."""

    fields: dict[bytes, bytes]
    id: str
    reason: str
    at: int


def entries(client: redis.Redis, key: str) -> list[dict[bytes, bytes]]:
    """The fields of every entry of a stream."""
    found: Any = client.xrange(key)
    return [fields for _, fields in found]


def dead_letters(client: redis.Redis, queue: str = "work") -> list[DeadLetter]:
    return [_dead_letter(fields) for fields in entries(client, keys.dead_stream(queue))]


def _dead_letter(fields: dict[bytes, bytes]) -> DeadLetter:
    last = {name: fields.pop(name.encode()) for name in ("dead_id", "dead_reason", "dead_at")}
    return DeadLetter(
        fields, last["dead_id"].decode(), last["dead_reason"].decode(), int(last["dead_at"])
    )


def pending(client: redis.Redis, queue: str = "work") -> int:
    """Entries that some consumer was given and has not acknowledged."""
    summary: Any = client.xpending(keys.stream(queue), keys.GROUP)
    return int(summary["pending"])


def consumers(client: redis.Redis, queue: str = "work") -> set[str]:
    found: Any = client.xinfo_consumers(keys.stream(queue), keys.GROUP)
    return {item["name"].decode() for item in found}


def record(client: redis.Redis, broker: StreamsBroker, entry_id: str, queue: str) -> None:
    """Does what the ledger does when it has recorded a message."""
    with client.pipeline() as pipeline:
        pipeline.xack(keys.stream(queue), keys.GROUP, entry_id)
        pipeline.xdel(keys.stream(queue), entry_id)
        pipeline.execute()
    broker.mark_recorded(queue, [entry_id])
