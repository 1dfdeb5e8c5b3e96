"""Where runs hold one contact, windows of time are read, once the API is seen to honour them."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callspool_ledger.writes.follow_calls import Unit
from callspool_worker.decisions.answers import Answered
from callspool_worker.following.frontier import FollowTimes
from callspool_worker.following.windows import (
    SMALL,
    SearchedSpan,
    TimeWindow,
    count_tasks,
    group_units,
    judge_probe,
    plan_probe,
    plan_search,
    plan_width,
)
from tests.support.cutting import Cuts, Killed
from tests.support.ledgers import P
from tests.worker.following.dialled_calls import DialledCalls
from tests.worker.following.played_calls import NOTHING, SPACE
from tests.worker.following.test_follower import JSON, TASKS

Dial = Callable[..., DialledCalls]


@pytest.fixture
def dial(client: redis.Redis) -> Iterator[Dial]:
    """Begins a ledger and a sandbox anew."""
    with ExitStack() as running:

        def begin(**how: Any) -> DialledCalls:
            client.flushall()
            dialled = DialledCalls(client, **how)
            running.callback(dialled.store.close)
            return dialled

        yield begin


TIMES = FollowTimes(900.0, 259_200.0)
DAY_MS = 86_400_000
UNITS = st.lists(
    st.builds(
        Unit,
        st.integers(1, 10**6),
        st.integers(0, 10**7),
        st.just(""),
        st.sampled_from([1, 2, SMALL, SMALL + 1, 100]),
    )
).map(lambda units: sorted(units, key=lambda unit: unit.since_ms))


@given(UNITS, st.integers(0, 2000))
def test_groups_hold_each_batch_once_in_order_and_small_ones_of_one_span(
    units: list[Unit], width: int
) -> None:
    groups = group_units(units, width)
    assert [unit for group in groups for unit in group] == units
    for group in groups:
        if len(group) > 1:
            assert all(unit.documents <= SMALL for unit in group)
            assert group[-1].since_ms - group[0].since_ms < 1000 * width


@given(st.floats(1e-6, 1e4), st.floats(0.01, 86_400))
def test_a_window_is_never_wider_than_two_gaps_nor_fuller_than_its_pages(
    density: float, gap: float
) -> None:
    width = plan_width(density, FollowTimes(gap, 1.0))
    assert 1 <= width <= max(1, 2 * gap)
    assert width == 1 or width * density <= 100 * (1 + density / 12)


def task(made: float, **more: Any) -> dict[str, Any]:
    """A task as a list shows it, created then."""
    return {"task_id": f"T{made:.3f}", "created": made, **more}


KNOWN = {"T100.000": 100.0, "T200.000": 200.0}


@pytest.mark.parametrize(
    ("entries", "count", "seconds", "verdict"),
    [
        ([task(100.0)], 1, 0.2, True),
        ([task(100.0), task(100.9)], 2, 2.0, True),
        ([task(100.0)], 1, 2.1, False),
        ([task(200.0), task(100.0)], 2, 0.2, False),
        ([task(200.0)], 9000, 0.2, False),
        ([], 0, 0.2, False),
        ([task(100.5)], 1, 0.2, False),
        ([task(100.0)], None, 0.2, False),
        ([task(100.0)], 7, 0.2, False),
        (["no task"], 1, 0.2, False),
        ([task(100.0), *(task(100 + n / 1000) for n in range(1, 100))], 130, 0.2, None),
    ],
)
def test_a_probe_tells_a_server_that_honours_the_filter_from_any_other(
    entries: list[object], count: int | None, seconds: float, *, verdict: bool | None
) -> None:
    probe = plan_probe(KNOWN)
    assert probe is not None
    assert probe.window == TimeWindow(100, 100)
    assert judge_probe(probe, entries, count, seconds) is verdict


def test_no_probe_is_made_that_a_server_could_pass_which_ignores_the_filter() -> None:
    assert plan_probe({}) is plan_probe({"T1": 100.0, "T2": 105.0}) is None


@given(JSON | st.lists(JSON | st.dictionaries(st.just("batch_count"), JSON)), JSON)
def test_the_size_of_a_space_is_told_from_runs_of_any_shape(runs: object, count: object) -> None:
    known = count if isinstance(count, int) and not isinstance(count, bool) else None
    size = count_tasks(runs if isinstance(runs, list) else [], known)
    assert size is None or isinstance(size, int)


def test_the_size_of_a_space_is_its_runs_times_their_contacts() -> None:
    assert count_tasks([{"batch_count": 10}, {"batch_count": 20}], 300) == 4500
    assert count_tasks([{"batch_count": 10}, {}], 300) is None
    assert count_tasks([], None) is None


def test_a_search_for_follow_ups_goes_on_once_these_have_ended() -> None:
    search = SearchedSpan(1000, 2000)
    assert plan_search(search, 2000 + TIMES.search, 60, TIMES) is None
    assert plan_search(search, 2061 + TIMES.search, 60, TIMES) == TimeWindow(2000, 2059)
    assert search.covers([900.0], TIMES) is False
    assert search.covers([1000.0], TIMES) is None
    till = int(1000 + TIMES.follow_ups - TIMES.search)
    assert SearchedSpan(1000, till).covers([1000.0], TIMES) is True
    assert [SearchedSpan.parse(text) for text in ("1 2", "", "x y", "1")] == [
        SearchedSpan(1, 2),
        *[None] * 3,
    ]


def test_with_one_contact_a_run_a_call_costs_few_reads(dial: Dial) -> None:
    dialled = dial(calls={"evaluated_after": 30.0, "no_answer": 0.1})
    dialled.create_each(500, every=0.04)  # as many a second as a million in eleven hours
    read = Counter()
    for _ in range(20):
        read += Counter(dialled.pass_after(60))
    read += Counter(dialled.follow_all(step=900))
    assert sum(dialled.outcomes.values()) == 500
    assert dialled.outcomes["reached"] > 450
    assert read.total() <= 0.08 * 500, read


def test_a_server_that_ignores_the_filter_is_not_asked_again_for_a_day(
    dial: Dial,
) -> None:
    dialled = dial(filters="ignored")
    dialled.create_each(30, every=1.0)
    read = Counter(dialled.follow_all(step=600))
    assert read["space_tasks"] == 1
    assert sum(dialled.outcomes.values()) == 30
    (till,) = dialled.client.hmget("callspool:{account-default}:windows", "till")
    assert int(till) - time.time() * 1000 > 0.9 * DAY_MS


def test_a_server_that_answers_after_three_seconds_is_read_by_runs(dial: Dial) -> None:
    dialled = dial(took=3.0)
    dialled.create_each(30, every=1.0)
    assert Counter(dialled.follow_all(step=600))["space_tasks"] == 1
    # One that gets slow is left alone from then on.
    dialled = dial()
    dialled.create_each(60, every=1.0)
    assert Counter(dialled.pass_after(300))["space_tasks"] >= 2
    dialled.took = 3.0
    dialled.create_each(30, every=1.0)
    assert Counter(dialled.follow_all(step=600))["space_tasks"] == 1


def test_a_large_space_is_not_probed_unless_the_operator_says_so(dial: Dial) -> None:
    read = {}
    for windows in ("probe", "always", "never"):
        dialled = dial(windows=windows, counts=9000)
        dialled.create_each(25, every=1.0)
        read[windows] = {*dialled.pass_after(300)}
    assert read["probe"] == {"call_logs", "runs", "tasks"}
    assert read["always"] == {"call_logs", "space_tasks", "tasks"}
    assert read["never"] == {"call_logs", "tasks"}


def test_a_large_space_keeps_no_other_space_from_its_probe(dial: Dial) -> None:
    dialled = dial(counts=9000)
    dialled.create_each(25, every=1.0)
    assert "runs" in dialled.pass_after(300)
    (till,) = dialled.client.hmget("callspool:{account-default}:windows", "till")
    assert int(till) - time.time() * 1000 < 100_000
    dialled.client.delete("callspool:{account-default}:windows")
    dialled.create_each(25, every=1.0)
    assert "runs" not in dialled.pass_after(300)
    assert not dialled.client.exists("callspool:{account-default}:windows")


def test_a_window_that_overflows_its_page_is_read_on_while_that_is_worth_it(
    dial: Dial,
) -> None:
    dialled = dial()
    dialled.create_each(20, every=1.0)
    dialled.create_each(250, every=0.004)
    read = Counter(dialled.pass_after(400))
    assert read["space_tasks"] <= 12
    assert dialled.outcomes["reached"] > 230
    assert read["tasks"] <= 10


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.lists(TASKS | JSON, max_size=4) | JSON, count=JSON)
def test_windows_of_any_shape_end_no_pass_and_settle_nothing(
    dial: Dial, data: object, count: object
) -> None:
    dialled = dial()
    dialled.create_each(20, every=1.0)
    answer = Answered(200, json={"status_code": 200, "data": data, "count": count})
    dialled.answers = lambda endpoint: answer if endpoint != "call_logs" else None
    dialled.client.hset("callspool:{account-default}:windows", "honoured", 1)
    dialled.pass_after(300)
    assert dialled.outcomes == {"open": 20}


def test_a_window_that_cannot_be_read_leaves_its_batches_to_their_runs(
    dial: Dial,
) -> None:
    dialled = dial()
    dialled.create_each(30, every=1.0)
    dialled.client.hset("callspool:{account-default}:windows", "honoured", 1)
    dialled.answers = lambda endpoint: NOTHING if endpoint == "space_tasks" else None
    read = Counter(dialled.pass_after(300))
    assert read["space_tasks"] == 1
    assert read["tasks"] >= 20
    assert "open" not in dialled.outcomes or dialled.outcomes["open"] < 15


def test_a_document_whose_task_is_not_known_is_read_by_its_run(dial: Dial) -> None:
    dialled = dial(calls={"no_answer": 0.0, "voicemail": 0.0, "fault": 0.0})
    dialled.create_each(30, every=1.0, without_task=[7, 20])
    dialled.pass_after(600)
    assert dialled.outcomes == {"reached": 30}


def test_tasks_of_a_window_that_are_no_calls_are_told(
    dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    dialled = dial(execution_types={"SPACE": "email"})
    dialled.create_each(30, every=1.0)
    assert "space_tasks" in dialled.pass_after(300)
    assert sum("are no calls (execution_type email)" in line for line in caplog.messages) == 1


def test_a_server_whose_windows_become_empty_is_read_by_runs(dial: Dial) -> None:
    dialled = dial()
    dialled.create_each(30, every=1.0)
    dialled.client.hset("callspool:{account-default}:windows", "honoured", 1)
    empty = Answered(200, json={"status_code": 200, "data": [], "count": 0})
    dialled.answers = lambda endpoint: empty if endpoint == "space_tasks" else None
    read = Counter(dialled.follow_all(step=600))
    assert read["space_tasks"] == 1
    assert dialled.client.hget("callspool:{account-default}:windows", "honoured") is None


def test_a_follow_up_found_in_a_window_outlives_later_looks_at_its_call(dial: Dial) -> None:
    dialled = dial(calls={"no_answer": 0.0, "voicemail": 1.0, "fault": 0.0})
    dialled.create_each(30, every=1.0)
    dialled.follow_all(step=600)
    assert dialled.outcomes == {"not_reached": 30}
    made = int(dialled.clock.moment)
    dialled.follow_up(3, made)
    dialled.create_each(30, every=0.5)
    dialled.follow_all(step=600)
    assert dialled.outcomes == {"not_reached": 59, "reached": 1}
    # The call itself, which reached nobody, is looked at once more.
    dialled.dialler._runs[id(dialled.store.runs_of("SPACE")[3])].tasks[0].status = "completed"
    for batch in dialled.batches[:30]:
        dialled.client.hset(f"{P}:b{batch}", "yt", '{"after":"evaluation"}')
    dialled.client.zadd(f"{P}:later:{SPACE}", dict.fromkeys(dialled.batches[:30], 1))
    assert "space_tasks" in dialled.pass_after(0)
    assert dialled.outcomes == {"not_reached": 59, "reached": 1}


def test_a_search_reads_on_where_pages_are_shorter_than_was_asked_for(dial: Dial) -> None:
    dialled = dial(page_limit=4, calls={"no_answer": 0.0, "voicemail": 1.0, "fault": 0.0})
    dialled.create_each(30, every=1.0)
    dialled.follow_all(step=600)
    made = int(time.time()) - 100
    for number in range(10):
        dialled.follow_up(number, made)
    dialled.client.hset(f"{P}:searched", SPACE, f"{made - 10} {made - 10}")
    how = dialled.follower._how
    dialled.follower._how = dataclasses.replace(how, times=FollowTimes(1.0, 259_200.0))
    dialled.client.zadd(f"{P}:later:{SPACE}", dict.fromkeys(dialled.batches, 1))
    dialled.pass_after(0)
    assert dialled.outcomes == {"not_reached": 20, "reached": 10}


def test_follow_ups_are_found_in_later_windows_and_change_outcomes_once(dial: Dial) -> None:
    dialled = dial(calls={"no_answer": 1.0, "voicemail": 0.0, "fault": 0.0})
    dialled.create_each(30, every=1.0)
    dialled.follow_all(step=600)
    assert dialled.outcomes == {"not_reached": 30}
    made = int(time.time()) - 100
    dialled.follow_up(3, made)
    dialled.client.hset(f"{P}:searched", SPACE, f"{made - 10} {made - 10}")
    dialled.client.zadd(f"{P}:later:{SPACE}", dict.fromkeys(dialled.batches[:25], 1))
    how = dialled.follower._how  # with a shorter gap, what was created a while ago is old enough
    dialled.follower._how = dataclasses.replace(how, times=FollowTimes(1.0, 259_200.0))
    for _ in range(2):
        assert "tasks" not in dialled.pass_after(0)
        assert dialled.outcomes == {"not_reached": 29, "reached": 1}
    kinds = Counter(event.type for event in dialled.events())
    assert kinds == {"created": 30, "ended": 30, "evaluated": 1}
    # What the search has covered is not looked at any more; what it never will is read by its run.
    till = int(dialled.clock.moment) + 1000
    dialled.client.hset(f"{P}:searched", SPACE, f"{made - 10} {till}")
    dialled.client.zadd(f"{P}:later:{SPACE}", dict.fromkeys(dialled.batches, 1))
    assert "tasks" not in dialled.pass_after(0)
    assert dialled.client.zcard(f"{P}:later:{SPACE}") == 0
    assert dialled.client.hlen(f"{P}:searched") == 0


def test_what_was_created_before_the_search_began_is_read_by_its_run(dial: Dial) -> None:
    dialled = dial()
    dialled.create_each(25, every=1.0)
    dialled.follow_all(step=600)
    dialled.client.hset(f"{P}:searched", SPACE, f"{int(dialled.clock.moment)} {2**40}")
    dialled.client.zadd(f"{P}:later:{SPACE}", dict.fromkeys(dialled.batches, 1))
    assert Counter(dialled.pass_after(0))["tasks"] == 25
    assert dialled.client.zcard(f"{P}:later:{SPACE}") == 0


def test_a_task_of_a_window_with_our_mark_proves_its_document(dial: Dial) -> None:
    dialled = dial()
    dialled.create_each(25, every=1.0)
    dialled.create_unheard("late")
    dialled.create_each(25, every=1.0)
    dialled.client.zadd(f"{P}:proofs", {SPACE: 9e12})
    assert dialled.spool.counts()["in_doubt"] == 1
    dialled.pass_after(400)
    assert dialled.spool.counts()["in_doubt"] == 0
    assert dialled.spool.counts()["created"] == 51


def test_a_follower_that_dies_anywhere_in_a_window_tells_each_end_once(dial: Dial) -> None:
    def play(at: tuple[int, bool] | None) -> int:
        dialled, cuts = dial(calls={"no_answer": 0.0, "voicemail": 0.0, "fault": 0.0}), Cuts()
        dialled.create_each(24, every=1.0)
        cuts.at = at
        dialled.ledger.run_commands = cuts.cut(dialled.ledger.run_commands)  # type: ignore[method-assign]
        dialled.follower._get = cuts.cut(dialled.get)
        for _ in range(3):
            try:
                dialled.pass_after(600)
            except Killed:
                cuts.at = None
                # The leases of the dead one are over.
                dialled.client.delete(f"{P}:looking", "callspool:{account-default}:follow")
                dialled.client.hdel("callspool:{account-default}:windows", "till")
                dialled.pass_after(0)
        assert dialled.outcomes == {"reached": 24}, at
        told = Counter((event.document_id, event.type) for event in dialled.events())
        assert {*told.values()} == {1}, at
        assert len(told) == 48, at
        return cuts.steps

    steps = play(None)
    assert steps > 10
    for number in range(steps):
        play((number, True))
