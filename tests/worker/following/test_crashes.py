"""A follower that dies at any of its steps: another one goes on, and tells no end twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
import redis

from callspool_ledger.reads.feed import Position, join_page, read_feed
from callspool_ledger.reads.reader import LedgerReader
from tests.support.ledgers import P
from tests.worker.following.played_calls import PlayedCalls


class Killed(BaseException):
    """The follower is no more."""


class Knife:
    """Ends the process that uses a ledger at its nth round trip, before or after it."""

    def __init__(self, played: PlayedCalls, at: int | None, *, after: bool) -> None:
        self._run = played.ledger.run_commands
        self.at, self._after = at, after
        self.steps = 0
        played.ledger.run_commands = self.run_commands  # type: ignore[method-assign]

    def run_commands(self, steps: Sequence[Any]) -> list[Any]:
        number, self.steps = self.steps, self.steps + 1
        if number == self.at and not self._after:
            raise Killed
        replies = self._run(steps)
        if number == self.at:
            raise Killed
        return replies


def play(client: redis.Redis, at: int | None, *, after: bool) -> int:
    """From creation to the last look, with one death; how many steps the first look takes."""
    client.flushall()
    played = PlayedCalls(client)
    taken = played.create("reached", "failed", "evaluated late")
    played.end(taken, 0)
    played.end(taken, 1, "no-answer")
    played.end(taken, 2, call_status="", post_call_data=None)
    knife = Knife(played, at, after=after)
    with suppress(Killed):
        played.look()
    steps, knife.at = knife.steps, None
    # Its lease is over, and another process looks.
    client.delete(f"{P}:looking", "callspool:{account-default}:follow")
    played.end(taken, 2)
    for hours in (1, 3, 25, 25):
        played.look(hours)
        assert sum(played.outcomes.values()) == 3
    assert played.outcomes == {"reached": 2, "not_reached": 1}
    events = join_page(LedgerReader(client).ask(read_feed([Position()])), 100).events
    told = Counter((event.document_id, event.type) for event in events)
    assert told == Counter(
        {(name, "created"): 1 for name in ("reached", "failed", "evaluated late")}
        | {(name, "ended"): 1 for name in ("reached", "failed", "evaluated late")}
        | ({("evaluated late", "evaluated"): 1} if told["evaluated late", "evaluated"] else {})
    )
    last = {event.document_id: event.outcome for event in events}
    assert last == {"reached": "reached", "failed": "not_reached", "evaluated late": "reached"}
    return steps


@pytest.mark.parametrize("after", [False, True])
def test_a_follower_that_dies_at_any_step_tells_each_end_once(client: redis.Redis, after: bool):
    steps = play(client, None, after=after)
    assert steps >= 4
    for at in range(steps):
        play(client, at, after=after)
