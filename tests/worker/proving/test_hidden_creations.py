"""What an API created behind an answer that did not say so: each way it can be hidden."""

from __future__ import annotations

import time

import pytest

from callspool.request.identity import Scope
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.writes import Look
from callspool_worker.proving.matching import SHORT
from tests.support.ledgers import LANE, P, calls
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.faults import fault, server
from tests.worker.proving.stage import QUIET, Stage

IDS = [f"crm-{n}" for n in range(10)]


def settle(stage: Stage, looks: int = 2) -> None:
    """As time goes by: looks, quiet, and whatever is sent again."""
    for _ in range(looks):
        stage.look()
        time.sleep(QUIET)
        stage.look()
        stage.end_rest()
        while (taken := stage.ledger.take(f"me:{time.monotonic_ns()}", ["default"])) is not None:
            stage.record(taken, stage.post(taken))


@pytest.mark.parametrize(
    "hidden",
    [
        fault("after"),
        fault("after", status=502),
        fault("after", status=200, body="cut"),
        fault("after", status=200, http_status=500),
        fault("after", name="hang", seconds=3),
        fault("after", name="drop"),
        fault("after", name="drop", reset=True),
        fault("response", name="drop"),
        fault("after", name="partial", created=3),
        fault("after", name="partial", status=200, created=3),
        fault(None, name="cut"),  # type: ignore[arg-type]
    ],
    ids=lambda text: " ".join(text.split()[1:]).replace("=", "").replace('"', "")[:60],
)
def test_a_creation_is_found_however_its_answer_was_lost(set_up: SetUp, hidden: str):
    stage = set_up(hidden)
    stage.accept(IDS)
    stage.send()
    assert stage.states(IDS) == "d" * 10
    stage.look()
    assert stage.states(IDS) == "c" * 10
    assert not stage.taken_again()
    assert set(stage.made().values()) == {1}


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(
    "half",
    [
        fault("amid", created=4),
        fault("amid", name="partial", created=4),
        fault("amid", name="partial", status=200, created=4),
        fault("amid", name="partial", created=0),
    ],
    ids=lambda text: " ".join(text.split()[1:]).replace("=", "").replace('"', "")[:60],
)
def test_of_half_a_creation_only_the_other_half_is_sent_again(
    set_up: SetUp, half: str, marked: bool
):
    stage = set_up(half, marked=marked)
    stage.accept(IDS)
    stage.send()
    settle(stage, 1)
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


@pytest.mark.parametrize("created", [0, 4])
@pytest.mark.parametrize("marked", [True, False])
def test_where_no_answer_came_a_run_that_lists_too_few_tasks_is_held_till_they_appear(
    set_up: SetUp, marked: bool, created: int
):
    stage = set_up(fault("amid", name="drop", created=created), marked=marked)
    stage.accept(IDS)
    taken = stage.send()
    for _ in range(3):
        stage.look()
        time.sleep(QUIET)
    assert stage.states(IDS) == "c" * created + "d" * (10 - created)
    assert stage.held(taken) == SHORT
    (status,) = LedgerReader(stage.spool.client).ask(read_statuses(Scope(*LANE[:3]), IDS[-1:]))
    assert status is not None
    assert status.reason == SHORT
    assert not stage.taken_again()
    stage.spool.client.hset(f"{P}:gaps", "default|SPACE", int(time.time() * 1000) + 1)
    stage.look()
    assert stage.held(taken) == SHORT, "also while the quiet period begins anew"


@pytest.mark.parametrize("marked", [True, False])
def test_nothing_is_sent_again_while_the_api_goes_on_creating(set_up: SetUp, marked: bool):
    stage = set_up(fault("late", delay=0.3), marked=marked)
    stage.accept(IDS)
    stage.send()
    waited_till = time.monotonic() + 30 + QUIET
    while stage.states(IDS) != "c" * 10 and time.monotonic() < waited_till:
        time.sleep(0.1)
        stage.look()
        assert "w" not in stage.states(IDS)
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


def test_a_run_without_any_task_yet_is_waited_for(set_up: SetUp):
    # It began, by its own word, later than the doubt.
    later = "\n[server]\ncreated_shift = 2\n"
    stage = set_up(fault("late", delay=60, created=0) + later, lag=60)
    stage.accept(IDS)
    stage.send()
    stage.look()
    time.sleep(QUIET * 1.1)
    stage.look()
    assert "w" not in stage.states(IDS)


def test_what_is_named_by_the_answer_is_looked_for_in_that_run_alone(set_up: SetUp):
    stage = set_up(fault("amid", name="partial", created=4), marked=False)
    stage.accept(IDS)
    taken = stage.take()
    answer = stage.post(taken)
    stage.be_called_by_others(*IDS[4:])
    stage.record(taken, answer)
    stage.reads.clear()
    stage.look()
    assert {len(path) for path in stage.reads} == {5}
    assert stage.states(IDS) == "cccc" + "d" * 6


def test_a_document_that_is_missing_again_and_again_is_isolated_and_ends_dead(set_up: SetUp):
    stage = set_up(fault("before", times=1000, document_id="crm-3"))
    stage.accept(IDS)
    for _ in range(12):
        if stage.states(IDS).count("c") == 9 and stage.states(IDS)[3] == "x":
            break
        settle(stage, 1)
    assert stage.states(IDS) == "cccxcccccc"
    assert set(stage.made().values()) == {1}
    assert not stage.taken_again()


ODD_IDS = ['"', "\\", "ü", "\u2028", "007", "1", "a/b?c=d&e", "{}", "😀", "x" * 120]


@pytest.mark.parametrize("marked", [True, False])
def test_documents_with_ids_of_all_kinds_are_found(set_up: SetUp, marked: bool):
    stage = set_up(fault("after"), marked=marked)
    stage.accept(ODD_IDS)
    stage.send()
    stage.look()
    assert stage.states(ODD_IDS) == "c" * len(ODD_IDS)


@pytest.mark.parametrize(
    "ways",
    [
        server(clock_skew=3600.0),
        server(clock_skew=-3600.0),
        server(created_zone=""),
        server(created_zone="", created_shift=19800.0),
        server(created_zone="", created_shift=-28800.0),
        server(created_shift=120.0),
        server(created_shift=-3600.0),
        server(counts=False),
        server(pages="ignored"),
        server(max_page_size=3),
        server(max_page_size=3, counts=False),
    ],
    ids=lambda text: " ".join(text.split()[1:]).replace(" = ", " "),
)
def test_whatever_the_clock_and_the_pages_of_a_server_nothing_is_sent_twice(
    set_up: SetUp, ways: str
):
    stage = set_up(ways + fault("after", document_id="crm-1"))
    for number in range(5):
        stage.accept([f"before-{number}"])
        stage.send()
    stage.accept(IDS)
    stage.send()
    stage.look()
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


@pytest.mark.parametrize("shift", [19800.0, -28800.0])
def test_the_first_run_of_all_is_found_in_whatever_zone_it_is_dated(set_up: SetUp, shift: float):
    stage = set_up(server(created_zone="", created_shift=shift, clock_skew=-900.0) + fault("after"))
    stage.accept(IDS)
    stage.send()
    stage.look()
    assert stage.states(IDS) == "c" * 10


def test_a_late_answer_after_documents_were_sent_again_keeps_both_and_is_counted(set_up: SetUp):
    stage = set_up(fault("before"))
    stage.accept(IDS)
    old = stage.take()
    stage.ledger.run([calls.lapse(old.taker, f"{old.batch}:{old.attempt}", "it is gone")])
    stage.look()
    time.sleep(QUIET)
    stage.look()
    stage.post(old)  # the fault is used up: the API says 500
    answer = stage.post(old)  # and a worker that was stopped sends it after all
    stage.end_rest()
    new = stage.send()
    assert stage.states(IDS) == "c" * 10
    stage.record(old, answer)
    entry = stage.ledger.batches([old.batch])[old.batch][0]
    assert len(entry.runs_of(old.attempt)) == len(entry.runs_of(new.attempt)) == 1
    assert stage.spool.counts()["created_twice"] == 10
    stage.spool.check()


def test_what_an_earlier_attempt_created_after_all_is_not_sent_a_third_time(set_up: SetUp):
    stage = set_up(fault("before", times=3))
    stage.accept(IDS)
    old = stage.send()
    stage.look()
    time.sleep(QUIET)
    stage.look()
    stage.end_rest()
    stage.send()
    assert stage.states(IDS) == "d" * 10
    stage.post(old)  # the third fault
    stage.post(old)  # the first attempt's request arrives after all
    stage.look()
    assert stage.states(IDS) == "c" * 10
    entry = stage.ledger.batches([old.batch])[old.batch][0]
    assert {proof[2] for place in range(10) if (proof := entry.proof(place))} == {old.attempt}
    assert not stage.taken_again()


def test_what_a_batch_created_late_is_found_for_its_parts(set_up: SetUp):
    stage = set_up(fault("before", times=3))
    stage.accept(IDS)
    old = stage.send()
    stage.ledger.run([calls.resend(old.batch, old.attempt, delay_ms=0, size=5, tries=1)])
    stage.send()
    stage.send()
    assert stage.states(IDS) == "d" * 10
    stage.post(old)
    stage.look()
    assert stage.states(IDS) == "c" * 10
    stage.spool.check()
    assert not stage.taken_again()


def test_the_run_that_an_answer_named_counts_whatever_its_date(set_up: SetUp):
    ways = server(created_shift=-3600.0)
    stage = set_up(ways + fault("after", name="partial", created=3) + fault("before"))
    stage.accept(IDS)
    stage.send()
    stage.accept(["other-1"])
    stage.send()
    time.sleep(QUIET)
    stage.look()
    assert stage.states(IDS) == "c" * 10


def test_a_look_that_saw_something_else_than_the_last_one_says_nothing(set_up: SetUp):
    stage = set_up(fault("before"))
    stage.accept(IDS)
    taken = stage.send()
    begun = stage.spool.client.time()[0] * 1000
    held = taken.batch, taken.attempt
    stage.ledger.run([calls.observe(*held, found="a run", held="")])
    for look in (Look(begun, "nothing"), Look(begun - 31_000, "a run")):
        again = calls.resend(*held, delay_ms=0, size=10, tries=1, look=look)
        bury = calls.bury_missing(*held, look, "missing")
        assert stage.ledger.run([again, bury]) == [-1, -1]
    again = calls.resend(*held, delay_ms=0, size=10, tries=1, look=Look(begun, "a run"))
    assert stage.ledger.run([again]) == [10]
