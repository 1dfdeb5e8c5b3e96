"""The feed: one entry a step, read as events behind a cursor."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest
import redis

from callspool import AsyncCallQueue, CallQueue, CursorTooOld, FeedEvent, InvalidCursor
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.reads.entries import pack_task_ids
from callspool_ledger.reads.feed import Position, encode_cursor

TASKS = ["T" + f"{number:032x}" for number in range(3)]


def add_entry(client: redis.Redis, at: str, ids: str = "a\nb\nc", partition: int = 0) -> None:
    fields = {"t": "created", "a": "default", "c": "spring", "r": "R1", "k": pack_task_ids(TASKS)}
    client.xadd(PartitionKeys(partition).events, {**fields, "i": ids, "o": "ooo"}, id=at)


def test_an_entry_is_read_as_an_event_for_each_of_its_documents(
    client: redis.Redis, redis_url: str
) -> None:
    add_entry(client, "1700000000123-7", ids='a\n\\u00e9\\"\nc')
    with CallQueue(redis_url) as queue:
        page = queue.events()
    assert [event.document_id for event in page.events] == ["a", 'é"', "c"]
    assert page.events[2] == FeedEvent(
        id="0-1700000000123-7-2",
        time=datetime(2023, 11, 14, 22, 13, 20, 123000, UTC),
        type="created",
        account="default",
        campaign="spring",
        document_id="c",
        run_id="R1",
        task_id=TASKS[2],
        outcome="open",
        reason=None,
    )
    assert set(msgspec.json.decode(msgspec.json.encode(page.events[0]))) == {
        *("id", "time", "type", "account", "campaign", "document_id"),
        *("run_id", "task_id", "outcome", "reason"),
    }


def test_a_page_ends_within_an_entry_and_the_next_one_goes_on_there(
    client: redis.Redis, redis_url: str
) -> None:
    for number in range(3):
        add_entry(client, f"17000000000{number}0-0", partition=number % 2)
    with CallQueue(redis_url, partitions=2) as queue:
        cursor, found = "", []
        while (page := queue.events(cursor, limit=2)).events:
            found += [event.id for event in page.events]
            cursor = page.cursor
        assert queue.events(cursor).cursor == cursor
        again = queue.events(limit=100)
    assert found == [event.id for event in again.events]
    assert len(set(found)) == 9
    assert [one.split("-")[1] for one in found] == sorted(one.split("-")[1] for one in found)


def test_waiting_ends_with_the_first_event(client: redis.Redis, redis_url: str) -> None:
    async def wait() -> list[str]:
        async with AsyncCallQueue(redis_url) as queue:
            waiting = asyncio.create_task(queue.events(wait=30))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(add_entry, client, "1700000000123-7")
            return [event.document_id for event in (await waiting).events]

    assert asyncio.run(wait()) == ["a", "b", "c"]
    with CallQueue(redis_url) as queue:
        assert len(queue.events(wait=30).events) == 3
        last = queue.events().cursor
        assert queue.events(last, wait=0.05).events == []


def test_a_cursor_behind_which_events_were_dropped_is_told_the_oldest(
    client: redis.Redis, redis_url: str
) -> None:
    for number in range(3):
        add_entry(client, f"170000000000{number}-0")
    with CallQueue(redis_url) as queue:
        first, second = (queue.events(limit=limit).cursor for limit in (1, 3))
        client.xtrim(PartitionKeys().events, minid="1700000000001-0", approximate=False)
        client.hset(PartitionKeys().meta, "feed_cut", "1700000000000-0")
        with pytest.raises(CursorTooOld) as told:
            queue.events(first)
        assert len(queue.events(told.value.oldest).events) == 6
        assert len(queue.events(second).events) == 6
        with pytest.raises(CursorTooOld):
            queue.events(since=datetime.fromtimestamp(1_600_000_000, UTC))
        assert len(queue.events().events) == 6
        since = datetime.fromtimestamp(1_700_000_000.002, UTC)
        assert len(queue.events(since=since).events) == 3


@pytest.mark.parametrize("cursor", ["x", "é", encode_cursor([Position()] * 2), "gq0B", "....", "="])
def test_what_is_no_cursor_is_refused(redis_url: str, cursor: str) -> None:
    with CallQueue(redis_url) as queue, pytest.raises(InvalidCursor):
        queue.events(cursor)


def test_arguments_out_of_range_are_refused(redis_url: str) -> None:
    with CallQueue(redis_url) as queue:
        naive = datetime(2026, 1, 1)  # noqa: DTZ001 - that is the fault
        for fault in ({"wait": -1}, {"limit": 0}, {"reader": "a b"}, {"since": naive}):
            with pytest.raises(ValueError):
                queue.events(**fault)  # type: ignore[arg-type]


def test_a_named_reader_leaves_how_far_it_came(client: redis.Redis, redis_url: str) -> None:
    add_entry(client, "1700000000123-7")
    with CallQueue(redis_url) as queue:
        cursor = queue.events(reader="crm").cursor
        queue.events(cursor, reader="crm")
    assert client.hgetall(PartitionKeys().readers) == {b"crm": b"1700000000123-7"}
