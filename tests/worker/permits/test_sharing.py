"""Permits of an account, shared out by one script among all processes."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.writes.account_calls import Ask, Change, Grant, News, permits, read_grant
from callspool_worker.metrics.samples import samples_of
from callspool_worker.permits.account import AccountPermits
from tests.support.ledgers import LedgerUnderTest


class Sharing:
    """An account of which nothing is known; ``limits`` as `permits` takes them."""

    def __init__(self, client: redis.Redis, **limits: Any) -> None:
        self.client = client
        self._ledger = LedgerUnderTest(client).ledger
        self._limits = {
            "lease_ms": 60_000,
            "first": 4,
            "most": 1000,
            "rate": 0.0,
            "grace_ms": 0,
        } | limits

    def ask(self, holder: str, busy: int = 0, wanted: int = 100, **more: Any) -> Grant:
        ask = Ask(holder, busy, more.pop("peak", busy), wanted, **more)
        (reply,) = self._ledger.run([permits("default", ask, **self._limits)])
        return read_grant(reply)


@pytest.fixture
def sharing(client: redis.Redis) -> Sharing:
    return Sharing(client)


def limit_of(sharing: Sharing, limit: int) -> None:
    sharing.ask("setter", wanted=0, change=Change(0, limit, 100, 0, "{}"))


def test_ten_workers_that_start_together_get_no_more_than_the_limit(sharing: Sharing) -> None:
    grants = [sharing.ask(f"worker-{number}") for number in range(10)]
    assert sum(grant.permits for grant in grants) == 4


def test_everybody_gets_a_fair_share_once_the_others_give_back(sharing: Sharing) -> None:
    limit_of(sharing, 50)
    assert sharing.ask("a").permits == 50
    assert sharing.ask("b").permits == 0
    assert sharing.ask("a", busy=50).permits == 25
    assert sharing.ask("b").permits == 0  # they are in flight still
    assert sharing.ask("a", busy=25).permits == 25
    assert sharing.ask("b").permits == 25


def test_who_wants_little_leaves_the_rest_to_the_others(sharing: Sharing) -> None:
    limit_of(sharing, 50)
    assert sharing.ask("a", wanted=5).permits == 5
    assert sharing.ask("b", wanted=70).permits == 45


def test_a_limit_of_one_goes_to_one_worker_at_a_time(sharing: Sharing) -> None:
    limit_of(sharing, 1)
    assert [sharing.ask(name).permits for name in "abc"] == [1, 0, 0]
    sharing.ask("a", wanted=0)
    assert [sharing.ask(name).permits for name in "bc"] == [1, 0]


def test_permits_of_a_killed_worker_come_back_by_themselves(client: redis.Redis) -> None:
    sharing = Sharing(client, lease_ms=80)
    assert sharing.ask("killed", busy=4).permits == 4
    assert sharing.ask("other").permits == 0
    time.sleep(0.1)
    assert sharing.ask("other").permits == 4


def test_a_rest_that_one_worker_was_told_holds_for_all(sharing: Sharing) -> None:
    assert sharing.ask("a", busy=2).permits == 4
    told = sharing.ask("a", busy=1, news=News(rest=60_000))
    assert (told.permits, told.wait > 59_000) == (1, True)
    other = sharing.ask("b")
    assert (other.permits, other.wait > 59_000) == (0, True)


def test_a_change_counts_only_if_nobody_made_one_before(sharing: Sharing) -> None:
    sharing.ask("a", change=Change(0, 8, 100, 0, "first"))
    grant = sharing.ask("b", change=Change(0, 2, 100, 1, "second"))
    assert (grant.limit, grant.state, grant.cuts, grant.version) == (8, "first", 0, 1)


def test_a_refusal_is_looked_at_at_once_and_only_once(sharing: Sharing) -> None:
    sharing.ask("a", change=Change(0, 50, 60_000, 0, "{}"))
    assert sharing.ask("a", news=News(n=3, ms=600)).past is None
    due = sharing.ask("a", news=News(refused=1, cuts=0), busy=50)
    assert due.past is not None
    assert (due.past.n, due.past.refused, due.past.peak) == (3, 1, 50)
    sharing.ask("a", change=Change(due.version, 45, 60_000, 1, "{}"))
    # The others were sent before the limit was lowered.
    assert sharing.ask("b", news=News(refused=7, cuts=0)).past is None


def test_a_rate_is_kept_over_all_workers_from_the_first_second_on(client: redis.Redis) -> None:
    sharing = Sharing(client, rate=50.0, most=1000, first=1000)
    begun: list[float] = []
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        for name in "abcdefghij":
            grant = sharing.ask(name, wanted=20)
            begun += [time.monotonic()] * grant.begin
    most = max(sum(first <= other < first + 1 for other in begun) for first in begun)
    assert most <= 51  # the clock here and Redis' are read at different moments
    assert len(begun) > 60


def test_what_was_not_begun_may_be_begun_by_others(client: redis.Redis) -> None:
    sharing = Sharing(client, rate=1.0)
    assert sharing.ask("a").begin == 1
    refused = sharing.ask("b")
    assert (refused.begin, 900 < refused.wait <= 1000) == (0, True)
    sharing.ask("a", unused=1, wanted=0)
    assert sharing.ask("b").begin == 1


def test_no_more_requests_begin_than_the_api_says_that_are_left(sharing: Sharing) -> None:
    limit_of(sharing, 50)
    assert sharing.ask("a").begin == -1
    told = sharing.ask("a", busy=10, wanted=30, news=News(left=7, reset=60_000))
    assert told.begin == 7
    other = sharing.ask("b")
    assert (other.begin, other.wait > 59_000) == (0, True)
    # An answer of the same window that was on its way: nothing is left, whatever it says.
    assert sharing.ask("b", news=News(left=5, reset=60_000)).begin == 0
    assert sharing.ask("b", news=News(left=90, reset=120_000)).begin > 0


def test_another_account_knows_nothing_of_it(sharing: Sharing) -> None:
    sharing.ask("a", busy=4, news=News(rest=60_000))
    assert sharing.client.exists("callspool:{account-sales}:limit") == 0
    for key in sharing.client.keys("callspool:{account-*"):
        assert 0 < sharing.client.ttl(key) <= 86_400


def test_a_process_that_could_not_ask_sends_nothing_more() -> None:
    account = AccountPermits("default")
    account.expects(0.0, 10)
    assert account.is_due(0.0)
    account.ask("me", 10, 0.0)
    account.got(Grant(2, 4, 0, 0, -1, 0, "", None, 0), 0.0)
    assert account.may_begin(0.1)
    assert not account.may_begin(5.0)  # it was suspended: others may have its permits by now


def test_operators_see_the_limit_what_is_in_flight_and_how_long_an_account_rests(
    client: redis.Redis,
) -> None:
    sharing = Sharing(client, lease_ms=60_000, most=20)
    client.sadd("callspool:{0}:accounts", "default", "silent")
    limit_of(sharing, 50)
    sharing.ask("a", busy=3)
    sharing.ask("b", busy=2, news=News(rest=60_000))
    (found,) = LedgerReader(client).limits()
    assert (found.account, found.limit, found.in_flight) == ("default", 20, 5)
    assert 59 < found.rests_seconds <= 60
    Sharing(client, lease_ms=0).ask("b", busy=2)
    time.sleep(0.01)
    assert LedgerReader(client).limits()[0].in_flight == 3


def test_the_exporter_serves_limit_and_use_of_each_account(client: redis.Redis) -> None:
    sharing = Sharing(client, most=20)
    client.hset("callspool:{0}:counts", "default|accepted", 1)
    sharing.ask("a", busy=3)
    samples = samples_of(LedgerReader(client).metrics(), max_waiting=1)
    assert samples["callspool_account_limit"] == {("default",): 4}
    assert samples["callspool_account_in_flight"] == {("default",): 3}
