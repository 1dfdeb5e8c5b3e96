"""What is done takes no memory, in Redis or in the process."""

from __future__ import annotations

from typing import Any

import redis

from callspool.transport import StreamsBroker
from callspool_ledger import keys
from tests.producers.transport.helpers import actor, pending, working


def used_memory(client: redis.Redis) -> int:
    memory: Any = client.info("memory")
    return int(memory["used_memory"])


def test_memory_is_flat_after_50000_messages(broker: StreamsBroker, client: redis.Redis) -> None:
    do = actor(broker, lambda _number: None)
    broker._prefetch["work"] = 256
    with working(broker):
        do.send(0)
        broker.join("work", timeout=5000)
        before = used_memory(client)
        for start in range(0, 50_000, 5000):
            broker.enqueue_many(do.message(number) for number in range(start, start + 5000))
        broker.join("work", timeout=60_000)
    assert client.xlen(keys.stream("work")) == 0
    assert pending(client) == 0
    assert int(client.memory_usage(keys.stream("work")) or 0) < 10_000
    assert used_memory(client) - before < 2_000_000
    holdings = broker.queues["work"].holdings
    assert (holdings.list_unfinished(), holdings.list_done()) == ([], [])
