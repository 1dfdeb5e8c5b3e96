"""Messages on their way into a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.encoder import JSONEncoder, PickleEncoder
from dramatiq.errors import BrokerConnectionError, QueueNotFound
from dramatiq.message import get_encoder, set_encoder

from callspool.transport import CommandRefused, DelayRefused, StreamsBroker
from callspool_ledger import keys
from tests.producers.transport.conftest import MakeBroker
from tests.producers.transport.helpers import actor, entries, working
from tests.support.proxy import Proxy, Where
from tests.support.servers import RedisServer, free_port


def message(queue: str = "work", *args: Any) -> dramatiq.Message[Any]:
    return dramatiq.Message(queue, "do", args, {}, {})


def test_a_message_is_one_entry_with_one_field(broker: StreamsBroker, client: redis.Redis) -> None:
    do = actor(broker, lambda _number: None)
    sent = do.send(7)
    [fields] = entries(client, keys.stream("work"))
    assert list(fields) == [b"m"]
    assert sent.message_id.encode() in fields[b"m"]


def test_an_undeclared_queue_is_refused(broker: StreamsBroker, client: redis.Redis) -> None:
    with pytest.raises(QueueNotFound):
        broker.enqueue(message("nowhere"))
    with pytest.raises(QueueNotFound):
        broker.enqueue_many([message("nowhere")])
    assert client.dbsize() == 0


def test_a_delay_is_refused_and_nothing_is_stored(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    do = actor(broker, lambda: None)
    with pytest.raises(DelayRefused, match="enqueue it when it is due"):
        do.send_with_options(delay=1000)
    assert client.dbsize() == 0


def test_many_messages_go_to_their_queues_in_order(
    broker: StreamsBroker, client: redis.Redis
) -> None:
    broker.declare_queue("work")
    broker.declare_queue("play")
    mixed = (message(("work", "play")[number % 2], number) for number in range(1201))
    assert broker.enqueue_many(mixed) == 1201
    stored = [fields[b"m"] for fields in entries(client, keys.stream("work"))]
    numbers = [JSONEncoder().decode(text)["args"][0] for text in stored]
    assert numbers == list(range(0, 1201, 2))
    assert client.xlen(keys.stream("play")) == 600


def test_another_partition_has_streams_of_its_own(
    make_broker: MakeBroker, client: redis.Redis
) -> None:
    broker = make_broker(partitions=4)
    broker.declare_queue("work@3")
    broker.enqueue(message().copy(queue_name="work@3"))
    assert client.keys() == [b"callspool:{3}:work"]


def test_the_encoder_of_the_process_is_not_used(broker: StreamsBroker, client: redis.Redis) -> None:
    before = get_encoder()
    set_encoder(PickleEncoder())
    try:
        actor(broker, lambda: None).send()
    finally:
        set_encoder(before)
    [fields] = entries(client, keys.stream("work"))
    assert JSONEncoder().decode(fields[b"m"])["actor_name"] == "do"


def test_the_broker_of_the_process_is_left_alone(broker: StreamsBroker) -> None:
    actor(broker, lambda: None).send()
    assert dramatiq.broker.global_broker is not broker


def test_signals_are_emitted_around_declaring_and_enqueueing(make_broker: MakeBroker) -> None:
    heard: list[str] = []

    class Listener(dramatiq.Middleware):
        def before_declare_queue(self, broker: object, queue_name: str) -> None:
            heard.append(f"before declare {queue_name}")

        def after_declare_queue(self, broker: object, queue_name: str) -> None:
            heard.append(f"after declare {queue_name}")

        def before_enqueue(self, broker: object, message: object, delay: object) -> None:
            heard.append("before enqueue")

        def after_enqueue(self, broker: object, message: object, delay: object) -> None:
            heard.append("after enqueue")

    broker = make_broker(middleware=[Listener()])
    broker.declare_queue("work")
    broker.declare_queue("work")
    broker.enqueue(message())
    broker.enqueue_many([message()])
    declared = ["before declare work", "after declare work"]
    assert heard == declared + 2 * ["before enqueue", "after enqueue"]
    assert broker.get_declared_queues() == {"work"}
    assert broker.get_declared_delay_queues() == set()


def test_no_server_is_an_error_of_dramatiq_with_advice(make_broker: MakeBroker) -> None:
    broker = make_broker(f"redis://127.0.0.1:{free_port()}/0")
    broker.declare_queue("work")
    with pytest.raises(BrokerConnectionError, match="Redis cannot be reached"):
        broker.enqueue(message())


def test_a_full_server_is_an_error_that_quotes_nothing(make_broker: MakeBroker) -> None:
    with RedisServer("--maxmemory", "1") as server:
        broker = make_broker(server.url)
        broker.declare_queue("work")
        with pytest.raises(CommandRefused) as caught:
            broker.enqueue(message("work", "+14155550123"))
        assert "OutOfMemory" in str(caught.value)
        assert "5550123" not in str(caught.value)
        server.kill()


def test_a_unix_socket_a_database_and_a_password_are_taken_over_from_the_client(
    make_broker: MakeBroker, tmp_path: Path
) -> None:
    path = tmp_path / "redis.sock"
    with RedisServer("--unixsocket", str(path)) as server, server.client() as admin:
        admin.config_set("requirepass", "secret")
        broker = make_broker(f"unix://:secret@{path}?db=2&decode_responses=yes")
        seen: list[str] = []
        actor(broker, seen.append).send("here")
        assert admin.info("keyspace")["db2"]["keys"] == 1
        with working(broker):
            broker.join("work", timeout=5000)
        assert seen == ["here"]
        broker.close()


@pytest.mark.parametrize("where", ["before", "amid", "after", "within"])
def test_a_message_whose_reply_is_lost_is_never_stored_twice(
    where: Where, make_broker: MakeBroker, client: redis.Redis, redis_server: RedisServer
) -> None:
    with Proxy(redis_server.port) as proxy:
        broker = make_broker(proxy.url)
        broker.declare_queue("work")
        proxy.cut(1, where)
        with pytest.raises(BrokerConnectionError):
            broker.enqueue(message())
        assert client.xlen(keys.stream("work")) == (1 if where in ("after", "within") else 0)
        broker.enqueue(message())
        assert client.xlen(keys.stream("work")) <= 2
