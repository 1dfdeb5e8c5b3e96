"""`callspool events`: the feed on a terminal, and for scripts."""

from __future__ import annotations

import json

import pytest
import redis

from tests.operators.conftest import Call, Result
from tests.support.ledgers import LANE, LedgerUnderTest, calls, group


@pytest.fixture
def events(client: redis.Redis, redis_url: str, call: Call) -> Call:
    """Runs `callspool events` where two documents were created."""
    spool = LedgerUnderTest(client, batch_size=100, linger_ms=0)
    spool.accept(group(["a", "b"], LANE._replace(campaign="spring")))
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    spool.ledger.run([calls.record_created(taken, "R1", ["T1", "T2"], "200")])
    return lambda *options, **_: call("events", "--redis", redis_url, *options)


def lines_of(result: Result) -> list[dict[str, str]]:
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def test_scripts_get_an_event_a_line_and_the_cursor_to_go_on_with(events: Call) -> None:
    first, behind = lines_of(events("--json", "--limit", "1"))
    assert (first["type"], first["document_id"], first["campaign"]) == ("created", "a", "spring")
    second, last = lines_of(events("--json", "--cursor", behind["cursor"]))
    assert (second["document_id"], second["task_id"]) == ("b", "T2")
    assert lines_of(events("--json", "--cursor", last["cursor"])) == []
    assert len(lines_of(events("--json", "--since", "1h"))) == 3


def test_people_get_a_line_for_each_event_and_the_cursor_apart(events: Call) -> None:
    result = events()
    assert [line.split("  ", 1)[1] for line in result.out.splitlines()] == [
        "created     a (spring)",
        "created     b (spring)",
    ]
    assert result.err.startswith("cursor: ")


def test_a_cursor_behind_which_events_were_dropped_is_told_in_one_line(
    events: Call, client: redis.Redis
) -> None:
    behind = lines_of(events("--json", "--limit", "1"))[-1]
    client.hset("callspool:{0}:meta", "feed_cut", "9999999999999-0")
    result = events("--cursor", behind["cursor"])
    assert result.code == 2
    assert result.err.startswith("callspool: the feed does not reach back to this cursor")
    assert events("--cursor", "x", "--since", "2h").code == 2


def test_a_cursor_that_is_none_is_told_before_redis_is_asked(call: Call) -> None:
    for where in ("redis://127.0.0.1:1/0", "redis+cluster://127.0.0.1:1"):
        result = call("events", "--cursor", "nonsense", "--redis", where)
        assert result.code == 2
        assert result.err.startswith("callspool: this is no cursor of the feed: take it from")


def test_a_feed_that_is_off_is_said_beside_the_events_that_are_kept(
    events: Call, client: redis.Redis
) -> None:
    assert "off" not in events().err
    LedgerUnderTest(client, feed="off")
    result = events()
    assert len(result.out.splitlines()) == 2
    assert result.err.startswith("callspool: the feed is off, workers add no events to it")
