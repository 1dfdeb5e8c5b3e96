"""Every way in which "missing" was concluded too soon: nobody is called twice, nobody is lost."""

from __future__ import annotations

import random
import time

import pytest
import redis

from callspool_ledger.selectors import Selector
from callspool_ledger.steering.calls import SteeringOrder
from callspool_worker.decisions.answers import NoAnswer
from callspool_worker.proving.matching import SEVERAL
from callspool_worker.sending.body import mark
from callspool_worker.sending.submit import hold_suspects
from tests.support.ledgers import LANE, P, digest, steering_calls
from tests.worker.proving.conftest import SEEDS, Play
from tests.worker.proving.played import PlayedApi
from tests.worker.proving.stage import Stage
from tests.worker.proving.test_recall import everything, forget_since

ANSWERS = ["500 after", "timeout after"]


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
            if not (
                taken.strays and hold_suspects(stage.ledger, stage.recorder, taken, stage.guard)
            ):
                stage.record(taken, stage.post(taken))
        time.sleep(every)


def settle(stage: Stage, documents: list[str]) -> None:
    """Works on until all of these are created: a machine may be slow, for some seconds."""
    until = time.monotonic() + 20
    while stage.states(documents) != "c" * len(documents) and time.monotonic() < until:
        work(stage, 0.2)


def assert_once(stage: Stage, api: PlayedApi, documents: list[str]) -> None:
    settle(stage, documents)
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


@pytest.mark.parametrize("seed", SEEDS)
def test_a_list_is_read_to_its_end_whatever_its_count_says(play: Play, seed: int):
    chance = random.Random(seed)
    lie = chance.choice([lambda _: 0, lambda _: 1, lambda length: min(length, 20), lambda _: None])
    ways = {"count": lie, "tasks_count": lie, "most": chance.choice([3, 20, 100_000])}
    stage, api = play(ways, seed, quiet=0.2)
    for number in range(chance.randrange(30)):
        api.be_called_by_others(f"other-{number}")
    api.fates = [chance.choice(ANSWERS)]
    stage.accept(ids(seed))
    stage.send()
    for number in range(chance.randrange(30)):
        api.be_called_by_others(f"later-{number}")
    work(stage, 0.5)
    assert_once(stage, api, ids(seed))


def test_what_a_list_shows_with_our_mark_counts_although_its_end_cannot_be_read(play: Play):
    stage, api = play({"count": lambda length: length + 100}, quiet=0.1)
    api.fates = ["500 after", "500 before"]
    stage.accept(["crm-1"])
    stage.accept(["crm-2"], LANE._replace(campaign="spring"))
    stage.send()
    stage.send()
    stage.look()
    time.sleep(0.2)
    stage.look()
    assert stage.states(["crm-1"]) == "c"
    assert stage.states(["crm-2"], LANE._replace(campaign="spring")) == "d", "what is missing waits"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_end_of_a_look_is_decided_by_what_was_seen_not_by_the_order(play: Play, seed: int):
    chance = random.Random(seed)
    stage, api = play({"order": chance.choice(["oldest", "shuffled"])}, seed, quiet=0.2)
    for _ in range(150):
        api.be_called_by_others("other-1").created -= 86_400
    api.fates = [chance.choice(ANSWERS)]
    stage.accept(ids(seed))
    stage.send()
    work(stage, 0.5)
    assert_once(stage, api, ids(seed))


CLOCKS = {
    "behind": ([-120.0], 0.0),
    "ahead": ([120.0], 0.0),
    "two servers": ([60.0, -60.0], 0.0),
    "created alone is behind": ([0.0], -120.0),
    "created alone is ahead": ([0.0], 120.0),
    "an hour of daylight saving": ([0.0], -3600.0),
    "a zone": ([0.0], 19_800.0),
}


@pytest.mark.parametrize("ids_hold_time", [True, False])
@pytest.mark.parametrize("clocks", CLOCKS)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_clock_of_the_api_makes_a_document_missing_that_is_there(
    play: Play, seed: int, clocks: str, ids_hold_time: bool
):
    chance = random.Random(f"{seed}{clocks}")
    skews, shift = CLOCKS[clocks]
    ways = {
        "clock": skews,
        "created_shift": shift,
        "zone": chance.choice(["", "Z"]),
        "ids": "time" if ids_hold_time else "random",
    }
    stage, api = play(ways, seed, quiet=0.2)
    # `Date` is of yet another machine, which is right.
    api.date_ahead = 0.0
    for number in range(chance.choice([0, 3])):
        api.be_called_by_others(f"other-{number}", name="Bob", contact_number="+14155550101")
    api.fates = [chance.choice(ANSWERS)]
    stage.accept(ids(seed))
    stage.send()
    work(stage, 0.5)
    assert_once(stage, api, ids(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clock_that_jumps_after_creating_makes_nothing_missing(play: Play, seed: int):
    chance = random.Random(seed)
    stage, api = play({"clock": [chance.choice([-3600.0, 0.0, 3600.0])]}, seed, quiet=0.2)
    api.fates = [chance.choice(ANSWERS)]
    stage.accept(ids(seed))
    stage.send()
    api.ways.clock = [chance.choice([-3600.0, 0.0, 3600.0])]
    for number in range(3):
        api.be_called_by_others(f"other-{number}", name="Bob", contact_number="+14155550101")
    work(stage, 0.5)
    assert_once(stage, api, ids(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_tasks_that_lag_behind_their_run_are_waited_for(play: Play, seed: int):
    chance = random.Random(seed)
    stage, api = play({"tasks_lag": chance.uniform(0.3, 0.6)}, seed, quiet=0.1, lag=60)
    api.fates = [chance.choice(ANSWERS)]
    stage.accept(ids(seed))
    stage.send()
    work(stage, 1.0)
    assert_once(stage, api, ids(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_platform_calls_once_more_is_no_evidence(
    play: Play, seed: int, caplog: pytest.LogCaptureFixture
):
    """Not of creation where a document is missing, and not of a request that was repeated."""
    chance = random.Random(seed)
    stage, api = play(seed=seed, quiet=0.2)
    documents = [f"crm-{n}" for n in range(5)]
    made = chance.randrange(1, 5)
    api.fates = [f"500 amid {made}"]
    stage.accept(documents)
    stage.send()
    for _ in range(chance.randint(1, 3)):
        api.follow_up(api.runs[0])
    for task in api.runs[0].tasks[made:]:
        task.document = dict(task.document, document_id=chance.choice(documents))
    work(stage, 0.5)
    assert_once(stage, api, documents)
    assert "two tasks" not in caplog.text


@pytest.mark.parametrize("seed", SEEDS)
def test_marks_that_the_api_began_to_drop_make_nothing_missing(play: Play, seed: int):
    """Older runs have theirs, so it was known to give them back."""
    chance = random.Random(seed)
    stage, api = play(seed=seed, quiet=0.2)
    for number in range(2):
        stage.accept([f"before-{number}"])
        stage.send()
    api.drops_marks_from = time.time()
    if chance.random() < 0.5:
        api.be_called_by_others("other-1", name="Bob", contact_number="+14155550101")
    api.fates = [chance.choice(ANSWERS)]
    stage.accept(ids(seed))
    stage.send()
    work(stage, 0.5)
    assert_once(stage, api, ids(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_where_marks_are_dropped_and_others_call_the_same_documents_it_is_held(
    play: Play, seed: int
):
    chance = random.Random(seed)
    stage, api = play({"marks": False}, seed, quiet=0.2)
    documents = ids(seed)
    others = [lambda: api.be_called_by_others(*documents)]
    api.fates = [chance.choice(ANSWERS)]
    stage.accept(documents)
    if chance.random() < 0.5:
        others.pop()()
    taken = stage.send()
    while others:
        others.pop()()
    work(stage, 0.5)
    assert stage.states(documents) == "d" * len(documents)
    assert stage.held(taken) == SEVERAL
    assert {api.made[one] for one in documents} == {1}


def test_a_run_that_is_read_while_it_is_written_is_read_again_soon(play: Play):
    stage, api = play(quiet=0.3)
    api.fates = ["timeout amid 2"]
    stage.accept(documents := [f"crm-{n}" for n in range(5)])
    taken = stage.send()
    api.ways.tasks_count = lambda length: length + 1
    stage.look()
    api.ways.tasks_count = lambda length: length
    assert (stage.states(documents), stage.held(taken)) == ("ccddd", "")
    score = stage.spool.client.zscore(f"{P}:proofs", "default|SPACE") or 0
    assert score / 1000 - time.time() < 1.5
    api.add_tasks(api.runs[0], [{"document_id": one} for one in documents[2:]])
    stage.look()
    assert_once(stage, api, documents)


@pytest.mark.parametrize("where", ["500 before", "500 after"])
@pytest.mark.parametrize("documents", [1, 10])
def test_a_doubt_costs_few_reads_in_a_space_with_many_runs_of_others(
    play: Play, where: str, documents: int
):
    """In a fresh ledger: nothing but the API's own lists shows its clock."""
    stage, api = play(quiet=15.0, quiet_answered=2.0)
    now = time.time()
    for number in range(10_000):
        made = now - 60 * (10_000 - number)
        api.be_called_by_others("", name="Bob", contact_number="+14155550101", at=made)
    api.fates = [where]
    stage.accept(named := [f"crm-{n}" for n in range(documents)])
    stage.send()
    api.reads.clear()
    looks = [0.0, 1.0, 2.0, 4.0, 4.2, 4.4]
    begun = time.monotonic()
    for moment in looks:
        time.sleep(max(0.0, moment - (time.monotonic() - begun)))
        stage.look()
    assert stage.states(named) == ("c" if where == "500 after" else "w") * documents
    assert len(api.reads) <= 25


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("forgotten", ["take", "acceptance"])
def test_a_space_that_redis_forgot_sends_only_when_nothing_can_be_under_way(
    play: Play, client: redis.Redis, forgotten: str, seed: int
):
    """What was sent before is carried out while the space is read back, or long after it began."""
    chance = random.Random(seed)
    stage, api = play({"tasks_lag": chance.choice([0.0, 0.15])}, seed, quiet=0.4)
    documents = ids(seed)
    stage.accept(["other"])
    stage.send()
    if forgotten == "take":
        stage.accept(documents)
    kept = everything(client)
    if forgotten == "acceptance":
        stage.accept(documents)
    api.ways.is_away = True
    taken = stage.take()
    stage.post(taken)
    api.come_back()
    forget_since(client, kept)
    stage.ledger.take("me:9", ["default"])
    if forgotten == "acceptance":
        stage.accept(documents)
    work(stage, chance.uniform(0, 0.4))
    api.carry_out_held()
    work(stage, 1.5)
    assert_once(stage, api, documents)


def test_a_run_that_is_written_while_its_space_is_read_back_is_read_to_its_end(
    play: Play, client: redis.Redis
):
    stage, api = play(quiet=0.4)
    stage.accept(documents := [f"crm-{n}" for n in range(6)])
    kept = everything(client)
    api.fates = ["timeout amid 0"]
    stage.post(taken := stage.take())
    forget_since(client, kept)
    stage.ledger.take("me:9", ["default"])
    word = mark(stage.ledger.id, taken.attempt, taken.lane)
    for one in documents:
        work(stage, 0.25)
        api.add_tasks(api.runs[0], [{"document_id": one, "callspool_attempt": word}])
    work(stage, 1.0)
    assert_once(stage, api, documents)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("forgotten", ["take", "acceptance"])
def test_what_redis_forgot_is_held_where_the_api_gives_no_marks_back(
    play: Play, client: redis.Redis, forgotten: str, seed: int
):
    """The other documents of its batch are sent; what an operator sends again goes out."""
    chance = random.Random(seed)
    stage, api = play({"marks": False}, seed, quiet=0.3)
    documents = ids(seed)
    stage.accept(["other"])
    stage.send()
    if forgotten == "take":
        stage.accept(documents)
    kept = everything(client)
    if forgotten == "acceptance":
        stage.accept(documents)
    stage.post(stage.take())
    if chance.random() < 0.5:
        api.be_called_by_others("theirs-1", "theirs-2")
    forget_since(client, kept)
    stage.ledger.take("me:9", ["default"])
    more = [f"new-{n}" for n in range(chance.randrange(3))]
    stage.accept([*documents, *more])
    work(stage, 1.2)
    assert stage.states(documents) == "d" * len(documents)
    assert stage.states(more) == "c" * len(more)
    assert {api.made[one] for one in documents} == {1}
    stage.spool.check()
    order = SteeringOrder("ann", Selector())
    stage.ledger.run([steering_calls.resend_one(order, digest(documents[0]), 0)])
    work(stage, 0.3)
    assert api.made[documents[0]] == 2
    assert stage.states(documents) == "c" + "d" * (len(documents) - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_others_that_call_the_same_people_hold_up_nothing_where_marks_come_back(
    play: Play, client: redis.Redis, seed: int
):
    stage, api = play(seed=seed, quiet=0.3)
    documents = ids(seed)
    stage.accept(["later"], LANE._replace(campaign="spring"))
    stage.accept(documents)
    kept = everything(client)
    api.be_called_by_others(*documents)
    assert stage.post(stage.take())
    forget_since(client, kept)
    stage.ledger.take("me:9", ["default"])
    work(stage, 1.2)
    assert_once(stage, api, documents)
    assert api.made["later"] == 1
