"""How often a number may be called: counted before it is sent, given back on proof alone."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import redis

from callspool.hours.caps import Cap, read_cap
from callspool.hours.record import CampaignError
from callspool.request.identity import Scope
from callspool_ledger.guard import Clearance, Guard, Suppression
from callspool_ledger.keys import GuardKeys
from callspool_ledger.reads.held import read_held
from callspool_ledger.reads.lookup import read_statuses, read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.snapshot import read_metrics
from callspool_ledger.steering.campaigns import Caps
from callspool_ledger.writes import Limits, Look, Taken
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group

NUMBERS = [f"+1415555{line:04}" for line in range(100, 200)]
DAY, LEASE = 86400, Limits().lease_ms // 1000
G = GuardKeys().prefix


def documents(count: int, first: int = 0, alternate: str = "") -> list[bytes]:
    extra = f',"alternate_number":"{alternate}"' if alternate else ""
    return [
        f'{{"document_id":"d{at}","contact_number":"{NUMBERS[at]}"{extra}}}'.encode()
        for at in range(first, first + count)
    ]


def accept(spool: LedgerUnderTest, count: int = 5, first: int = 0, **more: str) -> None:
    made = group([f"d{at}" for at in range(first, first + count)])
    made.documents[:] = documents(count, first, **more)
    spool.accept(made)


def take(spool: LedgerUnderTest, taker: str = "me:1") -> Taken:
    taken = spool.ledger.take(taker, ["default"])
    assert taken is not None
    return taken


@pytest.fixture
def caps(spool: LedgerUnderTest, client: redis.Redis) -> Caps:
    return Caps([client], "ann")


class Attempts:
    """Asks the guard for one attempt after the other."""

    def __init__(self, spool: LedgerUnderTest) -> None:
        self.guard = Guard(spool.ledger)
        self.count = 0

    def ask(
        self, numbers: int = 1, campaign: str = "", *, account: str = "default", missed: str = ""
    ) -> Clearance:
        self.count += 1
        token = f"t{self.count}"
        return self.guard.reserve(account, campaign, documents(numbers), token, missed)


@pytest.fixture
def attempts(spool: LedgerUnderTest) -> Attempts:
    return Attempts(spool)


@pytest.mark.parametrize(
    ("text", "cap", "words"),
    [
        ("3/7d", Cap(3, 7 * DAY), "3 calls in 7 days"),
        ("1/24h", Cap(1, DAY), "1 call in 1 day"),
        ("2/30min", Cap(2, 1800), "2 calls in 30 minutes"),
        ("5/d", Cap(5, DAY), "5 calls in 1 day"),
    ],
)
def test_a_cap_is_read_and_said(text: str, cap: Cap, words: str):
    assert read_cap(text) == cap
    assert str(cap) == words
    assert read_cap(cap.short) == cap


@pytest.mark.parametrize("text", ["", "3", "0/7d", "3/0d", "3/7w", "101/7d", "1/400d", "-1/7d"])
def test_a_wrong_cap_is_one_line(text: str):
    with pytest.raises(CampaignError, match=r"^--cap"):
        read_cap(text)


def test_a_number_is_called_as_often_as_the_cap_says_and_no_more(caps: Caps, attempts: Attempts):
    caps.set([Cap(2, 7 * DAY)])
    assert not attempts.ask(3).capped
    assert not attempts.ask(3).capped
    (hit,) = attempts.ask(4).capped
    assert hit.places == [0, 1, 2]
    assert hit.reached.cap == Cap(2, 7 * DAY)
    assert hit.due_ms / 1000 == pytest.approx(time.time() + 7 * DAY + LEASE, abs=30)


def test_asking_again_for_the_same_attempt_counts_nothing_twice(caps: Caps, attempts: Attempts):
    caps.set([Cap(2, DAY)])
    for _ in range(3):
        assert not attempts.guard.reserve("default", "", documents(1), "same").capped
    assert not attempts.ask().capped
    assert attempts.ask().capped


def test_where_one_document_is_over_its_cap_nothing_of_the_batch_is_counted(
    caps: Caps, attempts: Attempts
):
    caps.set([Cap(1, DAY)])
    attempts.ask(1)
    assert attempts.ask(3).capped
    assert not attempts.guard.reserve("default", "", documents(2, 1), "later").capped


def test_a_batch_that_is_kept_back_leaves_every_number_with_the_calls_that_it_had(
    caps: Caps, attempts: Attempts, client: redis.Redis
):
    caps.set([Cap(2, DAY)])
    attempts.ask(2)

    def stored() -> list[dict[bytes, bytes]]:
        return [client.hgetall(key) for key in sorted(client.scan_iter(G.encode() + b":c:*"))]

    before = stored()
    asked = [*documents(1), *documents(1), *documents(1, 5), *documents(1, 1, NUMBERS[6])]
    (hit,) = attempts.guard.reserve("default", "", asked, "a").capped
    assert hit.places == [1]
    assert stored() == before
    assert len(before) == 2


def test_both_numbers_of_a_document_count_each_once(caps: Caps, attempts: Attempts):
    caps.set([Cap(1, DAY)])
    guard = attempts.guard
    same = documents(1, alternate=NUMBERS[0])
    assert not guard.reserve("default", "", same, "a").capped
    other = documents(1, 5, alternate=NUMBERS[6])
    assert not guard.reserve("default", "", other, "b").capped
    (hit,) = guard.reserve("default", "", documents(3, 4), "c").capped
    assert hit.places == [1, 2]


def test_two_documents_of_a_batch_with_one_number_are_two_calls(caps: Caps, attempts: Attempts):
    caps.set([Cap(1, DAY)])
    twice = [*documents(1), *documents(1)]
    (hit,) = attempts.guard.reserve("default", "", twice, "a").capped
    assert hit.places == [1]


def test_calls_given_back_count_no_more_and_only_once(caps: Caps, attempts: Attempts):
    caps.set([Cap(2, DAY)])
    first, second = attempts.ask(), attempts.ask()
    attempts.guard.give_back(first)
    attempts.guard.give_back(first)
    assert not attempts.ask().capped
    assert attempts.ask().capped
    attempts.guard.note_made(second)  # with the next question it cannot be given back any more
    attempts.ask()
    attempts.guard.give_back(second)
    assert attempts.ask().capped


def test_what_an_earlier_attempt_missed_is_given_back_with_the_next_question(
    caps: Caps, attempts: Attempts
):
    caps.set([Cap(1, DAY)])
    attempts.ask(2)
    assert attempts.ask(2).capped
    assert not attempts.ask(2, missed="t1 ").capped


def test_a_call_of_another_document_with_the_same_number_is_never_given_back(
    caps: Caps, attempts: Attempts
):
    caps.set([Cap(3, DAY)])
    guard, one = attempts.guard, documents(1)
    guard.reserve("default", "", [*one, *one], "t")  # one of them is created, the other is not
    for again in ("u", "v"):
        guard.give_back(guard.reserve("default", "", one, again, "t "))
    assert not guard.reserve("default", "", one, "w").capped
    assert guard.reserve("default", "", one, "x").capped


def test_calls_of_a_number_that_missed_altogether_are_given_back(caps: Caps, attempts: Attempts):
    caps.set([Cap(2, DAY)])
    guard, both = attempts.guard, [*documents(1), *documents(1)]
    guard.reserve("default", "", both, "t")
    assert not guard.reserve("default", "", both, "u", "t ").capped


def test_caps_of_installation_account_and_campaign_hold_together(caps: Caps, attempts: Attempts):
    caps.set([Cap(3, DAY)])
    caps.set([Cap(2, DAY)], account="default")
    caps.set([Cap(1, DAY)], account="default", campaign="spring")
    assert [view.scope for view in caps.read()] == ["installation", "account", "campaign"]
    assert not attempts.ask(campaign="spring").capped
    (hit,) = attempts.ask(campaign="spring").capped
    assert hit.reached.scope == "campaign"
    assert not attempts.ask(campaign="summer").capped
    (hit,) = attempts.ask(campaign="summer").capped
    assert hit.reached.scope == "account"
    assert not attempts.ask(account="acme").capped
    (hit,) = attempts.ask(account="acme").capped
    assert hit.reached.scope == "installation"


def test_a_call_counts_until_its_time_is_over(caps: Caps, attempts: Attempts, client: redis.Redis):
    caps.set([Cap(1, 3600)])
    attempts.ask()
    (key,) = client.scan_iter(f"{G}:c:*")
    ((field, entry),) = client.hgetall(key).items()
    unit = int.from_bytes(entry[:3])
    over = unit - 360 - LEASE // 10  # a call may be made a lease after it was counted
    client.hset(key, field, (over + 1).to_bytes(3) + entry[3:])
    (hit,) = attempts.ask().capped
    assert 0 < hit.due_ms / 1000 - time.time() <= 21
    client.hset(key, field, (over - 1).to_bytes(3) + entry[3:])
    assert not attempts.ask().capped
    assert len(client.hget(key, field)) == 7  # the old one is forgotten


def test_without_a_cap_nothing_is_kept(caps: Caps, attempts: Attempts, client: redis.Redis):
    caps.set([Cap(1, DAY)])
    caps.set([])
    assert not attempts.ask(5).capped
    assert not [*client.scan_iter(f"{G}:c:*")]
    assert not [*client.scan_iter(f"{G}:held:*")]


def test_documents_over_a_cap_go_aside_and_the_others_are_sent(
    spool: LedgerUnderTest, caps: Caps, attempts: Attempts, client: redis.Redis
):
    caps.set([Cap(1, DAY)])
    attempts.ask(2)
    accept(spool)
    taken = take(spool)
    assert taken.is_guarded
    (hit,) = attempts.guard.reserve("default", "", documents(5), taken.token).capped
    told = [(hit.due_ms, hit.reached.text, hit.places)]
    assert spool.ledger.run([calls.defer(taken, told)]) == [2]
    assert spool.ledger.run([calls.defer(taken, told)]) == [-1]
    spool.check()
    assert take(spool, "me:2").count == 3
    assert spool.ledger.take("me:3", ["default"]) is None
    (status,) = LedgerReader(client).ask(read_statuses(Scope(*LANE[:3]), ["d0"]))
    assert status is not None
    assert status.state == "waiting"
    assert (status.reason or "").startswith("cap: at most 1 call in 1 day (all campaigns")
    (story,) = LedgerReader(client).ask(read_stories("d1"))
    assert story.next_step.startswith("It may be sent from ")
    (held,) = LedgerReader(client).ask(read_held())
    assert (held.bar.kind, held.documents, held.lanes) == ("cap", 2, 1)
    assert client.hget(f"{P}:counts", "default|capped") == b"2"
    assert LedgerReader(client).ask(read_metrics()).waits == {("default", "cap"): 2}


def defer_all(spool: LedgerUnderTest, due_ms: int = 9_000_000_000_000) -> None:
    taken = take(spool)
    (n,) = spool.ledger.run([calls.defer(taken, [(due_ms, "1|86400000|account", taken.places)])])
    assert n == taken.count


def test_what_waits_for_a_cap_goes_on_when_it_frees(spool: LedgerUnderTest, client: redis.Redis):
    accept(spool)
    defer_all(spool)
    spool.check()
    assert spool.ledger.take("me:2", ["default"]) is None
    client.zadd(f"{P}:due", dict.fromkeys(client.zrange(f"{P}:due", 0, -1), 1))
    spool.ledger.run([calls.sweep(spool.ledger.limits)])
    assert take(spool, "me:2").count == 5
    assert not client.exists(f"{P}:capped")
    spool.check()


def test_what_waits_for_a_cap_is_asked_about_anew_when_caps_change(
    spool: LedgerUnderTest, caps: Caps, client: redis.Redis
):
    accept(spool)
    defer_all(spool)
    caps.set([], account="default")
    assert take(spool, "me:2").count == 5
    assert not client.exists(f"{P}:capped")
    spool.check()


def test_what_waits_for_a_cap_expires_in_time(spool: LedgerUnderTest, client: redis.Redis):
    soon = int(time.time() * 1000) + 60_000
    made = replace(group(["d0"]), expires_ms=soon)
    made.documents[:] = documents(1)
    spool.accept(made)
    defer_all(spool)
    assert client.zscore(f"{P}:capped", "1") == soon


def test_what_expired_beside_them_has_nobody_asked_about_again_and_again(
    spool: LedgerUnderTest, client: redis.Redis
):
    soon, later = group(["d0"], expires_ms=int(time.time() * 1000) + 100), group(["d1"])
    soon.documents[:], later.documents[:] = documents(1), documents(1, 1)
    spool.accept(soon, later)
    time.sleep(0.15)
    due = int(time.time() * 1000) + DAY * 1000
    defer_all(spool, due)
    assert client.zrange(f"{P}:capped", 0, -1, withscores=True) == [(b"1", due)]


def resend(spool: LedgerUnderTest, taken: Taken, client: redis.Redis, look: Look | None) -> None:
    ledger, held = spool.ledger, (taken.batch, taken.attempt)
    seen = ledger.calls.observe(*held, found="nothing", held="")
    again = ledger.calls.resend(*held, delay_ms=0, size=10, tries=1, look=look)
    ledger.run([seen])  # by itself: a script that Redis does not know comes last in its round trip
    assert ledger.run([again]) == [taken.count]
    client.zadd(f"{P}:due", {f"B{taken.batch}": 0})
    ledger.run([ledger.calls.sweep(ledger.limits)])


def test_a_document_proven_missing_is_not_kept_back_by_its_own_attempt(
    spool: LedgerUnderTest, caps: Caps, attempts: Attempts, client: redis.Redis
):
    caps.set([Cap(1, DAY)])
    accept(spool, 2)
    taken = take(spool)
    ask: Any = attempts.guard.reserve
    assert not ask("default", "", documents(2), taken.token).capped
    ledger = spool.ledger
    ledger.run([ledger.calls.doubt(taken, outcome="no_answer", code="", detail="", proof=b"{}")])
    assert ask("default", "", documents(2), "another's").capped  # a doubt counts as a call
    resend(spool, taken, client, Look(int(time.time() * 1000), "nothing"))
    again = take(spool, "me:2")
    assert again.missed == f"{taken.token} "
    assert not ask("default", "", documents(2), again.token, again.missed).capped
    assert ask("default", "", documents(2), "another's").capped


def test_what_is_sent_again_without_proof_counts_twice(
    spool: LedgerUnderTest, caps: Caps, client: redis.Redis
):
    accept(spool, 2)
    taken = take(spool)
    ledger = spool.ledger
    ledger.run([ledger.calls.doubt(taken, outcome="no_answer", code="", detail="", proof=b"{}")])
    resend(spool, taken, client, None)
    assert take(spool, "me:2").missed == ""


def test_a_suppressed_number_is_not_counted(
    spool: LedgerUnderTest, caps: Caps, attempts: Attempts, client: redis.Redis
):
    caps.set([Cap(1, DAY)])
    Suppression([client], "ann").add([NUMBERS[0]], "global")
    assert attempts.ask(2).hits
    assert not attempts.guard.reserve("default", "", documents(1, 1), "later").capped
