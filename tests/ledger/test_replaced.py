"""Redis is emptied under a living worker: what it knows of the old ledger means nothing now."""

from __future__ import annotations

import pytest
import redis

from callspool_ledger import keys
from callspool_ledger.errors import LedgerGone
from callspool_ledger.writes import Ledger, Limits
from tests.support.ledgers import LedgerUnderTest, P, calls, group


@pytest.fixture
def replaced() -> list[str]:
    return []


@pytest.fixture
def living(client: redis.Redis, replaced: list[str]) -> Ledger:
    """The ledger as a worker has it that has lived for a while."""
    ledger = Ledger(client, Limits(linger_ms=0), on_replaced=lambda: replaced.append("again"))
    ledger.open("")
    return ledger


def make_group(client: redis.Redis) -> None:
    client.xgroup_create(keys.stream(keys.REQUESTS), keys.GROUP, "0", mkstream=True)


def test_a_step_for_a_ledger_that_has_gone_does_nothing_and_the_new_one_is_opened(
    client: redis.Redis, living: Ledger, replaced: list[str]
):
    gone = living.id
    client.flushall()
    with pytest.raises(LedgerGone, match="gone"):
        living.run([calls.throttle("default", 60_000)])
    assert client.hgetall(f"{P}:throttled") == {}
    assert replaced == ["again"]
    assert living.id != gone
    assert client.hget(f"{P}:meta", "id") == living.id.encode()
    living.run([calls.throttle("default", 60_000)])
    assert client.hlen(f"{P}:throttled") == 1


def test_an_answer_to_an_attempt_of_the_old_ledger_settles_nothing_in_the_new_one(
    client: redis.Redis, living: Ledger
):
    spool = LedgerUnderTest(client, linger_ms=0)
    spool.accept(group(["crm-1"]))
    old = living.take("me:1", ["default"])
    assert old
    assert old.ledger_id == living.id
    client.flushall()
    other = LedgerUnderTest(client, linger_ms=0)
    other.accept(group(["crm-2"]))
    step = calls.record_created(old, "R1", ["T1"], "200")
    with pytest.raises(LedgerGone):
        living.run([step])
    assert living.run([step]) == [[-1, 0]]
    assert living.take("me:2", ["default"]) is None, "the space is read back first"
    living.run([calls.open_gate("unread:default|SPACE")])
    new = living.take("me:2", ["default"])
    assert new
    assert new.ledger_id == other.ledger.id != old.ledger_id
    assert new.batch == old.batch
    assert living.run([calls.doubt(old, outcome="", code="", detail="", proof=b"")]) == [-1]
    other.check()


def test_every_script_of_the_ledger_asks_which_ledger_it_is_meant_for(
    client: redis.Redis, living: Ledger
):
    client.flushall()
    before = client.keys("*")
    steps = [
        calls.take(living.limits, "w", "me:1", ["default"]),
        calls.accept(living.limits, []),
        calls.sweep(living.limits),
        calls.look("me", ["default"]),
        calls.forget(1000),
        calls.fail("default", reason="no", code="500"),
        calls.park(living.limits, "account:default", reason="no", code="401"),
    ]
    for step in steps:
        bound = living._bind(step, "0123abcd")
        with pytest.raises(redis.ResponseError, match="OTHERLEDGER"):
            client.eval(step.script.source, *bound.command[2:])
    assert client.keys("*") == before == []
