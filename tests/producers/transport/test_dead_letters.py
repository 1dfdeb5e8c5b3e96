"""Messages that cannot be handled are kept whole."""

from __future__ import annotations

import logging
import time
from typing import Any

import dramatiq
import pytest
import redis

from callspool.transport import DeliveredMessage, MessageCodec, StreamsBroker
from callspool_ledger import keys
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import actor, dead_letters, entries, pending, working
from tests.support.servers import RedisServer


def reject_one(broker: StreamsBroker, reason: BaseException | None = None) -> DeliveredMessage:
    consumer = broker.consume("work", timeout=200)
    message = next(consumer) or next(consumer)
    assert message is not None
    message.fail()
    if reason is not None:
        message.stuff_exception(reason)
    consumer.nack(message)
    consumer.close()
    return message


def test_a_message_that_is_rejected_is_kept_whole(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    do = actor(broker, lambda _a: None)
    do.send("word")
    [fields] = entries(client, keys.stream("work"))
    rejected = reject_one(broker, ValueError("+14155550123"))
    [letter] = dead_letters(client)
    assert letter.fields == fields
    assert letter.id == rejected.entry_ids[0]
    assert letter.reason == "ValueError"
    assert abs(letter.at - time.time()) < 60
    assert client.xlen(keys.stream("work")) == 0
    assert pending(client) == 0


def test_a_message_rejected_twice_is_kept_once(broker: StreamsBroker, client: redis.Redis) -> None:
    actor(broker, lambda: None).send()
    consumer = broker.consume("work", timeout=200)
    message = next(consumer) or next(consumer)
    assert message is not None
    consumer.nack(message)
    consumer.nack(message)
    consumer.close()
    [letter] = dead_letters(client)
    assert letter.reason == "rejected"


def test_a_message_for_an_unknown_actor_is_kept_and_its_neighbours_go_on(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    seen: list[int] = []
    do = actor(broker, seen.append)
    unknown: dramatiq.Message[Any] = dramatiq.Message("work", "unknown", (), {}, {})
    broker.enqueue_many([do.message(1), unknown, do.message(2)])
    with working(broker):
        broker.join("work", timeout=5000)
    assert sorted(seen) == [1, 2]
    [letter] = dead_letters(client)
    assert letter.reason == "ActorNotFound"


POISON: list[dict[str, Any]] = [
    {"other": "field"},
    {"m": "not json +14155550123"},
    {"m": b"\xff\xfe"},
    {"m": "[]"},
    {"m": '{"queue_name":"work"}'},
    {
        "m": '{"queue_name":"elsewhere","actor_name":"do","args":[],"kwargs":{},'
        '"options":{},"message_id":"1","message_timestamp":1}'
    },
    {
        "m": '{"queue_name":"work","actor_name":7,"args":[],"kwargs":{},'
        '"options":{},"message_id":"1","message_timestamp":1}'
    },
    {
        "m": '{"queue_name":"work","actor_name":"do","args":[],"kwargs":{},'
        '"options":[],"message_id":"1","message_timestamp":1}'
    },
]


@pytest.mark.parametrize("fields", POISON, ids=range(len(POISON)))
def test_an_entry_that_is_no_message_is_kept_whole_and_the_queue_goes_on(
    fields: dict[Any, Any],
    broker: StreamsBroker,
    client: redis.Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[int] = []
    do = actor(broker, seen.append)
    entry_id: Any = client.xadd(keys.stream("work"), fields)
    do.send(1)
    with caplog.at_level(logging.DEBUG), working(broker):
        broker.join("work", timeout=5000)
    assert seen == [1]
    [letter] = dead_letters(client)
    [(name, value)] = fields.items()
    whole = value if isinstance(value, bytes) else value.encode()
    assert letter.fields == {name.encode(): whole}
    assert letter.id == entry_id.decode()
    assert "5550123" not in caplog.text + letter.reason
    assert letter.id in caplog.text


class RaisingCodec(MessageCodec):
    """A codec with a bug."""

    def decode(
        self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]
    ) -> dramatiq.Message[Any]:
        raise ZeroDivisionError("+14155550123")


def test_a_codec_that_raises_anything_does_not_stop_the_queue(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker(codecs={"work": RaisingCodec()})
    do = actor(broker, lambda: None)
    broker.enqueue_many(do.message() for _ in range(3))
    with working(broker):
        broker.join("work", timeout=5000)
    assert [letter.reason for letter in dead_letters(client)] == [
        "its codec raised ZeroDivisionError"
    ] * 3


def test_repeated_fields_of_an_entry_are_all_kept(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    broker.declare_queue("work")
    client.execute_command("XADD", keys.stream("work"), "*", "a", "1", "a", "2")  # type: ignore[no-untyped-call]
    with working(broker):
        broker.join("work", timeout=5000)
    count = "return #redis.call('XRANGE', KEYS[1], '-', '+')[1][2]"
    assert client.eval(count, 1, keys.dead_stream("work")) == 2 * (2 + 3)


def test_an_entry_of_thousands_of_fields_is_kept_packed(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    broker.declare_queue("work")
    client.xadd(keys.stream("work"), {f"field-{number}": "x" for number in range(5000)})
    with working(broker):
        broker.join("work", timeout=5000)
    [letter] = dead_letters(client)
    assert list(letter.fields) == [b"packed"]
    assert b"field-4999" in letter.fields[b"packed"]


def test_dead_letters_are_bounded(make_broker: MakeBroker, client: redis.Redis) -> None:
    broker = make_broker(dead_limit=200)
    broker.declare_queue("work")
    for _ in range(1000):
        client.xadd(keys.stream("work"), {"no": "message"})
    with working(broker):
        broker.join("work", timeout=10_000)
    # Redis drops whole nodes of 100 entries.
    assert 200 <= client.xlen(keys.dead_stream("work")) <= 300


def test_a_full_server_still_delivers_acknowledges_and_buries(make_broker: MakeBroker) -> None:
    with RedisServer() as server, server.client() as client:
        broker = make_broker(server.url)
        seen: list[int] = []
        do = actor(broker, seen.append)
        do.send(0)
        with working(broker):
            broker.join("work", timeout=5000)
            broker.enqueue_many(do.message(number) for number in range(1, 50))
            client.xadd(keys.stream("work"), {"no": "message"})
        broker.enqueue_many(do.message(number) for number in range(50, 90))
        client.xadd(keys.stream("work"), {"no": "message"})
        client.config_set("maxmemory", "1")
        with working(broker):
            broker.join("work", timeout=5000)
        assert sorted(set(seen)) == list(range(90))
        assert len(dead_letters(client)) == 2
        client.config_set("maxmemory", "0")
        broker.close()
