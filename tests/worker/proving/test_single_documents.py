"""A document that the API names, or stops at, is sent alone at once; the others do not wait."""

from __future__ import annotations

import time

import pytest

from tests.worker.proving.conftest import SetUp
from tests.worker.proving.stage import QUIET, Stage

IDS = [f"crm-{number}" for number in range(10)]


def accept(stage: Stage, extra: dict[str, str]) -> None:
    stage.accept(IDS, extra=extra)


def test_documents_that_a_422_names_are_sent_alone_and_the_others_together(set_up: SetUp):
    stage = set_up("")
    accept(stage, {"crm-3": '"sandbox":"unprocessable"'})
    sizes = []
    while stage.states(IDS) != "cccxcccccc":
        sizes.append(stage.send().count)
    assert sizes == [10, 3, 1, 6]
    assert set(stage.made().values()) == {1}


def test_the_document_that_a_500_stopped_at_goes_alone(set_up: SetUp):
    stage = set_up("")
    accept(stage, {"crm-3": '"n":1e30, "big":99999999999999999999999'})
    stage.send()
    stage.look()
    assert stage.states(IDS) == "cccddddddd"
    time.sleep(QUIET)
    stage.look()
    assert stage.states(IDS) == "cccwwwwwww"
    alone, others = stage.send(), stage.send()
    assert (alone.count, others.count) == (1, 6)
    assert stage.states(IDS) == "cccdcccccc"
    assert set(stage.made().values()) == {1}


def test_the_first_document_goes_alone_where_a_500_left_a_run_without_tasks(
    set_up: SetUp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("callspool_worker.proving.questions.SHORTEST_GAP", 0.1)
    stage = set_up("", quiet_answered=0.1, lag=0.8)
    accept(stage, {"crm-0": '"n":1e30, "big":99999999999999999999999'})
    stage.send()
    for _ in range(4):  # further apart than where nothing lags: no gap begins the period anew
        stage.look()
        time.sleep(0.4)
    assert stage.states(IDS) == "w" * 10
    alone, others = stage.send(), stage.send()
    assert (alone.count, others.count) == (1, 9)
    assert stage.states(IDS) == "d" + "c" * 9


def test_where_nothing_was_created_or_not_the_first_ones_no_document_is_suspected(set_up: SetUp):
    stage = set_up('[[faults]]\nname = "status"\nstatus = 500\nnth = 1\n')
    accept(stage, {})
    stage.send()
    stage.look()
    time.sleep(QUIET)
    stage.look()
    stage.end_rest()
    assert stage.send().count == 10
    assert stage.states(IDS) == "c" * 10
