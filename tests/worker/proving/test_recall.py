"""What a Redis forgot that lost its last moments is found at the API, and not sent again."""

from __future__ import annotations

import time

import redis

from callspool_ledger.writes import LaneKey
from tests.support.ledgers import LANE, P, calls
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.stage import LEASE_MS, QUIET, Stage

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
    stage.read_back()
    assert stage.states(IDS) == "c" * 10
    assert stage.ledger.take("me:10", ["default"]) is None
    assert set(stage.made().values()) == {1}
    assert client.hgetall(f"{P}:gates") == {}


def test_what_was_not_sent_is_sent_once_its_space_was_read_back(set_up: SetUp, client: redis.Redis):
    stage = set_up()
    stage.accept(IDS)
    forget_since(client, everything(client))
    assert stage.ledger.take("me:9", ["default"]) is None
    stage.read_back()
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
    stage.read_back()
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
    stage.ledger.run([calls.open_gate("unread:default|SPACE")])
    stage.send()
    assert stage.states(IDS) == "c" * 10


def test_no_setting_spares_the_reading_back(set_up: SetUp, client: redis.Redis):
    """It may have been switched on after the crash."""
    client.config_set("appendonly", "yes")
    client.config_set("appendfsync", "always")
    try:
        off: Stage = set_up()
        off.accept(IDS)
        kept = everything(client)
        off.post(off.take())
        forget_since(client, kept)
        durable = Stage(client, off.sandbox, durable_takes="local")
        durable.ledger.check_durability()
        assert durable.ledger.take("me:9", ["default"]) is None
        durable.read_back()
        assert durable.states(IDS) == "c" * 10
        assert set(durable.made().values()) == {1}
        durable.close()
    finally:
        client.config_set("appendfsync", "everysec")
        client.config_set("appendonly", "no")


def test_a_ledger_that_has_forgotten_a_take_of_a_living_worker_is_read_back_first(
    set_up: SetUp, client: redis.Redis
):
    """An older copy of the data was put into the very server that has run all along."""
    stage = set_up()
    stage.accept(IDS)
    kept = everything(client)
    stage.post(stage.take())
    forget_since(client, kept)
    client.hset(f"{P}:meta", "server", client.info("server")["run_id"])
    assert stage.ledger.take("me:9", ["default"]) is None
    stage.read_back()
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


def test_a_forgotten_space_is_read_back_however_late_its_message_comes_again(
    set_up: SetUp, client: redis.Redis
):
    stage = set_up()
    stage.accept(["other-1"], LANE._replace(space_token="OTHER"))
    stage.send()
    kept = everything(client)
    stage.accept(IDS)
    stage.post(stage.take())
    forget_since(client, kept)
    assert stage.ledger.take("me:9", ["default"]) is None
    a_day_later(client)
    stage.accept(IDS)
    assert stage.ledger.take("me:10", ["default"]) is None
    stage.read_back()
    assert stage.states(IDS) == "c" * 10
    assert stage.made()["crm-1"] == 1


def a_day_later(client: redis.Redis) -> None:
    """As if the restart had been noticed a day ago; what it reads back from stays."""
    at = int(client.hget(f"{P}:meta", "restarted") or 0)
    client.hset(f"{P}:meta", "restarted", at - 86_400_000)


def test_the_policy_resend_opens_no_space_before_nothing_forgotten_can_be_under_way(
    set_up: SetUp, client: redis.Redis
):
    reads = '[[faults]]\nname = "status"\nstatus = 403\non = "reads"\n'
    stage = set_up(reads, resend_unproven=True)
    stage.accept(IDS)
    forget_since(client, everything(client))
    assert stage.ledger.take("me:9", ["default"]) is None
    stage.look()
    assert stage.ledger.take("me:10", ["default"]) is None
    time.sleep((LEASE_MS / 1000) + QUIET)
    stage.look()
    assert stage.ledger.take("me:11", ["default"])
