"""Documents are sorted into the lanes of their zones, whatever became of their batch before."""

from __future__ import annotations

import time

import redis

from callspool.hours.record import PlatformHours
from callspool_ledger import scripts
from callspool_worker.hours.keeper import HoursKeeper
from tests.ledger.test_hours import BERLIN, Hours, read_hours
from tests.support.ledgers import LedgerUnderTest, P, calls, digest, group


def states(hours: Hours, ids: str) -> str:
    return "".join(hours.under.state(one) for one in ids)


def hours_of(client: redis.Redis, batch_size: int, linger_ms: int = 0) -> Hours:
    hours = Hours(client)
    hours.under = LedgerUnderTest(client, batch_size=batch_size, linger_ms=linger_ms)
    return hours


def test_a_late_answer_settles_its_own_documents_after_their_halves_were_sorted(
    client: redis.Redis,
):
    hours = hours_of(client, 4, linger_ms=60_000)
    hours.under.accept(group(list("abcd")))
    hours.make_due()
    late = hours.under.ledger.take("me", ["default"])
    assert late is not None
    hours.under.ledger.run([calls.lapse("me", f"{late.batch}:{late.attempt}", "gone")])
    halves = calls.resend(late.batch, late.attempt, delay_ms=0, size=2, tries=1)
    assert hours.under.ledger.run([halves]) == [4]
    hours.set(hours=read_hours("00:00-24:00"), zone="Europe/Berlin")
    hours.accept(["x", "y"], BERLIN)
    assert hours.sort((BERLIN, [0, 1])) == 2
    ids = ["ta", "tb", "tc", "td"]
    hours.under.ledger.run([calls.record_created(late, "R1", ids, "200")])
    assert states(hours, "abcdxy") == "ccccww"
    hours.under.check()


def test_a_proof_finds_a_document_that_an_operator_sent_again_and_hours_sorted(
    client: redis.Redis,
):
    hours = hours_of(client, 4, linger_ms=60_000)
    hours.under.accept(group(list("abcd")))
    hours.make_due()
    taken = hours.under.ledger.take("me", ["default"])
    assert taken is not None
    hours.under.ledger.run([calls.lapse("me", f"{taken.batch}:{taken.attempt}", "gone")])
    again = scripts.load("steering/resend_one").call([P], [digest("a"), 0, "ann", "{}", 5])
    hours.under.ledger.run([again])
    hours.set(hours=read_hours("00:00-24:00"), zone="Europe/Berlin")
    hours.accept(["x"], BERLIN)
    assert hours.sort((BERLIN, [0])) == 1
    proof = calls.record_proven(
        taken.batch,
        taken.attempt,
        taken.seal,
        run_id="R1",
        ids=["ta", "tb", "tc", "td"],
        places="1111",
        claim=False,
    )
    hours.under.ledger.run([proof])
    assert states(hours, "abcdx") == "ccccw"
    hours.under.check()


def test_a_lane_is_sorted_although_its_first_documents_were_cancelled(client: redis.Redis):
    hours = hours_of(client, 2)
    for pair in ("ab", "cd", "ef"):
        hours.under.accept(group(list(pair)))
    for one in "ab":
        cancel = scripts.load("steering/cancel_one").call([P], [digest(one), 0, "ann", "{}"])
        hours.under.ledger.run([cancel])
    hours.set(hours=read_hours("00:00-24:00"), zone="Europe/Berlin")
    assert hours.take() is None  # what has no class of zones waits to be sorted
    keeper = HoursKeeper([hours.under.ledger], PlatformHours({}, {}), 0.0)
    deadline = time.monotonic() + 20
    while states(hours, "cdef") != "cccc":
        assert time.monotonic() < deadline, states(hours, "abcdef")
        keeper.look()
        hours.take_all()
    assert hours.under.client.scard(f"{P}:unsorted") == 0


def test_what_was_accepted_after_a_cancel_began_is_not_cancelled_where_it_was_sorted_in_between(
    client: redis.Redis,
):
    hours = hours_of(client, 10, linger_ms=50)
    hours.under.accept(group(["a"]))
    time.sleep(0.06)
    hours.make_due()
    begun = int(time.time() * 1000) + 1
    time.sleep(0.05)
    hours.set(hours=read_hours("00:00-24:00"), zone="Europe/Berlin")
    hours.accept(["x"], BERLIN)
    assert hours.sort((BERLIN, [0])) == 1
    selector = '{"account": "default"}'
    cancel = scripts.load("steering/cancel").call(
        [P], ["default", "0", 100, begun, 0, "ann", selector]
    )
    hours.under.ledger.run([cancel])
    assert states(hours, "ax") == "kw"
