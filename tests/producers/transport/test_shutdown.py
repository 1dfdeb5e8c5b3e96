"""A worker that ends gives back what it has not begun."""

from __future__ import annotations

import threading
from typing import Any
from unittest.mock import Mock

import pytest
import redis

from callspool.transport import Patience
from callspool_ledger import keys
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import actor, consumers, pending, until, working

LONG = Patience(claim_after=60)


def test_prefetched_messages_are_given_back_at_once_in_order(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    first, second = make_broker(patience=LONG, prefetch={"work": 16}), make_broker(patience=LONG)
    begun, finish = threading.Event(), threading.Event()
    seen: list[int] = []

    def slow(number: int) -> None:
        begun.set()
        finish.wait(10)
        seen.append(number)

    do = actor(first, slow)
    actor(second, seen.append)
    first.enqueue_many(do.message(number) for number in range(10))
    with working(first, threads=1):
        assert begun.wait(5)
        until(lambda: pending(client) == 10)
        threading.Timer(0.1, finish.set).start()
    first.close()
    assert seen == [0]
    with working(second, threads=1):
        second.join("work", timeout=3000)
    assert seen == list(range(10))


def test_what_was_given_back_counts_no_delivery(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    do = actor(make_broker(), lambda: None)
    entry = do.broker.enqueue(do.message())
    assert entry.queue_name == "work"
    for _ in range(3):
        broker = make_broker(patience=LONG)
        broker.declare_queue("work")
        consumer = broker.consume("work", timeout=500)
        message = next(consumer) or next(consumer)
        assert message is not None
        assert message.deliveries == 1
        consumer.requeue([message])
        consumer.close()
        items: Any = client.xpending_range(keys.stream("work"), keys.GROUP, "-", "+", 10)
        assert [item["times_delivered"] for item in items] == [0]
        broker.close()


def test_giving_back_while_redis_refuses_is_one_plain_line(
    make_broker: MakeBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    do = actor(make_broker(patience=LONG), lambda: None)
    do.broker.enqueue(do.message())
    consumer = do.broker.consume("work", timeout=500)
    message = next(consumer) or next(consumer)
    assert message is not None
    with monkeypatch.context() as refusing:
        refused = Mock(side_effect=redis.ResponseError("MISCONF cannot save"))
        refusing.setattr(consumer, "_give_back", refused)
        consumer.requeue([message])
    assert [each.exc_info for each in caplog.records] == [None]
    assert "other workers take what it had" in caplog.text
    consumer.close()


def test_a_new_consumer_of_the_same_broker_takes_what_the_old_one_had(
    make_broker: MakeBroker,
) -> None:
    broker = make_broker(patience=LONG)
    do = actor(broker, lambda _number: None)
    broker.enqueue_many(do.message(number) for number in range(4))
    old = broker.consume("work", prefetch=4, timeout=200)
    running = next(old) or next(old)
    assert running is not None
    old.close()  # with three more in its buffer
    new = broker.consume("work", prefetch=8, timeout=50)
    found = [message.args[0] for message in (next(new) for _ in range(4)) if message is not None]
    assert found == [1, 2, 3]
    new.ack(running)
    new.close()


def test_a_broker_that_owns_nothing_leaves_no_trace(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker()
    actor(broker, lambda: None).send()
    with working(broker):
        broker.join("work", timeout=5000)
        assert consumers(client) == {broker.consumer_name}
    broker.close()
    assert consumers(client) == set()


def test_close_sends_the_last_acknowledgements(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker()
    do = actor(broker, lambda: None)
    broker.enqueue_many(do.message() for _ in range(5))
    consumer = broker.consume("work", prefetch=5, timeout=200)
    handled = 0
    while handled < 5:
        message = next(consumer)
        if message is not None:
            consumer.ack(message)
            handled += 1
    broker.close()
    assert client.xlen(keys.stream("work")) == 0
