"""The feed: one entry a step, read as events behind a cursor."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
import redis

from callspool import AsyncCallQueue, CallQueue, CursorTooOld, FeedEvent, InvalidCursor
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.reads.entries import pack_task_ids
from callspool_ledger.reads.feed import Position, encode_cursor, join_page, read_feed, read_lags
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.views import CallRecord
from callspool_ledger.selectors import Selector
from callspool_ledger.steering.calls import SteeringOrder
from callspool_ledger.writes import Taken
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group, steering_calls

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
        id=page.events[2].id,
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
        ids = f"a{number}\nb{number}\nc{number}"
        add_entry(client, f"17000000000{number}0-0", ids, partition=number % 2)
    with CallQueue(redis_url, partitions=2) as queue:
        cursor, found = "", []
        while (page := queue.events(cursor, limit=2)).events:
            found += [(event.time, event.id) for event in page.events]
            cursor = page.cursor
        assert queue.events(cursor).cursor == cursor
        again = queue.events(limit=100)
    assert found == [(event.time, event.id) for event in again.events]
    assert len({one for _, one in found}) == 9
    assert [at for at, _ in found] == sorted(at for at, _ in found)


def test_an_event_that_is_told_again_after_a_failover_has_the_same_id(
    client: redis.Redis, redis_url: str
) -> None:
    add_entry(client, "1700000000000-0", "a\nb\nc")
    add_entry(client, "1700000009000-0", "b")
    with CallQueue(redis_url) as queue:
        first = [event.id for event in queue.events().events]
        client.flushall()
        add_entry(client, "1700000005000-0", "z\ny")
        add_entry(client, "1700000009000-0", "a\nb\nc")
        again = [event.id for event in queue.events().events]
        # What may happen again is told apart by its place, and by what it tells there.
        held = {"t": "held", "a": "default", "w": "no mark"}
        client.flushall()
        client.xadd(f"{P}:events", {**held, "i": "a"}, id="1700000000000-0")
        client.xadd(f"{P}:events", {**held, "i": "a"}, id="1700000000001-0")
        ids = {event.id for event in queue.events().events}
        client.flushall()
        client.xadd(f"{P}:events", {**held, "i": "b"}, id="1700000000000-0")
        ids |= {event.id for event in queue.events().events}
    assert again[2:] == first[:3]
    assert len({*first, *again}) == 6
    assert len(ids) == 3


def test_a_page_costs_what_it_holds_also_where_entries_are_large() -> None:
    fields = {b"t": b"dead", b"a": b"default", b"i": b"\n".join([b"a"] * 1000)}
    rows = [(f"17000000000{number:02}-0".encode(), fields) for number in range(50)]
    reading = read_feed([Position(0, 1)], 200).trips(PartitionKeys())
    (asked, _) = next(reading)
    with pytest.raises(StopIteration) as done:
        reading.send([rows[: int(asked[-1])], None])  # type: ignore[index]
    assert int(asked[-1]) <= 5  # type: ignore[index]
    (part,) = done.value.value
    assert len(part.events) == 200
    assert part.events[-1][1] == Position(1700000000000, 0, 200)


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


def test_a_server_that_took_over_with_a_slow_clock_hides_no_event(
    client: redis.Redis, redis_url: str
) -> None:
    add_entry(client, "1700000000000-0", ids="old")
    copy = client.dump(PartitionKeys().events)
    add_entry(client, "1700000005000-0", ids="lost")
    with CallQueue(redis_url) as queue:
        cursor = queue.events().cursor
        client.restore(PartitionKeys().events, 0, copy, replace=True)
        assert [event.document_id for event in queue.events(cursor).events] == ["old"]
        add_entry(client, "1700000003000-0", ids="new")
        add_entry(client, "1700000009000-0", ids="newer")
        found, at = [], cursor
        while (page := queue.events(at, limit=1)).events:
            found += [event.document_id for event in page.events]
            at = page.cursor
        assert found == ["old", "new", "newer"]
        client.delete(PartitionKeys().events)
        assert queue.events(at).events == []
        add_entry(client, "1700000004000-0", ids="first")
        assert [event.document_id for event in queue.events(at).events] == ["first"]
        # What was dropped in order is no loss.
        client.xtrim(PartitionKeys().events, maxlen=0, approximate=False)
        client.hset(PartitionKeys().meta, "feed_cut", "1700000009000-0")
        assert queue.events(at).cursor == at


def test_what_came_and_was_dropped_after_a_first_look_is_told(
    client: redis.Redis, redis_url: str
) -> None:
    with CallQueue(redis_url, partitions=2) as queue:
        add_entry(client, "1700000000000-0", partition=1)
        cursor = queue.events().cursor
        assert queue.events(cursor).events == []
        client.hset(PartitionKeys().meta, "feed_cut", "1700000000000-0")  # came and went
        with pytest.raises(CursorTooOld) as told:
            queue.events(cursor)
        assert queue.events(told.value.oldest).events == []
        assert len(queue.events().events) == 3


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


def read_lags_of(client: redis.Redis) -> dict[str, float]:
    return LedgerReader(client).ask(read_lags()).behind


def test_a_named_reader_is_told_of_as_far_as_it_came(client: redis.Redis, redis_url: str) -> None:
    add_entry(client, "1700000000123-7")
    with CallQueue(redis_url) as queue:
        cursor = queue.events(reader="crm").cursor
        queue.events(cursor, reader="crm")
        assert read_lags_of(client) == {"crm": 0.0}
        now = round(time.time() * 1000)
        add_entry(client, f"{now - 60_000}-0", partition=0)
        assert 59 < read_lags_of(client)["crm"] < 120
        # One that was given up is not told of for ever.
        client.hset(PartitionKeys().readers, "old", "1-0 1600000000")
        assert list(read_lags_of(client)) == ["crm"]


def told(client: redis.Redis) -> list[FeedEvent]:
    """All events in the feed."""
    return join_page(LedgerReader(client).ask(read_feed([Position()])), 1000).events


def briefly(client: redis.Redis) -> list[tuple[str, str]]:
    return [(event.type, event.document_id) for event in told(client)]


def take(spool: LedgerUnderTest) -> Taken:
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    return taken


def create(spool: LedgerUnderTest, taken: Taken, run: str = "R1") -> object:
    ids = [f"T{taken.attempt:016x}{place:016x}" for place in range(taken.count)]
    step = calls.record_created(taken, run, ids, "200", quoted_ids=taken.quoted_ids)
    return spool.ledger.run([step])[0]


def look(
    spool: LedgerUnderTest, batch: int, news: dict[int, str], *, is_last: bool = False
) -> None:
    """Records outcomes of calls, as a follower does."""
    spool.client.zadd(f"{P}:follows", {"default|SPACE": 0})
    spool.ledger.run([calls.follow("me:follow", 1000, ["default"])])
    entry, _ = spool.ledger.batches([batch])[batch]
    shown = {place: (outcome, CallRecord("completed")) for place, outcome in news.items()}
    step = calls.record_calls(
        "me:follow",
        "default|SPACE",
        batch,
        memory="{}",
        again_ms=None if is_last else 60_000,
        news=shown,
        entry=entry,
    )
    spool.ledger.run([step, calls.end_following("me:follow", "default|SPACE", 1000)])


def test_a_batch_is_told_in_one_entry_with_its_run_and_tasks(client: redis.Redis) -> None:
    spool = LedgerUnderTest(client, batch_size=100, linger_ms=0)
    spool.accept(group(["a", "b"], LANE._replace(campaign="spring")))
    create(spool, take(spool))
    assert client.xlen(f"{P}:events") == 1
    first, second = told(client)
    assert (first.type, first.document_id, first.outcome) == ("created", "a", "open")
    assert (first.account, first.campaign, first.run_id) == ("default", "spring", "R1")
    assert second.task_id == f"T{1:016x}{1:016x}"


def test_a_script_that_is_repeated_tells_nothing_twice(client: redis.Redis) -> None:
    spool = LedgerUnderTest(client, batch_size=100, linger_ms=0)
    spool.accept(group(["a", "b"]))
    taken = take(spool)
    assert [create(spool, taken), create(spool, taken)] == [[2, 0], [-1, 0]]
    look(spool, taken.batch, {0: "reached"})
    look(spool, taken.batch, {0: "reached"})
    assert briefly(client) == [("created", "a"), ("created", "b"), ("ended", "a")]


def test_what_becomes_of_a_call_is_told_once_it_ends_and_when_it_changes(
    client: redis.Redis,
) -> None:
    spool = LedgerUnderTest(client, batch_size=100, linger_ms=0)
    spool.accept(group(["a", "b", "c"]))
    taken = take(spool)
    create(spool, taken)
    look(spool, taken.batch, {0: "ended", 1: "lost_sight"})
    look(spool, taken.batch, {0: "reached", 1: "reached"})
    look(spool, taken.batch, {2: "failed"}, is_last=True)
    found = [(event.type, event.document_id, event.outcome) for event in told(client)[3:]]
    assert sorted(found[:2]) == [("ended", "a", "ended"), ("lost_sight", "b", "lost_sight")]
    assert sorted(found[2:4]) == [("ended", "b", "reached"), ("evaluated", "a", "reached")]
    assert found[4] == ("ended", "c", "failed")
    last = told(client)[-1]
    assert (last.run_id, last.task_id) == ("R1", f"T{1:016x}{2:016x}")
    assert not client.hexists(f"{P}:b{taken.batch}", "ids")


def test_what_is_cancelled_expired_dead_and_held_is_told_with_its_reason(
    client: redis.Redis,
) -> None:
    spool = LedgerUnderTest(client, batch_size=1, linger_ms=0)
    spool.accept(group(["late"], expires_ms=1))
    assert spool.ledger.take("me:1", ["default"]) is None
    spool.accept(group(["huge"], reason="too large"))
    spool.accept(group(["bad"]))
    step = calls.bury(take(spool), outcome="rejected", code="422", detail="Ada is no number")
    spool.ledger.run([step])
    spool.accept(group(["doubtful"]))
    doubtful = take(spool)
    spool.ledger.run([calls.doubt(doubtful, outcome="no_answer", code="", detail="", proof=b"{}")])
    for held in ("its space cannot be read back: Ada", "its space cannot be read back: Bob"):
        at = doubtful.batch, doubtful.attempt
        spool.ledger.run([calls.observe(*at, found="", held=held)])
    spool.accept(group(["back"]))
    order = SteeringOrder("ann@desk", Selector(), None)
    spool.ledger.run([steering_calls.cancel(order, "default", "0", "0", 0, 1000)])
    assert [(event.type, event.document_id, event.reason) for event in told(client)] == [
        ("expired", "late", None),
        ("dead", "huge", "too_large"),
        ("dead", "bad", "rejected 422"),
        ("held", "doubtful", "its space cannot be read back"),
        ("cancelled", "back", None),
    ]


def test_a_late_answer_tells_of_what_was_cancelled_meanwhile(client: redis.Redis) -> None:
    spool = LedgerUnderTest(client, batch_size=100, linger_ms=0)
    spool.accept(group(["a", "b"]))
    taken = take(spool)
    step = calls.doubt(taken, outcome="no_answer", code="", detail="", proof=b"{}")
    resend = calls.resend(taken.batch, taken.attempt, delay_ms=0, size=9, tries=1)
    order = SteeringOrder("ann@desk", Selector(), None)
    cancel = steering_calls.cancel(order, "default", "0", "0", 0, 1000)
    for each in (step, resend, cancel):
        spool.ledger.run([each])
    proof = calls.record_proven(
        taken.batch, taken.attempt, taken.seal, run_id="R1", ids=["T1"], places="01", claim=False
    )
    assert spool.ledger.run([proof]) == [[1, 0]]
    assert briefly(client) == [
        *(("cancelled", "a"), ("cancelled", "b")),
        *(("created", "b"), ("lost_sight", "b")),
    ]
    assert told(client)[2].task_id == "T1"


def test_what_a_late_answer_proved_while_it_is_sent_again_is_told_once(
    client: redis.Redis,
) -> None:
    spool = LedgerUnderTest(client, batch_size=100, linger_ms=0)
    spool.accept(group(["a", "b"]))
    old = take(spool)
    spool.ledger.run([calls.put_back(old, tries=0, delay_ms=0)])
    new = take(spool)
    proof = calls.record_proven(
        old.batch, old.attempt, old.seal, run_id="R1", ids=["T1"], places="10", claim=False
    )
    spool.ledger.run([proof])
    # The second one is on a list: what is proven leaves the attempt as created.
    spool.ledger.run([calls.suppress(new, [("dnc", "it is on the list dnc", [0, 1])])])
    assert briefly(client) == [("created", "a"), ("cancelled", "b")]
    assert told(client)[1].reason == "it is on the list dnc"
    spool.check()


def test_a_feed_that_is_off_tells_nothing(client: redis.Redis) -> None:
    spool = LedgerUnderTest(client, linger_ms=0, feed="off")
    spool.accept(group(["a"]))
    taken = take(spool)
    create(spool, taken)
    assert not client.exists(f"{P}:events")
    assert not client.hexists(f"{P}:b{taken.batch}", "ids")


def test_ids_are_read_as_they_stand_in_the_documents(client: redis.Redis) -> None:
    spool = LedgerUnderTest(client, batch_size=100, linger_ms=0)
    raw = [
        b'{"document_id":"plain"}',
        b'{"document_id" : "spaced"}',
        b'{"custom":{"document_id":"inner"},"document_id":"outer"}',
        b'{"document_id":"\\u00e9\\"\\n"}',
        b'{"documen\\u0074_id":"real","custom":{"document_id":"inner"}}',
    ]
    for number, document in enumerate(raw):
        spool.accept(replace(group([str(number)]), documents=[document]))
        taken = take(spool)
        assert taken.quoted_ids == (b"plain" if not number else b"")
        create(spool, taken, f"R{number}")
    assert [each for _, each in briefly(client)] == ["plain", "spaced", "outer", 'é"\n', "real"]


def test_what_is_over_its_time_is_dropped_and_the_last_one_noted(client: redis.Redis) -> None:
    spool = LedgerUnderTest(client, events_keep_ms=3_600_000)
    now = round(time.time() * 1000)
    for minutes in (300, 200, 100, 30, 10):
        add_entry(client, f"{now - minutes * 60_000}-0")
    trim = calls.trim_feed(spool.ledger.limits)
    pieces = 1
    while spool.ledger.run([trim]) == [1]:
        pieces += 1
    assert pieces > 1
    assert client.xlen(f"{P}:events") == 2
    assert client.hget(f"{P}:meta", "feed_cut").decode() == f"{now - 100 * 60_000}-0"
    assert spool.ledger.run([trim]) == [0]


def test_a_feed_that_is_too_large_drops_its_oldest_events(client: redis.Redis) -> None:
    spool = LedgerUnderTest(client, events_max_bytes=50_000)
    now = round(time.time() * 1000)
    for number in range(100):
        add_entry(client, f"{now - 1_000_000 + number * 1000}-0", ids="\n".join(["x" * 10] * 90))
    trim = calls.trim_feed(spool.ledger.limits)
    while spool.ledger.run([trim]) == [1]:
        pass
    spool.ledger.run([trim] * 20)
    assert 20 < client.xlen(f"{P}:events") < 60
    assert client.memory_usage(f"{P}:events") <= 50_000


@pytest.mark.parametrize(("size", "most"), [(100, 60), (1, 150)])
def test_an_event_takes_at_most_150_bytes(client: redis.Redis, size: int, most: int) -> None:
    spool = LedgerUnderTest(client, batch_size=size, linger_ms=0)
    batches = 400 // size
    for number in range(batches):
        ids = [f"customer-{number:06}-{place:03}" for place in range(size)]
        spool.accept(group(ids, LANE._replace(campaign="spring 2026")))
        taken = take(spool)
        create(spool, taken, f"R{number:032x}")
        look(spool, taken.batch, dict.fromkeys(range(size), "reached"))
    assert client.xlen(f"{P}:events") == 2 * batches
    used = client.memory_usage(f"{P}:events", samples=0)
    assert used / 800 <= most, used / 800
