"""Redis' clock is set back: what was to come in seconds still comes in seconds, and not before."""

from __future__ import annotations

from dataclasses import replace

import redis

from callspool_ledger import keys
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_ledger.writes import account_calls
from callspool_ledger.writes.account_calls import Ask, Grant, News
from callspool_worker.permits.account import AccountPermits
from tests.support.ledgers import LedgerUnderTest, P, calls, group

DAY_MS = 86_400_000
COARSE_MS = 1000
"""The ledger notes the clock once a second, so that what was left is known no better than that."""
A = keys.account_prefix("default")


def ask(client: redis.Redis, spool: LedgerUnderTest, news: News | None = None) -> Grant:
    step = account_calls.permits(
        "default",
        Ask("me", 0, 0, 4, news=news),
        lease_ms=5000,
        first=4,
        most=64,
        rate=0.0,
        grace_ms=0,
    )
    return account_calls.read_grant(spool.ledger.run([step])[0])


def now_ms(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds * 1000 + micros // 1000)


def set_back(client: redis.Redis, key: str, *names: str) -> None:
    """As if these times had been written by a clock that was a day ahead of today's."""
    for name in names:
        known = int(client.hget(key, name) or 0)
        client.hset(key, name, known + DAY_MS)


def test_an_account_that_did_not_rest_does_not_rest_then(client: redis.Redis):
    spool = LedgerUnderTest(client)
    assert ask(client, spool, News(n=1, ms=10.0)).wait == 0
    set_back(client, f"{A}:limit", "clock", "next")
    client.hset(f"{A}:holders", "other", f"1 1 1 {now_ms(client) + DAY_MS + 5000}")
    grant = ask(client, spool, News(n=1, ms=10.0))
    assert grant.wait == 0
    assert grant.permits > 0
    till = int(client.hget(f"{A}:holders", "other").split()[3])
    assert till - now_ms(client) <= 6000


def test_a_rest_goes_on_for_as_long_as_was_left_of_it(client: redis.Redis):
    spool = LedgerUnderTest(client)
    assert 50_000 < ask(client, spool, News(rest=60_000)).wait <= 60_000
    set_back(client, f"{A}:limit", "clock", "rest")
    assert 50_000 < ask(client, spool).wait <= 60_000 + COARSE_MS


def test_what_is_due_in_the_ledger_stays_due(client: redis.Redis):
    spool = LedgerUnderTest(client, linger_ms=0)
    spool.accept(group(["crm-1"]))
    spool.ledger.run([calls.throttle("default", 30_000), calls.sweep(spool.ledger.limits)])
    set_back(client, f"{P}:meta", "clock", "announced")
    set_back(client, f"{P}:throttled", "default")
    client.zincrby(f"{P}:due", DAY_MS, "Tdefault")
    reply = spool.ledger.run([calls.sweep(spool.ledger.limits)])[0]
    assert 20_000 < reply[0] <= 30_000 + COARSE_MS
    left = int(client.hget(f"{P}:throttled", "default")) - now_ms(client)
    assert 20_000 < left <= 30_000 + COARSE_MS


def test_an_absurd_rest_ends_after_ten_minutes_and_one_request_tries_it(client: redis.Redis):
    spool = LedgerUnderTest(client)
    grant = ask(client, spool, News(rest=1_000_000_000_000))
    assert 590_000 < grant.wait <= 600_000
    client.hset(f"{A}:limit", "rest", now_ms(client) - 1)
    assert ask(client, spool).permits == 1
    assert ask(client, spool, News(n=1, ms=10.0)).permits > 1


def test_an_operator_ends_a_rest(client: redis.Redis):
    spool = LedgerUnderTest(client)
    ask(client, spool, News(rest=500_000))
    spool.ledger.run([calls.throttle("default", 500_000)])
    done = Steering([client], "ann@desk").resume(Selector(account="default"))
    assert done.rests == ["default"]
    assert ask(client, spool).wait == 0
    assert client.hgetall(f"{P}:throttled") == {}


def test_a_worker_sends_again_when_a_rest_was_ended():
    account = AccountPermits("default")
    grant = Grant(4, 4, 0, 300_000, -1, 0, "", None, 0)
    account.got(grant, 100.0)
    assert not account.may_begin(100.1)
    account.got(replace(grant, wait=0), 101.0)
    assert account.may_begin(101.0)
