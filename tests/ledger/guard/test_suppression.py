from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
import redis

from callspool.request.identity import Scope
from callspool_ledger.guard import Guard, Suppression
from callspool_ledger.keys import GuardKeys
from callspool_ledger.reads.lookup import read_statuses, read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.writes import Ledger
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group

NUMBERS = [f"+1415555{line:04}" for line in range(100, 200)]


def documents(count: int, *, alternate: str = "") -> list[bytes]:
    extra = f',"alternate_number":"{alternate}"' if alternate else ""
    return [
        f'{{"document_id":"d{at}","contact_number":"{NUMBERS[at]}"{extra}}}'.encode()
        for at in range(count)
    ]


def accept(spool: LedgerUnderTest, count: int = 5, **more: str) -> None:
    made = group([f"d{at}" for at in range(count)])
    made.documents[:] = documents(count, **more)
    spool.accept(made)


@pytest.fixture
def lists(client: redis.Redis) -> Suppression:
    return Suppression([client], "test", wait=0.3)


def test_nothing_is_asked_before_there_is_a_list(spool: LedgerUnderTest, client: redis.Redis):
    accept(spool)
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    assert not taken.is_guarded
    Guard(spool.ledger).keep_asked(spool.ledger)
    assert client.hget(f"{P}:meta", "guarded") is None


def test_a_number_on_a_list_is_found_by_any_spelling(spool: LedgerUnderTest, lists: Suppression):
    added = lists.add(["+1 (415) 555-0101"], "global", source="asked by mail")
    assert (added.added, added.known, added.being_sent) == (1, 0, [])
    accept(spool)
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    assert taken.is_guarded
    found = Guard(spool.ledger).screen("default", "", documents(5))
    (hit,) = found.hits
    assert (hit.places, hit.kind, hit.source.by) == ([1], "global", "test")
    assert hit.source.reason.startswith("suppressed: on the global list since ")
    assert hit.source.reason.endswith("(asked by mail)")


def test_a_suppressed_document_is_cancelled_and_the_others_wait(
    spool: LedgerUnderTest, lists: Suppression, client: redis.Redis
):
    accept(spool)
    lists.add([NUMBERS[1], NUMBERS[3]], "global")
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    hits = Guard(spool.ledger).screen("default", "", documents(5)).hits
    told = [(hit.kind, hit.source.reason, hit.places) for hit in hits]
    assert spool.ledger.run([calls.suppress(taken, told)]) == [2]
    assert spool.ledger.run([calls.suppress(taken, told)]) == [-1]
    assert [spool.state(f"d{at}") for at in range(5)] == ["w", "K", "w", "K", "w"]
    spool.check()
    counts = client.hgetall(f"{P}:counts")
    assert counts[b"default|suppressed|global"] == b"2"
    again = spool.ledger.take("me:2", ["default"])
    assert again is not None
    assert again.count == 3
    reader = LedgerReader(client)
    first, second = reader.ask(read_statuses(Scope(*LANE[:3]), ["d0", "d1"]))
    assert first is not None
    assert second is not None
    assert (first.state, second.state) == ("sending", "cancelled")
    assert (second.reason or "").startswith("suppressed: on the global list since ")
    assert second.attempts == 0
    assert first.reason is None


def test_a_document_all_of_whose_batch_is_suppressed_leaves_nothing_behind(
    spool: LedgerUnderTest, lists: Suppression, client: redis.Redis
):
    accept(spool, 2)
    lists.add(NUMBERS[:2], "global")
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    spool.ledger.run([calls.suppress(taken, [("global", "because", [0, 1])])])
    assert spool.ledger.take("me:2", ["default"]) is None
    assert not client.exists(f"{P}:p1")
    assert not client.smembers(f"{P}:lanes")
    spool.check()


def test_what_is_suppressed_when_it_comes_is_cancelled_at_once_and_may_come_again(
    spool: LedgerUnderTest, client: redis.Redis
):
    reason = "suppressed: on the global list since then"
    made = group(["d0", "d1"], reason=reason, numbers=NUMBERS[:2])
    first = spool.accept(replace(made, suppressed="global"), group(["d2"]))
    assert first.by_group == [(2, 0, 0), (1, 0, 0)]
    assert [spool.state(f"d{at}") for at in range(3)] == ["K", "K", "w"]
    spool.check()
    reader = LedgerReader(client)
    (status,) = reader.ask(read_statuses(Scope(*LANE[:3]), ["d1"]))
    assert status is not None
    assert (status.state, status.reason) == ("cancelled", reason)
    (story,) = reader.ask(read_stories("d1"))
    assert "callspool suppress remove" in story.next_step
    other = spool.accept(group(["d0"], numbers=["+14155550199"]))
    assert (other.accepted, other.conflict) == (1, 0)
    assert spool.state("d0") == "w"
    spool.check()


def test_no_two_documents_share_a_place_however_many_of_a_group_are_suppressed(
    spool: LedgerUnderTest, client: redis.Redis
):
    ids = [f"d{at}" for at in range(1100)]
    numbers = [*NUMBERS * 11, NUMBERS[0], NUMBERS[1]]
    made = group([*ids, "d0", "d1099"], reason="suppressed: asked", numbers=numbers)
    first = spool.accept(replace(made, suppressed="global"), group(["x", "y"]))
    assert first.by_group == [(1100, 1, 1), (2, 0, 0)]
    sizes = [int(client.hget(key, "n")) for key in client.scan_iter(f"{P}:b*")]
    assert max(sizes) <= spool.ledger.limits.batch_size
    places = {value for key in client.scan_iter(f"{P}:i*") for value in client.hvals(key)}
    assert len(places) == 1102
    assert [spool.state(each) for each in ("d0", "d1024", "d1099", "x")] == ["K", "K", "K", "w"]
    spool.check()


def test_an_end_is_kept_and_the_longer_one_wins(lists: Suppression):
    soon = int(time.time() * 1000) + 200
    lists.add([NUMBERS[0], NUMBERS[1]], "global", till_ms=soon)
    assert lists.add([NUMBERS[1]], "global").known == 1
    assert all(lists.check(NUMBERS[:2]))
    assert lists.add([NUMBERS[1]], "global", till_ms=soon).known == 1
    time.sleep(0.25)
    first, second = lists.check(NUMBERS[:2])
    assert first is None
    assert second is not None
    assert second.till == 0


def test_lists_hold_for_their_account_and_for_the_campaigns_that_name_them(lists: Suppression):
    lists.add([NUMBERS[0]], "account:acme")
    lists.add([NUMBERS[0]], "asked-by-mail")
    assert lists.check([NUMBERS[0]]) == [None]
    (of_account,) = lists.check([NUMBERS[0]], account="acme")
    assert of_account is not None
    lists.apply(["asked-by-mail"], account="default", campaign="spring")
    (named,) = lists.check([NUMBERS[0]], campaign="spring")
    assert named is not None
    assert named.list == "asked-by-mail"
    assert lists.read_applied(account="default", campaign="spring") == ["asked-by-mail"]
    assert [(each.name, each.numbers) for each in lists.lists()] == [
        ("account:acme", 1),
        ("asked-by-mail", 1),
    ]
    assert lists.remove([NUMBERS[0]], "asked-by-mail") == 1
    assert lists.remove([NUMBERS[0]], "asked-by-mail") == 0
    assert lists.check([NUMBERS[0]], campaign="spring") == [None]
    assert lists.check([NUMBERS[0]], account="acme") == [of_account]


def test_a_clearance_holds_until_one_of_its_numbers_comes_onto_a_list(
    spool: LedgerUnderTest, lists: Suppression
):
    lists.add([NUMBERS[50]], "global")
    guard = Guard(spool.ledger)
    clearance = guard.screen("default", "", documents(5))
    assert not clearance.hits
    assert guard.is_still_clear(clearance)
    lists.add([NUMBERS[51]], "global")
    assert guard.is_still_clear(clearance)
    lists.add([NUMBERS[4]], "global")
    assert not guard.is_still_clear(clearance)


def test_the_alternate_number_counts_in_what_is_being_sent(
    spool: LedgerUnderTest, lists: Suppression
):
    accept(spool, 2, alternate="+1 415 555 0190")
    spool.ledger.take("me:1", ["default"])
    added = lists.add(["+14155550190"], "global")
    assert [(one.document_id, one.state) for one in added.being_sent] == [
        ("d0", "sending"),
        ("d1", "sending"),
    ]


def test_what_is_being_sent_is_waited_for_and_named(spool: LedgerUnderTest, client: redis.Redis):
    accept(spool)
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None

    def answer() -> None:
        ids = [f"T{at:032x}" for at in range(5)]
        spool.ledger.run([calls.record_created(taken, "R1", ids, "200")])

    later = threading.Timer(0.2, answer)
    later.start()
    added = Suppression([client], "test", wait=10).add([NUMBERS[2]], "global")
    later.join()
    (one,) = added.being_sent
    assert (one.document_id, one.state, one.space_token) == ("d2", "created", LANE.space_token)


@pytest.mark.parametrize("is_before", [True, False])
def test_what_is_in_doubt_or_comes_there_while_add_looks_is_named(
    is_before: bool, spool: LedgerUnderTest, lists: Suppression, monkeypatch: pytest.MonkeyPatch
):
    accept(spool)
    taken = spool.ledger.take("me:1", ["default"])
    assert taken is not None
    step = calls.doubt(taken, outcome="no_answer", code="", detail="", proof=b"{}")
    read = Ledger.batches

    def end_and_read(ledger: Ledger, numbers: list[int]) -> Any:
        if spool.ledger.sending():
            spool.ledger.run([step])
        return read(ledger, numbers)

    if is_before:
        spool.ledger.run([step])
    monkeypatch.setattr(Ledger, "batches", end_and_read)
    (one,) = lists.add([NUMBERS[2]], "global").being_sent
    assert (one.document_id, one.state) == ("d2", "in_doubt")


def test_lists_with_another_key_are_asked_with_their_own(
    spool: LedgerUnderTest, lists: Suppression, client: redis.Redis
):
    guard = Guard(spool.ledger)
    lists.add([NUMBERS[1]], "global")
    assert guard.screen("default", "", documents(5)).hits
    client.delete(GuardKeys().meta)
    assert not guard.screen("default", "", documents(5)).hits
    lists.add([NUMBERS[2]], "global")
    (hit,) = guard.screen("default", "", documents(5)).hits
    assert hit.places == [2]


def test_a_partition_that_forgot_learns_again_that_there_are_lists(
    spool: LedgerUnderTest, lists: Suppression, client: redis.Redis
):
    lists.add([NUMBERS[1]], "global")
    client.hdel(f"{P}:meta", "guarded")
    Guard(spool.ledger).keep_asked(spool.ledger)
    assert client.hget(f"{P}:meta", "guarded") == b"1"
