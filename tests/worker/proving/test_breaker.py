"""An API that is down: few requests try it, and everything goes on soon after it answers again."""

from __future__ import annotations

import redis

from callspool_worker.decisions.answers import NotSent
from callspool_worker.decisions.decide import AttemptView, decide
from tests.support.ledgers import P
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.stage import Stage

DOWN = '[[faults]]\nname = "status"\nstatus = 503\nwhere = "before"\non = "any"\ntimes = {times}\n'


def accept_batches(stage: Stage, count: int) -> None:
    for number in range(count):
        stage.accept([f"crm-{number}"])


def test_after_five_failures_in_a_row_nothing_more_is_sent(set_up: SetUp, client: redis.Redis):
    stage = set_up(DOWN.format(times=5))
    accept_batches(stage, 10)
    for _ in range(5):
        stage.send()
    assert stage.ledger.take("me:99", ["default"]) is None
    gates = client.hgetall(f"{P}:gates")
    assert [name.decode() for name in gates] == ["account:default"]
    assert b"503" in gates[b"account:default"]


def test_a_success_between_keeps_the_gate_open(set_up: SetUp, client: redis.Redis):
    stage = set_up(
        '[[faults]]\nname = "status"\nstatus = 500\nnth = [1, 2, 3, 4, 6, 7, 8, 9]\n'
        'where = "before"\n'
    )
    accept_batches(stage, 9)
    for _ in range(9):
        stage.send()
    assert client.hgetall(f"{P}:gates") == {}


def test_one_probe_at_a_time_tries_it_and_reads_first(set_up: SetUp, client: redis.Redis):
    stage = set_up(DOWN.format(times=6))
    accept_batches(stage, 10)
    for _ in range(5):
        stage.send()
    assert stage.ledger.take("me:99", ["default"]) is None
    client.zadd(f"{P}:due", {"Gaccount:default": 0})
    stage.sweep()
    probe = stage.take()
    assert probe.gate == "account:default"
    assert stage.ledger.take("me:99", ["default"]) is None
    assert stage.deliver_probe(probe) == "turned away by a read"
    assert stage.states([f"crm-{n}" for n in range(10)]) == "ddddd" + "wwwww"
    client.zadd(f"{P}:due", {"Gaccount:default": 0})
    stage.sweep()
    assert stage.deliver_probe(stage.take()) == "sent"
    assert client.hgetall(f"{P}:gates") == {}
    for _ in range(4):
        stage.send()
    assert stage.states([f"crm-{n}" for n in range(10)]) == "ddddd" + "ccccc"


def test_what_cannot_be_sent_counts_as_down_too(set_up: SetUp, client: redis.Redis):
    stage = set_up()
    accept_batches(stage, 1)
    for _ in range(5):
        client.delete(f"{P}:throttled")
        taken = stage.take()
        answer = NotSent("refused", "connect")
        view = AttemptView(taken.count, taken.tries, 8)
        stage.ledger.run(stage.recorder.steps(taken, view, answer, decide(answer, view)))
    client.delete(f"{P}:throttled")
    assert stage.ledger.take("me:99", ["default"]) is None
    assert client.hexists(f"{P}:gates", "account:default")


def test_an_account_that_rests_stays_closed_until_a_probe_got_through(
    set_up: SetUp, client: redis.Redis
):
    stage = set_up()
    accept_batches(stage, 3)
    for _ in range(5):
        client.delete(f"{P}:throttled")
        stage.record(stage.take(), NotSent("refused", "connect"))
    client.zadd(f"{P}:due", {"Gaccount:default": 0})
    stage.sweep()
    assert client.hexists(f"{P}:gates", "account:default")
    client.delete(f"{P}:throttled")
    probe = stage.take()
    assert probe.gate == "account:default"
    assert stage.ledger.take("me:99", ["default"]) is None
    assert stage.deliver_probe(probe) == "sent"
    assert client.hgetall(f"{P}:gates") == {}


def test_a_gate_behind_which_nothing_waits_is_opened(set_up: SetUp, client: redis.Redis):
    stage = set_up(DOWN.format(times=5))
    accept_batches(stage, 5)
    for _ in range(5):
        stage.send()
    assert client.hexists(f"{P}:gates", "account:default")
    client.zadd(f"{P}:due", {"Gaccount:default": 0})
    stage.sweep()
    assert client.hgetall(f"{P}:gates") == {}
