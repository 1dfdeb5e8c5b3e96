from __future__ import annotations

import time

import pytest

from callspool.redis_io.scripts import Call
from callspool_ledger.reads.entries import unpack_task_id
from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.writes import Limits, Taken
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, document, group

ACCOUNTS = ["default"]


def take(spool: LedgerUnderTest, taker: str = "me:1") -> Taken:
    taken = spool.ledger.take(taker, ACCOUNTS)
    assert taken is not None
    return taken


def tasks_of(taken: Taken) -> list[str]:
    """The task ids that the API answers; no two attempts have the same."""
    return [f"T{taken.attempt:08x}{place:024x}" for place in range(taken.count)]


def created(taken: Taken, run: str = "") -> Call:
    return calls.record_created(taken, run or f"R{taken.attempt}", tasks_of(taken), "200")


def doubt(taken: Taken) -> Call:
    return calls.doubt(
        taken, outcome="server_error", code="500", detail="it broke", proof=b'{"answered":true}'
    )


def put_back(taken: Taken, delay_ms: int = 0) -> Call:
    return calls.put_back(taken, tries=1, delay_ms=delay_ms, outcome="rejected", code="206")


def split(taken: Taken) -> Call:
    return calls.split(taken, tries=0, outcome="rejected", code="400", detail="bad document")


@pytest.fixture
def ten(spool: LedgerUnderTest) -> LedgerUnderTest:
    spool.accept(group([f"c{number}" for number in range(10)]))
    return spool


def test_created_documents_keep_their_run_and_task_ids_and_give_their_memory_back(
    ten: LedgerUnderTest,
):
    taken = take(ten)
    assert ten.ledger.run([created(taken)]) == [[10, 0]]
    assert ten.counts()["created"] == 10
    batch = ten.client.hgetall(f"{P}:b{taken.batch}")
    assert batch[b"r1"] == b"R1"
    assert unpack_task_id(batch[b"t1"], 3) == tasks_of(taken)[3]
    assert b"d" not in batch
    assert not ten.client.exists(f"{P}:p{taken.batch}")
    assert ten.client.hlen(f"{P}:sending") == 0
    assert ten.client.scard(f"{P}:lanes") == 0
    ten.check()


def test_a_lost_reply_to_created_changes_nothing_when_it_is_asked_again(ten: LedgerUnderTest):
    taken = take(ten)
    ten.ledger.run([created(taken)])
    assert ten.ledger.run([created(taken)]) == [[-1, 0]]
    assert ten.counts()["runs"] == 1
    ten.check()


def test_documents_that_are_put_back_rest_until_they_are_due_and_keep_their_order(
    ten: LedgerUnderTest,
):
    ten.accept(group(["later"]))
    taken = take(ten)
    assert ten.ledger.run([put_back(taken, delay_ms=60)]) == [10]
    assert ten.ledger.run([put_back(taken, delay_ms=60)]) == [-1]
    assert take(ten, "me:2").count == 1
    assert ten.ledger.take("me:3", ACCOUNTS) is None
    time.sleep(0.07)
    ten.ledger.run([calls.sweep(ten.ledger.limits)])
    again = take(ten, "me:4")
    assert (again.documents, again.tries) == (taken.documents, 1)
    assert again.attempt > taken.attempt
    ten.check()


def test_only_the_attempt_that_holds_a_batch_may_put_it_back_or_bury_it(ten: LedgerUnderTest):
    old = take(ten)
    ten.ledger.run([put_back(old)])
    new = take(ten, "me:2")
    bury = calls.bury(old, outcome="rejected", code="400", detail="no")
    assert ten.ledger.run([put_back(old), doubt(old), split(old), bury]) == [-1, -1, -1, -1]
    assert ten.counts()["sending"] == 10
    ten.ledger.run([created(new)])
    ten.check()


def test_a_late_proof_of_creation_settles_what_waits_again(ten: LedgerUnderTest):
    old = take(ten)
    held = f"{old.batch}:{old.attempt}"
    (reply,) = ten.ledger.run([calls.lapse("me:1", held, "the worker is gone")])
    assert reply[:3] == [10, 0, b"default"]
    assert ten.counts()["in_doubt"] == 10
    step = calls.resend(old.batch, old.attempt, delay_ms=1, size=10, tries=1)
    assert ten.ledger.run([step]) == [10]
    assert ten.counts()["waiting"] == 10
    assert ten.ledger.run([created(old)]) == [[10, 0]]
    assert ten.counts()["created"] == 10
    ten.check()


def test_a_late_proof_waits_for_the_attempt_that_sends_the_documents_again(ten: LedgerUnderTest):
    old = take(ten)
    ten.ledger.run([calls.lapse("me:1", f"{old.batch}:{old.attempt}", "gone")])
    ten.ledger.run([calls.resend(old.batch, old.attempt, delay_ms=0, size=10, tries=1)])
    ten.ledger.run([calls.sweep(ten.ledger.limits)])
    new = take(ten, "me:2")
    assert ten.ledger.run([created(old, "Rold")]) == [[0, 0]]
    assert ten.ledger.run([doubt(new)]) == [0]
    assert ten.counts()["created"] == 10
    assert ten.client.exists(f"{P}:proofs", f"{P}:doubts:default|SPACE") == 0
    ten.check()


def test_documents_created_by_two_attempts_keep_both_proofs_and_are_counted(ten: LedgerUnderTest):
    old = take(ten)
    ten.ledger.run([calls.lapse("me:1", f"{old.batch}:{old.attempt}", "gone")])
    ten.ledger.run([calls.resend(old.batch, old.attempt, delay_ms=0, size=10, tries=1)])
    ten.ledger.run([calls.sweep(ten.ledger.limits)])
    new = take(ten, "me:2")
    ten.ledger.run([created(new, "Rnew")])
    assert ten.ledger.run([created(old, "Rold")]) == [[0, 10]]
    assert ten.counts()["created_twice"] == 10
    batch = ten.client.hgetall(f"{P}:b{new.batch}")
    assert (batch[b"r1"], batch[b"r2"]) == (b"Rold", b"Rnew")
    ten.check()


def test_the_halves_of_a_refused_batch_are_sent_in_order_until_the_bad_one_is_alone(
    ten: LedgerUnderTest,
):
    sizes = []
    turn = 0
    while batch := ten.ledger.take(f"me:{turn}", ACCOUNTS):
        turn += 1
        sizes.append(batch.count)
        if document("c7") not in batch.documents:
            ten.ledger.run([created(batch)])
        elif batch.count > 1:
            ten.ledger.run([split(batch)])
        else:
            bury = calls.bury(batch, outcome="rejected", code="400", detail="c7 is no number")
            assert ten.ledger.run([bury]) == [1]
    assert sizes == [10, 5, 5, 3, 2, 1, 2]
    assert ten.state("c7") == "x"
    assert ten.counts()["created"] == 9
    assert ten.accept(group(["c3"])).duplicate == 1
    assert ten.accept(group(["c7"])).accepted == 1
    ten.check()


def test_documents_that_are_named_get_a_batch_each_and_the_others_stay_together(
    ten: LedgerUnderTest,
):
    taken = take(ten)
    step = calls.split(taken, tries=0, outcome="rejected", code="422", detail="no", alone=[0, 4, 5])
    assert ten.ledger.run([step]) == [10]
    sizes = [take(ten, f"you:{turn}").count for turn in range(5)]
    assert sizes == [1, 3, 1, 1, 4]
    ten.check()


def test_lone_refusals_of_a_lane_count_as_long_as_another_document_waits_there(
    ten: LedgerUnderTest,
):
    ten.ledger.run([created(take(ten))])
    counted = []
    for turn, name in enumerate("abcdef"):
        ten.accept(group([name]))
        if name == "d":
            ten.accept(group(["e", "f"]))
        taken = take(ten, f"you:{turn}")
        counted.append((taken.count, taken.refused_alone))
        bury = calls.bury(taken, outcome="rejected", code="400", detail="bad document")
        ten.ledger.run([bury])
        if name == "d":
            break
    assert counted == [(1, 0), (1, 0), (1, 0), (1, 3)]
    ten.check()


def test_a_partly_created_batch_is_split_without_the_created_documents(ten: LedgerUnderTest):
    first = take(ten)
    ten.ledger.run([split(first)])
    half = take(ten, "me:2")
    ten.ledger.run([created(half)])
    rest = take(ten, "me:3")
    ten.ledger.run([split(rest)])
    third = take(ten, "me:4")
    assert third.documents.startswith(document("c5"))
    ten.check()


def test_a_closed_gate_keeps_its_lanes_and_one_probe_opens_it(ten: LedgerUnderTest):
    ten.accept(group(["other"], LANE._replace(campaign="two")))
    taken = take(ten)
    gate = "account:default"
    limits = Limits(first_probe_ms=40, last_probe_ms=1000)
    close = calls.park(limits, gate, reason="401", code="401")
    ten.ledger.run([close, put_back(taken)])
    assert ten.ledger.take("me:2", ACCOUNTS) is None
    assert ten.client.scard(f"{P}:parked:{gate}") == 2
    time.sleep(0.05)
    ten.ledger.run([calls.sweep(ten.ledger.limits)])
    probe = take(ten, "me:3")
    assert probe.gate == gate
    assert ten.ledger.take("me:4", ACCOUNTS) is None
    ten.ledger.run([created(probe), calls.open_gate(probe.gate)])
    assert take(ten, "me:5").gate == ""
    ten.check()


def test_a_throttled_account_rests_while_others_go_on(ten: LedgerUnderTest):
    ten.accept(group(["x"], LANE._replace(account="acme")))
    ten.ledger.run([calls.throttle("default", 60)])
    both = ["default", "acme"]
    assert ten.ledger.take("me:1", both).lane.account == "acme"
    assert ten.ledger.take("me:2", both) is None
    time.sleep(0.07)
    assert ten.ledger.take("me:3", both).lane.account == "default"


def test_a_resend_without_proof_is_counted_and_may_split_the_batch(ten: LedgerUnderTest):
    taken = take(ten)
    ten.ledger.run([doubt(taken)])
    step = calls.resend(taken.batch, taken.attempt, delay_ms=0, size=5, tries=7)
    assert ten.ledger.run([step]) == [10]
    assert ten.counts()["unproven"] == 10
    half = take(ten, "me:2")
    assert (half.count, half.tries) == (5, 7)
    ten.check()


def test_a_late_answer_counts_though_a_part_of_its_batch_was_the_first_to_prove_its_run(
    ten: LedgerUnderTest,
):
    old = take(ten)
    ten.ledger.run([doubt(old)])
    ten.ledger.run([calls.resend(old.batch, old.attempt, delay_ms=0, size=5, tries=1)])
    part = take(ten, "me:2")
    run, task = f"R{old.attempt}", tasks_of(old)[0]
    proof = calls.record_proven(
        part.batch, old.attempt, part.seal, run_id=run, ids=[task], places="10000", claim=False
    )
    assert ten.ledger.run([proof]) == [[0, 0]]  # it waits for the attempt under way
    assert ten.ledger.run([created(old)]) == [[5, 0]]
    assert not ten.client.exists(f"{P}:mixed")
    ten.ledger.run([doubt(part)])
    assert ten.counts()["created"] == 10
    ten.check()


def test_what_a_dead_taker_held_is_in_doubt_and_only_once(ten: LedgerUnderTest):
    taken = take(ten)
    held = f"{taken.batch}:{taken.attempt}"
    assert ten.ledger.sending() == {"me:1": held}
    steps = [calls.lapse("me:1", held, "gone"), calls.lapse("me:1", held, "gone")]
    first, second = ten.ledger.run(steps)
    assert first == [10, 0, b"default", taken.lane_id.encode()]
    assert second == []
    assert ten.counts()["in_doubt"] == 10
    ten.check()


def test_generations_are_forgotten_once_everything_in_them_is_settled(ten: LedgerUnderTest):
    ten.ledger.run([created(take(ten))])
    ten.accept(group(["dead"], reason="too large"))

    def forget(window: int) -> str:
        return ten.ledger.run([calls.forget(window, 5000)])[0].decode()

    assert forget(60_000) == "rested"
    time.sleep(0.02)
    assert forget(10) == "began"
    ten.accept(group(["fresh"]))
    ten.ledger.run([created(take(ten, "me:2"))])
    time.sleep(0.02)
    assert forget(10) == "began"
    ten.accept(group(["newest"]))
    time.sleep(0.02)
    while (word := forget(10)) != "dropped":
        assert word in {"moved", "dropping"}
    assert ten.state("c1") == ""
    assert ten.state("dead") == "x"
    assert ten.state("newest") == "w"
    assert ten.accept(group(["c1"])).accepted == 1
    assert ten.accept(group(["dead"])).accepted == 1


def test_a_late_proof_finds_documents_that_left_their_batch_at_different_times(
    spool: LedgerUnderTest,
):
    spool.accept(group([f"c{number}" for number in range(6)]))
    taken = take(spool)
    spool.ledger.run([doubt(taken)])
    for places in ("001001", "100000"):
        step = calls.resend(taken.batch, taken.attempt, delay_ms=0, size=6, tries=1, places=places)
        assert spool.ledger.run([step]) == [places.count("1")]
    assert spool.ledger.run([created(taken)]) == [[6, 0]]
    reader = LedgerReader(spool.client)
    found = [reader.ask(read_stories(f"c{number}"))[0].task_id for number in range(6)]
    assert found == tasks_of(taken)
    spool.check()


def test_a_batch_without_lists_hours_and_caps_costs_few_commands(spool: LedgerUnderTest):
    for n in range(2):
        spool.accept(group([f"c{n}-{number}" for number in range(10)]))
    spool.ledger.run([created(take(spool))])  # the first loads scripts
    spool.client.config_resetstat()
    spool.ledger.run([created(take(spool, "me:2"))])
    stats = spool.client.info("commandstats")
    asked = {name: each["calls"] for name, each in stats.items() if "config" not in name}
    assert sum(asked.values()) <= 90, asked
