"""Whose run is it: other campaigns, other systems, other attempts in the same space."""

from __future__ import annotations

import time

import pytest

from callspool_ledger.writes import LaneKey
from callspool_worker.proving.matching import NAMELESS, OVERLAP, SEVERAL, SIZE
from tests.support.ledgers import LANE
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.faults import fault, server
from tests.worker.proving.stage import QUIET, Stage

IDS = [f"crm-{n}" for n in range(10)]
SPRING = LaneKey("default", "SPACE", "spring", "pilot-a", "Follow up", LANE.schedule)
STRIPPED = server(input="known")
"""An API that gives no fields back that it does not know."""


def look_after_quiet(stage: Stage) -> None:
    stage.look()
    time.sleep(QUIET)
    stage.look()


def test_several_batches_in_doubt_are_settled_by_one_reading_of_their_space(set_up: SetUp):
    stage = set_up(fault("after", times=3) + fault("before"))
    for n in range(4):
        stage.accept([f"crm-{n}-{m}" for m in range(3)])
        stage.send()
    stage.reads.clear()
    stage.look()
    assert [stage.states([f"crm-{n}-0"]) for n in range(4)] == ["c", "c", "c", "d"]
    assert len(stage.reads) == 5  # the list of runs to its end, and the tasks of three
    assert set(stage.made().values()) == {1}


def test_marks_tell_campaigns_apart_that_call_the_same_documents(set_up: SetUp):
    stage = set_up(fault("after") + fault("before"))
    stage.accept(IDS)
    stage.accept(IDS, SPRING)
    first, second = stage.send(), stage.send()
    look_after_quiet(stage)
    states = {one.lane.campaign: stage.states(IDS, one.lane) for one in (first, second)}
    assert states == {first.lane.campaign: "c" * 10, second.lane.campaign: "w" * 10}
    assert set(stage.made().values()) == {1}


@pytest.mark.parametrize("stripped", ["", STRIPPED], ids=["unmarked", "marks stripped"])
def test_without_marks_what_two_open_attempts_sent_is_held_with_the_reason_which_is_told_once(
    set_up: SetUp, stripped: str, caplog: pytest.LogCaptureFixture
):
    stage = set_up(stripped + fault("after") + fault("before"), marked=bool(stripped))
    stage.accept(IDS)
    stage.accept(IDS, SPRING)
    both = stage.send(), stage.send()
    look_after_quiet(stage)
    assert stage.states(IDS) + stage.states(IDS, SPRING) == "d" * 20
    assert [stage.held(one) for one in both] == [OVERLAP, OVERLAP]
    stage.look(3)
    told = [record.getMessage() for record in caplog.records if OVERLAP in record.getMessage()]
    assert sorted(told) == [
        f"batch {one.batch}, attempt {one.attempt}: 10 documents cannot be proven: {OVERLAP}"
        for one in both
    ]


@pytest.mark.parametrize("stripped", ["", STRIPPED], ids=["unmarked", "marks stripped"])
def test_without_marks_a_run_is_told_by_its_documents(set_up: SetUp, stripped: str):
    stage = set_up(stripped + fault("after", document_id="crm-1"), marked=bool(stripped))
    stage.accept(["other-1", "other-2"])
    stage.send()
    stage.accept(IDS)
    stage.send()
    stage.be_called_by_others("bob-1", "bob-2")
    stage.be_called_by_others("crm-1", "bob-2")
    stage.look()
    assert stage.states(IDS) == "c" * 10
    assert not stage.taken_again()


def test_an_unmarked_attempt_does_not_take_the_run_of_an_earlier_campaign(set_up: SetUp):
    stage = set_up(fault("before", document_id="crm-1", times=2), marked=False)
    stage.accept(IDS)
    stage.record(taken := stage.take(), stage.post(taken))
    look_after_quiet(stage)
    stage.end_rest()
    stage.accept(IDS, SPRING)
    settled = stage.send(), stage.send()
    campaigns = {one.lane.campaign for one in settled}
    assert campaigns == {"", "spring"}
    look_after_quiet(stage)
    letters = sorted([stage.states(IDS)[0], stage.states(IDS, SPRING)[0]])
    assert letters == ["c", "w"]


def test_the_run_of_an_attempt_that_was_under_way_when_the_runs_were_read_is_not_taken(
    set_up: SetUp,
):
    stage = set_up(fault("before"), marked=False)
    stage.accept(IDS)
    stage.send()
    stage.accept(IDS, SPRING)
    other = stage.take()
    answer = stage.post(other)
    stage.look()
    stage.record(other, answer)
    assert stage.states(IDS, SPRING) == "c" * 10
    look_after_quiet(stage)
    assert stage.states(IDS) == "w" * 10


def test_an_attempt_that_comes_into_doubt_while_runs_are_read_keeps_its_run(set_up: SetUp):
    stage = set_up(fault("before") + fault("after"), marked=False)
    stage.accept(IDS)
    stage.send()
    stage.accept(IDS, SPRING)
    other = stage.take()
    answer = stage.post(other)
    stage.after_reading = [lambda: stage.record(other, answer)]
    stage.look()
    assert stage.states(IDS) == "d" * 10


def test_runs_of_other_systems_are_not_taken_once_a_later_one_of_ours_has_its_mark(set_up: SetUp):
    """Until then the API may have begun to drop marks."""
    stage = set_up(fault("before", nth=5))
    stage.accept(["ours-1"])
    stage.send()
    stage.be_called_by_others(*IDS)
    stage.be_called_by_others(*IDS, callspool_attempt="another-1-0")
    stage.be_called_by_others("bob-1", "bob-2")
    stage.accept(IDS)
    taken = stage.send()
    stage.be_called_by_others(*IDS)
    look_after_quiet(stage)
    assert (stage.states(IDS), stage.held(taken)) == ("d" * 10, SEVERAL)
    stage.accept(["ours-2"])
    stage.send()
    look_after_quiet(stage)
    assert stage.states(IDS) == "w" * 10


def test_a_run_of_the_documents_and_of_another_size_is_held_where_nothing_marks_it(set_up: SetUp):
    stage = set_up(fault("before", document_id="crm-1"), marked=False)
    stage.accept(IDS)
    taken = stage.send()
    stage.be_called_by_others("crm-2", "crm-3")
    look_after_quiet(stage)
    assert (stage.states(IDS), stage.held(taken)) == ("d" * 10, SIZE)


def test_tasks_that_name_no_document_are_never_taken_for_missing_ones(set_up: SetUp):
    stage = set_up(server(input="none") + fault("after"))
    stage.accept(IDS)
    taken = stage.send()
    look_after_quiet(stage)
    assert (stage.states(IDS), stage.held(taken)) == ("d" * 10, NAMELESS)
    assert not stage.taken_again()


def test_several_runs_that_fit_are_held_with_the_reason(set_up: SetUp):
    stage = set_up(fault("after", document_id="crm-1"), marked=False)
    stage.accept(IDS)
    taken = stage.take()
    answer = stage.post(taken)
    stage.be_called_by_others(*IDS)
    stage.record(taken, answer)
    look_after_quiet(stage)
    assert (stage.states(IDS), stage.held(taken)) == ("d" * 10, SEVERAL)


def test_a_run_that_was_taken_once_is_nobody_elses(set_up: SetUp):
    stage = set_up(fault("after") + fault("before"), marked=False)
    stage.accept(IDS)
    first = stage.send()
    stage.look()
    stage.accept(IDS, SPRING)
    stage.send()
    look_after_quiet(stage)
    assert stage.states(IDS, first.lane) == "c" * 10
    assert stage.states(IDS, SPRING) == "w" * 10
