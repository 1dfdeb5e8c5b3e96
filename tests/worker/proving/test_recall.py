"""What a Redis forgot that lost its last moments is found at the API, and not sent again."""

from __future__ import annotations

import redis

from callspool_ledger.writes import LaneKey, calls
from tests.support.ledgers import LANE, P
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.stage import Stage

IDS = [f"crm-{n}" for n in range(10)]


def everything(client: redis.Redis) -> dict[bytes, bytes | None]:
    return {key: client.dump(key) for key in client.keys("*")}


def forget_since(client: redis.Redis, kept: dict[bytes, bytes | None]) -> None:
    """Redis comes back as it was when `kept` was made, as another server."""
    client.flushall()
    for key, value in kept.items():
        assert value is not None
        client.restore(key, 0, value)
    if client.hexists(f"{P}:meta", "server"):
        client.hset(f"{P}:meta", "server", "another")


def test_documents_of_a_forgotten_take_are_recorded_as_created_and_not_sent_again(
    set_up: SetUp, client: redis.Redis
):
    stage = set_up()
    stage.accept(IDS)
    kept = everything(client)
    stage.post(stage.take())
    forget_since(client, kept)
    assert stage.states(IDS) == "w" * 10
    assert stage.ledger.take("me:9", ["default"]) is None
    stage.look()
    assert stage.states(IDS) == "c" * 10
    assert stage.ledger.take("me:10", ["default"]) is None
    assert set(stage.made().values()) == {1}
    assert client.hgetall(f"{P}:gates") == {}


def test_what_was_not_sent_is_sent_once_its_space_was_read_back(set_up: SetUp, client: redis.Redis):
    stage = set_up()
    stage.accept(IDS)
    forget_since(client, everything(client))
    assert stage.ledger.take("me:9", ["default"]) is None
    stage.look()
    stage.send()
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


def test_a_forgotten_acceptance_is_not_sent_when_its_message_comes_again(
    set_up: SetUp, client: redis.Redis
):
    stage = set_up()
    other = LaneKey("default", "SPACE", "spring", "pilot-a", "Follow up", LANE.schedule)
    stage.accept(["other-1"])
    kept = everything(client)
    stage.accept(IDS)
    for _ in range(2):
        stage.post(stage.take())
    forget_since(client, kept)
    assert stage.ledger.take("me:9", ["default"]) is None
    stage.look()
    stage.accept(IDS)
    stage.accept(IDS, other)
    taken = stage.take()
    assert taken.strays
    stage.deliver(taken)
    assert stage.states(IDS) == "c" * 10
    stage.send()
    assert stage.states(IDS, other) == "c" * 10
    assert {one: stage.made()[one] for one in IDS} == dict.fromkeys(IDS, 2)
    assert stage.made()["other-1"] == 1


def test_nothing_is_sent_while_the_space_cannot_be_read_back_unless_an_operator_says_so(
    set_up: SetUp, client: redis.Redis
):
    stage = set_up('[[faults]]\nname = "status"\nstatus = 403\non = "reads"\n')
    stage.accept(IDS)
    forget_since(client, everything(client))
    assert stage.ledger.take("me:9", ["default"]) is None
    stage.look()
    assert stage.ledger.take("me:9", ["default"]) is None
    stage.ledger.run([calls.open_gate(0, "unread:default|SPACE")])
    stage.send()
    assert stage.states(IDS) == "c" * 10


def test_with_durable_takes_nothing_is_read_back(set_up: SetUp, client: redis.Redis):
    client.config_set("appendonly", "yes")
    client.config_set("appendfsync", "always")
    try:
        stage: Stage = set_up(durable_takes="local")
        stage.ledger.check_durability()
        stage.accept(IDS)
        forget_since(client, everything(client))
        stage.send()
        assert stage.states(IDS) == "c" * 10
        assert stage.reads == []
    finally:
        client.config_set("appendfsync", "everysec")
        client.config_set("appendonly", "no")
