from __future__ import annotations

import time

import pytest
import redis

from callspool_ledger.keys import GROUP
from callspool_ledger.writes import SEPARATOR, LaneKey, Limits
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, document, group

ACCOUNTS = ["default"]


def ids(start: int, stop: int) -> list[str]:
    return [f"c{number}" for number in range(start, stop)]


def test_accepted_documents_are_taken_in_the_order_in_which_they_came(spool: LedgerUnderTest):
    assert spool.accept(group(ids(0, 25))).accepted == 25
    taken = [spool.ledger.take(f"me:{turn}", ACCOUNTS) for turn in range(3)]
    sent = SEPARATOR.join(batch.documents for batch in taken if batch)
    assert sent == SEPARATOR.join(document(one) for one in ids(0, 25))
    assert [batch.count for batch in taken if batch] == [10, 10, 5]
    assert spool.ledger.take("me:4", ACCOUNTS) is None
    spool.check()


def test_a_known_document_is_a_duplicate_whatever_message_brings_it(spool: LedgerUnderTest):
    spool.accept(group(ids(0, 12)))
    again = spool.accept(group([*ids(5, 12), "new", "new", *ids(0, 5)]))
    assert (again.accepted, again.duplicate) == (1, 13)
    assert spool.counts()["duplicate"] == 13
    spool.check()


def test_a_message_that_is_delivered_twice_counts_once(spool: LedgerUnderTest):
    delivery = spool.deliver([group(ids(0, 5))], spooled=5)
    spool.client.hset(f"{P}:counts", "spooled", 5)
    assert spool.ledger.accept([delivery])[0].accepted == 5
    second = spool.ledger.accept([delivery])[0]
    assert second.known
    assert spool.counts()["duplicate"] == 0
    assert spool.client.hget(f"{P}:counts", "spooled") == b"0"
    assert spool.client.xlen(f"{P}:requests") == 0
    spool.check()


def test_messages_that_are_accepted_together_count_once_in_whatever_order(spool: LedgerUnderTest):
    first, second, third = [spool.deliver([group(ids(n, n + 1))], spooled=1) for n in range(3)]
    spool.client.hset(f"{P}:counts", "spooled", 3)
    assert spool.ledger.accept([second])[0].accepted == 1
    found = spool.ledger.accept([third, second, first, third])
    assert [each.known for each in found] == [False, True, False, True]
    assert (spool.counts()["accepted"], spool.counts()["duplicate"]) == (3, 0)
    assert spool.client.hget(f"{P}:counts", "spooled") == b"0"
    assert spool.client.xlen(f"{P}:requests") == 0
    assert spool.client.xpending(f"{P}:requests", GROUP)["pending"] == 0
    spool.check()


def test_batches_fill_up_across_messages_and_holes_of_duplicates(spool: LedgerUnderTest):
    spool.accept(group(ids(0, 3)))
    lingering = LedgerUnderTest.__new__(LedgerUnderTest)
    lingering.__dict__.update(spool.__dict__)
    lingering.ledger.limits = Limits(batch_size=10, linger_ms=60_000)
    lingering.accept(group(["a", "c1", "b", "c2", "c"]))
    lingering.accept(group(ids(100, 125)))
    sizes = []
    while batch := lingering.ledger.take(f"me:{len(sizes)}", ACCOUNTS):
        sizes.append(batch.count)
    assert sizes == [3, 10, 10]
    assert spool.counts()["waiting"] == 8
    spool.check()


def test_new_documents_between_known_ones_keep_their_order_and_their_identities(
    spool: LedgerUnderTest,
):
    spool.accept(group(["c2", "c3", "c7"]))
    assert spool.ledger.take("me:1", ACCOUNTS) is not None
    spool.accept(group(ids(0, 10)))
    taken = spool.ledger.take("me:2", ACCOUNTS)
    new = ["c0", "c1", "c4", "c5", "c6", "c8", "c9"]
    assert taken is not None
    assert taken.documents == SEPARATOR.join(document(one) for one in new)
    assert spool.accept(group(new)).duplicate == 7
    spool.check()


def test_a_batch_leaves_before_its_body_grows_too_large(client: redis.Redis):
    spool = LedgerUnderTest(client, batch_size=100, batch_bytes=2100, linger_ms=0)
    spool.accept(group(ids(0, 10), size=400))
    sizes = []
    while batch := spool.ledger.take(f"me:{len(sizes)}", ACCOUNTS):
        body = len(batch.documents) + batch.count * 64 + 100
        assert body <= 2100
        sizes.append(batch.count)
    assert sizes == [4, 4, 2]
    spool.check()


def test_lanes_take_turns_so_that_a_small_one_never_waits_for_a_large_one(spool: LedgerUnderTest):
    small = LANE._replace(context="Another reason")
    spool.accept(group(ids(0, 200)))
    spool.accept(group(ids(0, 5), small._replace(campaign="other")))
    first = [spool.ledger.take(f"me:{turn}", ACCOUNTS) for turn in range(3)]
    assert {batch.lane.campaign for batch in first if batch} == {"", "other"}


def test_an_open_batch_leaves_when_it_has_lingered(client: redis.Redis):
    spool = LedgerUnderTest(client, batch_size=10, linger_ms=80)
    spool.accept(group(ids(0, 3)))
    assert spool.ledger.take("me:1", ACCOUNTS) is None
    (reply,) = spool.ledger.run([calls.sweep(spool.ledger.limits)])
    assert 0 <= reply[0] <= 80
    time.sleep(0.1)
    spool.ledger.run([calls.sweep(spool.ledger.limits)])
    assert spool.client.xlen(f"{P}:wakeups") == 1
    taken = spool.ledger.take("me:2", ACCOUNTS)
    assert taken is not None
    assert taken.count == 3


def test_an_expired_document_is_never_taken_while_its_neighbours_are(spool: LedgerUnderTest):
    now = int(time.time() * 1000)
    spool.ledger.limits = Limits(batch_size=10, linger_ms=60_000)
    spool.accept(group(ids(0, 3)))
    spool.accept(group(ids(3, 6), expires_ms=now - 1000))
    spool.accept(group(ids(6, 10), expires_ms=now + 60_000))
    taken = spool.ledger.take("me:1", ACCOUNTS)
    assert taken is not None
    assert taken.documents == SEPARATOR.join(document(one) for one in [*ids(0, 3), *ids(6, 10)])
    assert spool.counts()["expired"] == 3
    spool.check()


def test_a_batch_of_nothing_but_expired_documents_is_passed_over(spool: LedgerUnderTest):
    spool.accept(group(ids(0, 20), expires_ms=1000))
    spool.accept(group(ids(20, 25)))
    taken = spool.ledger.take("me:1", ACCOUNTS)
    assert taken is not None
    assert taken.count == 5
    assert spool.counts()["expired"] == 20
    spool.check()


def test_a_document_that_cannot_be_sent_is_accepted_and_dead_at_once(
    spool: LedgerUnderTest,
):
    spool.accept(group(["big"], reason="larger than a request may be"))
    assert spool.ledger.take("me:1", ACCOUNTS) is None
    assert spool.state("big") == "x"
    assert spool.counts()["dead"] == 1
    spool.check()


def test_the_identity_of_a_dead_document_may_be_accepted_anew(spool: LedgerUnderTest):
    spool.accept(group(["c1"], reason="larger than a request may be"))
    assert spool.accept(group(["c1"])).accepted == 1
    assert spool.accept(group(["c1"])).duplicate == 1
    assert spool.state("c1") == "w"
    assert spool.counts()["dead"] == 1
    taken = spool.ledger.take("me:1", ACCOUNTS)
    assert taken is not None
    assert taken.documents == document("c1")
    spool.check()


def test_the_same_taker_gets_the_same_batch_when_a_reply_was_lost(spool: LedgerUnderTest):
    spool.accept(group(ids(0, 20)))
    first = spool.ledger.take("me:1", ACCOUNTS)
    assert spool.ledger.take("me:1", ACCOUNTS) == first
    second = spool.ledger.take("me:2", ACCOUNTS)
    assert first
    assert second
    assert second.batch != first.batch


def test_a_batch_larger_than_this_worker_may_send_is_split(spool: LedgerUnderTest):
    spool.accept(group(ids(0, 10)))
    spool.ledger.limits = Limits(batch_size=4, linger_ms=0)
    sent = []
    while batch := spool.ledger.take(f"me:{len(sent)}", ACCOUNTS):
        sent.append(batch)
    assert [batch.count for batch in sent] == [4, 4, 2]
    everything = SEPARATOR.join(batch.documents for batch in sent)
    assert everything == SEPARATOR.join(document(one) for one in ids(0, 10))
    assert spool.state("c9") == "s"
    spool.check()


def test_a_worker_takes_nothing_for_accounts_that_it_does_not_know(spool: LedgerUnderTest):
    other = LaneKey("acme", *LANE[1:])
    spool.accept(group(ids(0, 10), other))
    assert spool.ledger.take("me:1", ACCOUNTS) is None
    assert spool.ledger.take("me:1", ["default", "acme"]) is not None
    spool.check("acme")


def test_what_became_of_a_message_is_told_for_each_group_and_what_expired_when_taking(
    spool: LedgerUnderTest, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    spool.accept(group(["a"]))
    told = spool.accept(group(["a", "b"]), group(["c"], reason="too large"), group(["a"]))
    assert told.by_group == [(1, 1, 0), (1, 0, 0), (0, 1, 0)]
    assert set(told.batches) <= {int(key.rpartition(b"b")[2]) for key in spool.client.keys("*:b*")}
    spool.accept(group(["late"], expires_ms=1000))
    while spool.ledger.take("me:1", ACCOUNTS) is not None:
        spool.ledger.run([calls.lapse("me:1", spool.ledger.sending()["me:1"], "gone")])
    assert caplog.text.count("1 document expired") == 1
