from __future__ import annotations

import pytest
import redis

from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from tests.support.ledgers import LedgerUnderTest, calls, group


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_oldest_wait_is_told_whatever_protocol_the_client_speaks(protocol: int, redis_url: str):
    with (
        redis.Redis.from_url(redis_url) as feeder,
        redis.Redis.from_url(redis_url, protocol=protocol) as client,
    ):
        spool = LedgerUnderTest(feeder, batch_size=10, linger_ms=60_000)
        assert LedgerReader(client).ask(read_summary()).oldest_waiting_seconds is None
        spool.accept(group(["c1"]))
        oldest = LedgerReader(client).ask(read_summary()).oldest_waiting_seconds
    assert oldest is not None
    assert 0 <= oldest < 60


def test_an_account_whose_documents_are_settled_is_not_among_those_that_wait(redis_url: str):
    with redis.Redis.from_url(redis_url) as client:
        spool = LedgerUnderTest(client, linger_ms=0)
        spool.accept(group(["one"]))
        reader = LedgerReader(client)
        assert reader.ask(read_summary()).waiting_accounts == {"default"}
        taken = spool.ledger.take("me:1", ["default"])
        assert taken is not None
        spool.ledger.run([calls.record_created(taken, "R1", ["T1"], "200")])
        assert reader.ask(read_summary()).waiting_accounts == set()


def test_the_story_of_an_expired_document_tells_no_attempt_that_did_not_hold_it(
    redis_url: str,
):
    with redis.Redis.from_url(redis_url) as client:
        spool = LedgerUnderTest(client, batch_size=2, linger_ms=60_000)
        spool.accept(group(["late"], expires_ms=1))
        spool.accept(group(["good"]))
        taken = spool.ledger.take("me:1", ["default"])
        assert taken is not None
        spool.ledger.run([calls.record_created(taken, "R1", ["T1"], "200")])
        (late,) = LedgerReader(client).ask(read_stories("late"))
        (good,) = LedgerReader(client).ask(read_stories("good"))
    assert (late.state, late.attempts, late.task_id) == ("expired", [], None)
    assert (good.state, len(good.attempts), good.task_id) == ("created", 1, "T1")
