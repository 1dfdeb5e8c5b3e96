"""A batch keeps the traceparents of its requests while it may be sent, and the keys of all."""

from __future__ import annotations

from dataclasses import replace

import redis

from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.writes import Accepted
from tests.support.ledgers import LedgerUnderTest, P, calls, group

TRACES = [f"00-{number:032x}-00f067aa0ba902b7-01" for number in range(1, 11)]


def accept(ledger: LedgerUnderTest, one: str, trace: str) -> Accepted:
    delivery = replace(ledger.deliver([group([one])]), trace=trace)
    (accepted,) = ledger.ledger.accept([delivery])
    return accepted


def test_a_batch_and_its_parts_hold_the_first_traces_and_forget_them_once_settled(
    client: redis.Redis,
):
    ledger = LedgerUnderTest(client, batch_size=10, linger_ms=60_000)
    batches = {accept(ledger, f"c{at}", trace).batches for at, trace in enumerate(TRACES[:8])}
    batches |= {accept(ledger, "again", TRACES[0]).batches, accept(ledger, "c9", TRACES[9]).batches}
    taken = ledger.ledger.take("me:1", ["default"])
    assert taken is not None
    assert batches == {(taken.batch,)}
    assert taken.traces == tuple(TRACES[:8])
    split = calls.split(taken, tries=0, outcome="rejected", code="400", detail="no")
    ledger.ledger.run([split])
    part = ledger.ledger.take("me:2", ["default"])
    assert part is not None
    assert part.traces == tuple(TRACES[:8])
    ids = [f"T{at}" for at in range(part.count)]
    ledger.ledger.run([calls.record_created(part, "R1", ids, "200")])
    assert not client.hexists(f"{P}:b{part.batch}", "traces")
    ledger.check()


def test_requests_without_a_trace_leave_none(client: redis.Redis):
    ledger = LedgerUnderTest(client, batch_size=10, linger_ms=0)
    accept(ledger, "c1", "")
    taken = ledger.ledger.take("me:1", ["default"])
    assert taken is not None
    assert taken.traces == ()
    assert not client.hexists(f"{P}:b{taken.batch}", "traces")


def test_each_document_knows_the_key_that_it_came_with_also_in_a_part_of_its_batch(
    client: redis.Redis,
):
    ledger = LedgerUnderTest(client, batch_size=4, linger_ms=60_000)
    came_with = {"c1": "shop", "c2": "shop", "c3": "", "c4": "2e5"}
    for one, key in came_with.items():
        ledger.ledger.accept([replace(ledger.deliver([group([one])]), key=key)])

    def known() -> dict[str, str]:
        stories = {one: LedgerReader(client).ask(read_stories(one)) for one in came_with}
        return {one: story.key or "" for one, (story,) in stories.items()}

    assert known() == came_with
    taken = ledger.ledger.take("me:1", ["default"])
    assert taken is not None
    ledger.ledger.run([calls.split(taken, tries=0, outcome="rejected", code="400", detail="no")])
    assert known() == came_with
    part = ledger.ledger.take("me:2", ["default"])
    assert part is not None
    assert part.count < len(came_with)
    ledger.ledger.run([calls.record_created(part, "R1", ["T"] * part.count, "200")])
    assert known() == came_with
