"""`GET /v1/events`: a long poll over the feed, as far as the key reaches."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
import redis

from callspool.settings import Settings
from callspool_ledger.access import Right
from callspool_ledger.keys import PartitionKeys
from callspool_operators.serving.feed import MOST_READS, FeedReader
from callspool_operators.serving.problems import Problem
from tests.operators.serving.conftest import SPACE, Intake, start_serve
from tests.support.servers import RedisServer

EVENTS = "/v1/events"


def tell(client: redis.Redis, *ids: str, account: str = "default", campaign: str = "") -> None:
    """Writes an entry of the feed, as a step of the ledger does."""
    fields = {"t": "created", "a": account, "c": campaign, "r": "R1", "i": "\n".join(ids)}
    client.xadd(PartitionKeys().events, {name: text for name, text in fields.items() if text})


@pytest.fixture
def reader(intake: Intake) -> Intake:
    """The server, and a key that reads all accounts."""
    intake.secret = intake.create_key("reader", Right.READ)
    return intake


def test_events_come_behind_the_cursor_in_their_order(reader: Intake):
    tell(reader.redis, "crm-1", "crm-2")
    first = reader.call("GET", f"{EVENTS}?limit=1").json
    assert [each["document_id"] for each in first["events"]] == ["crm-1"]
    assert first["events"][0] | {"id": "", "time": ""} == {
        "id": "", "time": "", "type": "created", "account": "default", "campaign": None,
        "document_id": "crm-1", "run_id": "R1", "task_id": None, "outcome": "open", "reason": None,
    }  # fmt: skip
    second = reader.call("GET", f"{EVENTS}?cursor={first['cursor']}").json
    assert [each["document_id"] for each in second["events"]] == ["crm-2"]
    third = reader.call("GET", f"{EVENTS}?cursor={second['cursor']}").json
    assert third == {"events": [], "cursor": second["cursor"]}


def test_a_caller_that_waits_is_answered_when_something_happens(reader: Intake):
    cursor = reader.call("GET", EVENTS).json["cursor"]
    began = time.monotonic()
    later = threading.Timer(0.3, tell, (reader.redis, "crm-1"))
    later.start()
    found = reader.call("GET", f"{EVENTS}?cursor={cursor}&wait=9").json
    assert [each["document_id"] for each in found["events"]] == ["crm-1"]
    assert 0.25 < time.monotonic() - began < 8
    empty = reader.call("GET", f"{EVENTS}?cursor={found['cursor']}&wait=0.3").json
    assert empty["events"] == []


@pytest.mark.parametrize(
    ("bound", "seen"),
    [
        ({}, ["a", "b", "c", "d"]),
        ({"account": "acme"}, ["c", "d"]),
        ({"campaign": "spring"}, ["b", "d"]),
        ({"account": "acme", "campaign": "spring"}, ["d"]),
        ({"account": "other"}, []),
    ],
)
def test_a_key_reads_the_events_that_it_is_bound_to(
    reader: Intake, bound: dict[str, str], seen: list[str]
):
    tell(reader.redis, "a")
    tell(reader.redis, "b", campaign="spring")
    tell(reader.redis, "c", account="acme")
    tell(reader.redis, "d", account="acme", campaign="spring")
    secret = reader.create_key("bound", Right.READ, **bound)
    page = reader.call("GET", f"{EVENTS}?limit=4", secret=secret).json
    assert [each["document_id"] for each in page["events"]] == seen
    assert page["cursor"] == reader.call("GET", EVENTS).json["cursor"]


def test_a_key_of_a_space_and_one_that_does_not_read_get_no_events(reader: Intake):
    for secret in (
        reader.create_key("space", Right.READ, space_token=SPACE),
        reader.create_key("writer", Right.ENQUEUE),
    ):
        assert reader.call("GET", EVENTS, secret=secret).status == 403


def test_a_cursor_whose_events_are_gone_is_told_the_oldest_one(reader: Intake):
    tell(reader.redis, "a")
    old = reader.call("GET", EVENTS).json["cursor"]
    for each in "bcd":
        tell(reader.redis, each)
    *gone, _ = (entry for entry, _ in reader.redis.xrange(PartitionKeys().events))
    reader.redis.xdel(PartitionKeys().events, *gone)
    reader.redis.hset(PartitionKeys().meta, "feed_cut", gone[-1])
    answer = reader.call("GET", f"{EVENTS}?cursor={old}")
    assert (answer.status, answer.json["type"]) == (410, "urn:callspool:problem:cursor-too-old")
    again = reader.call("GET", f"{EVENTS}?cursor={answer.json['oldest']}").json
    assert [each["document_id"] for each in again["events"]] == ["d"]


@pytest.mark.parametrize(
    "query",
    ["cursor=Ada", "wait=31", "wait=-1", "wait=nan", "limit=0", "limit=1001", "limit=x",
     "since=Ada", "since=2026-12-01T00:00:00", "since=2026-12-01T00:00:00Z&cursor=Ada"],
)  # fmt: skip
def test_a_page_that_cannot_be_is_a_problem(reader: Intake, query: str):
    answer = reader.call("GET", f"{EVENTS}?{query}")
    assert answer.status in (400, 422)
    assert b"Ada" not in answer.body


def test_a_key_with_a_rate_reads_no_faster(reader: Intake):
    tell(reader.redis, "a", "b", "c")
    secret = reader.create_key("slow", Right.READ, per_minute=2)
    page = reader.call("GET", EVENTS, secret=secret).json
    assert [each["document_id"] for each in page["events"]] == ["a", "b"]
    assert reader.call("GET", f"{EVENTS}?cursor={page['cursor']}", secret=secret).status == 429


def test_callers_at_one_cursor_share_a_read_and_reads_are_bounded(redis_behind: RedisServer):
    async def scenario() -> None:
        feed = FeedReader(Settings(redis_url=redis_behind.url))
        client = redis.Redis.from_url(redis_behind.url)
        client.flushall()

        def read(cursor: str) -> asyncio.Task[list[str]]:
            async def ids() -> list[str]:
                page = await feed.read(cursor, lambda _: True, wait=20, limit=10)
                return [event.document_id for event in page.events]

            return asyncio.create_task(ids())

        waiting = [read("") for _ in range(500)]
        await asyncio.sleep(0.2)
        assert len(feed._reads) == 1
        tell(client, "a")
        assert await asyncio.gather(*waiting) == [["a"]] * 500
        cursor = (await feed.read("", lambda _: True, wait=0, limit=10)).cursor
        feed._reads = dict.fromkeys(range(MOST_READS))  # type: ignore[arg-type]
        with pytest.raises(Problem):
            await feed.read(cursor, lambda _: True, wait=0, limit=10)
        feed._reads = {}
        last = read(cursor)
        await asyncio.sleep(0.1)
        feed.end_waits()
        assert await last == []
        await feed.close()
        client.close()

    asyncio.run(scenario())


def test_callers_that_wait_do_not_hold_up_the_end(redis_behind: RedisServer, tmp_path: Path):
    process, port = start_serve(redis_behind.url, tmp_path)
    intake = Intake(port, redis_behind.url)
    intake.redis.flushall()
    intake.secret = intake.create_key("reader", Right.READ)
    answers: list[int] = []
    caller = threading.Thread(
        target=lambda: answers.append(intake.call("GET", f"{EVENTS}?wait=9").status)
    )
    caller.start()
    time.sleep(0.5)
    began = time.monotonic()
    process.terminate()
    assert process.wait(timeout=30) == 0
    caller.join()
    assert answers == [200]
    assert time.monotonic() - began < 7
    assert process.stdout is not None
    process.stdout.close()
    intake.redis.close()
