"""Dead documents are listed, replayed under their identity, or given up for good."""

from __future__ import annotations

import pytest
import redis

from callspool_ledger import keys
from callspool_ledger.reads.dead import read_dead, read_unreadable
from callspool_ledger.reads.gates import read_journal
from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_ledger.writes import Taken
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, digest, group

ACCOUNTS = ["default"]
SPRING = LANE._replace(campaign="spring")


def take(spool: LedgerUnderTest, name: str) -> Taken:
    taken = spool.ledger.take(name, ACCOUNTS)
    assert taken is not None
    return taken


def bury(spool: LedgerUnderTest, name: str) -> Taken:
    taken = take(spool, name)
    step = calls.bury(taken, outcome="rejected", code="400", detail="Invalid number")
    spool.ledger.run([step])
    return taken


@pytest.fixture
def five(spool: LedgerUnderTest) -> LedgerUnderTest:
    """Five documents that died in one batch, and one in another campaign."""
    spool.accept(group([f"c{number}" for number in range(5)]), group(["c2"], SPRING))
    bury(spool, "me:1")
    bury(spool, "me:2")
    return spool


def test_dead_documents_are_listed_with_the_apis_own_words(five: LedgerUnderTest, steer: Steering):
    documents, total = steer.reader.ask(read_dead(Selector(), 50))
    assert total == len(documents) == 6
    assert {one.reason for one in documents} == {"Invalid number"}
    assert {one.document_id for one in documents} == {f"c{number}" for number in range(5)}
    assert (
        steer.reader.ask(read_dead(Selector(campaign="spring"), 50))[0][0].scope.campaign
        == "spring"
    )
    documents, total = steer.reader.ask(read_dead(Selector(), 2))
    assert (len(documents), total) == (2, 6)


def test_replayed_documents_wait_again_with_all_their_tries_and_are_not_accepted_again(
    five: LedgerUnderTest, steer: Steering
):
    assert steer.replay(Selector(campaign="")) == 5
    assert steer.replay(Selector(campaign="")) == 0
    assert five.accept(group(["c1"])).duplicate == 1
    taken = take(five, "me:3")
    assert (taken.count, taken.tries) == (5, 0)
    five.ledger.run([calls.record_created(taken, "R1", [f"T{at}" for at in range(5)], "200")])
    counts = five.counts()
    assert (counts["accepted"], counts["replayed"], counts["created"]) == (6, 5, 5)
    assert [one.document_id for one in steer.reader.ask(read_dead(Selector(), 9))[0]] == ["c2"]
    five.check()


def test_one_document_is_replayed_out_of_a_dead_batch_and_a_late_proof_finds_the_others(
    five: LedgerUnderTest, steer: Steering
):
    first = take_of_dead(five)
    assert [one.done for one in steer.replay_one("c2", Selector(campaign=""))] == [True]
    assert [one.letter for one in steer.replay_one("c2", Selector(campaign=""))] == ["w"]
    assert steer.reader.ask(read_dead(Selector(campaign=""), 9))[1] == 4
    five.check()
    taken = take(five, "me:3")
    assert (taken.count, b'"c2"' in taken.documents) == (1, True)
    five.ledger.run([calls.put_back(taken, tries=0, delay_ms=0)])
    tasks = [f"T{number:032x}" for number in range(5)]
    assert five.ledger.run([calls.record_created(first, "R1", tasks, "200")]) == [[5, 0]]
    found = [steer.reader.ask(read_stories(f"c{number}", campaign=""))[0] for number in range(5)]
    assert [story.task_id for story in found] == tasks
    five.check()


def take_of_dead(spool: LedgerUnderTest) -> Taken:
    """What the attempt had taken whose batch died."""
    number, place = divmod(int(spool.client.hget(_bucket("c0"), digest("c0")[2:])), 1024)
    batch = spool.client.hgetall(f"{P}:b{number}")
    assert place == 0
    return Taken(
        batch=number,
        attempt=int(batch[b"attempt"]),
        tries=0,
        taker="me:1",
        lane_id=batch[b"lane"].decode(),
        lane=LANE,
        states="sssss",
        documents=b"",
        count=5,
        gate="",
        at_ms=0,
        seal=batch[b"seal"].decode(),
    )


def _bucket(name: str) -> bytes:
    return f"{P}:i1:".encode() + digest(name)[:2]


def test_dropped_documents_stay_counted_as_dead_free_their_memory_and_may_be_accepted_anew(
    five: LedgerUnderTest, steer: Steering
):
    assert [one.done for one in steer.drop_one("c0", Selector(campaign=""))] == [True]
    assert [one.letter for one in steer.drop_one("c0", Selector(campaign=""))] == ["X"]
    assert [one.done for one in steer.replay_one("c0", Selector(campaign=""))] == [False]
    assert steer.drop(Selector()) == 5
    assert steer.drop(Selector()) == 0
    assert steer.reader.ask(read_dead(Selector(), 9)) == ([], 0)
    counts = five.counts()
    assert (counts["dead"], counts["dropped"]) == (6, 6)
    assert not five.client.keys(f"{P}:p*")
    assert five.client.scard(f"{P}:lanes") == 0
    assert five.accept(group(["c0", "c1"])).accepted == 2
    assert take(five, "me:3").count == 2
    five.check()


def test_a_document_whose_identity_was_accepted_anew_is_neither_replayed_nor_dropped(
    five: LedgerUnderTest, steer: Steering
):
    five.accept(group(["c3"]))
    assert [one.letter for one in steer.replay_one("c3", Selector(campaign=""))] == ["w"]
    assert steer.replay(Selector()) == 5
    assert five.counts()["waiting"] == 6
    assert (
        take(five, "me:3").documents.count(b'"c3"')
        + take(five, "me:4").documents.count(b'"c3"')
        + take(five, "me:5").documents.count(b'"c3"')
        == 1
    )
    five.check()


def test_unreadable_messages_are_handed_over_again_as_they_were_or_given_up(
    spool: LedgerUnderTest, steer: Steering, client: redis.Redis
):
    dead, stream = keys.dead_stream(keys.REQUESTS), keys.stream(keys.REQUESTS)
    why = {"dead_id": "1-1", "dead_reason": "unknown version", "dead_at": "5"}
    for number in range(25):
        client.xadd(dead, {"v": "9", "requests": str(number), "n": "2", **why})
    client.hset(f"{P}:counts", "spooled", 52)
    assert steer.replay_messages() == 25
    messages = [fields for _, fields in client.xrange(stream)]
    assert messages == [
        {b"v": b"9", b"requests": str(number).encode(), b"n": b"2"} for number in range(25)
    ]
    assert client.hget(f"{P}:counts", "spooled") == b"52"
    client.xadd(dead, {"v": "9", "n": "2", **why})
    client.xadd(dead, {"v": "9", **why})  # of another program, which counted nothing
    assert steer.drop_messages() == 2
    assert client.xlen(dead) == 0
    assert client.hget(f"{P}:counts", "spooled") == b"50"
    assert [entry.messages for entry in steer.reader.ask(read_journal(9))] == [2, 25]


def test_an_unreadable_message_is_listed_by_the_id_that_its_sender_and_the_log_know(
    steer: Steering, client: redis.Redis
) -> None:
    dead = keys.dead_stream(keys.REQUESTS)
    client.xadd(dead, {"v": "9", "dead_id": "17-1", "dead_reason": "unknown", "dead_at": "5"})
    client.xadd(dead, {"v": "9"}, id="9999999999999-0")
    listed = [each.message for each in steer.reader.ask(read_unreadable(9))]
    assert listed == ["9999999999999-0", "17-1"]
