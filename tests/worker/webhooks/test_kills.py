"""A deliverer that dies at any of its steps: nothing is lost, repeats have the same ids."""

from __future__ import annotations

from pathlib import Path

import redis

from callspool_ledger.keys import PartitionKeys
from callspool_worker.api.endpoint import PostAnswer
from tests.support.cutting import Cuts, Killed
from tests.worker.webhooks.played_endpoint import TAKEN, PlayedEndpoint

IDS = [f"c{number}" for number in range(7)]
BAD = "c4"


def play(client: redis.Redis, folder: Path, at: tuple[int, bool] | None) -> int:
    """Delivers events, of which one is refused; another one goes on after a kill."""
    client.flushdb()
    played, cuts = PlayedEndpoint(client, folder), Cuts()
    taken: list[str] = []

    def answer(ids: list[str]) -> PostAnswer:
        if BAD in ids:
            return PostAnswer(422)
        taken.extend(event["id"] for event in played.posts[-1])
        return TAKEN

    played.answer = answer
    played.happen(*IDS[:3])
    played.happen(*IDS[3:])
    cuts.at = at
    played.ledger.run_commands = cuts.cut(played.ledger.run_commands)  # type: ignore[method-assign]
    played.post = cuts.cut(played.post)  # type: ignore[method-assign]
    played.delivery = played.deliver_as("one")
    try:
        played.run()
    except Killed:
        cuts.at = None
        client.hset(f"{PartitionKeys().webhooks}:leases", "crm", "1 one")
        played.delivery = played.deliver_as("two")
        played.run()
    steps, cuts.at = cuts.steps, None
    assert list(dict.fromkeys(played.taken)) == [one for one in IDS if one != BAD], at
    assert len(set(taken)) == len(IDS) - 1, at  # a repeat has the same id
    record = played.record()
    assert record.counts["events:delivered"] == len(IDS) - 1, at
    assert record.counts["events:set_aside"] == len(record.aside) == 1, at
    return steps


def test_a_deliverer_that_dies_anywhere_loses_no_event_and_counts_each_once(
    client: redis.Redis, tmp_path: Path
) -> None:
    steps = play(client, tmp_path, None)
    assert steps > 30
    play(client, tmp_path, (0, False))
    for number in range(steps):  # what is cut before a step is cut after the one before it
        play(client, tmp_path, (number, True))
