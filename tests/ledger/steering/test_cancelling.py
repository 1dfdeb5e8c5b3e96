"""Documents that wait are taken back, and no others, whatever workers do meanwhile."""

from __future__ import annotations

import threading

from callspool_ledger.reads.gates import read_journal
from callspool_ledger.reads.summary import read_clock
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_ledger.steering.calls import SteeringOrder
from callspool_ledger.writes import Limits
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group, steering_calls

ACCOUNTS = ["default"]
SPRING = LANE._replace(campaign="spring")


def test_all_that_waits_is_cancelled_and_nothing_that_is_sent_in_doubt_or_created(
    spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group([f"c{number}" for number in range(60)]))
    created, doubtful, resting, sending = (
        spool.ledger.take(f"me:{number}", ACCOUNTS) for number in range(4)
    )
    assert created
    assert doubtful
    assert resting
    assert sending
    doubt = calls.doubt(doubtful, outcome="no_answer", code="", detail="", proof=b"{}")
    spool.ledger.run(
        [
            calls.record_created(created, "R1", ["T1"] * 10, "200"),
            doubt,
            calls.put_back(resting, tries=1, delay_ms=60_000, outcome="rejected"),
        ]
    )
    spool.ledger.limits = Limits(10, linger_ms=60_000)
    spool.accept(group(["open-1", "open-2"]))
    assert steer.waiting(Selector()) == (32, 20)
    assert steer.cancel(Selector("default")) == 32
    assert steer.cancel(Selector("default")) == 0
    counts = spool.counts()
    assert (counts["cancelled"], counts["sending"], counts["in_doubt"]) == (32, 10, 10)
    assert spool.state("open-2") == "k"
    assert spool.ledger.take("me:9", ACCOUNTS) is None
    spool.ledger.run([calls.record_created(sending, "R2", ["T2"] * 10, "200")])
    assert spool.counts()["created"] == 20
    spool.check()
    assert int(spool.client.hget(f"{P}:counts", "waiting")) == 0
    (entry,) = steer.reader.ask(read_journal(5))
    assert (entry.command, entry.documents, entry.by) == ("cancel", 32, "ann@desk")


def test_only_what_the_selector_means_is_cancelled_and_comes_again_only_if_it_is_allowed(
    spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group(["a", "b"]), group(["a", "b", "c"], SPRING))
    assert steer.cancel(Selector(campaign="spring")) == 3
    assert (spool.state("a"), spool.state("a", SPRING)) == ("w", "k")
    assert steer.cancel(Selector(lane=group(["a"]).lane_id)) == 2
    assert not spool.client.exists(f"{P}:lanes")
    assert spool.accept(group(["a"], SPRING)).by_group == [(0, 1, 0)]
    again = group(["a", "nobody"], SPRING)
    assert spool.ledger.run([steering_calls.allow_again(again.digests)]) == [1]
    assert spool.ledger.run([steering_calls.allow_again(again.digests)]) == [0]
    spool.check()
    assert spool.accept(group(["a", "b"], SPRING)).by_group == [(1, 1, 0)]
    taken = spool.ledger.take("me:1", ACCOUNTS)
    assert taken
    assert taken.count == 1
    spool.check()


def test_what_is_accepted_after_the_command_began_is_left_alone(
    spool: LedgerUnderTest, steer: Steering
):
    spool.ledger.limits = Limits(10, linger_ms=60_000)
    spool.accept(group(["early"]))
    began = steer.reader.ask(read_clock())
    while steer.reader.ask(read_clock()) <= began:
        pass
    spool.accept(group(["late"]))
    asked = SteeringOrder("ann", Selector())
    step = steering_calls.cancel(asked, "default", "0", str(began), 0, 100)
    assert spool.ledger.run([step])[0][1] == 1
    assert (spool.state("early"), spool.state("late")) == ("k", "w")
    spool.check()
    spool.client.zadd(f"{P}:due", dict.fromkeys(spool.client.zrange(f"{P}:due", 0, -1), 0))
    spool.ledger.run([calls.sweep(Limits(linger_ms=0))])
    taken = spool.ledger.take("me:1", ACCOUNTS)
    assert taken
    assert taken.documents.count(b"late") == 1
    assert taken.count == 1


def test_one_document_is_cancelled_inside_a_batch_and_told_where_it_cannot_be(
    spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group(["a", "b", "c"]), group(["b"], SPRING))
    (one,) = steer.cancel_one("b", Selector(campaign=""))
    assert (one.done, one.letter) == (True, "w")
    assert {(each.letter, each.done) for each in steer.cancel_one("b", Selector())} == {
        ("k", False),
        ("w", True),
    }
    taken = spool.ledger.take("me:1", ACCOUNTS)
    assert taken
    assert taken.count == 2
    assert [one.letter for one in steer.cancel_one("a", Selector())] == ["s"]
    assert steer.cancel_one("nobody", Selector()) == []
    spool.ledger.run([calls.record_created(taken, "R1", ["T1", "T2"], "200")])
    assert spool.counts()["cancelled"] == 2
    spool.check()


def test_cancelling_amid_workers_loses_nobody_and_sends_no_cancelled_one(
    spool: LedgerUnderTest, steer: Steering
):
    for start in range(0, 6000, 500):
        spool.accept(group([f"c{number}" for number in range(start, start + 500)]))
    sent: list[bytes] = []
    begun, done = threading.Event(), threading.Event()

    def work(name: str) -> None:
        number = 0
        while not done.is_set():
            number += 1
            taken = spool.ledger.take(f"{name}:{number}", ACCOUNTS)
            if taken is None:
                return
            if number % 7 == 0:
                spool.ledger.run([calls.put_back(taken, tries=0, delay_ms=0)])
                continue
            sent.extend(taken.documents.split(b"\x1e"))
            run = f"R{taken.attempt}"
            tasks = [f"{run}-T{at}" for at in range(taken.count)]
            spool.ledger.run([calls.record_created(taken, run, tasks, "200")])
            if len(sent) > 300:
                begun.set()

    workers = [threading.Thread(target=work, args=(name,)) for name in ("w1", "w2")]
    for worker in workers:
        worker.start()
    assert begun.wait(30)
    cancelled = steer.cancel(Selector())
    for worker in workers:
        worker.join(60)
    cancelled += steer.cancel(Selector())
    counts = spool.counts()
    assert len(sent) == len(set(sent)) == counts["created"]
    assert counts["cancelled"] == cancelled > 0
    assert counts["created"] + counts["cancelled"] == 6000
    spool.check()
