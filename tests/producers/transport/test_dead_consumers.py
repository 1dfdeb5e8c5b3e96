"""Processes that die, or stop, with messages in hand."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from callspool.transport import Patience, StreamsBroker
from callspool.transport.stream import ConsumerHeartbeat, QueueStream
from callspool_ledger import keys
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.snapshot import SILENT_MS
from callspool_ledger.reads.summary import read_summary
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import (
    IMPATIENT,
    actor,
    consumers,
    dead_letters,
    pending,
    until,
    working,
)


@contextmanager
def victim(url: str, claim_after: float) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.producers.transport.victim", url, str(claim_after)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def begun(process: subprocess.Popen[str]) -> int:
    """Waits for the next message that the process begins."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_messages_of_a_killed_process_are_handled_by_another(
    make_broker: MakeBroker, client: redis.Redis, redis_url: str
) -> None:
    broker = make_broker(patience=IMPATIENT)
    seen: list[int] = []
    do = actor(broker, seen.append)
    broker.enqueue_many(do.message(number) for number in range(20))
    with victim(redis_url, claim_after=60) as process:
        assert begun(process) == 0
        until(lambda: pending(client) == 8)
    with working(broker):
        broker.join("work", timeout=5000)
    assert sorted(seen) == list(range(20))


def test_a_stopped_process_keeps_nobody_waiting(
    make_broker: MakeBroker, client: redis.Redis, redis_url: str
) -> None:
    broker = make_broker(patience=IMPATIENT)
    seen: list[int] = []
    do = actor(broker, seen.append)
    do.send(1)
    with victim(redis_url, claim_after=0.3) as process:
        assert begun(process) == 1
        process.send_signal(signal.SIGSTOP)
        with working(broker):
            broker.join("work", timeout=5000)
    assert seen == [1]


def test_what_a_living_process_works_on_is_not_claimed(
    make_broker: MakeBroker, client: redis.Redis, redis_url: str
) -> None:
    broker = make_broker(patience=IMPATIENT)
    seen: list[int] = []
    do = actor(broker, seen.append)
    do.send(1)
    with victim(redis_url, claim_after=0.3) as process:
        assert begun(process) == 1
        with working(broker):
            time.sleep(1)
    assert seen == []


def test_two_workers_handle_a_long_message_once(make_broker: MakeBroker) -> None:
    first, second = make_broker(patience=IMPATIENT), make_broker(patience=IMPATIENT)
    seen: list[int] = []

    def slow(number: int) -> None:
        seen.append(number)
        time.sleep(1)

    do = actor(first, slow)
    actor(second, slow)
    with working(first), working(second):
        do.send(1)
        first.join("work", timeout=5000)
    assert seen == [1]


def test_a_renewal_does_not_take_back_what_another_has_claimed(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    slow, quick = make_broker(), make_broker()
    actor(slow, lambda: None).send()
    consumer = slow.consume("work", timeout=200)
    message = next(consumer)
    assert message is not None
    client.xclaim(keys.stream("work"), keys.GROUP, quick.consumer_name, 0, [message.entry_ids[0]])
    slow.queues["work"].stream.renew([message.entry_ids[0]])
    slow.queues["work"].stream.give_back([message.entry_ids[0]], begun=True)
    assert slow.queues["work"].stream.list_owned() == []
    assert not slow.queues["work"].stream.set_aside(message.entry_ids[0], "not mine any more")
    consumer.close()


def test_a_message_that_ends_its_workers_is_put_aside_alone(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    """Its innocent neighbours, which died with it as often, are handled."""
    patience = Patience(claim_after=0.05, deliveries=4)
    maker = make_broker()
    do = actor(maker, lambda _number: None)
    maker.enqueue_many(do.message(number) for number in range(6))
    handled: set[int] = set()
    for _ in range(40):
        handled |= _run_until_the_poison(make_broker(patience=patience))
        if client.xlen(keys.stream("work")) == 0:
            break
        time.sleep(0.06)
    assert handled == {0, 1, 3, 4, 5}
    [letter] = dead_letters(client)
    assert b'"args":[2]' in letter.fields[b"m"]
    assert letter.reason == "its workers ended while they had it, again and again"


def _run_until_the_poison(broker: StreamsBroker) -> set[int]:
    """Handles messages like a process that message 2 kills; its broker is never heard of again."""
    broker.declare_queue("work")
    consumer = broker.consume("work", prefetch=6, timeout=20)
    broker._homes[0].keeper._renew_every = 3600  # the dead renew nothing
    handled: set[int] = set()
    for _ in range(8):
        message = next(consumer)
        if message is None:
            continue
        [number] = message.args
        if number == 2:
            return handled
        handled.add(number)
        consumer.ack(message)
        broker._homes[0].keeper.acknowledge()
    return handled


def test_consumers_that_do_nothing_are_forgotten_but_not_their_messages(
    client: redis.Redis,
) -> None:
    def stream(name: str) -> QueueStream:
        return QueueStream(
            client,
            key=keys.stream("work"),
            dead_key=keys.dead_stream("work"),
            alive_key=keys.alive_workers(),
            consumer=name,
            dead_limit=10,
        )

    client.xgroup_create(keys.stream("work"), keys.GROUP, "0", mkstream=True)
    client.xadd(keys.stream("work"), {"m": "1"})
    for name in ("owner", "idle", "idle-too"):
        client.xgroup_createconsumer(keys.stream("work"), keys.GROUP, name)
    client.xreadgroup(keys.GROUP, "owner", {keys.stream("work"): ">"})
    stream("owner").drop_consumers(idle=3600)
    assert consumers(client) == {"owner", "idle", "idle-too"}
    client.zadd(keys.alive_workers(), {"idle": (client.time()[0] + 60) * 1000})
    time.sleep(0.02)
    stream("other").drop_consumers(idle=0.01)
    assert consumers(client) == {"owner", "idle"}  # one that lives was idle long enough, too
    client.xgroup_createconsumer(keys.stream("work"), keys.GROUP, "idle-too")
    stream("idle").drop_myself()
    assert consumers(client) == {"owner", "idle-too"}
    time.sleep(0.02)
    stream("other").drop_consumers(idle=0.01)
    stream("owner").drop_myself()
    assert consumers(client) == {"owner"}
    assert pending(client) == 1


def test_an_idle_worker_lives_until_it_is_closed(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    reader = LedgerReader(client)
    broker = make_broker()
    broker.declare_queue("work")
    broker.consume("work", timeout=20)  # it asks for nothing
    name = broker.consumer_name
    until(lambda: reader.ask(read_summary()).workers == {name})
    assert reader.metrics().workers == {name}
    client.zincrby(keys.alive_workers(), -SILENT_MS - 1000, name)
    assert reader.ask(read_summary()).workers == reader.metrics().workers == set()
    keeper = broker._homes[0].keeper
    keeper._next_beat = 0.0
    keeper._waits.set()
    until(lambda: reader.metrics().workers == {name})
    broker.close()
    assert reader.metrics().workers == set()


def test_a_heartbeat_drops_those_that_are_long_silent_and_those_of_the_future(
    client: redis.Redis,
) -> None:
    seconds = client.time()[0]
    beats = {"long-gone": (seconds - 4000) * 1000, "from-the-future": (seconds + 4000) * 1000}
    client.zadd(keys.alive_workers(), {**beats, "lately": (seconds - 60) * 1000})
    ConsumerHeartbeat(client, key=keys.alive_workers(), consumer="me").beat()
    assert client.zrange(keys.alive_workers(), 0, -1) == [b"lately", b"me"]
    assert LedgerReader(client).metrics().workers == {"me"}


def test_a_forgotten_consumer_that_waits_still_gets_its_message(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    seen: list[int] = []
    do = actor(broker, seen.append)
    with working(broker, timeout=2000):
        do.send(1)
        until(lambda: seen == [1])
        broker.join("work", timeout=5000)
        time.sleep(0.05)
        client.xgroup_delconsumer(keys.stream("work"), keys.GROUP, broker.consumer_name)
        do.send(2)
        until(lambda: seen == [1, 2], timeout=1)
        broker.join("work", timeout=1000)


@pytest.mark.parametrize("threads", [1, 4])
def test_no_thread_of_the_broker_outlives_it(make_broker: MakeBroker, threads: int) -> None:
    broker = make_broker()
    actor(broker, lambda: None).send()
    with working(broker, threads=threads):
        broker.join("work", timeout=5000)
    broker.close()
    assert "callspool-keeper" not in {thread.name for thread in threading.enumerate()}


def test_a_worker_that_ends_while_nothing_can_be_recorded_ends_by_no_message(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker(patience=IMPATIENT)
    hold, seen = threading.Event(), []

    def wait(number: int) -> None:
        seen.append(number)
        hold.wait(20)

    do = actor(broker, wait)
    broker.enqueue_many(do.message(number) for number in range(3))

    def deliveries() -> set[int]:
        found = client.xpending_range(keys.stream(do.queue_name), keys.GROUP, "-", "+", 10)
        return {each["times_delivered"] for each in found}

    with working(broker):
        until(lambda: bool(seen) and pending(client) == 3)
        assert deliveries() == {1}
        for _ in range(3):
            broker.excuse_all(do.queue_name)
        assert deliveries() == {0}
        hold.set()
        until(lambda: pending(client) == 0)
    assert dead_letters(client) == []
