"""What tasks say of a call, for every task that there may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.settings.kinds import DEFAULT_OUTCOMES, VERDICTS
from callspool_ledger.reads.views import OUTCOMES
from callspool_worker.decisions.call_outcome import (
    CallVerdict,
    TaskCall,
    judge_calls,
    normalise_word,
    read_outcomes,
)

TABLE = read_outcomes(DEFAULT_OUTCOMES)
STATUSES = [
    *("pending", "in_progress", "completed", "hold", "failed", "partially_completed"),
    *("scheduled", "processing", "a-new-one", ""),
]


def task(status: str, call_status: str = "", *, follows: str | None = None, **more: object):
    found = {"ended": 90.0, "started": 60.0, "call_id": "C1", **more}
    return TaskCall("T1", status, call_status, follows=follows, **found)  # type: ignore[arg-type]


def judge(*tasks: TaskCall, final: bool = True, rings: int = 0) -> CallVerdict:
    return judge_calls(tasks, TABLE, is_failure_final=final, earlier_rings=rings)


@pytest.mark.parametrize(
    ("status", "call_status", "outcome"),
    [
        ("completed", "completed", "reached"),
        ("completed", "no-answer", "not_reached"),
        ("completed", "voicemail", "not_reached"),
        ("completed", "failed", "failed"),
        ("completed", "a-new-one", "ended"),
        ("completed", "", "ended"),
        ("failed", "busy", "not_reached"),
        ("failed", "a-new-one", "failed"),
        ("pending", "no-answer", "open"),
        ("in-progress", "", "open"),
        ("a-new-one", "completed", "open"),
    ],
)
def test_the_status_of_the_task_and_of_its_call_make_the_outcome(
    status: str, call_status: str, outcome: str
):
    assert judge(task(status, call_status)).outcome == outcome


def test_what_failed_is_open_until_it_has_been_unchanged_for_long_enough():
    assert judge(task("failed", "no-answer"), final=False).outcome == "open"


def test_a_completed_task_without_the_end_of_a_call_is_open():
    assert judge(task("completed", "completed", ended=None)).outcome == "open"


def test_a_follow_up_counts_once_it_ended_and_never_opens_a_call_again():
    first, second = task("failed", "no-answer"), task("completed", "completed", follows="T1")
    assert judge(first, task("pending", follows="T1")).outcome == "not_reached"
    assert judge(first, second).outcome == "reached"
    assert judge(first, second).record.rings == 2
    assert judge(task("pending", ended=None, call_id=""), second).outcome == "reached"
    assert judge(task("completed", "no-answer", follows="T1")).outcome == "open"


def test_rings_of_earlier_looks_are_counted_and_times_kept():
    record = judge(task("completed", "completed"), rings=2).record
    assert (record.rings, record.started, record.ended, record.duration) == (3, 60, 90, 30)


@given(
    st.lists(
        st.builds(
            TaskCall,
            task_id=st.just("T1"),
            status=st.sampled_from([normalise_word(one) for one in STATUSES]),
            call_status=st.sampled_from([*TABLE, "a-new-one", ""]),
            end_reason=st.sampled_from(["", "customer-ended-call"]),
            started=st.none() | st.floats(0, 1e12),
            ended=st.none() | st.floats(0, 1e12),
            duration=st.floats(0, 1e12),
            is_evaluated=st.booleans(),
            follows=st.none() | st.just("T0"),
        ),
        max_size=5,
    ),
    st.booleans(),
    st.integers(0, 300),
)
def test_whatever_tasks_there_are_there_is_one_outcome_that_fits_the_ledger(
    tasks: list[TaskCall], final: bool, rings: int
):
    verdict = judge(*tasks, final=final, rings=rings)
    assert verdict.outcome in OUTCOMES
    assert verdict.outcome != "lost_sight"
    assert 0 <= verdict.record.rings <= 255
    numbers = verdict.record.started, verdict.record.ended, verdict.record.duration
    assert all(0 <= number < 2**32 for number in numbers)
    if not any(one.is_over or one.status == "failed" for one in tasks):
        assert verdict.outcome == "open"
    if not any(one.follows is None for one in tasks) and verdict.outcome != "reached":
        assert verdict.outcome == "open"


def test_the_table_is_read_in_any_spelling():
    assert read_outcomes("No_Answer = not_reached,done=ended") == {
        "no-answer": "not_reached",
        "done": "ended",
    }
    assert set(TABLE.values()) <= set(VERDICTS)
