"""A follower that dies at any of its steps: another one finds every outcome, each is told once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import redis

from callspool_ledger.reads.feed import Position, join_page, read_feed
from callspool_ledger.reads.reader import LedgerReader
from callspool_worker.following.follower import Follower
from tests.support.cutting import Cuts, Killed
from tests.support.ledgers import P, calls, group
from tests.worker.following.played_calls import SPACE, PlayedCalls

IDS = ["reached", "failed", "evaluated late"]
FIRST_LOOKS = (0.0, 0.1, 0.4)
LATER_LOOKS = (2.2, 2.2, 25.0)


def play(client: redis.Redis, at: tuple[int, bool] | None) -> int:
    """Follows a run of three calls, with a call log; another follower goes on after a kill."""
    client.flushdb()
    played, cuts = PlayedCalls(client), Cuts()
    numbers = [f"+1415555010{place}" for place in range(3)]
    played.spool.accept(group(IDS, numbers=numbers))
    taken = played.ledger.take("me:1", ["default"])
    assert taken is not None
    played.tasks["R1"] = [played.task(taken, place, one) for place, one in enumerate(IDS)]
    made = [task["task_id"] for task in played.tasks["R1"]]
    played.ledger.run([calls.record_created(taken, "R1", made, "200")])
    end = datetime(2026, 12, 1, 10, tzinfo=UTC).isoformat()
    played.log = [{"to_number": number, "end_time": end} for number in numbers]
    played.end(taken, 0)
    played.end(taken, 1, "no-answer")
    played.end(taken, 2, call_status="", post_call_data=None)
    cuts.at = at
    played.ledger.run_commands = cuts.cut(played.ledger.run_commands)  # type: ignore[method-assign]
    get = cuts.cut(played.get)
    how = played.follower._how
    played.follower = Follower(played.ledger, {"default": played.ledger}, get, how)
    name = "me:follow"
    for number, hours in enumerate(FIRST_LOOKS + LATER_LOOKS):
        if number == len(FIRST_LOOKS):
            played.end(taken, 2)
        played.later(hours)
        client.zadd(f"{P}:follows", {SPACE: 0}, xx=True)
        try:
            played.follower.look(name)
        except Killed:
            cuts.at, name = None, "other:follow"
            # The leases of the dead one are over.
            client.delete(f"{P}:looking", "callspool:{account-default}:follow")
            client.hdel("callspool:{account-default}:log", "next")
            client.zadd(f"{P}:follows", {SPACE: 0}, xx=True)
            played.follower.look(name)
        assert sum(played.outcomes.values()) == len(IDS), at
    assert played.outcomes == {"reached": 2, "not_reached": 1}, at
    events = join_page(LedgerReader(client).ask(read_feed([Position()])), 100).events
    told = Counter((event.document_id, event.type) for event in events)
    evaluated = told.pop(("evaluated late", "evaluated"), 0)
    assert evaluated <= 1, at
    assert told == Counter((one, kind) for one in IDS for kind in ("created", "ended")), at
    last = {event.document_id: event.outcome for event in events}
    assert last == {"reached": "reached", "failed": "not_reached", "evaluated late": "reached"}, at
    return cuts.steps


def test_a_follower_that_dies_anywhere_leaves_no_call_open_and_tells_each_end_once(
    client: redis.Redis,
) -> None:
    steps = play(client, None)
    assert steps > 20
    play(client, (0, False))
    for number in range(steps):  # what is cut before a step is cut after the one before it
        play(client, (number, True))
