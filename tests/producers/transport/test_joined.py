"""Small messages that are handed out several at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import dramatiq
import pytest
import redis

from callspool.transport import MOST_TOGETHER, StreamsBroker, Undecodable
from callspool.transport.consumer import BYTES_IN_HAND, BYTES_TOGETHER, FEW
from callspool_ledger import keys
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import (
    IMPATIENT,
    actor,
    dead_letters,
    pending,
    record,
    until,
    working,
)


class TogetherCodec:
    def decode(
        self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]
    ) -> dramatiq.Message[Any]:
        if b"broken" in fields:
            raise Undecodable("it is broken")
        return dramatiq.Message(queue_name, "accept", ((entry_id,),), {}, {}, entry_id)

    def encode(self, message: dramatiq.Message[Any]) -> Mapping[str | bytes, bytes]:
        raise TypeError("call requests are enqueued by their producers")

    def join(self, messages: Sequence[dramatiq.Message[Any]]) -> dramatiq.Message[Any]:
        ids = tuple(each for message in messages for each in message.args[0])
        return messages[0].copy(args=(ids,))


@pytest.fixture
def together(make_broker: MakeBroker) -> StreamsBroker:
    return make_broker(
        codecs={"requests": TogetherCodec()},
        recorded_elsewhere=["requests"],
        patience=IMPATIENT,
        prefetch={"requests": 200},
    )


def add(client: redis.Redis, number: int, size: int = 10, field: str = "x") -> list[str]:
    found: list[str] = []
    for _ in range(number):
        entry_id: Any = client.xadd(keys.stream("requests"), {field: "y" * size})
        found.append(entry_id.decode())
    return found


def test_small_messages_come_together_in_their_order_and_large_ones_alone(
    together: StreamsBroker, client: redis.Redis
):
    small, large = add(client, 150), add(client, 3, BYTES_TOGETHER)
    seen: list[tuple[str, ...]] = []

    def accept(ids: tuple[str, ...]) -> None:
        seen.append(ids)
        for entry_id in ids:
            record(client, together, entry_id, "requests")

    actor(together, accept, queue="requests", name="accept")
    with working(together, threads=1):
        together.join("requests", timeout=10_000)
        until(lambda: together.queues["requests"].holdings.list_unfinished() == [])
    assert [each for ids in seen for each in ids] == [*small, *large]
    assert max(map(len, seen)) <= MOST_TOGETHER
    assert len(seen) < 50
    assert [(each,) in seen for each in large] == [True] * 3
    assert pending(client, "requests") == 0


def test_of_messages_that_came_together_those_that_were_not_recorded_come_again_alone(
    together: StreamsBroker, client: redis.Redis
):
    ids = add(client, 5)
    seen: list[tuple[str, ...]] = []

    def accept(given: tuple[str, ...]) -> None:
        seen.append(given)
        for entry_id in given:
            if len(seen) > 1 or entry_id != ids[2]:
                record(client, together, entry_id, "requests")
        if len(seen) == 1:
            raise ValueError("not now")

    actor(together, accept, queue="requests", name="accept")
    with working(together, threads=1):
        together.join("requests", timeout=10_000)
    assert seen[-1] == (ids[2],)
    assert sorted(each for given in seen for each in given) == sorted([*ids, ids[2]])


def test_one_that_always_fails_ends_among_the_dead_letters_and_takes_no_other_along(
    together: StreamsBroker, client: redis.Redis
):
    ids = add(client, 4)

    def accept(given: tuple[str, ...]) -> None:
        if ids[1] in given:
            raise ValueError("always")
        for entry_id in given:
            record(client, together, entry_id, "requests")

    actor(together, accept, queue="requests", name="accept")
    with working(together, threads=1):
        together.join("requests", timeout=10_000)
    assert [letter.id for letter in dead_letters(client, "requests")] == [ids[1]]


def test_an_unreadable_message_among_others_is_kept_and_the_others_go_on(
    together: StreamsBroker, client: redis.Redis
):
    first, (broken,), last = add(client, 2), add(client, 1, field="broken"), add(client, 2)
    seen: list[str] = []

    def accept(given: tuple[str, ...]) -> None:
        seen.extend(given)
        for entry_id in given:
            record(client, together, entry_id, "requests")

    actor(together, accept, queue="requests", name="accept")
    with working(together, threads=1):
        together.join("requests", timeout=10_000)
    assert seen == [*first, *last]
    assert [letter.id for letter in dead_letters(client, "requests")] == [broken]


def test_messages_that_were_not_begun_are_all_given_back(
    together: StreamsBroker, client: redis.Redis
):
    ids = add(client, 6)
    together.declare_queue("requests")
    consumer = together.consume("requests", prefetch=10, timeout=500)
    message = next(consumer)
    assert message is not None
    assert message.entry_ids == tuple(ids)
    consumer.requeue([message])
    consumer.close()
    again = together.consume("requests", prefetch=10, timeout=2000)
    message = next(again)
    assert message is not None
    assert message.entry_ids == tuple(ids)
    assert message.deliveries == 1, "what nobody began does not count"
    again.close()


@pytest.mark.parametrize(("size", "most"), [(10, 200), (BYTES_IN_HAND // 50, 50), (100_000, FEW)])
def test_of_large_messages_fewer_are_in_hand_than_of_small_ones(
    together: StreamsBroker, client: redis.Redis, size: int, most: int
):
    ids = add(client, 210, size)
    together.declare_queue("requests")
    consumer = together.consume("requests", timeout=20)
    seen: list[str] = []
    while message := next(consumer):
        seen.extend(message.entry_ids)
    assert seen == ids[:most]
    consumer.close()


def test_messages_that_come_soon_after_each_other_are_read_together_and_the_first_at_once(
    make_broker: MakeBroker, client: redis.Redis
):
    broker = make_broker(codecs={"requests": TogetherCodec()}, prefetch={"requests": 50}, pace=1.0)
    broker.declare_queue("requests")
    consumer = broker.consume("requests", timeout=3000)
    next_ids = lambda: getattr(next(consumer), "entry_ids", ())  # noqa: E731 - said in short
    add(client, 1)
    began = time.monotonic()
    assert len(next_ids()) == 1
    assert time.monotonic() - began < 0.9, "the first waits for nobody"
    add(client, 1)
    adding = threading.Timer(0.1, lambda: add(client, 2))
    adding.start()
    assert len(next_ids()) == 3
    adding.join()
    consumer.close()
