"""What Redis forgot of calls counts again before anything that has a cap is sent."""

from __future__ import annotations

import pytest
import redis

from callspool.hours.caps import Cap
from callspool_ledger.errors import CallsUnsure
from callspool_ledger.guard import CallsAsked, CallsRecovery, Guard
from callspool_ledger.guard.recovery import RECENT_NUMBERS, RecentCalls
from callspool_ledger.steering.campaigns import Campaigns, Caps
from tests.ledger.guard.test_caps import (
    DAY,
    Attempts,
    G,
    accept,
    defer_all,
    documents,
    take,
)
from tests.support.ledgers import LedgerUnderTest, P


@pytest.fixture
def attempts(spool: LedgerUnderTest, client: redis.Redis) -> Attempts:
    Caps([client], "ann").set([Cap(1, DAY)])
    return Attempts(spool)


def fail_over(client: redis.Redis, *, forget: bool = True) -> None:
    """What a promoted replica looks like: another server, which lacks the last calls."""
    client.hset(f"{G}:meta", "server", "another")
    for key in client.scan_iter(f"{G}:c:*") if forget else ():
        client.delete(key)


def pass_time(client: redis.Redis, ms: int = 4000) -> None:
    client.hincrby(f"{G}:meta", "unsure", -ms)


def test_nothing_with_a_cap_is_cleared_while_calls_may_be_forgotten(
    attempts: Attempts, client: redis.Redis
):
    fail_over(client, forget=False)
    with pytest.raises(CallsUnsure, match="counted anew"):
        attempts.ask()
    pass_time(client, 2 * DAY * 1000)  # whatever was forgotten counts no more
    assert not attempts.ask().capped


def test_what_a_process_reserved_lately_counts_once_more(
    spool: LedgerUnderTest, attempts: Attempts, client: redis.Redis
):
    attempts.ask(3)
    attempts.guard.give_back(attempts.guard.reserve("default", "", documents(1, 4), "refused"))
    fail_over(client)
    for key in client.scan_iter(f"{G}:held:*"):
        client.delete(key)
    recovery = CallsRecovery(attempts.guard, [spool.ledger])
    assert not recovery.look(), "others may still report"
    pass_time(client)
    assert recovery.look()
    (hit,) = attempts.ask(5).capped
    assert hit.places == [0, 1, 2]
    assert recovery.look()


def test_what_redis_did_not_forget_counts_once(
    spool: LedgerUnderTest, client: redis.Redis, attempts: Attempts
):
    Caps([client], "ann").set([Cap(2, DAY)])
    attempts.guard.note_made(attempts.ask())
    attempts.guard.reserve("default", "", documents(1, 5), "settles the one before")
    fail_over(client, forget=False)
    recovery = CallsRecovery(attempts.guard, [spool.ledger])
    recovery.look()
    pass_time(client)
    assert recovery.look()
    assert not attempts.ask().capped
    assert attempts.ask().capped


def test_documents_in_doubt_of_a_process_that_is_gone_count(
    spool: LedgerUnderTest, client: redis.Redis, attempts: Attempts
):
    accept(spool, 2)
    taken = take(spool)
    Guard(spool.ledger).reserve("default", "", documents(2), taken.token)
    fail_over(client)
    recovery = CallsRecovery(attempts.guard, [spool.ledger])
    attempts.guard.is_used = True
    recovery.look()
    pass_time(client)
    assert not recovery.look(), "its take is not over"
    spool.ledger.run([spool.ledger.calls.lapse(taken.taker, f"{taken.batch}:{taken.attempt}", "")])
    assert recovery.look()
    assert attempts.ask(2).capped
    assert not attempts.ask(2, missed=f"{taken.token} ").capped, "and are given back as any other"


def test_while_a_space_waits_to_be_read_back_calls_may_be_missing(
    spool: LedgerUnderTest, client: redis.Redis, attempts: Attempts
):
    attempts.ask()
    fail_over(client)
    recovery = CallsRecovery(attempts.guard, [spool.ledger])
    recovery.look()
    pass_time(client)
    client.hset(f"{P}:gates", "unread:default|SPACE", '{"since":1}')
    assert not recovery.look()
    client.delete(f"{P}:gates")
    assert recovery.look()


def test_a_call_that_is_counted_late_stands_in_its_order(client: redis.Redis, attempts: Attempts):
    Caps([client], "ann").set([Cap(2, DAY)])
    attempts.ask()
    guard, now = attempts.guard, int(client.time()[0]) * 1000
    made = CallsAsked("default", "", "of before")
    hour = now - 3_600_000
    assert guard.count(made, documents(1), at_ms=hour) == 1
    assert guard.count(made, documents(1), at_ms=hour) == 0
    assert (
        guard.count(CallsAsked("default", "", "old"), documents(1), at_ms=now - 3 * DAY * 1000) == 0
    )
    (hit,) = attempts.ask().capped
    assert hit.due_ms < now + 23.5 * 3_600_000


def test_what_was_called_under_a_shorter_cap_counts_when_it_is_longer_again(
    client: redis.Redis, attempts: Attempts
):
    caps = Caps([client], "ann")
    now = int(client.time()[0]) * 1000
    made = CallsAsked("default", "", "hours ago")
    attempts.guard.count(made, documents(1), at_ms=now - 7_200_000)
    caps.set([Cap(1, 60)])
    assert not attempts.ask().capped
    caps.set([Cap(3, DAY)])
    caps.set([Cap(2, DAY)])
    assert attempts.ask().capped


def test_a_shorter_cap_keeps_fewer_calls_once_the_longer_ones_time_is_over(
    client: redis.Redis, attempts: Attempts
):
    Caps([client], "ann").set([Cap(1, 60)])
    assert client.hget(f"{G}:meta", "longest") == b"%d" % (DAY * 1000)
    attempts.guard.recover()
    assert client.hget(f"{G}:meta", "longest") == b"%d" % (DAY * 1000)
    client.hset(f"{G}:meta", "longest_till", 1)
    attempts.guard.recover()
    assert client.hget(f"{G}:meta", "longest") == b"60000"


def test_what_waits_for_a_cap_is_asked_about_anew_when_its_campaigns_end_changes(
    spool: LedgerUnderTest, client: redis.Redis
):
    accept(spool)
    defer_all(spool)
    campaigns, now = Campaigns([client], "ann"), int(client.time()[0]) * 1000
    campaigns.set("default", "another", lambda record: record.change(ends=now - 1000))
    assert client.exists(f"{P}:capped")
    campaigns.set("default", "", lambda record: record.change(ends=now - 1000))
    assert not client.exists(f"{P}:capped")
    assert spool.ledger.take("me:2", ["default"]) is None
    assert [spool.state(f"d{at}") for at in range(5)] == ["e"] * 5


def test_a_process_keeps_what_it_reserved_for_a_minute_and_not_too_much_of_it():
    now = [0.0]
    recent = RecentCalls(lambda: now[0])
    for token in "ab":
        recent.keep(CallsAsked("default", "", token), b"x" * 9)
        now[0] += 40.0
    assert [(asked.token, age) for asked, _, age in recent.take()] == [("a", 80.0), ("b", 40.0)]
    recent.keep(CallsAsked("default", "", "c"), b"x" * 9)
    assert [asked.token for asked, *_ in recent.take()] == ["b", "c"]
    recent.drop("b")
    recent.keep(CallsAsked("default", "", "d"), b"x" * 9 * RECENT_NUMBERS)
    assert [asked.token for asked, *_ in recent.take()] == ["d"]
