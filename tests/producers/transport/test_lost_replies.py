"""A connection that breaks at any command: no message is lost, none is stranded."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import get_args

import dramatiq
import pytest
import redis

from callspool.transport import Patience, StreamsBroker
from callspool_ledger import keys
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import actor, dead_letters, pending, record, until, working
from tests.producers.transport.test_recorded_elsewhere import RequestCodec
from tests.support.proxy import Proxy, Where
from tests.support.servers import RedisServer

# Claiming would hide a stranded message, so it never happens here.
PATIENCE = Patience(claim_after=600, first_delay=0.02, longest_delay=0.05, deliveries=6)


class Scenario:
    """Ten messages of all kinds, handled through a connection that breaks once."""

    def __init__(self, broker: StreamsBroker, client: redis.Redis) -> None:
        self.client = client
        self.broker = broker
        self.done: Counter[object] = Counter()
        self._failed: set[str] = set()
        actor(broker, self.work)
        actor(broker, self.accept, queue="requests", name="accept")

    def work(self, number: int) -> None:
        self.done[number] += 1

    def accept(self, entry_id: str, fields: dict[bytes, bytes]) -> None:
        """Fails once for each message; then records it as the ledger does."""
        if entry_id not in self._failed:
            self._failed.add(entry_id)
            raise ValueError
        self.done[fields[b"requests"]] += 1
        record(self.client, self.broker, entry_id, "requests")

    def enqueue(self, producer: StreamsBroker) -> None:
        do = actor(producer, lambda _number: None)
        producer.enqueue_many(do.message(number) for number in range(5))
        producer.enqueue(dramatiq.Message("work", "unknown", (), {}, {}))
        self.client.xadd(keys.stream("work"), {"no": "message"})
        for number in range(2):
            self.client.xadd(keys.stream("requests"), {"v": "1", "requests": number})
        self.client.xadd(keys.stream("requests"), {"v": "9"})

    def _is_empty(self, queue: str) -> bool:
        return self.client.xlen(keys.stream(queue)) == 0

    def check(self) -> None:
        for queue in ("work", "requests"):
            until(partial(self._is_empty, queue))
        assert set(self.done) == {0, 1, 2, 3, 4, b"0", b"1"}
        assert len(dead_letters(self.client, "work")) == 2
        assert len(dead_letters(self.client, "requests")) == 1


def run(make_broker: MakeBroker, client: redis.Redis, proxy: Proxy, at: int, where: Where) -> int:
    client.flushall()
    broker = make_broker(
        proxy.url,
        codecs={"requests": RequestCodec()},
        recorded_elsewhere=["requests"],
        patience=PATIENCE,
        prefetch={"work": 3, "requests": 2},
    )
    scenario = Scenario(broker, client)
    scenario.enqueue(make_broker())
    proxy.cut(at, where)
    with working(broker, threads=1, timeout=20):
        scenario.check()
        # Not only deleted but acknowledged: nothing is left for whoever looks later.
        until(lambda: pending(client) == pending(client, "requests") == 0)
    commands = len(proxy.commands)
    broker.close()
    return commands


@pytest.mark.parametrize("where", get_args(Where))
def test_a_connection_may_break_at_any_command(
    where: Where, make_broker: MakeBroker, client: redis.Redis, redis_server: RedisServer
) -> None:
    with Proxy(redis_server.port) as proxy:
        needed = run(make_broker, client, proxy, at=0, where=where)
        assert needed > 15
        for at in range(1, needed + 1):
            run(make_broker, client, proxy, at, where)


def test_a_server_that_hangs_strands_nothing(
    make_broker: MakeBroker, client: redis.Redis, redis_server: RedisServer
) -> None:
    with Proxy(redis_server.port) as proxy:
        broker = make_broker(proxy.url + "?socket_timeout=0.2", patience=PATIENCE)
        seen: list[int] = []
        do = actor(make_broker(), lambda _number: None)
        actor(broker, seen.append)
        with working(broker, threads=1):
            do.send(0)
            until(lambda: seen == [0])
            proxy.pause()
            do.broker.enqueue(do.message(1))
            time.sleep(0.6)
            do.broker.enqueue(do.message(2))
            proxy.resume()
            until(lambda: {1, 2} <= set(seen))
            until(lambda: client.xlen(keys.stream("work")) == 0)


def test_a_worker_starts_before_its_server_and_waits(make_broker: MakeBroker) -> None:
    server = RedisServer()
    broker = make_broker(server.url)
    seen: list[int] = []
    do = actor(broker, seen.append)
    with working(broker):
        time.sleep(0.2)
        with server:
            do.send(1)
            broker.join("work", timeout=5000)
            broker.close()
    assert seen == [1]
