"""Redis is emptied, and the contacts are enqueued again: none of them is called twice."""

from __future__ import annotations

import json

import pytest
import redis

from callspool_ledger.errors import LedgerGone
from callspool_ledger.writes import Ledger, Limits
from tests.support.ledgers import LANE, P
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.faults import on_reads
from tests.worker.proving.stage import Stage

IDS = [f"crm-{n}" for n in range(10)]


def restart_worker(stage: Stage, client: redis.Redis) -> Stage:
    """Another worker, for which the ledger in Redis is a new one."""
    ledger = Ledger(client, Limits())
    ledger.open("new")
    return Stage(client, stage.sandbox)


def test_what_a_living_worker_sent_before_redis_was_emptied_is_not_sent_again(
    set_up: SetUp, client: redis.Redis
):
    stage = set_up()
    stage.accept(IDS[:5])
    stage.send()
    stage.accept(IDS[5:8])
    held = stage.take()
    client.flushall()
    answer = stage.post(held)
    with pytest.raises(LedgerGone):
        stage.record(held, answer)
    stage.record(held, answer)
    stage.spool.make_group()
    stage.accept(IDS)
    assert stage.taken_again() is False
    stage.read_back()
    assert stage.states(IDS[:8]) == "c" * 8
    stage.send()
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


def test_a_new_ledger_reads_a_space_back_before_its_first_send(set_up: SetUp, client: redis.Redis):
    stage = set_up()
    stage.accept(IDS)
    stage.send()
    client.flushall()
    later = restart_worker(stage, client)
    later.accept(IDS)
    later.accept(["crm-10"])
    assert later.taken_again() is False
    later.look()
    assert later.states(IDS) == "c" * 10
    later.send()
    assert set(later.made().values()) == {1}
    assert later.states(["crm-10"]) == "c"
    later.close()


def test_what_comes_again_later_is_known_as_well(set_up: SetUp, client: redis.Redis):
    stage = set_up()
    stage.accept(IDS)
    stage.send()
    client.flushall()
    later = restart_worker(stage, client)
    later.accept(["crm-10"])
    later.look()
    later.send()
    later.accept(IDS)
    later.deliver(later.take())
    assert later.states(IDS) == "c" * 10
    assert set(later.made().values()) == {1}
    later.close()


def test_another_campaign_is_called_all_the_same(set_up: SetUp, client: redis.Redis):
    stage = set_up()
    stage.accept(IDS)
    stage.send()
    client.flushall()
    later = restart_worker(stage, client)
    spring = LANE._replace(campaign="spring")
    later.accept(IDS, spring)
    later.look()
    later.send()
    assert later.states(IDS, spring) == "c" * 10
    assert set(later.made().values()) == {2}
    later.close()


def test_a_fresh_installation_that_may_not_read_its_space_sends_all_the_same(
    set_up: SetUp, client: redis.Redis
):
    stage = set_up('[[faults]]\nname = "status"\nstatus = 403\non = "reads"\n')
    client.flushall()
    first = restart_worker(stage, client)
    first.accept(IDS)
    assert first.taken_again() is False
    first.look()
    first.send()
    assert first.states(IDS) == "c" * 10
    first.close()


def test_where_redis_was_emptied_and_the_space_may_not_be_read_nothing_is_sent(
    set_up: SetUp, client: redis.Redis
):
    stage = set_up('[[faults]]\nname = "status"\nstatus = 403\non = "reads"\n')
    stage.accept(IDS[:5])
    stage.send()
    client.flushall()
    with pytest.raises(LedgerGone):
        stage.take()
    stage.spool.make_group()
    stage.accept(IDS)
    stage.look()
    assert stage.taken_again() is False
    assert stage.states(IDS) == "w" * 10
    assert client.hexists(f"{P}:gates", "unread:default|SPACE")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"status": 308, "location": "https://api.example/"}, "has moved to https://api.example/"),
        ({"status": 401}, "401: "),
    ],
)
def test_an_address_or_a_token_that_is_wrong_is_the_reason_of_an_unread_space_at_once(
    set_up: SetUp, client: redis.Redis, broken: dict[str, object], words: str
):
    stage = set_up(on_reads(**broken))
    stage.accept(IDS[:5])
    stage.send()
    client.flushall()
    with pytest.raises(LedgerGone):
        stage.take()
    stage.spool.make_group()
    stage.accept(IDS)
    stage.look()
    assert stage.taken_again() is False
    gate = client.hget(f"{P}:gates", "unread:default|SPACE")
    assert words in json.loads(gate)["reason"]
