from __future__ import annotations

from pathlib import Path

import pytest

from callspool.request.identity import Scope
from callspool_worker.proving.matching import SHORT
from chaos.contacts import Key
from chaos.judging import STATES, Found, check_sums, creations, judge, reasons_to_hold
from chaos.schedule import Plan

SCOPE = Scope("default", "8KZ")
SPRING = SCOPE._replace(campaign="spring")
ADA, BOB = Key(SCOPE, "ada"), Key(SCOPE, "bob")
ADA_IN_SPRING = Key(SPRING, "ada")
CREATED = Found("created", "R1", 0.5)


def test_the_log_tells_in_which_runs_an_id_was_created_late_ones_included():
    log = [
        {"event": "request", "created": ["ada"], "run_id": "R1"},
        {"event": "created_late", "created": ["bob", "ada"], "run_id": "R2"},
        {"event": "request", "created": [], "run_id": None},
        {"event": "incomplete_request"},
    ]
    assert creations(log) == {"ada": ["R1", "R2"], "bob": ["R2"]}


def test_what_was_created_once_and_is_recorded_so_breaks_no_promise():
    verdict = judge({ADA: CREATED, BOB: Found("dead")}, {"ada": ["R1"]}, bad={BOB})
    assert verdict.violations() == {}
    assert verdict.states == {"created": 1, "dead": 1}


def test_a_document_that_is_on_no_record_and_was_not_created_is_lost():
    assert judge({ADA: None}, {}).violations() == {"lost": [ADA]}


def test_a_document_that_was_never_acknowledged_is_not_lost():
    assert judge({ADA: None}, {}, unacknowledged={ADA}).violations() == {}


def test_a_document_that_counts_as_created_but_was_not_is_lost_and_wrongly_recorded():
    found = judge({ADA: CREATED}, {}).violations()
    assert found == {"lost": [ADA], "wrongly recorded": [ADA]}


def test_a_document_that_is_recorded_with_the_run_of_another_is_wrongly_recorded():
    found = judge({ADA: CREATED}, {"ada": ["R2"]}).violations()
    assert found == {"wrongly recorded": [ADA], "called twice": [ADA]}


@pytest.mark.parametrize("state", ["created", "in_doubt", "waiting", "dead"])
def test_two_creations_of_one_document_are_a_call_too_many_whatever_is_recorded(state: str):
    verdict = judge(
        {ADA: Found(state, "R1" if state == "created" else None)}, {"ada": ["R1", "R2"]}
    )
    assert verdict.twice == [ADA]


def test_two_creations_within_one_run_are_a_call_too_many():
    assert judge({ADA: CREATED}, {"ada": ["R1", "R1"]}).twice == [ADA]


def test_the_same_id_in_two_campaigns_may_be_created_twice_in_two_runs():
    both = {ADA: CREATED, ADA_IN_SPRING: Found("created", "R2")}
    assert judge(both, {"ada": ["R2", "R1"]}).violations() == {}
    assert judge(both, {"ada": ["R2", "R1", "R3"]}).twice == [ADA]
    assert judge(both, {"ada": ["R1", "R1"]}).wrong == [ADA_IN_SPRING]
    assert judge(both, {"ada": ["R1"]}).lost == [ADA_IN_SPRING]


def test_what_is_in_doubt_may_have_been_created_once():
    asked = {ADA: Found("in_doubt"), BOB: Found("in_doubt")}
    verdict = judge(asked, {"ada": ["R1"]})
    assert verdict.violations(("",)) == {}
    assert verdict.violations() == {"in doubt": [ADA, BOB]}
    assert verdict.in_doubt_but_created == 1


def test_a_doubt_breaks_no_promise_where_its_reason_is_one_that_the_run_may_end_with():
    asked = {ADA: Found("in_doubt", reason=SHORT), BOB: Found("in_doubt", reason="500 oops")}
    verdict = judge(asked, {"ada": ["R1"]})
    assert verdict.in_doubt == {ADA: SHORT, BOB: "500 oops"}
    assert verdict.violations((SHORT,)) == {"in doubt": [BOB]}


@pytest.mark.parametrize("reading_back", [True, False])
def test_the_guarantees_name_each_reason_that_a_run_may_end_with(reading_back: bool):
    text = " ".join(Path("docs/guarantees.md").read_text().split())
    plan = Plan(seed=1, seconds=1, documents=1, mix={"marks": 1.0}, reading_back=reading_back)
    assert all(reason in text for reason in reasons_to_hold(plan))


def test_a_doubt_explains_a_creation_before_a_record_is_called_wrong():
    asked = {ADA: Found("cancelled"), ADA_IN_SPRING: Found("in_doubt")}
    verdict = judge(asked, {"ada": ["R1"]})
    assert (verdict.wrong, verdict.in_doubt_but_created) == ([], 1)


@pytest.mark.parametrize("state", ["waiting", "sending"])
def test_what_waits_at_the_end_is_not_settled_and_wrong_if_it_was_created(state: str):
    verdict = judge({ADA: Found(state), BOB: Found(state)}, {"ada": ["R1"]})
    assert verdict.open == [ADA, BOB]
    assert verdict.wrong == [ADA]


def test_a_dead_document_without_a_fault_of_its_own_is_wrongly_dead():
    verdict = judge({ADA: Found("dead"), BOB: Found("dead")}, {}, bad={BOB})
    assert verdict.violations() == {"wrongly dead": [ADA]}


def test_counts_have_to_add_up_and_to_agree_with_the_documents():
    verdict = judge({ADA: CREATED, BOB: Found("in_doubt")}, {"ada": ["R1"]})
    counted = dict.fromkeys((*STATES, "invalid"), 0) | {"accepted": 2, "created": 1, "in_doubt": 1}
    assert check_sums(verdict, counted, 0, 0) == []
    assert check_sums(verdict, counted | {"accepted": 3}, 0, 0)
    assert check_sums(verdict, counted | {"accepted": 3, "created": 2}, 0, 0)
    assert check_sums(verdict, counted | {"accepted": 3, "dead": 1}, 0, 0) == []
    assert check_sums(verdict, counted | {"invalid": 1}, 0, 0)
    assert check_sums(verdict, counted, 1, 0)
    assert check_sums(verdict, counted, 0, 1)


def test_the_creation_of_an_id_that_nobody_asked_for_does_not_add_up():
    verdict = judge({ADA: CREATED}, {"ada": ["R1"], "eve": ["R1"]})
    counted = dict.fromkeys((*STATES, "invalid"), 0) | {"accepted": 1, "created": 1}
    assert check_sums(verdict, counted, 0, 0) == ["1 ids were created that nobody asked for"]
