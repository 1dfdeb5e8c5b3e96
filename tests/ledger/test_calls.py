"""What became of created documents: outcomes are kept with them, and their sum is `created`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import redis

from callspool.request.identity import Scope
from callspool_ledger.reads.calls import read_begun
from callspool_ledger.reads.entries import BatchEntry
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.reads.views import OUTCOMES, CallRecord
from callspool_ledger.writes import Taken
from callspool_ledger.writes.account_calls import allow_follow
from callspool_ledger.writes.follow_calls import (
    FollowPass,
    Recorded,
    pass_of,
    recorded_of,
)
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group

ME, SPACE = "me:follow", "default|SPACE"
IDS = [f"c{number}" for number in range(5)]
REACHED = CallRecord("completed", "customer-ended-call", 2, 1_764_578_848, 1_764_578_890, 42)


def create(spool: LedgerUnderTest, ids: list[str] = IDS) -> Taken:
    spool.accept(group(ids))
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    tasks = [f"T{taken.attempt:028x}{at:04x}" for at in range(taken.count)]
    spool.ledger.run([calls.record_created(taken, f"R{taken.attempt}", tasks, "200")])
    return taken


def make_due(client: redis.Redis) -> None:
    client.zadd(f"{P}:follows", {SPACE: 0})


def follow(spool: LedgerUnderTest) -> FollowPass | None:
    make_due(spool.client)
    return pass_of(spool.ledger.run([calls.follow(ME, 60_000, ["default"])])[0])


def record(
    spool: LedgerUnderTest,
    batch: int,
    news: Mapping[int, tuple[str, CallRecord]],
    again_ms: int | None = None,
) -> Recorded | None:
    step = calls.record_calls(ME, SPACE, batch, memory="{}", again_ms=again_ms, news=news)
    return recorded_of(spool.ledger.run([step])[0])


def outcomes(spool: LedgerUnderTest) -> dict[str, int]:
    """The outcomes as users read them; the scripts' own counters say the same of each batch."""
    found = LedgerReader(spool.client).ask(read_summary())
    assert found.outcomes.keys() == set(OUTCOMES)
    assert sum(found.outcomes.values()) == found.documents["created"]
    assert min(found.outcomes.values()) >= 0
    return {name: number for name, number in found.outcomes.items() if number}


def status(spool: LedgerUnderTest, document_id: str) -> Any:
    (found,) = LedgerReader(spool.client).ask(read_statuses(Scope(*LANE[:3]), [document_id]))
    return found


def test_what_is_created_is_open_until_a_look_shows_more(spool: LedgerUnderTest):
    taken = create(spool)
    assert outcomes(spool) == {"open": 5}
    assert (status(spool, "c1").outcome, status(spool, "c1").call) == ("open", None)

    found = follow(spool)
    assert found is not None
    assert [unit.batch for unit in found.oldest] == [taken.batch]
    news = {0: ("reached", REACHED), 1: ("not_reached", CallRecord("no-answer", "", 3))}
    recorded = record(spool, taken.batch, news)
    assert recorded == Recorded(3, [("open", "reached"), ("open", "not_reached")])
    assert outcomes(spool) == {"open": 3, "reached": 1, "not_reached": 1}
    call = status(spool, "c0").call
    assert (call.call_status, call.end_reason, call.rings) == ("completed", REACHED.end_reason, 2)
    assert (call.ended_at - call.started_at).total_seconds() == call.duration == 42
    assert status(spool, "c1").call.started_at is None


def test_an_outcome_may_become_another_one_and_never_open_again(spool: LedgerUnderTest):
    taken = create(spool, ["c0"])
    follow(spool)
    record(spool, taken.batch, {0: ("not_reached", CallRecord("busy"))}, again_ms=0)
    assert record(spool, taken.batch, {0: ("open", CallRecord())}) == Recorded(0, [])
    assert outcomes(spool) == {"not_reached": 1}
    changed = record(spool, taken.batch, {0: ("reached", REACHED)})
    assert changed == Recorded(0, [("not_reached", "reached")])
    assert outcomes(spool) == {"reached": 1}
    assert spool.counts()["not_reached_left"] == 1


def test_a_batch_is_followed_until_its_calls_ended_and_then_once_more(spool: LedgerUnderTest):
    taken = create(spool, ["c0", "c1"])
    found = follow(spool)
    assert found is not None
    ended = {place: ("ended", CallRecord()) for place in range(2)}
    record(spool, taken.batch, ended, again_ms=0)
    assert spool.ledger.run([calls.end_following(ME, SPACE, 60_000)]) == [1]
    again = follow(spool)
    assert again is not None
    assert again.oldest == []
    assert [unit.batch for unit in again.due] == [taken.batch]
    record(spool, taken.batch, {})
    assert spool.ledger.run([calls.end_following(ME, SPACE, 60_000)]) == [1]
    assert follow(spool) is None or not spool.client.exists(f"{P}:later:{SPACE}")
    assert spool.client.hget(f"{P}:b{taken.batch}", "yt") is None


def test_what_is_created_amid_a_look_that_saw_the_others_end_is_followed(spool: LedgerUnderTest):
    taken = create(spool, ["c0", "c1"])
    found = follow(spool)
    assert found is not None
    ended = {0: ("ended", CallRecord())}
    for after in ("evaluation", "follow_ups"):
        memory = json.dumps({"after": after})
        step = calls.record_calls(
            ME, SPACE, taken.batch, memory=memory, again_ms=86_400_000, news=ended
        )
        recorded = recorded_of(spool.ledger.run([step])[0])
        assert recorded is not None
        assert recorded.open == 1
        assert spool.ledger.run([calls.end_following(ME, SPACE, 60_000)]) == [1]
        again = follow(spool)
        assert again is not None
        assert [(unit.batch, unit.memory) for unit in again.oldest] == [(taken.batch, "")]


def test_what_an_earlier_release_created_is_lost_sight_of(spool: LedgerUnderTest):
    taken = create(spool)
    spool.client.hdel(f"{P}:b{taken.batch}", "y")
    spool.client.hdel(f"{P}:counts", "default|open")
    spool.client.delete(f"{P}:calls:{SPACE}", f"{P}:opened:{SPACE}", f"{P}:follows")
    assert status(spool, "c1").outcome == "lost_sight"
    create(spool, ["new"])
    assert outcomes(spool) == {"lost_sight": 5, "open": 1}


def test_calls_that_are_open_when_their_batch_is_forgotten_are_lost_sight_of(
    spool: LedgerUnderTest,
):
    taken = create(spool)
    time.sleep(0.02)
    assert spool.ledger.run([calls.forget(10, 5000)]) == [b"began"]
    younger = create(spool, ["later"])
    time.sleep(0.02)
    while spool.ledger.run([calls.forget(10, 5000)]) != [b"dropped"]:
        assert outcomes(spool)["open"] in {1, 6}
    assert outcomes(spool) == {"lost_sight": 5, "open": 1}
    assert not spool.client.exists(f"{P}:b{taken.batch}")
    for index in ("calls", "opened"):
        followed = spool.client.zrange(f"{P}:{index}:{SPACE}", 0, -1)
        assert followed == [str(younger.batch).encode()]


def test_proofs_go_first(spool: LedgerUnderTest):
    create(spool)
    spool.client.zadd(f"{P}:proofs", {SPACE: 1})
    assert follow(spool) is None
    spool.client.zadd(f"{P}:proofs", {SPACE: 9e12})
    assert follow(spool) is not None
    assert spool.ledger.run([calls.keep_following(ME, SPACE)]) == [1]
    spool.client.zadd(f"{P}:proofs", {SPACE: 1})
    assert spool.ledger.run([calls.look("another", ["default"])]) == [[]]
    assert spool.ledger.run([calls.keep_following(ME, SPACE)]) == [0]


def test_one_follower_has_a_space_at_a_time(spool: LedgerUnderTest):
    taken = create(spool, ["c0"])
    assert follow(spool) is not None
    make_due(spool.client)
    assert spool.ledger.run([calls.follow("another", 60_000, ["default"])]) == [[]]
    step = calls.record_calls(
        "another", SPACE, taken.batch, memory="", again_ms=None, news={0: ("reached", REACHED)}
    )
    assert recorded_of(spool.ledger.run([step])[0]) is None
    assert spool.ledger.run([calls.end_following("another", SPACE, 0)]) == [0]
    assert outcomes(spool) == {"open": 1}


def test_a_follower_that_passes_more_often_need_not_wait_for_the_usual_pause(
    spool: LedgerUnderTest,
):
    create(spool, ["c0"])

    def ask(pause_ms: int) -> FollowPass | None:
        return pass_of(spool.ledger.run([calls.follow(ME, pause_ms, ["default"])])[0])

    assert ask(60_000) is None
    assert ask(10) is None
    time.sleep(0.02)
    assert ask(10) is not None


def test_all_workers_share_the_rate_of_an_account_and_its_rests(client: redis.Redis):
    spool = LedgerUnderTest(client)

    def ask(rest_ms: int = 0) -> int:
        (reply,) = spool.ledger.run([allow_follow("default", 0.5, rest_ms)])
        assert isinstance(reply, int)
        return reply

    assert ask() == 0
    assert 1000 < ask() <= 2000
    client.delete("callspool:{account-default}:follow")
    assert ask(60_000) == 60_000
    assert 50_000 < ask() <= 60_000
    assert ask(1_000) > 50_000  # what a read that had begun before was answered
    assert ask() > 50_000
    client.delete("callspool:{account-default}:follow")
    client.hset("callspool:{account-default}:limit", "rest", int(time.time() * 1000) + 60_000)
    assert 50_000 < ask() <= 60_000


IDENTITY_BYTES = 28
"""What a remembered identity takes where buckets are full: docs/performance.md."""


def test_a_settled_document_with_its_outcome_takes_120_bytes_at_most(client: redis.Redis):
    spool = LedgerUnderTest(client, batch_size=100, linger_ms=0)
    taken = create(spool, [f"c{number}" for number in range(100)])
    follow(spool)
    record(spool, taken.batch, dict.fromkeys(range(100), ("reached", REACHED)))
    key = f"{P}:b{taken.batch}"
    entry = BatchEntry({name.decode(): one for name, one in client.hgetall(key).items()})
    assert entry.call(99) == REACHED
    held = client.memory_usage(key, samples=0)
    assert held / 100 + IDENTITY_BYTES <= 120, held


def test_calls_that_began_outside_of_hours_are_counted_once_and_found(
    spool: LedgerUnderTest, client: redis.Redis
):
    lane = LANE._replace(campaign="spring")
    spool.accept(replace(group(["d0", "d1"], lane), zones="Europe/Berlin|"))
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    spool.ledger.run([calls.record_created(taken, "R1", ["T1", "T2"], "200")])
    began = CallRecord(status="completed", started=1_764_000_000, ended=1_764_000_060)
    client.hset(f"{P}:looking", "default|SPACE", "9999999999999 me")
    news = {0: ("reached", began), 1: ("reached", began)}
    step = calls.record_calls(
        "me", "default|SPACE", taken.batch, memory="", again_ms=None, news=news, outside={1: "us"}
    )
    for _ in range(2):
        spool.ledger.run([step])
        assert client.hget(f"{P}:counts", "default|outside|us") == b"1"
    first, second = LedgerReader(client).ask(read_begun(0))
    assert (first.name, first.zones) == (("default", "spring"), "Europe/Berlin|")
    assert (second.task_id, second.began_ms) == ("T2", 1_764_000_000_000)
    assert second.handed_over_ms == taken.at_ms
    assert LedgerReader(client).ask(read_begun(1_764_000_000_001)) == []
