"""Whose task is whose, over made-up worlds."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from callspool_worker.proving.matching import (
    DATED,
    GROWING,
    NAMELESS,
    NOTHING,
    SHORT,
    Circumstances,
    match,
)
from callspool_worker.proving.records import Finding, Question, RunRead, RunSeen, TaskSeen
from tests.worker.proving.worlds import World, question, run, worlds

KEPT = Circumstances(float("inf"), lambda _: True)
DROPPED = Circumstances(None, lambda _: True)


def find(world: World, asked: Question) -> Finding:
    marked_till = float("inf") if world.marks_kept else None
    about = Circumstances(marked_till, lambda _: True, world.elsewhere(asked))
    return match(asked, world.runs, about)


def others_look_like(world: World, asked: Question) -> bool:
    """Whether nothing tells another system's run from the attempt's."""
    return not world.marks_kept and any(
        world.truth[one.seen.run_id] == -1
        and all(task.mark is None and set(task.names) <= asked.places.keys() for task in one.tasks)
        for one in world.runs
    )


@settings(max_examples=400)
@given(worlds())
def test_no_task_is_taken_for_another_attempts(world: World):
    for asked in world.questions:
        for found in find(world, asked).found:
            owner = world.truth[found.run_id]
            assert owner == asked.attempt or (owner == -1 and others_look_like(world, asked))


@settings(max_examples=400)
@given(worlds())
def test_nothing_that_is_there_is_taken_for_missing(world: World):
    for asked in world.questions:
        finding = find(world, asked)
        there = world.created(asked)
        seen = {place for found in finding.found for place in found.tasks}
        if not finding.blocked and not others_look_like(world, asked):
            assert there <= seen


@settings(max_examples=200)
@given(worlds())
def test_with_marks_that_are_kept_everything_is_told_apart(world: World):
    for asked in world.questions:
        finding = find(world, asked)
        if world.marks_kept and not asked.run_id:
            seen = {place for found in finding.found for place in found.tasks}
            assert (finding.blocked, seen) == ("", world.created(asked))


@settings(max_examples=200)
@given(worlds(), st.randoms(use_true_random=False))
def test_neither_the_order_of_runs_nor_that_of_tasks_changes_anything(world: World, random: object):
    shuffled = [replace(one, tasks=one.tasks[::-1]) for one in world.runs[::-1]]
    other = replace(world, runs=shuffled)
    for asked in world.questions:
        one, two = find(world, asked), find(other, asked)
        assert (one.found, one.blocked, one.observation) == (
            two.found,
            two.blocked,
            two.observation,
        )


@given(worlds(), st.data())
def test_what_appears_changes_the_observation(world: World, data: st.DataObject):
    asked = world.questions[0]
    mine = [
        one for one in world.runs if world.truth[one.seen.run_id] == asked.attempt and one.tasks
    ]
    if not mine:
        return
    before = replace(world, runs=[one for one in world.runs if one is not mine[0]])
    assert find(before, asked).observation != find(world, asked).observation


def test_the_run_that_an_answer_named_may_hold_only_the_attempts_documents():
    asked = replace(question(1, ["a", "b"], marked=True), run_id="R9")
    finding = match(asked, [run("R9", ["a", "b"], "them-1")], KEPT)
    assert (finding.found, finding.blocked) == ((), NAMELESS)


def test_a_task_with_our_mark_and_an_unknown_document_blocks():
    asked = question(1, ["007"], marked=True)
    finding = match(asked, [run("R1", ["7"], asked.mark)], KEPT)
    assert (finding.found, finding.blocked) == ((), NAMELESS)


def test_a_document_is_found_by_either_of_its_names():
    asked = question(1, ["a"], marked=False)
    task = TaskSeen("T1", "of-theirs", None, ref_id="a")
    finding = match(asked, [RunRead(RunSeen("R1", None, False, 1), (task,))], DROPPED)
    assert [found.tasks for found in finding.found] == [{0: "T1"}]


def test_an_empty_run_of_another_size_is_not_waited_for():
    asked = question(1, ["a", "b"], marked=True)
    other = run("R2", [], None, sent=3)
    finding = match(asked, [other], KEPT)
    assert (finding.waits, finding.lags, finding.observation) == ("", False, NOTHING)


def test_a_run_that_lists_fewer_tasks_than_documents_is_waited_for_unless_the_api_said_it_failed():
    asked = question(1, ["a", "b"], marked=True)
    for tasks in ([], ["a"]):
        own = run("R1", tasks, asked.mark, sent=2)
        finding = match(asked, [own], KEPT)
        assert finding.waits == SHORT
        assert finding.lags == (not tasks)
        assert match(replace(asked, answered=True), [own], KEPT).waits == ""


def test_a_run_that_counts_more_tasks_than_it_lists_is_waited_for_whatever_the_api_said():
    asked = replace(question(1, ["a", "b"], marked=True), answered=True)
    own = replace(run("R1", ["a"], asked.mark, sent=2), growing=True)
    assert match(asked, [own], KEPT).waits == GROWING


def test_a_run_without_a_mark_is_ruled_out_by_a_marked_run_that_is_no_older():
    asked = question(1, ["a"], marked=True)
    other = run("R1", ["a"], None, created=100.0)
    for marked_till, is_ruled_out in ((99.0, False), (100.0, True), (101.0, True), (None, False)):
        finding = match(asked, [other], Circumstances(marked_till, lambda _: True))
        assert (finding.found == ()) == is_ruled_out


def test_a_run_without_a_mark_that_is_dated_elsewhere_blocks():
    asked = question(1, ["a"], marked=True)
    finding = match(asked, [run("R1", ["a"], None)], Circumstances(None, lambda _: False))
    assert (finding.found, finding.blocked) == ((), DATED)


def test_a_task_of_a_document_without_an_id_is_no_documents_of_ours():
    asked = question(1, ["a"], marked=True)
    shown = TaskSeen("T1", None, None, has_input=True)
    finding = match(asked, [RunRead(RunSeen("R1", None, False, 1), (shown,))], DROPPED)
    assert (finding.blocked, finding.observation) == ("", NOTHING)
