"""`status` and `status_many`: what the ledger says, in the scope that was asked for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import redis

from callspool import AsyncCallQueue, CallQueue, CallRequest, QueueUnavailable
from callspool_ledger import keys
from callspool_ledger.reads.gates import read_gates, read_journal
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.selectors import Selector
from tests.support.ledgers import LANE, LedgerUnderTest, group
from tests.support.servers import free_port


@pytest.fixture
def ledger(client: redis.Redis) -> LedgerUnderTest:
    return LedgerUnderTest(client, batch_size=10, linger_ms=0)


def test_what_is_known_nowhere_is_unknown(ledger: LedgerUnderTest, redis_url: str) -> None:
    with CallQueue(redis_url) as queue:
        assert queue.status("a", space_token="SPACE").state == "unknown"


def test_a_document_is_found_in_its_own_scope_only(ledger: LedgerUnderTest, redis_url: str) -> None:
    ledger.accept(group(["a", "b"]), group(["a"], LANE._replace(campaign="autumn")))
    with CallQueue(redis_url) as queue:
        status = queue.status("b", space_token="SPACE")
        assert (status.document_id, status.state, status.attempts) == ("b", "waiting", 0)
        assert queue.status("a", space_token="SPACE", campaign="autumn").state == "waiting"
        assert queue.status("b", space_token="SPACE", campaign="autumn").state == "unknown"
        assert queue.status("b", space_token="OTHER").state == "unknown"
        assert queue.status("b", space_token="SPACE", account="sandbox").state == "unknown"


def test_the_status_of_many_tells_of_each(ledger: LedgerUnderTest, redis_url: str) -> None:
    ids = [f"d{number}" for number in range(25)]
    ledger.accept(group(ids))
    asked = [*ids, "unknown", "d0"]
    with CallQueue(redis_url) as queue:
        found = queue.status_many(iter(asked), space_token="SPACE")
    assert list(found) == [*ids, "unknown"]
    assert found.pop("unknown").state == "unknown"
    assert all(status.state == "waiting" for status in found.values())


def test_more_than_are_asked_for_at_a_time_are_all_told(
    ledger: LedgerUnderTest, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.enqueue.queue_reads.STATUS_IDS", 10)
    ids = [f"d{number}" for number in range(25)]
    ledger.accept(group(ids))
    with CallQueue(redis_url) as queue:
        found = queue.status_many(ids, space_token="SPACE")
    assert [status.document_id for status in found.values()] == ids


def test_an_event_loop_gets_the_same(ledger: LedgerUnderTest, redis_url: str) -> None:
    ledger.accept(group(["a"]))

    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            status = await queue.status("a", space_token="SPACE")
            assert status.state == "waiting"
            others = await queue.status_many(["b"], space_token="SPACE")
            assert others["b"].state == "unknown"

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


def test_what_no_worker_has_accepted_is_queued_or_refused(
    ledger: LedgerUnderTest, redis_url: str, client: redis.Redis
) -> None:
    ledger.make_group()
    scope = {"space_token": "SPACE", "campaign": "autumn"}
    with CallQueue(redis_url) as queue:
        contact = {"name": "Ada", "contact_number": "+14155550100", "document_id": "q"}
        receipt = queue.enqueue(CallRequest("SPACE", "p", [contact], "Hi", campaign="autumn"))
        (entry,) = client.xrange(keys.stream(keys.REQUESTS))
        assert receipt.message_id == entry[0].decode()
        refusal = {"at": 1.0, "account": "default", "message": "9-9", "place": 0,
                   "document_id": "r", "field": "name", "reason": "must not be blank"}  # fmt: skip
        client.lpush(keys.PartitionKeys().invalid, msgspec.json.encode(refusal))
        found = queue.status_many(["q", "r", "z"], **scope)
        assert [each.state for each in found.values()] == ["queued", "refused", "unknown"]
        assert found["r"].reason == "name: must not be blank"
        assert queue.status("q", space_token="SPACE").state == "unknown"
        assert queue.status("q", **scope, message_id=receipt.message_id).state == "queued"
        assert queue.status("q", **scope, message_id="1-1").state == "unknown"
        only = queue.status_many(["q"], **scope, accepted_only=True)
        assert only["q"].state == "unknown"


def test_a_service_cancels_pauses_and_resumes_as_the_commands_do(
    ledger: LedgerUnderTest, redis_url: str
) -> None:
    ledger.accept(group(["a", "b"]))
    reader = LedgerReader(ledger.client)
    with CallQueue(redis_url) as queue:
        assert queue.cancel("a", space_token="SPACE").state == "cancelled"
        assert queue.cancel("z", space_token="SPACE").state == "unknown"
        end = datetime.now(UTC) + timedelta(hours=1)
        assert queue.pause(account="default", note="a check", until=end) == 1
    (gate,) = reader.ask(read_gates())
    assert (gate.selector, gate.note) == (Selector("default"), "a check")

    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            assert await queue.resume() == 1
            assert await queue.pause(space_token="SPACE") == 1
            assert (await queue.cancel("b", space_token="SPACE")).state == "cancelled"

    asyncio.run(scenario())
    commands = [each.command for each in reader.ask(read_journal(9))]
    assert commands == ["cancel", "pause", "resume", "pause", "cancel"]
