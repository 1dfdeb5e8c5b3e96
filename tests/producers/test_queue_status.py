"""`status` and `status_many`: what the ledger says, in the scope that was asked for."""

from __future__ import annotations

import asyncio

import pytest
import redis

from callspool import AsyncCallQueue, CallQueue, QueueUnavailable
from tests.support.ledgers import LANE, LedgerUnderTest, group
from tests.support.servers import free_port


@pytest.fixture
def ledger(client: redis.Redis) -> LedgerUnderTest:
    return LedgerUnderTest(client, batch_size=10, linger_ms=0)


def test_a_document_that_no_worker_has_accepted_has_no_status(
    ledger: LedgerUnderTest, redis_url: str
) -> None:
    with CallQueue(redis_url) as queue:
        assert queue.status("a", space_token="SPACE") is None


def test_a_document_is_found_in_its_own_scope_only(ledger: LedgerUnderTest, redis_url: str) -> None:
    ledger.accept(group(["a", "b"]), group(["a"], LANE._replace(campaign="autumn")))
    with CallQueue(redis_url) as queue:
        status = queue.status("b", space_token="SPACE")
        assert status is not None
        assert (status.document_id, status.state, status.attempts) == ("b", "waiting", 0)
        assert queue.status("a", space_token="SPACE", campaign="autumn") is not None
        assert queue.status("b", space_token="SPACE", campaign="autumn") is None
        assert queue.status("b", space_token="OTHER") is None
        assert queue.status("b", space_token="SPACE", account="sandbox") is None


def test_the_status_of_many_tells_of_each(ledger: LedgerUnderTest, redis_url: str) -> None:
    ids = [f"d{number}" for number in range(25)]
    ledger.accept(group(ids))
    asked = [*ids, "unknown", "d0"]
    with CallQueue(redis_url) as queue:
        found = queue.status_many(iter(asked), space_token="SPACE")
    assert list(found) == [*ids, "unknown"]
    assert found.pop("unknown") is None
    assert all(status is not None and status.state == "waiting" for status in found.values())


def test_more_than_are_asked_for_at_a_time_are_all_told(
    ledger: LedgerUnderTest, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.queue.STATUS_IDS", 10)
    ids = [f"d{number}" for number in range(25)]
    ledger.accept(group(ids))
    with CallQueue(redis_url) as queue:
        found = queue.status_many(ids, space_token="SPACE")
    assert [status and status.document_id for status in found.values()] == ids


def test_an_event_loop_gets_the_same(ledger: LedgerUnderTest, redis_url: str) -> None:
    ledger.accept(group(["a"]))

    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            status = await queue.status("a", space_token="SPACE")
            assert status is not None
            assert status.state == "waiting"
            assert await queue.status_many(["b"], space_token="SPACE") == {"b": None}

    asyncio.run(scenario())


def test_a_server_that_is_not_there_is_told() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    with CallQueue(url, timeout=0.3) as queue, pytest.raises(QueueUnavailable):
        queue.status("a", space_token="SPACE")

    async def scenario() -> None:
        async with AsyncCallQueue(url, timeout=0.3) as queue:
            await queue.status("a", space_token="SPACE")

    with pytest.raises(QueueUnavailable):
        asyncio.run(scenario())
