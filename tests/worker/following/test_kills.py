"""A follower that dies at any of its steps: another one finds every outcome, each is told once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import redis

from callspool_ledger.keys import PartitionKeys
from callspool_worker.following.follower import Follower
from tests.support.cutting import Cuts, Killed
from tests.support.ledgers import P, calls, group
from tests.worker.following.played_calls import SPACE, PlayedCalls

IDS = ["a", "b", "c"]


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
    for place in range(3):
        played.end(taken, place, "no-answer" if place == 2 else "completed")
    cuts.at = at
    played.ledger.run_commands = cuts.cut(played.ledger.run_commands)  # type: ignore[method-assign]
    get = cuts.cut(played.get)
    how = played.follower._how
    played.follower = Follower(played.ledger, {"default": played.ledger}, get, how)
    name = "me:follow"
    for hours in (0.0, 0.1, 0.4, 2.2, 2.2):
        played.later(hours)
        client.zadd(f"{P}:follows", {SPACE: 0}, xx=True)
        try:
            played.follower.look(name)
        except Killed:
            cuts.at, name = None, "other:follow"
            client.delete(f"{P}:looking")  # the lease of the dead one is over
            client.hdel("callspool:{account-default}:log", "next")
            client.zadd(f"{P}:follows", {SPACE: 0}, xx=True)
            played.follower.look(name)
    steps, cuts.at = cuts.steps, None
    assert played.outcomes == {"reached": 2, "not_reached": 1}, at
    entries = client.xrange(PartitionKeys().events)
    told = Counter(
        one
        for _, fields in entries
        if fields[b"t"] == b"ended"
        for one in fields[b"i"].decode().split("\n")
    )
    assert told == Counter(IDS), at
    return steps


def test_a_follower_that_dies_anywhere_leaves_no_call_open_and_tells_each_end_once(
    client: redis.Redis,
) -> None:
    steps = play(client, None)
    assert steps > 20
    play(client, (0, False))
    for number in range(steps):  # what is cut before a step is cut after the one before it
        play(client, (number, True))
