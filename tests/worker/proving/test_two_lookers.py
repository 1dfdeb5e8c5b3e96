"""Two processes look at one space at a time, one with old eyes: nobody is called twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping

import pytest

from callspool_worker.decisions.answers import Answer
from callspool_worker.proving import ProofSettings, SpaceProver
from tests.support.ledgers import P
from tests.worker.proving.conftest import SEEDS, SetUp
from tests.worker.proving.faults import fault
from tests.worker.proving.stage import MAX_ATTEMPTS, QUIET, Stage
from tests.worker.proving.test_never_twice import settle

IDS = [f"crm-{n}" for n in range(10)]
PROOFS, LOOKING = f"{P}:proofs", f"{P}:looking"


class SlowReader:
    """A second process: what it read arrives when the test lets it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.has_read, self.go_on = threading.Event(), threading.Event()
        how = ProofSettings(("default",), QUIET, QUIET, MAX_ATTEMPTS, False, 3600)
        self._prover = SpaceProver(stage.ledger, self._get, how)
        self._thread = threading.Thread(target=self._prover.look, args=("slow",))

    def _get(self, account: str, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        answer = self._stage.api.get(account, path, query)
        self.has_read.set()
        assert self.go_on.wait(20)
        return answer

    def begin(self) -> None:
        self._stage.spool.client.zadd(PROOFS, {"default|SPACE": 0})
        self._thread.start()
        assert self.has_read.wait(20)
        self._stage.spool.client.delete(LOOKING)  # as after its lease: another one may look

    def end(self) -> None:
        self.go_on.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def test_a_look_that_began_before_something_appeared_sends_nothing_again(set_up: SetUp):
    stage = set_up(fault("late", delay=QUIET * 1.5, created=0))
    stage.accept(IDS)
    stage.send()
    time.sleep(QUIET * 1.1)
    slow = SlowReader(stage)
    slow.begin()
    waited_till = time.monotonic() + 10
    while "c" not in stage.states(IDS) and time.monotonic() < waited_till:
        stage.look()
    slow.end()
    assert set(stage.states(IDS)) <= {"c", "d"}
    assert not stage.taken_again()
    stage.spool.check()


def test_a_look_that_comes_too_late_to_say_that_documents_are_missing_changes_nothing(
    set_up: SetUp,
):
    stage = set_up(fault("before"))
    stage.accept(IDS)
    stage.send()
    stage.look()
    time.sleep(QUIET * 1.1)
    slow = SlowReader(stage)
    slow.begin()
    stage.look()
    assert stage.states(IDS) == "w" * 10
    stage.end_rest()
    stage.send()
    slow.end()
    assert stage.states(IDS) == "c" * 10
    assert set(stage.made().values()) == {1}
    stage.spool.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_however_two_lookers_and_a_slow_api_meet_nobody_is_called_twice(set_up: SetUp, seed: int):
    pause = 0.12
    stage = set_up(
        fault("late", delay=pause, created=2) + fault("amid", created=3) + fault("before"),
        marked=seed % 2 == 0,
    )
    lots = [[f"crm-{lot}-{n}" for n in range(4)] for lot in range(3)]
    for ids in lots:
        stage.accept(ids)
        stage.send()
    ends = time.monotonic() + 3 * QUIET + 1

    def process(name: str) -> None:
        chance = random.Random(f"{seed}{name}")

        def get(account: str, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
            answer = stage.api.get(account, path, query)
            time.sleep(chance.choice([0, 0, 0.01, 0.1]))
            return answer

        how = ProofSettings(("default",), QUIET, QUIET, MAX_ATTEMPTS, False, 3600)
        prover = SpaceProver(stage.ledger, get, how)
        while time.monotonic() < ends:
            stage.spool.client.delete(LOOKING)
            stage.spool.client.zadd(PROOFS, {"default|SPACE": 0}, xx=True)
            prover.look(name)
            time.sleep(chance.random() * 0.05)

    threads = [threading.Thread(target=process, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    while time.monotonic() < ends:
        stage.end_rest()
        if (taken := stage.ledger.take(f"me:{time.monotonic_ns()}", ["default"])) is not None:
            stage.record(taken, stage.post(taken))
        time.sleep(0.02)
    for thread in threads:
        thread.join(20)
    settle(stage, [one for ids in lots for one in ids])
    assert [stage.states(ids) for ids in lots] == ["cccc"] * 3
    assert set(stage.made().values()) == {1}
    stage.spool.check()
