"""A batch keeps the traceparents of the requests in it, as long as it may be sent."""

from __future__ import annotations

from dataclasses import replace

import redis

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
