"""A refusal that came after some documents were created: nobody is called a second time."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from callspool.request.identity import Scope
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reader import LedgerReader
from callspool_worker.decisions.answers import Answered
from callspool_worker.decisions.decide import ProbeRefused, read_probe
from tests.support.ledgers import LANE, P, calls
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.faults import entry, fault, on_reads, server
from tests.worker.proving.stage import QUIET, Stage

IDS = [f"crm-{number}" for number in range(10)]
ACCOUNT = "account:default"


def send_all(stage: Stage) -> None:
    """Sends what waits, as time goes by and the account is resumed, until nothing does."""
    for _ in range(12):
        stage.end_rest()
        for gate in stage.spool.client.hkeys(f"{P}:gates"):
            stage.ledger.run([calls.open_gate(gate.decode())])
        while (taken := stage.ledger.take(f"me:{time.monotonic_ns()}", ["default"])) is not None:
            stage.send_taken(taken)
        stage.look()
        if stage.states(IDS) == "c" * 10:
            return
        time.sleep(QUIET / 2)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("status", [400, 403, 404, 413, 422, 206, 302, 405])
def test_what_a_refusal_had_created_is_found_before_anything_is_sent_again(
    set_up: SetUp, status: int, marked: bool
):
    stage = set_up(fault("amid", status=status, created=4), marked=marked)
    stage.accept(IDS)
    stage.send()
    assert stage.states(IDS) == "d" * 10
    stage.look()
    assert stage.states(IDS) == "cccc" + "d" * 6
    send_all(stage)
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


def test_an_address_that_redirects_everything_parks_the_account_and_heals(set_up: SetUp):
    moved = {"status": 308, "location": "https://api.example/", "times": 2}
    stage = set_up(fault("before", **moved) + on_reads(**moved), quiet=0, quiet_answered=0)
    stage.accept(IDS[:4])
    stage.accept(IDS[4:], LANE._replace(context="other"))
    stage.send()
    gate = json.loads(stage.spool.client.hget(f"{P}:gates", ACCOUNT))
    assert gate["reason"].startswith("the API has moved to https://api.example/ (HTTP 308); set")
    assert stage.ledger.take("me:9", ["default"]) is None  # no second lane comes into doubt
    assert stage.states(IDS) == "dddd" + "w" * 6
    stage.look(2)
    send_all(stage)
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


def test_a_probe_that_is_redirected_puts_no_batch_in_doubt():
    answer = Answered(302, location="https://api.example/")
    refused = read_probe(answer)
    assert isinstance(refused, ProbeRefused)
    assert "set CALLSPOOL_API_URL" in refused.detail


def test_a_lone_document_that_was_created_and_refused_is_created_and_not_dead(set_up: SetUp):
    stage = set_up(fault("after", status=400))
    stage.accept(IDS[:1])
    stage.send()
    stage.look()
    assert stage.states(IDS[:1]) == "c"


def test_a_refusal_costs_one_read_and_no_wait_where_nothing_was_created(set_up: SetUp):
    stage = set_up("")
    stage.be_called_by_others("theirs")
    stage.accept(IDS, extra={"crm-3": '"sandbox":"reject"'})
    refused = 0
    while stage.states(IDS) != "cccxcccccc":
        before = stage.states(IDS)
        stage.send()
        refused += before.count("c") == stage.states(IDS).count("c")
    # Of the run that has as many documents as the last one refused the tasks are read as well.
    assert len(stage.reads) == refused + 1
    assert set(stage.made().values()) == {1}


@pytest.mark.parametrize("count", [5, 10])
def test_runs_of_others_do_not_hold_up_what_was_refused(set_up: SetUp, count: int):
    stage = set_up(server(older_runs=30))
    stage.accept(IDS, extra={"crm-3": '"sandbox":"reject"'})
    taken = stage.take()
    stage.be_called_by_others(*(f"theirs-{number}" for number in range(count)))
    stage.record(taken, stage.post(taken))
    assert stage.states(IDS) == "w" * 10


@pytest.mark.parametrize(
    "ways",
    [
        server(order="oldest", older_runs=30),
        server(counts=1),
        server(order="shuffled", older_runs=30),
        server(clock_skew=[60, -60]),
        server(input="known"),
        server(tasks_lag=2.0),
    ],
)
def test_whatever_lists_are_like_nobody_is_called_twice_after_a_refusal(set_up: SetUp, ways: str):
    stage = set_up(ways + fault("amid", status=400, created=4))
    stage.accept(IDS)
    stage.send()
    assert stage.states(IDS) == "d" * 10


def test_a_refusal_that_was_doubted_counts_at_once_when_nothing_is_found(set_up: SetUp):
    stage = set_up(server(order="shuffled", older_runs=30), quiet_answered=0.1)
    stage.accept(IDS[:4], extra={"crm-3": '"sandbox":"reject"'})
    sent = 0
    for _ in range(3):
        while (taken := stage.ledger.take(f"me:{time.monotonic_ns()}", ["default"])) is not None:
            stage.record(taken, stage.post(taken))
            sent += 1
        stage.look()
        time.sleep(0.15)
        stage.look()
    assert (stage.states(IDS[:4]), sent) == ("cccx", 5)
    (dead,) = LedgerReader(stage.spool.client).ask(read_statuses(Scope(*LANE[:3]), ["crm-3"]))
    assert dead is not None
    assert dead.reason == "documents: A document has an invalid contact_number."
    assert set(stage.made().values()) == {1}


@pytest.mark.parametrize(
    "reads", [on_reads(status=500), on_reads(status=429), on_reads(name="drop", status=None)]
)
def test_while_the_space_cannot_be_read_a_refusal_is_a_doubt(set_up: SetUp, reads: str):
    stage = set_up(fault("amid", status=400, created=4) + reads)
    stage.accept(IDS)
    stage.send()
    assert stage.states(IDS) == "d" * 10


def test_an_account_that_may_not_read_goes_on_halving(set_up: SetUp):
    stage = set_up(on_reads(status=403))
    stage.accept(IDS, extra={"crm-3": '"sandbox":"reject"'})
    while stage.states(IDS) != "cccxcccccc":
        stage.send()


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("status", [401, 429])
def test_what_a_throttle_or_a_refused_token_had_created_is_found_before_it_is_sent_again(
    set_up: SetUp, status: int, marked: bool
):
    stage = set_up(fault("amid", status=status, created=4), marked=marked)
    stage.accept(IDS)
    stage.send()
    assert stage.states(IDS) == "w" * 10
    assert stage.reads == []  # an API that asks for rest is not asked more
    send_all(stage)
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


@pytest.mark.parametrize("marked", [True, False])
def test_what_a_throttle_had_created_is_found_also_where_marks_were_switched_since(
    set_up: SetUp, marked: bool
):
    stage = set_up(fault("amid", status=429, created=4), marked=marked)
    stage.accept(IDS)
    stage.send()
    stage.ledger.limits = replace(stage.ledger.limits, mark_attempts=not marked)
    send_all(stage)
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


def test_batches_that_were_throttled_share_one_look_once_the_rest_is_over(set_up: SetUp):
    stage = set_up(entry(name="status", status=429, times=5))
    each = [[f"{lane}-{number}" for number in range(3)] for lane in range(5)]
    for number, ids in enumerate(each):
        stage.accept(ids, LANE._replace(context=f"context {number}"))
    for taken in [stage.take() for _ in each]:
        stage.record(taken, stage.post(taken))
    assert stage.reads == []
    stage.end_rest()
    for _ in each:
        stage.send()
    assert {*stage.made().values()} == {1}
    assert len(stage.made()) == 15
    assert len(stage.reads) == 1


def test_what_another_refused_batch_created_is_told_apart_from_what_this_one_did(set_up: SetUp):
    stage = set_up(fault("amid", status=429, created=2, times=2))
    each = ["a-1", "a-2", "a-3"], ["b-1", "b-2", "b-3"]
    for ids in each:
        stage.accept(ids, LANE._replace(context=ids[0]))
    for taken in [stage.take() for _ in each]:
        stage.record(taken, stage.post(taken))
    for _ in each:
        stage.send()
    assert [stage.states(ids, LANE._replace(context=ids[0])) for ids in each] == ["ddd", "ddd"]
    for ids in each:
        stage.look()
        assert stage.states(ids, LANE._replace(context=ids[0])) == "ccd"


def test_two_batches_refused_at_a_time_are_each_known_by_what_they_created(set_up: SetUp):
    stage = set_up(fault("amid", status=400, created=2, times=2))
    each = ["a-1", "a-2", "a-3"], ["b-1", "b-2", "b-3"]
    for ids in each:
        stage.accept(ids, LANE._replace(context=ids[0]))
    taken = [stage.take() for _ in each]
    answers = [stage.post(batch) for batch in taken]  # both runs are there before either look
    for batch, answer in zip(taken, answers, strict=True):
        stage.record(batch, answer)
    assert [stage.states(ids, LANE._replace(context=ids[0])) for ids in each] == ["ddd", "ddd"]


def test_where_reads_are_throttled_as_well_the_account_rests_on(set_up: SetUp):
    stage = set_up(fault("amid", status=429, created=4) + on_reads(status=429, times=1))
    stage.accept(IDS)
    stage.send()
    for _ in range(2):
        stage.end_rest()
        stage.spool.client.hdel(f"{P}:throttled", "default")
        taken = stage.take()
        assert taken.unlooked
        stage.send_taken(taken)
    assert stage.states(IDS) == "d" * 10


def test_in_a_busy_space_a_look_after_a_throttle_reads_one_page(set_up: SetUp):
    stage = set_up(entry(name="status", status=429, times=1, documents_over=5))
    for number in range(130):
        stage.accept([f"{number}-{one}" for one in range(3)])
        stage.send()
    stage.accept(IDS)
    stage.send()
    stage.end_rest()
    stage.send()
    assert stage.states(IDS) == "c" * 10
    assert len(stage.reads) == 1
