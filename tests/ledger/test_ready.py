from __future__ import annotations

import json
import time

import pytest
import redis

from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_ledger.writes import Ledger, Limits
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group

OTHER = LANE._replace(account="other")


@pytest.fixture
def under(client: redis.Redis) -> LedgerUnderTest:
    return LedgerUnderTest(client, batch_size=2, linger_ms=0)


def ready(under: LedgerUnderTest) -> dict[str, float]:
    """Account → how long the oldest batch has waited that may be sent."""
    oldest = LedgerReader(under.client).metrics().oldest
    return {account: age for (what, account), age in oldest.items() if what == "ready"}


def test_what_may_be_sent_grows_older_until_it_is_taken(under: LedgerUnderTest):
    under.accept(group(["a", "b"]))
    time.sleep(0.05)
    assert 0.05 <= ready(under)["default"] < 5
    assert under.ledger.take("me", ["default"])
    assert ready(under) == {}


def test_what_an_operator_pauses_is_not_ready_and_begins_anew_when_it_may_go_on(
    under: LedgerUnderTest,
):
    steer = Steering([under.client], "ann@desk")
    under.accept(group(["a", "b"]))
    under.accept(group(["c", "d"], OTHER))
    steer.pause(Selector(account="default"))
    assert ready(under).keys() == {"other"}
    assert not under.ledger.take("me", ["default"])
    time.sleep(0.3)
    steer.resume(Selector(account="default"))
    assert ready(under)["default"] < 0.3 < ready(under)["other"]


def test_what_workers_parked_is_not_ready(under: LedgerUnderTest):
    under.accept(group(["a", "b"]))
    under.accept(group(["c", "d"], OTHER))
    park = calls.park(Limits(), "account:default", reason="Invalid token.", code="401")
    under.ledger.run([park])
    assert ready(under).keys() == {"other"}


def test_an_account_that_rests_has_nothing_ready(under: LedgerUnderTest):
    under.accept(group(["a", "b"]))
    under.ledger.run([calls.throttle("default", 60_000)])
    assert ready(under) == {}


def test_a_space_that_nobody_reads_back_is_ready_since_no_worker_sends_for_its_account(
    client: redis.Redis,
):
    ledger = Ledger(client, Limits(batch_size=2, linger_ms=0))
    ledger.open("new")
    under = LedgerUnderTest(client, batch_size=2, linger_ms=0)
    under.accept(group(["a", "b"]))
    under.accept(group(["c", "d"], OTHER))
    assert ready(under) == {}
    for account in ("default", "other"):
        gate = f"unread:{account}|{LANE.space_token}"
        state = json.loads(client.hget(f"{P}:gates", gate) or b"{}")
        state["since"] -= 120_000
        client.hset(f"{P}:gates", gate, json.dumps(state))
    assert under.ledger.look("me", ["default"])
    refused = calls.end_look("me", f"default|{LANE.space_token}", 1000, read="not")
    under.ledger.run([refused])
    assert ready(under).keys() == {"other"}
