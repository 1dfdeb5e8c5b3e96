"""Small entries that stand behind many documents, and come before their turn."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from callspool.transport import StreamsBroker
from callspool_ledger import keys
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import IMPATIENT, actor, pending, record, until, working
from tests.producers.transport.test_joined import TogetherCodec, add

STREAM = keys.stream("requests")
SOON = keys.soon_list(STREAM)
LARGE = 70_000


@pytest.fixture
def requests(make_broker: MakeBroker) -> StreamsBroker:
    return make_broker(
        codecs={"requests": TogetherCodec()},
        recorded_elsewhere=["requests"],
        patience=IMPATIENT,
        prefetch={"requests": 200},
    )


def accepted(client: redis.Redis, broker: StreamsBroker, number: int) -> list[str]:
    """What a worker accepts until it has so many entries, in its order."""
    seen: list[str] = []

    def accept(ids: tuple[str, ...]) -> None:
        seen.extend(ids)
        for entry_id in ids:
            record(client, broker, entry_id, "requests")

    actor(broker, accept, queue="requests", name="accept")
    with working(broker, threads=1):
        until(lambda: len(seen) >= number)
        broker.join("requests", timeout=10_000)
    return seen


def test_a_noted_entry_comes_first_and_nothing_comes_twice(
    requests: StreamsBroker, client: redis.Redis
) -> None:
    large, small = add(client, 100, LARGE), add(client, 1)
    client.rpush(SOON, *small)
    seen = accepted(client, requests, 101)
    assert seen == [*small, *large]
    assert (pending(client, "requests"), client.llen(SOON)) == (0, 0)


def test_noted_entries_take_turns_with_the_others(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker(codecs={"requests": TogetherCodec()}, prefetch={"requests": 10})
    broker.declare_queue("requests")
    ids = add(client, 40)
    client.rpush(SOON, *ids[20:])
    consumer = broker.consume("requests", timeout=100)
    turns: list[list[str]] = []
    while (message := next(consumer)) is not None:
        turns.append(list(message.entry_ids))
        consumer.ack(message)
    assert turns == [ids[20:30], ids[:10], ids[30:], ids[10:20]]
    consumer.close()


def test_an_entry_that_another_consumer_has_is_left_to_it(
    requests: StreamsBroker, client: redis.Redis
) -> None:
    requests.declare_queue("requests")
    (theirs, ours) = add(client, 2)
    client.rpush(SOON, theirs, ours)
    client.xgroup_create(STREAM, keys.GROUP, "0")
    client.xreadgroup(keys.GROUP, "somebody", {STREAM: ">"}, count=1)
    consumer = requests.consume("requests", timeout=100)
    message: Any = next(consumer)
    assert message.entry_ids == (ours,)
    client.xack(STREAM, keys.GROUP, theirs)
    consumer.close()


def test_an_entry_that_is_read_once_more_in_its_turn_is_in_the_first_ones_hands(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker(codecs={"requests": TogetherCodec()}, prefetch={"requests": 10})
    broker.declare_queue("requests")
    ids = add(client, 3)
    client.rpush(SOON, ids[2])
    consumer = broker.consume("requests", timeout=100)
    first: Any = next(consumer)
    second: Any = next(consumer)
    assert (first.entry_ids, second.entry_ids) == ((ids[2],), tuple(ids[:2]))
    assert pending(client, "requests") == 3
    consumer.close()


def test_notes_of_what_was_read_in_its_turn_go(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker(codecs={"requests": TogetherCodec()}, patience=IMPATIENT)
    broker.declare_queue("requests")
    consumer = broker.consume("requests", timeout=100)
    assert next(consumer) is None
    client.rpush(SOON, *["1-1"] * 150)
    until(lambda: next(consumer) is None and client.llen(SOON) == 0)
    consumer.close()


@pytest.mark.parametrize(
    "told", ["", "x", "-", "1-1", "0-0", "9" * 400, "99999999999999999999-1", "1-1\n", "+", "\x00"]
)
def test_what_names_no_entry_is_passed_over(
    requests: StreamsBroker, client: redis.Redis, told: str
) -> None:
    client.rpush(SOON, told)
    ids = add(client, 2)
    assert accepted(client, requests, 2) == ids
    assert client.llen(SOON) == 0


def test_a_list_that_is_none_is_removed(requests: StreamsBroker, client: redis.Redis) -> None:
    client.set(SOON, "x")
    ids = add(client, 2)
    assert accepted(client, requests, 2) == ids
    assert client.exists(SOON) == 0
