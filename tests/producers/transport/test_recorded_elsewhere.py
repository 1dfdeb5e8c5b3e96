"""Queues whose messages the ledger acknowledges: nothing else may end them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.middleware import SkipMessage

from callspool.transport import Patience, StreamsBroker, Undecodable
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


class RequestCodec:
    """Hands an entry's fields to an actor, as the worker's codec does."""

    def decode(
        self, queue_name: str, entry_id: str, fields: dict[bytes, bytes]
    ) -> dramatiq.Message[Any]:
        if fields.get(b"v") != b"1":
            raise Undecodable("its version is not known")
        return dramatiq.Message(queue_name, "accept", (entry_id, fields), {}, {}, entry_id)

    def encode(self, message: dramatiq.Message[Any]) -> Mapping[str | bytes, bytes]:
        raise TypeError("call requests are enqueued by their producers")


Record = Callable[[str], None]


@pytest.fixture
def request_broker(make_broker: MakeBroker) -> StreamsBroker:
    return make_broker(
        codecs={"requests": RequestCodec()}, recorded_elsewhere=["requests"], patience=IMPATIENT
    )


def add(client: redis.Redis, requests: str = "[]") -> str:
    entry_id: Any = client.xadd(keys.stream("requests"), {"v": "1", "requests": requests})
    return str(entry_id.decode())


def test_a_recorded_message_is_over(make_broker: MakeBroker, client: redis.Redis) -> None:
    request_broker = make_broker(
        codecs={"requests": RequestCodec()}, recorded_elsewhere=["requests"], patience=Patience()
    )
    seen: list[tuple[str, dict[bytes, bytes]]] = []

    def accept(entry_id: str, fields: dict[bytes, bytes]) -> None:
        seen.append((entry_id, fields))
        record(client, request_broker, entry_id, "requests")

    actor(request_broker, accept, queue="requests", name="accept")
    entry_id = add(client, '["a"]')
    with working(request_broker):
        request_broker.join("requests", timeout=5000)
        assert seen == [(entry_id, {b"v": b"1", b"requests": b'["a"]'})]
        assert pending(client, "requests") == 0
        holdings = request_broker.queues["requests"].holdings
        until(lambda: holdings.list_unfinished() == [], timeout=0.5)
        assert holdings.list_delayed() == []


def fails(_broker: StreamsBroker) -> None:
    raise ValueError("not now")


def skips(_broker: StreamsBroker) -> None:
    raise SkipMessage("not now")


def is_interrupted(_broker: StreamsBroker) -> None:
    raise KeyboardInterrupt


def forgets(_broker: StreamsBroker) -> None:
    return None


@pytest.mark.parametrize("ending", [fails, skips, is_interrupted, forgets])
def test_however_an_actor_ends_an_unrecorded_message_is_delivered_again(
    ending: Callable[[StreamsBroker], None], request_broker: StreamsBroker, client: redis.Redis
) -> None:
    tries: list[str] = []

    def accept(entry_id: str, _fields: object) -> None:
        tries.append(entry_id)
        if len(tries) < 3:
            assert client.xlen(keys.stream("requests")) == 1
            ending(request_broker)
        else:
            record(client, request_broker, entry_id, "requests")

    actor(request_broker, accept, queue="requests", name="accept")
    entry_id = add(client)
    with working(request_broker):
        request_broker.join("requests", timeout=5000)
    assert tries == [entry_id] * 3
    assert not client.exists(keys.dead_stream("requests"))


def test_after_its_last_delivery_a_failing_message_is_kept_whole(
    request_broker: StreamsBroker, client: redis.Redis
) -> None:
    tries: list[str] = []

    def accept(entry_id: str, _fields: object) -> None:
        tries.append(entry_id)

    actor(request_broker, accept, queue="requests", name="accept")
    entry_id = add(client, '["kept"]')
    with working(request_broker):
        request_broker.join("requests", timeout=5000)
    assert len(tries) == IMPATIENT.deliveries
    [letter] = dead_letters(client, "requests")
    assert letter.fields == {b"v": b"1", b"requests": b'["kept"]'}
    assert letter.id == entry_id
    assert letter.reason == "its actor ended without recording it"


def test_a_missing_actor_does_not_drop_a_message(
    request_broker: StreamsBroker, client: redis.Redis
) -> None:
    request_broker.declare_queue("requests")
    add(client)
    with working(request_broker):
        request_broker.join("requests", timeout=5000)
    [letter] = dead_letters(client, "requests")
    assert letter.reason == "ActorNotFound"


def test_failing_messages_do_not_hold_up_others(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker(
        codecs={"requests": RequestCodec()},
        recorded_elsewhere=["requests"],
        patience=Patience(first_delay=30),
    )
    seen: set[str] = set()

    def accept(entry_id: str, fields: dict[bytes, bytes]) -> None:
        if fields[b"requests"] == b"bad":
            raise ValueError
        record(client, broker, entry_id, "requests")
        seen.add(entry_id)

    actor(broker, accept, queue="requests", name="accept")
    for _ in range(20):
        add(client, "bad")
    good = {add(client, "good") for _ in range(20)}
    with working(broker):
        until(lambda: seen == good)
        assert client.xlen(keys.stream("requests")) == 20
    assert not client.exists(keys.dead_stream("requests"))


def test_an_unknown_version_is_kept_whole(
    request_broker: StreamsBroker, client: redis.Redis
) -> None:
    actor(request_broker, lambda *_: None, queue="requests", name="accept")
    client.xadd(keys.stream("requests"), {"v": "9", "requests": "[]"})
    with working(request_broker):
        request_broker.join("requests", timeout=5000)
    [letter] = dead_letters(client, "requests")
    assert letter.reason == "its version is not known"
    assert letter.fields[b"v"] == b"9"


def test_dead_letters_that_nobody_recorded_are_never_trimmed(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker(
        codecs={"requests": RequestCodec()}, recorded_elsewhere=["requests"], dead_limit=1
    )
    actor(broker, lambda *_: None, queue="requests", name="accept")
    for _ in range(400):
        client.xadd(keys.stream("requests"), {"v": "9"})
    with working(broker):
        broker.join("requests", timeout=5000)
    assert client.xlen(keys.dead_stream("requests")) == 400


def test_a_failure_counts_for_the_next_worker_too(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    deliveries = 0
    while not client.exists(keys.dead_stream("requests")):
        broker = make_broker(
            codecs={"requests": RequestCodec()},
            recorded_elsewhere=["requests"],
            patience=IMPATIENT,
        )
        failed = threading.Event()

        def accept(_id: str, _fields: object, failed: threading.Event = failed) -> None:
            nonlocal deliveries
            deliveries += 1
            failed.set()

        actor(broker, accept, queue="requests", name="accept")
        if deliveries == 0:
            add(client)
        with working(broker, threads=1):
            assert failed.wait(5)
        assert deliveries <= IMPATIENT.deliveries + 1
    assert deliveries == IMPATIENT.deliveries
