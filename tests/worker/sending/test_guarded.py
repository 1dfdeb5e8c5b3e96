"""A batch is asked about when it is taken, and again before its last byte."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from callspool.hours.caps import Cap
from callspool_ledger.guard import Guard, Suppression
from callspool_ledger.keys import GuardKeys
from callspool_ledger.steering.campaigns import Caps
from callspool_ledger.writes import SEPARATOR, LedgerUnavailable
from callspool_worker.accepting.actor import screen_deliveries
from callspool_worker.backoff import LedgerRetry
from callspool_worker.decisions.answers import Answer, Answered, NotSent
from callspool_worker.sending.recording import Recorder
from callspool_worker.sending.submit import Api, SubmitSettings, Submitter
from tests.support.ledgers import LedgerUnderTest, group
from tests.support.unlimited import Unlimited

NUMBERS = [f"+1415555{line:04}" for line in range(100, 200)]


class PlayedApi:
    """Creates what is sent; ``amid`` is called when all but the last byte is there."""

    def __init__(
        self, amid: Callable[[], object] = lambda: None, answer: Answer | None = None
    ) -> None:
        self.amid = amid
        self.answer = answer
        self.bodies: list[bytes] = []
        self.withheld = 0

    def create(
        self, _: str, __: str, body: bytes, ___: float, may_send: Callable[[], bool] | None = None
    ) -> Answer:
        self.amid()
        if may_send is not None and not may_send():
            self.withheld += 1
            return NotSent("its last byte was withheld", "withheld")
        if self.answer is not None:
            return self.answer
        self.bodies.append(body)
        count = body.count(b"contact_number")
        ids = [f"T{len(self.bodies):04x}{at:028x}" for at in range(count)]
        return Answered(200, json={"data": {"run_id": f"R{len(self.bodies)}", "task_ids": ids}})


class AwayGuard(Guard):
    """A guard whose Redis does not answer."""

    def reserve(self, *_: Any) -> Any:
        raise LedgerUnavailable("it is away")


class LosingGuard(Guard):
    """A guard whose first reply is lost."""

    is_lost = False

    def reserve(self, *asked: Any) -> Any:
        found = super().reserve(*asked)
        if not self.is_lost:
            self.is_lost = True
            raise LedgerUnavailable("its reply was lost")
        return found


@pytest.fixture
def spool(client: redis.Redis) -> LedgerUnderTest:
    spool = LedgerUnderTest(client, batch_size=10, linger_ms=0)
    made = group([f"d{at}" for at in range(5)])
    made.documents[:] = [
        f'{{"document_id":"d{at}","contact_number":"{NUMBERS[at]}"}}'.encode() for at in range(5)
    ]
    spool.accept(made)
    return spool


def send(
    spool: LedgerUnderTest, api: PlayedApi, guard: Guard | None = None, *, once: bool = False
) -> None:
    permits = Unlimited(["default"])
    asked = Api(api.create, lambda *_: NotSent("no reads here"), lambda: 0.0)
    how = SubmitSettings(request_timeout=5, max_attempts=3, incarnation="me")
    retry = LedgerRetry(threading.Event(), give_up_after=1)
    submitter = Submitter(
        spool.ledger, asked, Recorder(spool.ledger), retry, permits, how=how, guard=guard
    )
    if once:
        submitter.work(permits.reserve(), lambda: False)
        return
    for _ in range(4):  # a script that Redis did not know comes last in its round trip
        submitter.run()


def states(spool: LedgerUnderTest) -> str:
    return "".join(spool.state(f"d{at}") for at in range(5))


def test_what_is_on_a_list_is_cancelled_and_the_rest_is_sent(
    spool: LedgerUnderTest, client: redis.Redis
):
    Suppression([client], "test").add([NUMBERS[1]], "global")
    api = PlayedApi()
    send(spool, api)
    assert states(spool) == "cKccc"
    assert [NUMBERS[1].encode() in body for body in api.bodies] == [False]
    spool.check()


def test_a_number_that_comes_onto_a_list_amid_a_request_keeps_back_its_last_byte(
    spool: LedgerUnderTest, client: redis.Redis
):
    lists = Suppression([client], "test", wait=0.0)
    lists.add([NUMBERS[50]], "global")
    coming = [NUMBERS[3]]
    api = PlayedApi(lambda: lists.add([coming.pop()], "global") if coming else None)
    send(spool, api)
    assert api.withheld == 1
    assert states(spool) == "cccKc"
    assert not any(NUMBERS[3].encode() in body for body in api.bodies)
    spool.check()


def test_while_the_lists_cannot_be_read_nothing_is_sent(
    spool: LedgerUnderTest, client: redis.Redis
):
    Suppression([client], "test").add([NUMBERS[50]], "global")
    api = PlayedApi()
    send(spool, api, AwayGuard(spool.ledger))
    assert api.bodies == []
    assert states(spool) == "wwwww"
    spool.check()


def test_where_the_lists_are_gone_and_the_ledger_is_not_nothing_is_sent(
    spool: LedgerUnderTest, client: redis.Redis
):
    lists = Suppression([client], "test")
    lists.add([NUMBERS[50]], "global")
    guard, api = Guard(spool.ledger), PlayedApi()
    guard.read_key()
    client.delete(*client.scan_iter("callspool:{guard}:*"))
    send(spool, api, guard)
    assert api.bodies == []
    assert states(spool) == "wwwww"
    lists.add([NUMBERS[50]], "global")
    client.zadd("callspool:{0}:due", {"B1": 0})
    spool.ledger.run([spool.ledger.calls.sweep(spool.ledger.limits)])
    send(spool, api, guard)
    assert states(spool) == "ccccc"


def test_a_document_in_doubt_that_turns_out_missing_is_not_sent_again(
    spool: LedgerUnderTest, client: redis.Redis
):
    ledger = spool.ledger
    taken = ledger.take("other:1", ["default"])
    assert taken is not None
    proof = b'{"answered":true,"sent_at":0}'
    ledger.run(
        [ledger.calls.doubt(taken, outcome="server_error", code="500", detail="", proof=proof)]
    )
    added = Suppression([client], "test").add([NUMBERS[2]], "global")
    assert [(each.document_id, each.state) for each in added.being_sent] == [("d2", "in_doubt")]
    ledger.run([ledger.calls.resend(taken.batch, taken.attempt, delay_ms=0, size=10, tries=1)])
    client.zadd("callspool:{0}:due", {f"B{taken.batch}": 0})
    ledger.run([ledger.calls.sweep(ledger.limits)])
    api = PlayedApi()
    send(spool, api)
    assert states(spool) == "ccKcc"
    spool.check()


REFUSED = Answered(429, json={"message": "slow down"})
FAILED = Answered(502)


def counted(spool: LedgerUnderTest) -> int:
    """How many of the five documents' numbers were called as often as the cap of one call says."""
    documents = [f'{{"contact_number":"{number}"}}'.encode() for number in NUMBERS[:5]]
    found = Guard(spool.ledger).reserve("default", "", documents, "another").capped
    return sum(len(hit.places) for hit in found)


@pytest.mark.parametrize(
    ("answer", "calls"),
    [(None, 5), (REFUSED, 5), (FAILED, 5), (NotSent("refused", "connect"), 0)],
)
def test_calls_count_unless_it_is_proven_that_they_were_not_made(
    spool: LedgerUnderTest, client: redis.Redis, answer: Answer | None, calls: int
):
    Caps([client], "test").set([Cap(1, 86400)])
    send(spool, PlayedApi(answer=answer), once=True)
    assert counted(spool) == calls


def test_calls_that_a_refusal_may_have_made_count_when_they_are_sent_again_without_proof(
    spool: LedgerUnderTest, client: redis.Redis
):
    Caps([client], "test").set([Cap(1, 86400)])
    ledger = spool.ledger
    taken = ledger.take("other:1", ["default"])
    assert taken is not None
    documents = taken.documents.split(SEPARATOR)
    Guard(ledger).reserve("default", "", documents, taken.token)
    refused = {"outcome": "throttled", "code": "429", "look": "5 - 429"}
    ledger.run([ledger.calls.put_back(taken, tries=0, delay_ms=0, may_count=True, **refused)])
    again = ledger.take("other:2", ["default"])
    assert again is not None
    assert again.missed
    found = {"outcome": "rejected", "code": "429", "detail": "", "proof": b'{"answered":true}'}
    earlier = f"{taken.attempt} {taken.at_ms} 1"
    ledger.run([ledger.calls.doubt(again, earlier=earlier, **found)])
    ledger.run([ledger.calls.resend(taken.batch, taken.attempt, delay_ms=0, size=10, tries=1)])
    client.zadd("callspool:{0}:due", {f"B{taken.batch}": 0})
    ledger.run([ledger.calls.sweep(ledger.limits)])
    api = PlayedApi()
    send(spool, api)
    assert (api.bodies, states(spool)) == ([], "wwwww")
    spool.check()


def test_a_number_is_not_called_more_often_than_its_cap_says(
    spool: LedgerUnderTest, client: redis.Redis
):
    Caps([client], "test").set([Cap(1, 86400)])
    called = [f'{{"contact_number":"{NUMBERS[3]}"}}'.encode()]
    Guard(spool.ledger).reserve("default", "", called, "another")
    api = PlayedApi()
    send(spool, api)
    assert states(spool) == "cccwc"
    assert [NUMBERS[3].encode() in body for body in api.bodies] == [False]
    spool.check()


def test_a_last_byte_that_was_withheld_is_no_call(spool: LedgerUnderTest, client: redis.Redis):
    lists = Suppression([client], "test", wait=0.0)
    Caps([client], "test").set([Cap(1, 86400)])
    coming = [NUMBERS[3]]
    api = PlayedApi(lambda: lists.add([coming.pop()], "global") if coming else None)
    send(spool, api)
    assert api.withheld == 1
    assert states(spool) == "cccKc"


def test_a_reply_of_the_guard_that_was_lost_holds_up_no_document(
    spool: LedgerUnderTest, client: redis.Redis
):
    Caps([client], "test").set([Cap(1, 86400)])
    api, guard = PlayedApi(), LosingGuard(spool.ledger)
    send(spool, api, guard)
    assert states(spool) == "wwwww"
    client.zadd("callspool:{0}:due", {"B1": 0})
    spool.ledger.run([spool.ledger.calls.sweep(spool.ledger.limits)])
    send(spool, api, guard)
    assert states(spool) == "ccccc"
    spool.check()


class CountingGuard(Guard):
    """A guard that notes what each attempt was asked by."""

    def __init__(self, spool: LedgerUnderTest) -> None:
        super().__init__(spool.ledger)
        self.asked: list[str] = []

    def recall(self, *about: Any) -> Any:
        found = super().recall(*about)
        self.asked.append("recalled" if found is not None else "reserved")
        return found


def accept_cleared(spool: LedgerUnderTest, guard: Guard, first: int, *, last: int) -> None:
    """Accepts documents, asked about as a worker asks; they wait for others in their batch."""
    made = group([f"d{at}" for at in range(first, last)])
    made.documents[:] = [
        f'{{"document_id":"d{at}","contact_number":"{NUMBERS[at]}"}}'.encode()
        for at in range(first, last)
    ]
    spool.ledger.accept(screen_deliveries(guard, [spool.deliver([made])]))


@pytest.fixture
def open_spool(client: redis.Redis) -> LedgerUnderTest:
    return LedgerUnderTest(client, batch_size=5, linger_ms=3_600_000)


def test_what_the_lists_cleared_when_it_was_accepted_is_not_screened_again(
    open_spool: LedgerUnderTest, client: redis.Redis
):
    Suppression([client], "test").add([NUMBERS[50]], "global")
    guard, api = CountingGuard(open_spool), PlayedApi()
    accept_cleared(open_spool, guard, 0, last=3)
    accept_cleared(open_spool, guard, 3, last=10)
    send(open_spool, api, guard)
    assert guard.asked == ["reserved", "recalled"]  # the first one learns which lists there are
    assert len(api.bodies) == 2
    open_spool.check()


def test_a_number_that_comes_onto_a_list_after_its_document_was_cleared_is_not_called(
    open_spool: LedgerUnderTest, client: redis.Redis
):
    lists = Suppression([client], "test", wait=0.0)
    lists.add([NUMBERS[50]], "global")
    guard = CountingGuard(open_spool)
    accept_cleared(open_spool, guard, 0, last=10)
    coming: list[list[str]] = [[], [NUMBERS[8]]]
    api = PlayedApi(
        lambda: [lists.add([each], "global") for each in coming.pop(0)] if coming else 0
    )
    send(open_spool, api, guard)
    assert api.withheld == 1
    assert guard.asked == ["reserved", "recalled", "reserved", "reserved"]
    assert not any(NUMBERS[8].encode() in body for body in api.bodies)
    assert "".join(open_spool.state(f"d{at}") for at in range(10)) == "ccccccccKc"
    open_spool.check()


def test_calls_are_counted_also_where_the_lists_cleared_all_before_the_cap_was_set(
    open_spool: LedgerUnderTest, client: redis.Redis
):
    Suppression([client], "test").add([NUMBERS[50]], "global")
    guard = CountingGuard(open_spool)
    accept_cleared(open_spool, guard, 0, last=10)
    coming: list[list[Cap]] = [[], [Cap(1, 86400)]]
    api = PlayedApi(lambda: Caps([client], "test").set(coming.pop(0)) if coming else None)
    send(open_spool, api, guard)
    assert api.withheld == 1
    assert guard.asked == ["reserved", "recalled", "reserved"]
    numbers = [f'{{"contact_number":"{NUMBERS[at]}"}}'.encode() for at in range(10)]
    (hit,) = Guard(open_spool.ledger).reserve("default", "", numbers, "another").capped
    assert hit.places == [5, 6, 7, 8, 9]


def test_documents_that_no_list_was_asked_about_have_their_whole_batch_screened(
    open_spool: LedgerUnderTest, client: redis.Redis
):
    Suppression([client], "test").add([NUMBERS[4]], "global")
    guard = Guard(open_spool.ledger)
    accept_cleared(open_spool, guard, 0, last=3)
    others = group(["d3", "d4"])
    others.documents[:] = [
        f'{{"document_id":"d{at}","contact_number":"{NUMBERS[at]}"}}'.encode() for at in (3, 4)
    ]
    open_spool.accept(others)
    taken = open_spool.ledger.take("me:1", ["default"])
    assert taken is not None
    assert taken.count == 5
    assert taken.cleared == ""


def test_what_other_lists_cleared_is_screened_anew(client: redis.Redis):
    spool = LedgerUnderTest(client, batch_size=5, linger_ms=3_600_000)
    lists = Suppression([client], "test")
    lists.add([NUMBERS[50]], "global")
    version = client.hget(f"{GuardKeys().prefix}:meta", "version")
    guard, api = CountingGuard(spool), PlayedApi()
    lists.add([NUMBERS[51]], "global")
    accept_cleared(spool, guard, 0, last=5)
    # Redis forgets what was cleared by, and another number comes onto a list instead.
    client.hset(f"{GuardKeys().prefix}:meta", "version", version)
    lists.add([NUMBERS[2]], "global")
    send(spool, api, guard)
    assert states(spool) == "ccKcc"


def test_while_the_lists_are_gone_nothing_is_cleared_by_none(
    open_spool: LedgerUnderTest, client: redis.Redis
):
    Suppression([client], "test").add([NUMBERS[7]], "global")
    guard = Guard(open_spool.ledger)
    accept_cleared(open_spool, guard, 0, last=5)
    api = PlayedApi(lambda: client.delete(*client.scan_iter("callspool:{guard}:*"), "none"))
    send(open_spool, api, guard)
    accept_cleared(open_spool, guard, 5, last=10)
    send(open_spool, api, guard)
    assert api.bodies == []
    assert "".join(open_spool.state(f"d{at}") for at in range(10)) == "w" * 10


def test_what_was_cleared_rests_where_the_lists_cannot_be_read_before_its_last_byte(
    open_spool: LedgerUnderTest, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
):
    Suppression([client], "test").add([NUMBERS[50]], "global")
    guard, begun = Guard(open_spool.ledger), []
    accept_cleared(open_spool, guard, 0, last=5)
    send(open_spool, PlayedApi(), guard)  # it learns which lists there are
    accept_cleared(open_spool, guard, 5, last=10)

    def be_away(*_: Any) -> Any:
        raise LedgerUnavailable("it is away")

    monkeypatch.setattr(
        guard,
        "_home",
        SimpleNamespace(run=be_away, run_commands=be_away, limits=open_spool.ledger.limits),
    )

    def begin() -> None:
        begun.append(1)
        assert len(begun) < 5, "sent again and again without a rest"

    api = PlayedApi(begin)
    send(open_spool, api, guard)
    assert (len(begun), api.withheld, api.bodies) == (1, 1, [])
    assert client.hget("callspool:{0}:b2", "phase") == b"resting"
