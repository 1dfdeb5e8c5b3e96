"""Messages on their way to an actor, and their acknowledgement."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from callspool.transport import StreamsBroker
from callspool_ledger import keys
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import actor, pending, until, working


def test_every_message_is_handled_once_and_nothing_stays(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    seen: list[int] = []
    do = actor(broker, seen.append)
    broker.enqueue_many(do.message(number) for number in range(500))
    with working(broker):
        broker.join("work", timeout=10_000)
    assert sorted(seen) == list(range(500))
    assert client.xlen(keys.stream("work")) == 0
    assert pending(client) == 0


def test_messages_come_in_order(broker: StreamsBroker) -> None:
    seen: list[int] = []
    do = actor(broker, seen.append)
    broker.enqueue_many(do.message(number) for number in range(200))
    with working(broker, threads=1):
        broker.join("work", timeout=10_000)
    assert seen == list(range(200))


def test_what_was_enqueued_before_the_first_worker_came_is_handled(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    seen: list[Any] = []
    do = actor(broker, lambda *args, **kwargs: seen.append((args, kwargs)))
    do.send(1, [2, None], key={"nested": "ü"})
    with working(broker):
        broker.join("work", timeout=5000)
    assert seen == [((1, [2, None]), {"key": {"nested": "ü"}})]


def test_an_idle_worker_gets_a_message_within_milliseconds(broker: StreamsBroker) -> None:
    waits: list[float] = []
    do = actor(broker, lambda sent: waits.append(time.perf_counter() - sent))
    with working(broker, timeout=500):
        do.send(time.perf_counter())
        until(lambda: len(waits) == 1)
        for number in range(2, 22):
            do.send(time.perf_counter())
            until(lambda expected=number: len(waits) == expected)  # type: ignore[misc]
    assert sorted(waits)[len(waits) // 2] < 0.05


def test_no_more_than_the_prefetch_is_in_hand(broker: StreamsBroker, client: redis.Redis) -> None:
    do = actor(broker, lambda: None)
    broker.enqueue_many(do.message() for _ in range(20))
    consumer = broker.consume("work", prefetch=3, timeout=50)
    held = [message for message in (next(consumer) for _ in range(6)) if message is not None]
    assert len(held) == 3
    assert pending(client) == 3
    consumer.ack(held[0])
    until(lambda: pending(client) == 2)
    refill = next(consumer)
    assert refill is not None
    assert pending(client) == 3
    consumer.close()


def test_the_brokers_prefetch_of_a_queue_wins(make_broker: MakeBroker, client: redis.Redis) -> None:
    broker = make_broker(prefetch={"work": 1})
    do = actor(broker, lambda: None)
    broker.enqueue_many(do.message() for _ in range(5))
    consumer = broker.consume("work", prefetch=4, timeout=20)
    assert next(consumer) is not None
    assert next(consumer) is None
    assert pending(client) == 1
    consumer.close()


def test_a_consumer_without_messages_returns_none_after_its_timeout(
    broker: StreamsBroker,
) -> None:
    broker.declare_queue("work")
    consumer = broker.consume("work", timeout=60)
    next(consumer)  # makes the group
    started = time.monotonic()
    assert next(consumer) is None
    assert 0.04 < time.monotonic() - started < 1
    consumer.close()


def test_an_undeclared_queue_cannot_be_consumed_or_joined(broker: StreamsBroker) -> None:
    with pytest.raises(QueueNotFound):
        broker.consume("nowhere")
    with pytest.raises(QueueNotFound):
        broker.join("nowhere")
    with pytest.raises(QueueNotFound):
        broker.flush("nowhere")
    with pytest.raises(QueueNotFound):
        broker.mark_recorded("nowhere", ["1-0"])


def test_join_gives_up_after_its_timeout(broker: StreamsBroker) -> None:
    actor(broker, lambda: None).send()
    with pytest.raises(QueueJoinTimeout):
        broker.join("work", timeout=30)


def test_join_waits_for_messages_that_are_being_handled(broker: StreamsBroker) -> None:
    finish = threading.Event()
    do = actor(broker, lambda: finish.wait(5) and None)
    do.send()
    with working(broker):
        with pytest.raises(QueueJoinTimeout):
            broker.join("work", timeout=100)
        finish.set()
        broker.join("work", timeout=5000)


def test_flush_drops_messages_and_the_worker_goes_on(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    seen: list[str] = []
    do = actor(broker, seen.append)
    broker.enqueue_many(do.message("old") for _ in range(10))
    broker.flush("work")
    assert client.xlen(keys.stream("work")) == 0
    with working(broker):
        broker.flush("work")
        do.send("new")
        broker.join("work", timeout=5000)
    assert seen == ["new"]


def test_flush_all_drops_dead_letters_too(broker: StreamsBroker, client: redis.Redis) -> None:
    broker.declare_queue("work")
    client.xadd(keys.stream("work"), {"any": "thing"})
    client.xadd(keys.dead_stream("work"), {"any": "thing"})
    broker.flush_all()
    assert client.xlen(keys.stream("work")) == 0
    assert client.exists(keys.dead_stream("work")) == 0


def test_an_actor_that_raises_is_done_with_its_message(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    seen: list[int] = []

    def fail(number: int) -> None:
        seen.append(number)
        raise ValueError(number)

    actor(broker, fail).send(1)
    with working(broker):
        broker.join("work", timeout=5000)
    assert seen == [1]
    assert client.exists(keys.dead_stream("work")) == 0


def test_signals_are_emitted_around_acknowledging_and_rejecting(make_broker: MakeBroker) -> None:
    heard: list[str] = []

    class Listener(dramatiq.Middleware):
        def before_ack(self, broker: object, message: object) -> None:
            heard.append(f"before ack {str(message).split('[')[0]}")

        def after_ack(self, broker: object, message: object) -> None:
            heard.append("after ack")

        def before_nack(self, broker: object, message: object) -> None:
            heard.append(f"before nack {str(message).split('[')[0]}")

        def after_nack(self, broker: object, message: object) -> None:
            heard.append("after nack")

    broker = make_broker(middleware=[Listener()])
    actor(broker, lambda: None).send()
    with working(broker):
        broker.join("work", timeout=5000)
        broker.enqueue(dramatiq.Message("work", "unknown", (), {}, {}))
        broker.join("work", timeout=5000)
    assert heard == ["before ack do", "after ack", "before nack unknown", "after nack"]


def test_a_message_in_a_log_shows_no_arguments(broker: StreamsBroker) -> None:
    actor(broker, lambda _number: None).send("+14155550123")
    consumer = broker.consume("work", timeout=500)
    message = next(consumer) or next(consumer)
    assert message is not None
    assert message.args == ("+14155550123",)
    assert "5550123" not in f"{message} {message!r}"
    consumer.close()


def test_a_message_of_another_broker_is_not_acknowledged(broker: StreamsBroker) -> None:
    broker.declare_queue("work")
    consumer = broker.consume("work")
    foreign = dramatiq.MessageProxy(dramatiq.Message("work", "do", (), {}, {}))
    with pytest.raises(TypeError, match="another broker"):
        consumer.ack(foreign)
    consumer.close()


def test_a_paused_worker_takes_nothing_and_goes_on_when_resumed(
    broker: StreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.05)
    seen: list[int] = []
    do = actor(broker, seen.append)
    with working(broker) as worker:
        worker.pause()
        do.send(1)
        time.sleep(0.2)
        assert seen == []
        worker.resume()
        broker.join("work", timeout=10_000)
    assert seen == [1]


def test_the_name_of_a_consumer_says_where_it_runs(broker: StreamsBroker) -> None:
    assert f"-{os.getpid()}-" in broker.consumer_name


def test_a_forked_child_is_told_to_make_its_own_broker(
    broker: StreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.declare_queue("work")
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="was forked"):
        broker.consume("work")


def test_two_brokers_share_a_queue(make_broker: MakeBroker) -> None:
    seen: list[tuple[int, int]] = []
    brokers = [make_broker(), make_broker()]
    actors = [
        actor(broker, lambda number, place=place: seen.append((place, number)))
        for place, broker in enumerate(brokers)
    ]
    with working(brokers[0], threads=1), working(brokers[1], threads=1):
        brokers[0].enqueue_many(actors[0].message(number) for number in range(400))
        brokers[0].join("work", timeout=10_000)
    assert sorted(number for _, number in seen) == list(range(400))
    assert {place for place, _ in seen} == {0, 1}
