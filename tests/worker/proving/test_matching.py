"""Whose task is whose, over made-up worlds."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from callspool_worker.proving.matching import NAMELESS, NOTHING, match
from callspool_worker.proving.records import Finding, Question, RunRead, RunSeen, TaskSeen
from tests.worker.proving.worlds import World, question, run, worlds


def find(world: World, asked: Question) -> Finding:
    return match(
        asked, world.runs, marks_kept=world.marks_kept, sent_elsewhere=world.elsewhere(asked)
    )


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
    finding = match(asked, [run("R9", ["a", "b"], "them-1")], marks_kept=True)
    assert (finding.found, finding.blocked) == ((), NAMELESS)


def test_a_task_with_our_mark_and_an_unknown_document_blocks():
    asked = question(1, ["007"], marked=True)
    finding = match(asked, [run("R1", ["7"], asked.mark)], marks_kept=True)
    assert (finding.found, finding.blocked) == ((), NAMELESS)


def test_a_document_is_found_by_either_of_its_names():
    asked = question(1, ["a"], marked=False)
    task = TaskSeen("T1", "of-theirs", None, ref_id="a")
    finding = match(asked, [RunRead(RunSeen("R1", None, False, 1), (task,))], marks_kept=False)
    assert [found.tasks for found in finding.found] == [{0: "T1"}]


def test_an_empty_run_of_another_size_is_not_waited_for():
    asked = question(1, ["a", "b"], marked=True)
    own, other = run("R1", [], None, sent=2, created=5.0), run("R2", [], None, sent=3, created=9.0)
    finding = match(asked, [own, other], marks_kept=True)
    assert (finding.newest_empty, finding.observation) == (5.0, NOTHING)
