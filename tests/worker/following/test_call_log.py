"""The call log says when to look, and how often it rang; what became of a call, tasks alone say."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import redis

from callspool.request.identity import number_digests
from callspool_ledger.writes import Taken
from callspool_worker.decisions.answers import Answered
from callspool_worker.following.call_log import LoggedRing, read_ring
from tests.support.ledgers import P, calls, group
from tests.worker.following.played_calls import SPACE, PlayedCalls

BEGIN = float(int(time.time()) - 3600)


@pytest.fixture
def played(client: redis.Redis) -> PlayedCalls:
    found = PlayedCalls(client)
    found.log = []
    return found


def number_of(place: int) -> str:
    return f"+1415555{100 + place:04}"


def create(played: PlayedCalls, *ids: str, first: int = 0) -> Taken:
    """Creates a run whose contacts have numbers of their own."""
    numbers = [number_of(first + place) for place in range(len(ids))]
    played.spool.accept(group(ids, numbers=numbers))
    taken = played.ledger.take("me:1", ["default"])
    assert taken is not None
    run = f"R{taken.attempt}"
    played.tasks[run] = [played.task(taken, place, one) for place, one in enumerate(ids)]
    made = [task["task_id"] for task in played.tasks[run]]
    played.ledger.run([calls.record_created(taken, run, made, "200")])
    return taken


def ring(played: PlayedCalls, number: int, seconds: float = 0.0, **more: Any) -> None:
    """Notes in the log that a number rang, and when that was over."""
    end = datetime.fromtimestamp(BEGIN + seconds, UTC).replace(tzinfo=None).isoformat()
    assert played.log is not None
    played.log.append({"to_number": number_of(number), "end_time": end, **more})


def look(played: PlayedCalls, hours: float = 0.0) -> list[tuple[str, int]]:
    """Makes a pass after a while, with the log due."""
    played.client.hdel("callspool:{account-default}:log", "next")
    return played.look(hours)


def test_a_batch_is_looked_at_once_the_log_shows_that_all_of_its_calls_are_over(
    played: PlayedCalls,
) -> None:
    create(played, "a", "b")
    taken = create(played, "c", "d", first=2)
    assert look(played) == []  # nothing is due, and nobody was called
    played.end(taken, 0)
    played.end(taken, 1)
    ring(played, 2)
    ring(played, 3, 5)
    assert look(played) == []
    assert look(played) == [("R2", 1)]
    assert played.outcomes == {"open": 2, "reached": 2}


def test_while_others_still_ring_a_batch_is_looked_at_five_minutes_after_the_first_end(
    played: PlayedCalls,
) -> None:
    taken = create(played, "a", "b", "c")
    look(played)
    played.end(taken, 0)
    ring(played, 0)
    look(played)
    ((_, score),) = played.client.zrange(f"{P}:later:{SPACE}", 0, -1, withscores=True)
    now = played.client.time()[0] * 1000
    assert 270_000 < score - now <= 301_000
    assert look(played, 0.05) == []
    assert look(played, 0.04) == [("R1", 1)]
    assert played.outcomes == {"open": 2, "reached": 1}


def test_the_log_alone_is_no_outcome(played: PlayedCalls) -> None:
    create(played, "a")
    look(played)
    ring(played, 0, call_status="completed")
    for _ in range(3):
        look(played)
    assert played.outcomes == {"open": 1}


def test_rings_are_counted_by_the_log_however_many_happened_between_two_looks(
    played: PlayedCalls,
) -> None:
    taken = create(played, "a", "b")
    look(played)
    for seconds in (0, 30, 60):
        ring(played, 0, seconds)
        look(played)
    ring(played, 0, 60)  # the same row, once more
    played.end(taken, 0)
    look(played, 0.3)
    entry, _ = played.ledger.batches([taken.batch])[taken.batch]
    call = entry.call(0)
    assert call is not None
    assert call.rings == 3


def test_an_account_that_may_not_read_the_log_is_asked_once_a_day(played: PlayedCalls) -> None:
    played.log = None
    create(played, "a")
    asked: list[str] = []
    log_page = played.log_page

    def count(query: Any) -> Any:
        asked.append("log")
        return log_page(query)

    played.log_page = count  # type: ignore[method-assign]
    assert [len(played.look(2.1)) for _ in range(3)] == [1, 1, 1]
    assert asked == ["log"]


def test_a_log_is_read_as_far_as_it_is_new_and_no_further(played: PlayedCalls) -> None:
    played.log_size = 500
    create(played, "a")
    for number in range(1200):
        ring(played, 50, number)
    look(played)
    assert played.log_reads == 1  # a first read
    for number in range(1200, 1900):
        ring(played, 50, number)
    look(played)
    assert played.log_reads == 1 + 2
    look(played)
    assert played.log_reads == 1 + 2 + 1


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "x",
        {},
        {"to_number": "+14155550100"},
        {"to_number": None, "end_time": "2026-12-01T10:00:00"},
        {"to_number": True, "end_time": "2026-12-01T10:00:00"},
        {"to_number": "+14155550100", "end_time": "soon"},
        {"to_number": {"a": 1}, "end_time": 1},
    ],
)
def test_a_row_that_says_no_number_or_no_end_says_nothing(row: object) -> None:
    assert read_ring(row) is None


def test_a_row_is_read_whatever_form_its_number_and_its_end_have() -> None:
    (digest,) = number_digests(["+14155550100"])
    ended = round(BEGIN * 1000)
    assert read_ring({"to_number": "+1 415 555 0100", "end_time": BEGIN}) == (digest, ended)
    assert read_ring({"contact_number": 14155550100, "end_time": ended}) == (digest, ended)
    found = read_ring({"to_number": "14155550100", "start_time": BEGIN - 42, "duration": 42})
    assert found == LoggedRing(digest, ended)


def test_an_end_in_the_far_future_does_not_hide_the_rings_that_follow(
    played: PlayedCalls,
) -> None:
    taken = create(played, "a")
    look(played)
    ring(played, 50, end_time="9999-12-31T23:59:59")
    look(played)
    played.end(taken, 0)
    ring(played, 0, 60)
    look(played)
    assert look(played) == [("R1", 1)]


@pytest.mark.parametrize("body", [b"[]", b'{"status_code":206,"data":{}}', b'{"data":[1,{}]}'])
def test_a_log_of_any_shape_stops_no_pass(played: PlayedCalls, body: bytes) -> None:
    create(played, "a")
    played.log_page = lambda _: Answered(200, json=msgspec.json.decode(body))  # type: ignore[method-assign]
    assert played.look(0.3) == [("R1", 1)]
