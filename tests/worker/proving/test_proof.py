"""Proof: what an API created although it said something else, or nothing, is found there."""

from __future__ import annotations

import time

from tests.worker.proving.conftest import SetUp
from tests.worker.proving.stage import QUIET

IDS = [f"crm-{n}" for n in range(10)]


def fault(where: str, **more: object) -> str:
    fields = {"name": '"status"', "status": 500, "where": f'"{where}"', "times": 1} | more
    return "[[faults]]\n" + "\n".join(f"{name} = {value}" for name, value in fields.items())


def test_what_a_500_hid_is_found_and_not_sent_again(set_up: SetUp):
    stage = set_up(fault("after"))
    stage.accept(IDS)
    stage.send()
    assert stage.states(IDS) == "d" * 10
    stage.look()
    assert stage.states(IDS) == "c" * 10
    assert stage.ledger.take("me:9", ["default"]) is None
    assert set(stage.made().values()) == {1}
    assert stage.spool.counts()["runs"] == 1


def test_what_was_not_created_is_sent_again_after_the_quiet_and_not_before(set_up: SetUp):
    stage = set_up(fault("before"))
    stage.accept(IDS)
    stage.send()
    stage.look()
    assert stage.states(IDS) == "d" * 10
    time.sleep(QUIET)
    stage.look()
    assert stage.states(IDS) == "w" * 10
    stage.end_rest()
    again = stage.send()
    assert again.tries == 1
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}


def test_of_a_batch_that_was_created_half_only_the_other_half_is_sent_again(set_up: SetUp):
    stage = set_up(fault("amid", created=4))
    stage.accept(IDS)
    stage.send()
    stage.look()
    assert stage.states(IDS) == "cccc" + "d" * 6
    time.sleep(QUIET)
    stage.look()
    assert stage.states(IDS) == "cccc" + "w" * 6
