"""An answer that names what another request made proves nothing: the space is read back."""

from __future__ import annotations

import time

import pytest

from callspool_ledger.writes import Taken
from callspool_ledger.writes.records import creation_of
from callspool_worker.decisions.answers import Answer, NoAnswer
from tests.support.ledgers import LANE, P, calls, group
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.stage import QUIET, Stage

FIRST, SECOND = ["crm-1", "crm-2"], ["crm-3", "crm-4"]


def send_first(stage: Stage) -> object:
    """Sends the first two documents; the API's answer to that."""
    stage.accept(FIRST)
    taken = stage.take()
    answer = stage.post(taken)
    stage.record(taken, answer)
    assert stage.states(FIRST) == "cc"
    return answer


def test_a_request_that_was_answered_with_anothers_answer_is_in_doubt_until_its_run_is_found(
    set_up: SetUp,
):
    stage = set_up()
    answer = send_first(stage)
    stage.accept(SECOND)
    taken = stage.take()
    stage.post(taken)
    stage.record(taken, answer)
    assert stage.states(SECOND) == "dd"
    stage.look()
    assert stage.states(FIRST + SECOND) == "cccc"
    assert set(stage.made().values()) == {1}


def test_a_request_that_never_arrived_is_sent_again_although_anothers_answer_came(set_up: SetUp):
    stage = set_up()
    answer = send_first(stage)
    stage.accept(SECOND)
    stage.record(stage.take(), answer)
    stage.look()
    assert stage.states(SECOND) == "dd"
    time.sleep(QUIET)
    stage.look()
    assert stage.states(SECOND) == "ww"
    stage.end_rest()
    stage.send()
    stage.look()
    assert stage.states(FIRST + SECOND) == "cccc"
    assert set(stage.made().values()) == {1}


def test_a_task_that_another_attempt_was_answered_with_is_no_proof_either(set_up: SetUp):
    stage = set_up()
    stage.accept(FIRST)
    stage.accept(SECOND)
    one, two = stage.take(), stage.take()
    tasks = ["T" + "1" * 32, "T" + "2" * 32]
    (reply,) = stage.ledger.run([calls.record_created(one, "", tasks, "200")])
    assert creation_of(reply).created == 2
    (reply,) = stage.ledger.run([calls.record_created(two, "R2", tasks, "200")])
    assert creation_of(reply) == (0, 0, 2, False, True)


def test_the_same_answer_that_is_recorded_again_because_a_reply_was_lost_counts_once(
    set_up: SetUp,
):
    stage = set_up()
    stage.accept(FIRST)
    taken = stage.take()
    step = calls.record_created(taken, "R1", ["T" + "1" * 32, "T" + "2" * 32], "200")
    replies = [creation_of(reply) for reply in stage.ledger.run([step, step])]
    assert [(each.created, each.is_known, each.is_mistaken) for each in replies] == [
        (2, False, False),
        (0, True, False),
    ]
    assert stage.states(FIRST) == "cc"


def test_once_answers_are_mixed_up_no_answer_of_the_account_proves_anything_by_itself(
    set_up: SetUp,
):
    """The first to name a run may be the wrong one, and the right one be answered by nobody."""
    stage = set_up()
    answer = send_first(stage)
    stage.accept(SECOND)
    stage.record(stage.take(), answer)
    stage.accept(["crm-5"])
    stage.accept(["crm-6"], LANE._replace(campaign="spring"))
    never, taken = stage.take(), stage.take()
    answer = stage.post(taken)
    stage.record(never, answer)
    assert stage.states(["crm-5"]) == "d", "its request never arrived"
    stage.record(taken, NoAnswer("no answer in time", "timeout"))
    stage.look()
    time.sleep(QUIET)
    stage.look()
    stage.end_rest()
    while (again := stage.ledger.take(f"me:{time.monotonic_ns()}", ["default"])) is not None:
        stage.record(again, stage.post(again))
    stage.look()
    everybody = [*FIRST, *SECOND, "crm-5"]
    assert stage.states(everybody) == "ccccc"
    assert set(stage.made().values()) == {1}


def test_a_run_that_is_found_to_be_anothers_shows_that_answers_are_mixed_up(set_up: SetUp):
    stage = set_up()
    stage.accept(["crm-1"])
    stage.accept(["crm-2"], LANE._replace(campaign="spring"))
    never, taken = stage.take(), stage.take()
    answer = stage.post(taken)
    stage.record(never, answer)
    stage.record(taken, NoAnswer("no answer in time", "timeout"))
    stage.look()
    assert stage.states(["crm-2"], LANE._replace(campaign="spring")) == "c"
    stage.accept(["crm-3"])
    stage.send()
    assert stage.states(["crm-3"]) == "d"
    stage.look()
    assert stage.states(["crm-3"]) == "c"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_run_that_only_a_wrong_answer_named_does_not_keep_an_attempt_in_doubt(
    set_up: SetUp, arrived: bool
):
    """The answer counts three ids, so it is no answer to two; its run is the other attempt's.

    Nor does it say that the API answered: the usual quiet is kept.
    """
    stage = set_up(quiet_answered=0.0)
    stage.accept(FIRST)
    stage.accept(["crm-5", "crm-6", "crm-7"], LANE._replace(campaign="spring"))
    one, other = stage.take(), stage.take()
    if one.lane.campaign:
        one, other = other, one
    answer = stage.post(other)
    stage.record(other, answer)
    if arrived:
        stage.post(one)
    stage.record(one, answer)
    assert stage.states(FIRST) == "dd"
    stage.look(3)
    assert stage.states(FIRST) == ("cc" if arrived else "dd"), "nothing is missing before the quiet"
    if not arrived:
        time.sleep(QUIET)
        stage.look()
        assert stage.states(FIRST) == "ww"
        stage.end_rest()
        stage.send()
        stage.look()
    assert stage.states(FIRST) == "cc"
    assert set(stage.made().values()) == {1}


SPRING = LANE._replace(campaign="spring")


def answer_with_anothers_answer(stage: Stage) -> tuple[Taken, Answer]:
    """The first request is not carried out, and gets the answer to the second one."""
    stage.accept(FIRST)
    stage.accept(SECOND, SPRING)
    never, taken = stage.take(), stage.take()
    answer = stage.post(taken)
    stage.record(never, answer)
    assert stage.states(FIRST) == "cc"
    return taken, answer


def settle(stage: Stage) -> None:
    """Proves and sends again what is to be."""
    stage.look()
    time.sleep(QUIET)
    stage.look()
    stage.end_rest()
    while (again := stage.ledger.take(f"me:{time.monotonic_ns()}", ["default"])) is not None:
        stage.record(again, stage.post(again))
    stage.look()
    assert stage.states(FIRST) + stage.states(SECOND, SPRING) == "cccc"
    assert set(stage.made().values()) == {1}
    assert len(stage.made()) == 4


def test_what_was_recorded_by_anothers_answer_is_in_doubt_again_once_the_right_one_comes(
    set_up: SetUp,
):
    stage = set_up()
    taken, answer = answer_with_anothers_answer(stage)
    stage.record(taken, answer)
    assert stage.states(FIRST) + stage.states(SECOND, SPRING) == "dddd"
    stage.look()
    assert stage.states(FIRST) + stage.states(SECOND, SPRING) == "ddcc"
    settle(stage)


def test_what_was_recorded_by_anothers_answer_is_in_doubt_again_once_the_run_is_found(
    set_up: SetUp,
):
    stage = set_up()
    taken, _ = answer_with_anothers_answer(stage)
    stage.record(taken, NoAnswer("no answer in time", "timeout"))
    stage.look()
    assert stage.states(FIRST) + stage.states(SECOND, SPRING) == "ddcc"
    settle(stage)


def test_a_batch_is_kept_for_that_as_long_as_its_lease_and_then_closed(set_up: SetUp):
    stage = set_up()
    taken, answer = answer_with_anothers_answer(stage)
    client = stage.spool.client
    assert client.exists(f"{P}:p1")
    stage.end_rest()
    assert not client.exists(f"{P}:p1", f"{P}:l{group(FIRST).lane_id}")
    stage.record(taken, answer)
    assert stage.states(FIRST) + stage.states(SECOND, SPRING) == "ccdd"


def test_a_batch_that_alone_is_under_way_is_closed_at_once(set_up: SetUp):
    stage = set_up()
    stage.accept(FIRST)
    taken = stage.send()
    assert not stage.spool.client.exists(f"{P}:p{taken.batch}")


def test_no_more_batches_are_kept_whole_after_their_answer_than_redis_has_room_for(
    set_up: SetUp,
):
    stage = set_up()
    client = stage.spool.client
    client.hset(f"{P}:meta", "fresh", 99_999)
    answer_with_anothers_answer(stage)
    assert client.hget(f"{P}:meta", "fresh") == b"99999"
    assert not client.exists(f"{P}:p1"), "what was sent is given back at once"
