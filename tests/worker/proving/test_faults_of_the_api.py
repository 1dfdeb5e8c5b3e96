"""A fault that hits unrelated documents alike is the API's: they wait, and none of them is dead."""

from __future__ import annotations

import time

import pytest

from callspool_ledger.writes import LaneKey
from tests.support.ledgers import LANE, P
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.faults import entry
from tests.worker.proving.stage import MAX_ATTEMPTS, QUIET, Stage

LANES = [LANE._replace(campaign=f"campaign-{number}") for number in range(4)]


def turn(stage: Stage) -> None:
    """As time goes by: whatever rests or probes is due, is sent, and what is doubtful is proven."""
    stage.end_rest()
    while (taken := stage.ledger.take(f"me:{time.monotonic_ns()}", ["default"])) is not None:
        if taken.gate:
            stage.deliver_probe(taken)
        else:
            stage.record(taken, stage.post(taken))
    stage.look()
    time.sleep(QUIET * 1.1)
    stage.look()


def states(stage: Stage) -> str:
    return "".join(stage.states(["a"], lane) for lane in LANES)


def accept_in_all(stage: Stage) -> None:
    for lane in LANES:
        stage.accept(["a"], lane)


@pytest.mark.parametrize(("status", "times"), [(206, 40), (400, 40), (500, 40)])
@pytest.mark.long
def test_lone_documents_outlive_a_fault_of_the_api_and_are_sent_when_it_is_over(
    set_up: SetUp, status: int, times: int
):
    stage = set_up(entry(name="status", status=status, message="hm", times=times))
    accept_in_all(stage)
    for _ in range(40):
        turn(stage)
        assert "x" not in states(stage)
        if states(stage) == "cccc":
            break
    assert states(stage) == "cccc"


def lane_of(name: str) -> LaneKey:
    return LANE._replace(campaign=name)


def test_a_document_that_fails_while_others_are_created_is_dead(set_up: SetUp):
    stage = set_up(entry(name="status", status=206, message="hm", document_id="bad"))
    stage.accept(["bad"], lane_of("bad"))
    for number in range(MAX_ATTEMPTS + 3):
        stage.accept(["good"], lane_of(f"good-{number}"))
        turn(stage)
    assert stage.states(["bad"], lane_of("bad")) == "x"


def test_a_document_that_the_api_blames_is_dead_at_once(set_up: SetUp):
    stage = set_up("")
    stage.accept(["a"], extra={"a": '"sandbox":"reject"'})
    stage.send()
    assert stage.states(["a"]) == "x"


def test_one_bad_document_does_not_count_as_an_api_that_is_down(set_up: SetUp):
    stage = set_up(entry(name="status", status=500, document_id="a"))
    stage.accept(["a"])
    for _ in range(MAX_ATTEMPTS):
        turn(stage)
    assert stage.spool.client.hget(f"{P}:failing", "default") in (b"1", None)
    assert not stage.spool.client.hexists(f"{P}:gates", "account:default")
