"""Calls are followed to their end: the oldest runs first, gently, and whatever the API answers."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callspool.request.identity import Scope
from callspool_ledger.reads.calls import read_follow_lag
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Doubts
from callspool_worker.decisions.answers import Answer, Answered
from callspool_worker.following.batch_look import call_seen
from tests.support.ledgers import LANE, P, calls, group
from tests.worker.following.played_calls import NOTHING, PlayedCalls, too_many


@pytest.fixture
def played(client: redis.Redis) -> PlayedCalls:
    return PlayedCalls(client)


def status(played: PlayedCalls, document_id: str) -> Any:
    reading = read_statuses(Scope(*LANE[:3]), [document_id])
    (found,) = LedgerReader(played.client).ask(reading)
    return found


def test_a_call_that_ended_has_its_outcome_and_no_word_of_what_was_said(played: PlayedCalls):
    taken = played.create("c0", "c1")
    played.end(taken, 0, call_end_reason="customer-ended-call")
    assert played.look() == [("R1", 1)]
    assert played.outcomes == {"reached": 1, "open": 1}
    call = status(played, "c0").call
    assert (call.call_status, call.end_reason, call.duration) == (
        "completed",
        "customer-ended-call",
        42,
    )
    fields = played.client.hgetall(f"{P}:b{taken.batch}")
    said = (b"Ada said", b"415 555 0123", b"4155550123")  # no timestamp and no id holds them
    assert not any(word in one for one in fields.values() for word in said)


def test_a_space_whose_tasks_are_no_calls_is_told_once(
    played: PlayedCalls, caplog: pytest.LogCaptureFixture
):
    for number in range(2):
        taken = played.create(f"c{number}")
        for task in played.tasks[f"R{taken.attempt}"]:
            task["execution_type"] = "email"
    played.look()
    played.look(1)
    assert [line for line in caplog.messages if "are no calls (execution_type email)" in line] == [
        caplog.messages[0]
    ]


def test_nothing_is_read_again_before_the_gap_which_doubles_without_news(played: PlayedCalls):
    played.create("c0")
    assert [len(played.look(hours)) for hours in (0.01, 0.05, 0.2, 0.1)] == [0, 1, 0, 1]
    assert [len(played.look(hours)) for hours in (0.3, 0.25, 0.6, 0.5)] == [0, 1, 0, 1]


def test_a_pass_ends_after_three_batches_without_news(played: PlayedCalls):
    takes = [played.create(f"c{number}") for number in range(8)]
    read = played.look()
    assert [run for run, _ in read[:3]] == ["R1", "R2", "R3"]
    assert len(read) == 4  # and one of the younger ones, by chance
    played.end(takes[0], 0)
    assert [run for run, _ in played.look()][:4] == ["R1", "R2", "R3", "R4"]
    assert played.outcomes == {"reached": 1, "open": 7}


def test_a_batch_that_is_silent_for_long_does_not_hold_up_those_behind_it(played: PlayedCalls):
    for number in range(5):
        played.create(f"c{number}")
    for _ in range(5):
        played.look(1.1)
    assert {run for run, _ in played.look(1.1)} >= {"R1", "R2", "R3", "R4", "R5"}


def test_batches_whose_calls_failed_hold_up_none_behind_them(played: PlayedCalls):
    takes = [played.create(f"c{number}") for number in range(8)]
    for taken in takes[:5]:
        played.end(taken, 0, "no-answer")
    played.look()
    played.look()
    played.end(takes[7], 0)
    assert {run for run, _ in played.look(0.6)} == {"R6", "R7", "R8"}
    played.look(2.1)
    assert played.outcomes == {"not_reached": 5, "reached": 1, "open": 2}


def test_what_failed_may_ring_again_and_counts_after_two_hours_without_change(
    played: PlayedCalls,
):
    taken = played.create("c0")
    played.end(taken, 0, "no-answer")
    played.look()
    assert played.outcomes == {"open": 1}
    played.tasks["R1"][0] |= {"status": "pending", "output": {}}
    played.look(1.0)
    played.end(taken, 0, "no-answer", call_id="C-again")
    played.look(3.0)
    assert played.outcomes == {"open": 1}
    played.look(2.1)
    assert played.outcomes == {"not_reached": 1}
    assert status(played, "c0").call.rings == 2


def test_only_pages_that_hold_an_open_call_are_read_again(played: PlayedCalls):
    played.page_size = 10
    taken = played.create(*(f"c{number}" for number in range(40)))
    for place in range(40):
        if place not in {13, 14}:
            played.end(taken, place)
    assert [page for _, page in played.look()] == [1, 2, 3, 4]
    played.end(taken, 13)
    assert [page for _, page in played.look()] == [2]
    # A follow-up in front moves one of them to another page.
    played.tasks["R1"][:0] = [dict(played.tasks["R1"][0], task_id=f"TX{n}") for n in range(6)]
    for task in played.tasks["R1"][:6]:
        task["output"] = {"referenced_task": "T0"}
    assert [page for _, page in played.look()] == [2, 1, 3]
    played.tasks["R1"][14 + 6] |= {"status": "completed", "output": {"end_time": 90}}
    assert [page for _, page in played.look(0.6)] == [3]
    assert played.outcomes == {"reached": 39, "ended": 1}


def test_a_missing_evaluation_and_follow_ups_are_looked_for_once_more(played: PlayedCalls):
    taken = played.create("c0")
    played.end(taken, 0, "no-answer", post_call_data=None)
    played.tasks["R1"][0]["status"] = "completed"
    played.look()
    assert played.outcomes == {"not_reached": 1}
    assert played.look(0.4) == []
    assert played.look(0.2) == [("R1", 1)]
    follow_up = dict(played.tasks["R1"][0], task_id="TF", status="completed")
    follow_up["output"] = {"referenced_task": played.tasks["R1"][0]["task_id"], "call_id": "F"}
    follow_up["output"] |= {"call_status": "completed", "end_time": "2026-12-02T10:00:00Z"}
    played.tasks["R1"].insert(0, follow_up)
    assert played.look(12) == []
    assert played.look(12.1) == [("R1", 1)]
    assert played.outcomes == {"reached": 1}
    assert status(played, "c0").call.rings == 2
    assert played.look(100) == []
    assert not played.client.exists(f"{P}:follows")


def test_sight_is_lost_of_what_is_open_after_72_hours(played: PlayedCalls):
    taken = played.create("c0", "c1")
    played.end(taken, 0)
    played.look()
    played.answer = NOTHING
    played.look(72)
    assert played.outcomes == {"reached": 1, "lost_sight": 1}


def test_sight_is_lost_of_a_call_that_was_created_after_the_others_ended(played: PlayedCalls):
    taken = played.create("c0", "c1")
    played.client.hset(f"{P}:b{taken.batch}", "yt", '{"after":"follow_ups"}')
    played.end(taken, 0)
    played.look(hours=73)
    played.look(hours=2)
    assert played.outcomes == {"reached": 1, "lost_sight": 1}


def test_sight_is_not_lost_of_a_call_that_is_scheduled(played: PlayedCalls):
    played.create("c0")
    played.tasks["R1"][0]["status"] = "scheduled"
    played.look(100)
    assert played.outcomes == {"open": 1}


def test_a_pass_reads_its_share_and_lets_others_have_theirs(played: PlayedCalls):
    takes = [played.create(f"c{number}") for number in range(130)]
    for taken in takes:
        played.end(taken, 0)
    assert len(played.look()) == 99  # and the call log was asked for
    assert len(played.look(0)) == 31
    assert played.outcomes == {"reached": 130}


def test_a_429_stops_following_for_as_long_as_it_says(played: PlayedCalls):
    played.create("c0")
    played.answer = too_many(3600)
    assert len(played.look()) == 1
    played.answer = None
    assert played.look(2) == []
    assert int(played.client.hget("callspool:{account-default}:follow", "rest")) > 0
    assert not played.client.hexists(f"{P}:throttled", "default")
    counted = LedgerReader(played.client).metrics()
    assert counted.looked["default", "429"] == 1


def test_a_task_with_our_mark_settles_its_document_and_a_follow_up_never_does(
    played: PlayedCalls,
):
    taken = played.create("c0")
    played.spool.accept(group(["c1", "c2"]))
    doubtful = played.ledger.take("me:2", ["default"])
    assert doubtful is not None
    doubt = calls.doubt(doubtful, outcome="no_answer", code="", detail="", proof=b"{}")
    played.ledger.run([doubt])
    played.client.zadd(f"{P}:proofs", {"default|SPACE": 9e12})
    late, followed = (played.task(doubtful, place, f"c{place + 1}") for place in range(2))
    followed["output"] = {"referenced_task": "T0"}
    played.tasks["R1"] += [late, followed]
    played.look()
    states = [status(played, one).state for one in ("c0", "c1", "c2")]
    assert states == ["created", "created", "in_doubt"]
    assert status(played, "c1").task_id == late["task_id"]
    assert status(played, "c1").run_id == f"R{taken.attempt}"
    assert played.spool.counts()["created_twice"] == 0


def test_of_what_an_operator_confirmed_a_run_is_enough_and_no_run_is_lost_sight(
    played: PlayedCalls,
):
    for run in ("R9", ""):
        played.spool.accept(group([f"with-{run}"]))
        taken = played.ledger.take("me:2", ["default"])
        assert taken is not None
        step = calls.doubt(taken, outcome="no_answer", code="", detail="", proof=b"{}")
        played.ledger.run([step])
        if run:
            task = played.task(taken, 0, f"with-{run}")
        Doubts([played.client], "ann@desk").confirm(Selector(), run)
    task |= {"status": "completed", "output": {"call_status": "answered", "end_time": 90}}
    played.tasks["R9"] = [task]
    assert played.outcomes == {"open": 1, "lost_sight": 1}
    played.look()
    assert played.outcomes == {"reached": 1, "lost_sight": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = ["call_status", "call_end_reason", "start_time", "end_time", "duration", "call_id"]
TASKS = st.fixed_dictionaries(
    {"task_id": st.sampled_from(["T1", "T2"]) | JSON},
    optional={
        "status": st.sampled_from(["completed", "failed"]) | JSON,
        "input": JSON,
        "output": JSON
        | st.dictionaries(st.sampled_from([*FIELDS, "referenced_task", "post_call_data"]), JSON),
    },
)


@given(TASKS | JSON)
def test_entries_of_any_shape_are_read(entry: object):
    found = call_seen(entry)
    if found is not None:
        for word in (found[1].status, found[1].call_status, found[1].end_reason):
            assert len(word) <= 40
            assert not any(character.isspace() for character in word)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(answers=st.lists(st.lists(TASKS | JSON, max_size=4) | JSON, min_size=1, max_size=4))
def test_answers_of_any_shape_end_no_pass(client: redis.Redis, answers: list[object]):
    client.flushall()
    played = PlayedCalls(client)
    played.create("c0", "c1")
    for data in answers:
        played.answer = Answered(200, json={"status_code": 200, "data": data})
        played.look(5)
    assert sum(played.outcomes.values()) == 2


@pytest.mark.parametrize(
    "answer", [NOTHING, Answered(500), Answered(403, json={"status_code": 403}), Answered(200)]
)
def test_a_run_that_cannot_be_read_says_nothing_and_is_looked_at_again(
    played: PlayedCalls, answer: Answer
):
    taken = played.create("c0")
    played.answer = answer
    for _ in range(5):
        played.look(1.1)
    assert played.outcomes == {"open": 1}
    played.answer = None
    played.end(taken, 0)
    played.look(1.1)
    assert played.outcomes == {"reached": 1}


def test_how_late_calls_are_looked_at_is_known_without_looking(played: PlayedCalls):
    def lag() -> float:
        return LedgerReader(played.client).ask(read_follow_lag())

    assert lag() == 0
    taken = played.create("c0", "c1")
    assert lag() == 0  # the first look comes three minutes after the creation
    played.later(2.05)
    assert lag() == pytest.approx(2 * 3600, abs=30)
    played.look(0)
    assert lag() == 0
    played.end(taken, 0, "no-answer")
    played.end(taken, 1, "no-answer")
    played.look(1)
    played.later(5)
    assert lag() == pytest.approx(4.75 * 3600, abs=120)
