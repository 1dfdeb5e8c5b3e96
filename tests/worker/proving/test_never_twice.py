"""Every way in which "missing" was concluded too soon: nobody is called twice, nobody is lost."""

from __future__ import annotations

import random
import time

import pytest

from callspool_worker.decisions.answers import NoAnswer
from tests.support.ledgers import P
from tests.worker.proving.conftest import Play
from tests.worker.proving.played import PlayedApi
from tests.worker.proving.stage import Stage

SEEDS = range(20)


def ids(seed: int) -> list[str]:
    return [f"crm-{seed}-{n}" for n in range(1 + seed % 5)]


def work(stage: Stage, seconds: float, every: float = 0.05) -> None:
    """What a worker does in so many seconds, with looks that follow each other closely."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if stage.spool.client.exists(f"{P}:proofs"):
            stage.look()
        stage.end_rest()
        while (taken := stage.ledger.take(f"me:{time.monotonic_ns()}", ["default"])) is not None:
            stage.record(taken, stage.post(taken))
        time.sleep(every)


def assert_once(stage: Stage, api: PlayedApi, documents: list[str]) -> None:
    assert stage.states(documents) == "c" * len(documents)
    assert {one: api.made[one] for one in documents} == dict.fromkeys(documents, 1)
    stage.spool.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_quiet_begins_at_the_first_look_that_is_answered(play: Play, seed: int):
    """An outage holds requests for longer than the quiet, and carries them out when it is over."""
    chance = random.Random(seed)
    stage, api = play(seed=seed, quiet=0.3)
    stage.accept(ids(seed))
    api.ways.is_away = True
    stage.send()
    if chance.random() < 0.5:
        work(stage, 0.4)  # looks that fail
    else:
        time.sleep(0.4)  # nobody looks
    api.come_back()
    work(stage, chance.uniform(0, 0.15))
    api.carry_out_held()
    work(stage, 0.6)
    assert_once(stage, api, ids(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_look_that_fails_begins_the_quiet_anew(play: Play, seed: int):
    chance = random.Random(seed)
    stage, api = play(seed=seed, quiet=0.3)
    stage.accept(ids(seed))
    api.ways.is_away = True
    stage.send()
    api.come_back()
    work(stage, chance.uniform(0, 0.2))
    api.ways.is_away = True
    work(stage, chance.uniform(0.1, 0.3))
    api.come_back()
    work(stage, chance.uniform(0, 0.2))
    api.carry_out_held()
    work(stage, 0.6)
    assert_once(stage, api, ids(seed))


def test_after_a_time_in_which_nobody_looked_the_quiet_begins_anew(play: Play):
    stage, _ = play(quiet=0.3)
    stage.accept(ids(1))
    taken = stage.take()
    stage.record(taken, NoAnswer("no answer in time", "timeout"))
    stage.look()
    entry = f"{P}:b{taken.batch}"
    looked = int(stage.spool.client.hget(entry, "looked") or 0)
    long_ago = dict.fromkeys(("looked", "changed", "doubted"), looked - 60_000)
    stage.spool.client.hset(entry, mapping=long_ago)
    stage.look()
    assert stage.states(ids(1)) == "dd"
    time.sleep(0.3)
    stage.look()
    assert stage.states(ids(1)) == "ww"
