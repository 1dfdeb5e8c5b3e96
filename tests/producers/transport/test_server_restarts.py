"""The server ends and comes back, with or without its data."""

from __future__ import annotations

import threading
import time

import pytest
import redis

from callspool_ledger import keys
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import actor, pending, until, working
from tests.support.servers import RedisServer


def test_a_restarted_server_delivers_everything_that_it_kept(make_broker: MakeBroker) -> None:
    with RedisServer("--appendfsync", "always", append_only=True) as server:
        broker = make_broker(server.url)
        seen: list[int] = []

        def slow(number: int) -> None:
            time.sleep(0.002)
            seen.append(number)

        do = actor(broker, slow)
        broker.enqueue_many(do.message(number) for number in range(200))
        with working(broker):
            until(lambda: len(seen) > 20)
            server.kill()
            time.sleep(0.3)
            server.start()
            until(lambda: len(set(seen)) == 200)
            broker.join("work", timeout=5000)
            with server.client() as client:
                until(lambda: pending(client) == 0)
        broker.close()


def test_work_goes_on_soon_after_a_restart(
    make_broker: MakeBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    """Much sooner than dramatiq starts a consumer again that raised: three seconds."""
    with RedisServer(append_only=True) as server:
        broker = make_broker(server.url)
        seen: list[int] = []
        do = actor(broker, seen.append)
        with working(broker):
            do.send(1)
            until(lambda: seen == [1])
            server.stop()
            time.sleep(0.2)
            server.start()
            do.send(2)
            until(lambda: seen == [1, 2], timeout=2)
        broker.close()
    assert "queue work waits for Redis" in caplog.text
    assert "queue work has Redis back, after" in caplog.text


def test_a_server_that_comes_back_empty_gets_its_group_again(make_broker: MakeBroker) -> None:
    with RedisServer() as server:
        broker = make_broker(server.url)
        seen: list[int] = []
        holding, finish = threading.Event(), threading.Event()

        def hold(number: int) -> None:
            if number == 0:
                holding.set()
                finish.wait(10)
            seen.append(number)

        do = actor(broker, hold)
        with working(broker):
            do.send(0)
            assert holding.wait(5)
            server.kill()
            server.start()
            do.send(1)
            until(lambda: seen == [1])
            finish.set()
            do.send(2)
            until(lambda: sorted(seen) == [0, 1, 2])
            broker.join("work", timeout=5000)
        broker.close()


@pytest.mark.parametrize("command", ["FLUSHALL", "DEL", "XGROUP DESTROY"])
def test_a_group_that_vanishes_is_made_again(
    command: str, make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker()
    seen: list[int] = []
    do = actor(broker, seen.append)
    with working(broker, timeout=500):
        do.send(1)
        until(lambda: seen == [1])
        broker.join("work", timeout=5000)
        if command == "FLUSHALL":
            client.flushall()
        elif command == "DEL":
            client.delete(keys.stream("work"))
        else:
            client.xgroup_destroy(keys.stream("work"), keys.GROUP)
        do.send(2)
        until(lambda: seen == [1, 2], timeout=2)


def test_a_queue_goes_on_beside_one_that_is_broken(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    client.set(keys.stream("broken"), "not a stream")
    broker = make_broker()
    seen: list[int] = []
    actor(broker, lambda: None, queue="broken", name="broken")
    do = actor(broker, seen.append)
    with working(broker):
        broker.enqueue_many(do.message(number) for number in range(100))
        broker.join("work", timeout=5000)
        client.delete(keys.stream("broken"))
        broker.enqueue(broker.get_actor("broken").message())
        broker.join("broken", timeout=5000)
    assert sorted(seen) == list(range(100))
