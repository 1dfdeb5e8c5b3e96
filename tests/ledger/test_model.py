"""The real scripts, driven at random, against a ledger in plain Python that knows no Redis."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from callspool.redis_io.scripts import Call
from callspool.request.identity import Scope
from callspool_ledger.reads.entries import BatchEntry
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.views import OUTCOME_LETTERS, OUTCOMES, CallRecord, add_lost_sight
from callspool_ledger.selectors import Selector
from callspool_ledger.steering.calls import SteeringOrder
from callspool_ledger.writes import Delivery, Group, LaneKey, Limits, Look, Taken
from callspool_ledger.writes.follow_calls import pass_of, recorded_of
from tests.ledger.feed_check import FeedCheck
from tests.ledger.model import UNSETTLED, Attempt, Document, Model
from tests.ledger.snapshot import Snapshot
from tests.ledger.steps import (
    ACCOUNTS,
    LANE_IDS,
    LANES,
    LATER,
    LONG_AGO,
    MUCH_LATER,
    DrawnGroup,
    Step,
    draw_step,
    steps,
)
from tests.support.ledgers import LedgerUnderTest, P, calls, digest, steering_calls

EXAMPLES = os.environ.get("CALLSPOOL_TEST_MODEL_EXAMPLES")
"""How many examples to draw, new ones each time; without it a few, always the same."""


class LedgerMachine(RuleBasedStateMachine):
    """Every step is done to both ledgers; they have to agree after each."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        client.flushall()
        self.client = client
        spool = LedgerUnderTest(client, batch_size=5, batch_bytes=2000, linger_ms=0)
        self.spool, self.ledger = spool, spool.ledger
        self.model = Model()
        self.accepted: list[Delivery] = []
        self.made = 0
        self.paused: set[Selector] = set()
        self.reader = LedgerReader(client)
        self.feed = FeedCheck(self.reader)

    @rule(step=steps)
    def step(self, step: Step) -> None:
        name, *details = step
        getattr(self, str(name))(*details)

    def run(self, call: Call) -> Any:
        return self.ledger.run([call])[0]

    # From acceptance to a take

    def accept(self, groups: list[DrawnGroup]) -> None:
        """Messages of two groups at most, and one that was accepted before."""
        messages = [groups[at : at + 2] for at in range(0, len(groups), 2)]
        deliveries = [self.spool.deliver(map(self.group, message)) for message in messages]
        replies = self.ledger.accept([*deliveries, *self.accepted[-1:]])
        for delivery, reply in zip(deliveries, replies, strict=False):
            found = (reply.accepted, reply.duplicate, reply.conflict)
            assert found == self.model.accept(delivery.groups)
        assert all(reply.known for reply in replies[len(deliveries) :])
        self.accepted += deliveries

    def group(self, drawn: DrawnGroup) -> Group:
        lane, first, count, what = drawn
        names = [f"c{number % 25}" for number in range(first, first + count)]
        if what == "twice":
            names += names[:2]
        about = "x" * (200 if what == "large" else 0)
        texts = [
            f'{{"document_id":"{name}","made":{made},"about":"{about}"}}'
            for made, name in enumerate(names, self.made)
        ]
        # One id has two numbers by turns; a worker of an earlier version tells none.
        made = range(self.made, self.made + len(names))
        numbers = [] if what == "later" else [bytes([0, 0, 0, 1 + each // 7 % 2]) for each in made]
        self.made += len(names)
        return Group(
            lane_id=LANE_IDS[lane],
            lane=lane,
            empty_body_bytes=100,
            digests=[digest(name, lane) for name in names],
            documents=[text.encode() for text in texts],
            expires_ms={"too late": LONG_AGO, "late": LATER, "later": MUCH_LATER}.get(what, 0),
            reason="it is too large" if what == "dead" else "",
            numbers=numbers,
        )

    def limit(self, size: int, size_bytes: int, linger_ms: int) -> None:
        self.ledger.limits = Limits(size, size_bytes, linger_ms, first_probe_ms=60_000)

    def take(self, taker: str, accounts: Sequence[str]) -> Taken | None:
        """One that has not reported yet asks because a reply was lost, and gets the same."""
        held = self.model.held_by(taker)
        closed = {gate: json.loads(one) for gate, one in self.hash("gates").items()}
        throttled = self.hash("throttled")
        taken = self.ledger.take(taker, accounts)
        if held:
            assert taken is not None
            assert replace(taken, refused_alone=0) == replace(held.taken, refused_alone=0)
            return taken
        if taken is not None:
            assert taken.lane.account in accounts
            assert taken.lane.account not in throttled
            self.check_gates(taken, closed)
            self.check_size(taken)
            self.model.take(taken)
        self.expire()
        return taken

    def hash(self, name: str) -> dict[str, str]:
        found = self.client.hgetall(f"{P}:{name}")
        return {key.decode(): value.decode() for key, value in found.items()}

    def check_gates(self, taken: Taken, closed: dict[str, dict[str, object]]) -> None:
        """It stands behind no closed gate, or tries one; never one that is not to be tried."""
        account, space, *_ = taken.lane
        gates = [f"account:{account}", f"space:{account}|{space}", f"lane:{taken.lane_id}"]
        before = [gate for gate in gates if gate in closed]
        assert all(closed[gate]["probe"] == "ready" for gate in before)
        scope = Scope(*taken.lane[:3])
        assert not any(one.covers(scope, taken.lane_id) for one in self.paused)
        assert taken.gate in (before or [""])

    def check_size(self, taken: Taken) -> None:
        limits = self.ledger.limits
        assert taken.count <= limits.batch_size
        documents = len(taken.documents) - (taken.count - 1)
        body = 100 + documents + taken.count * limits.bytes_a_document
        assert taken.count == 1 or body <= limits.batch_bytes

    def expire(self) -> None:
        """A take expires what is over its time; whether it came across it is its own affair."""
        for document in self.model.documents:
            if document.letter == "w" and document.expires_ms == LONG_AGO:
                number, place = document.place
                if self.client.hget(f"{P}:b{number}", "s")[place : place + 1] == b"e":
                    document.letter = "e"

    # What becomes of an attempt; of one that is over, only its success still counts

    def report(self, what: str, which: int) -> None:
        """Of one of the attempts that it may concern, or else of one that it does not."""
        name, *details = what.split()
        in_doubt = name in {"resend", "proven", "bury_missing"}
        wanted = "over" if name == "created_late" else "doubt" if in_doubt else "sending"
        attempts = [one for one in self.model.attempts if one.state == wanted and not one.is_proven]
        for attempt in (attempts or self.model.attempts)[-1 - which :][:1]:
            getattr(self, name)(attempt, *map(int, details))

    def created_late(self, attempt: Attempt) -> None:
        self.created(attempt)

    def created(self, attempt: Attempt) -> None:
        if not self.client.exists(f"{P}:b{attempt.taken.batch}"):
            assert not any(document.letter in UNSETTLED for document in attempt.documents)
            attempt.proven = set(range(len(attempt.documents)))
        reply = self.answer(attempt, attempt.run_id, attempt.task_ids)
        if reply[0] == -2:  # it may be that of another request
            assert attempt.taken.lane.account in self.model.mixed
            assert reply[1:] == [max(0, self.model.end(attempt, "d")), 0]
            return
        assert (max(0, reply[0]), reply[1]) == tuple(self.model.prove(attempt))
        attempt.is_named = True

    def answer(self, attempt: Attempt, run_id: str, task_ids: list[str]) -> Any:
        ids = attempt.taken.quoted_ids if attempt.number % 2 else b""
        return self.run(calls.record_created(attempt.taken, run_id, task_ids, "200", b"{}", ids))

    def mix_up(self, _: str, which: int) -> None:
        """A request gets the answer to another one, which is known in time, or is not."""
        sending = [one for one in self.model.attempts if one.state == "sending"]
        named = [one for one in self.model.attempts if one.is_named and one.state != "sending"]
        named.sort(key=self.is_fresh)
        for attempt in sending[-1 - which :][:1]:
            for other in named[-1:]:
                is_fresh = self.is_fresh(other)
                task_ids = (other.task_ids * len(attempt.documents))[: len(attempt.documents)]
                reply = self.answer(attempt, other.run_id, task_ids)
                doubtful = self.model.distrust(other) if is_fresh else 0
                assert reply == [-2, self.model.end(attempt, "d"), doubtful]
                self.model.mixed.add(attempt.taken.lane.account)

    def is_fresh(self, attempt: Attempt) -> bool:
        """Whether a batch is kept whole, should the answer to this attempt be distrusted."""
        phase, last = self.client.hmget(f"{P}:b{attempt.taken.batch}", "phase", "attempt")
        return (phase, last) == (b"fresh", str(attempt.number).encode())

    def trust(self) -> None:
        """Ten minutes go by."""
        self.client.delete(f"{P}:mixed")
        self.model.mixed.clear()

    def proven(self, attempt: Attempt, half: int) -> None:
        """Reading back finds every other document of an attempt that is not under way."""
        if attempt.state == "sending" or not self.client.exists(f"{P}:b{attempt.taken.batch}"):
            return
        found = range(half, len(attempt.documents), 2)
        places = [attempt.taken.places[at] for at in found]
        mask = "".join("1" if at in places else "0" for at in range(len(attempt.taken.states)))
        call = calls.record_proven(
            attempt.taken.batch,
            attempt.number,
            attempt.taken.seal,
            run_id=attempt.run_id,
            ids=[attempt.task_ids[at] for at in found],
            places=mask,
            claim=False,
        )
        assert self.run(call) == list(self.model.prove(attempt, found))
        attempt.is_named = True

    def put_back(self, attempt: Attempt, delay_ms: int) -> None:
        call = calls.put_back(attempt.taken, tries=1, delay_ms=delay_ms, outcome="rejected")
        assert self.run(call) == self.model.end(attempt, "w")

    def split(self, attempt: Attempt) -> None:
        call = calls.split(attempt.taken, tries=0, outcome="rejected", code="400", detail="no")
        assert self.run(call) == self.model.end(attempt, "w")

    def defer(self, attempt: Attempt, one_in: int) -> None:
        """Some numbers of an attempt, or all of them, were called often enough."""
        places = attempt.taken.places[::one_in]
        groups = [(MUCH_LATER, "1|86400000|account", some) for some in (places[:2], places[2:])]
        ended = self.model.end(attempt, "w")
        waiting = [document for document in attempt.documents[::one_in] if document.letter == "w"]
        assert self.run(calls.defer(attempt.taken, groups)) == (
            ended if ended < 0 else len(waiting)
        )

    def doubt(self, attempt: Attempt) -> None:
        call = calls.doubt(attempt.taken, outcome="no_answer", code="", detail="no", proof=b"{}")
        assert self.run(call) == self.model.end(attempt, "d")

    def lapse(self, attempt: Attempt) -> None:
        taken = attempt.taken
        call = calls.lapse(taken.taker, f"{taken.batch}:{taken.attempt}", "gone")
        ended = self.model.end(attempt, "d")
        reply = self.run(call)
        assert (reply[0] if reply else -1) == ended

    def bury(self, attempt: Attempt) -> None:
        call = calls.bury(attempt.taken, outcome="rejected", code="400", detail="no")
        assert self.run(call) == self.model.end(attempt, "x")

    def bury_missing(self, attempt: Attempt) -> None:
        batch, number = attempt.taken.batch, attempt.number
        self.run(calls.observe(batch, number, found="nothing", held=""))
        stale, fresh = Look(0, "nothing"), Look(2**42, "nothing")
        assert self.run(calls.bury_missing(batch, number, stale, "no")) == -1
        call = calls.bury_missing(batch, number, fresh, "no")
        assert self.run(call) == self.model.end_doubt(attempt, "x")

    def resend(self, attempt: Attempt, size: int) -> None:
        batch, number = attempt.taken.batch, attempt.number
        call = calls.resend(batch, number, delay_ms=60_000, size=size, tries=1)
        assert self.run(call) == self.model.end_doubt(attempt, "w")

    # Gates, and time that passes

    def park(self, gate: str) -> None:
        self.run(calls.park(self.ledger.limits, gate, reason="401", code="401"))

    def open(self, gate: str) -> None:
        self.run(calls.open_gate(gate, lanes=1))

    # What operators do

    def pause(self, selector: Selector) -> None:
        new, _ = self.run(steering_calls.pause(self.asked(selector)))
        assert bool(new) != (selector in self.paused)
        self.paused.add(selector)

    def resume(self, selector: Selector) -> None:
        scopes = {LANE_IDS[lane]: Scope(*lane[:3]) for lane in LANES}
        gates = self.reader.ask(read_gates())
        inside = [gate for gate in gates if selector.contains(gate.selector, scopes)]
        step = steering_calls.resume(self.asked(selector), 0, inside, lanes=1)
        assert self.run(step)[1:] == [1] * len(inside)
        self.paused -= {gate.selector for gate in inside}

    def cancel(self, selector: Selector) -> None:
        asked = self.asked(selector)
        done = sum(
            self.run(steering_calls.cancel(asked, account, "0", "0", 0, 1000))[1]
            for account in ACCOUNTS
        )
        assert done == self.model.change(selector, "w", "k")

    def replay(self, selector: Selector) -> None:
        step = steering_calls.replay(self.asked(selector), "0", "0", 0, 1000)
        assert self.run(step)[1] == self.model.change(selector, "x", "w")

    def drop(self, selector: Selector) -> None:
        step = steering_calls.drop(self.asked(selector), "0", "0", 0, 1000)
        assert self.run(step)[1] == self.model.change(selector, "x", "X")

    def cancel_one(self, lane: LaneKey, number: int) -> None:
        self.change_one(steering_calls.cancel_one, lane, number, "w", "k")

    def replay_one(self, lane: LaneKey, number: int) -> None:
        self.change_one(steering_calls.replay_one, lane, number, "x", "w")

    def drop_one(self, lane: LaneKey, number: int) -> None:
        self.change_one(steering_calls.drop_one, lane, number, "x", "X")

    def change_one(
        self, verb: Callable[..., Call], lane: LaneKey, number: int, old: str, new: str
    ) -> None:
        name = digest(f"c{number}", lane)
        known = self.model.known.get(name)
        letter = known.letter if known else ""
        found, done, _ = self.run(verb(self.asked(Selector(), f"c{number}"), name, 0))
        assert found.decode() == letter
        assert done == (letter == old)
        if known and done:
            known.letter = new

    def asked(self, selector: Selector, document_id: str | None = None) -> SteeringOrder:
        return SteeringOrder("ann@desk", selector, document_id)

    def throttle(self, account: str) -> None:
        self.run(calls.throttle(account, 60_000))

    def sweep(self) -> None:
        self.run(calls.sweep(self.ledger.limits))

    def make_everything_due(self) -> None:
        due = self.client.zrange(f"{P}:due", 0, -1)
        if due:
            self.client.zadd(f"{P}:due", dict.fromkeys(due, 0))
        self.client.delete(f"{P}:throttled")
        self.run(calls.sweep(Limits(linger_ms=0, first_probe_ms=60_000)))

    def open_all(self) -> None:
        for gate in self.hash("gates"):
            self.open(gate)
        self.resume(Selector())

    def let_documents_expire(self) -> None:
        for number, batch in Snapshot(self.client).all_batches():
            if f":{LATER}," in batch.get("x", ""):
                expiries = batch["x"].replace(f":{LATER},", f":{LONG_AGO},")
                fields = {"x": expiries, "soonest": LONG_AGO}
                self.client.hset(f"{P}:b{number}", mapping=fields)
        for document in self.model.documents:
            if document.expires_ms == LATER:
                document.expires_ms = LONG_AGO

    # Calls of created documents

    def look_at_calls(self, letters: str) -> None:
        """A look shows something of every call that is followed."""
        if spaces := self.client.zrange(f"{P}:follows", 0, -1):
            self.client.zadd(f"{P}:follows", dict.fromkeys(spaces, 0))
        found = pass_of(self.run(calls.follow("me:follow", 60_000, ACCOUNTS)))
        if found is None:
            return
        by_place = {one.place: one for one in self.model.documents if not one.forgotten}
        for unit in found.oldest:
            fields = self.client.hgetall(f"{P}:b{unit.batch}")
            batch = BatchEntry({name.decode(): one for name, one in fields.items()})
            news = {}
            for place, letter in enumerate(batch.states):
                if letter == "c":
                    outcome = OUTCOME_LETTERS[letters[place % len(letters)]]
                    news[place] = outcome, CallRecord("completed", outcome, 1, 5, 9, 4)
            call = calls.record_calls(
                "me:follow",
                found.key,
                unit.batch,
                memory="{}",
                again_ms=None if len(letters) % 2 else 60_000,
                news=news,
            )
            recorded = recorded_of(self.run(call))
            for place, (outcome, _) in news.items():
                document = by_place[unit.batch, place]
                if outcome != "open":
                    document.outcome = outcome
            assert recorded is not None
        assert self.run(calls.end_following("me:follow", found.key, 60_000)) == 1

    def forget_all(self) -> None:
        self.forget(30)

    def forget(self, times: int = 1) -> None:
        """With a window of no length: everything that is settled may be forgotten at once."""
        self.ledger.run([calls.forget(0, 7000)] * times)
        snapshot = Snapshot(self.client)
        self.model.forget(set(snapshot.batches), set(snapshot.identities()))

    # What has to be true after every step

    @invariant()
    def both_ledgers_agree(self) -> None:
        snapshot = Snapshot(self.client)
        snapshot.check()
        kept, identities = snapshot.documents(), snapshot.identities()
        self.model.find(kept)
        for document in self.model.documents:
            assert (document.raw in kept) == (document.letter in UNSETTLED)
            if not document.forgotten:
                self.check_document(document, snapshot)
        known = {name: document.place for name, document in self.model.known.items()}
        assert identities == known
        for account in ACCOUNTS:
            self.check_counts(account)
        self.feed.check(self.model.documents)

    def check_document(self, document: Document, snapshot: Snapshot) -> None:
        number, place = document.place
        batch = snapshot.batches[number]
        assert batch.letter(place) == document.letter
        if document.letter == "c":
            first = min(document.proofs)
            assert batch.proof(place) == (f"R{first}", document.proofs[first], first)
            assert batch.created_ms(place) > 0
            if not document.outcome:
                document.outcome = batch.outcome(place) or ""
                assert document.outcome in {"open", "lost_sight"}
            assert batch.outcome(place) == document.outcome

    def check_counts(self, account: str) -> None:
        counts, letters = self.spool.counts(account), self.model.states(account)
        assert counts["accepted"] == letters.total()
        assert {state: counts[state] for state in letters} == letters
        outcomes = self.model.outcomes(account)
        counted = {name: counts[name] for name in OUTCOMES if name != "lost_sight"}
        assert add_lost_sight(counted, counts["created"]) == {
            one: outcomes[one] for one in OUTCOMES
        }
        for event in ("duplicate", "conflict", "created_twice", "runs"):
            assert counts[event] == self.model.events[account, event]

    def teardown(self) -> None:
        """Nothing is stranded: with all gates open and everything due, all documents are sent."""
        self.trust()
        for attempt in self.model.attempts:
            if attempt.state != "over":
                self.report_at_last(attempt)
        self.open_all()
        for _ in range(3):
            self.make_everything_due()
            self.both_ledgers_agree()
            while self.take("me:9", ACCOUNTS):
                self.both_ledgers_agree()
                self.created(self.model.attempts[-1])
        self.both_ledgers_agree()
        assert not {document.letter for document in self.model.documents} & set("wsd")
        snapshot = Snapshot(self.client)
        for family in ("ring", "parked", "sending"):
            assert not snapshot.all(family)

    def report_at_last(self, attempt: Attempt) -> None:
        if attempt.state == "sending":
            self.created(attempt)
        else:
            self.resend(attempt, 3)


def test_the_scripts_do_what_a_ledger_in_plain_python_does(client: redis.Redis):
    run_state_machine_as_test(
        lambda: LedgerMachine(client),
        settings=settings(
            max_examples=int(EXAMPLES or 40),
            stateful_step_count=50,
            deadline=None,
            derandomize=EXAMPLES is None,
            database=None,
            phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_what_is_created_again_after_it_was_taken_back_is_told_under_another_id(
    client: redis.Redis,
) -> None:
    machine = LedgerMachine(client)
    for number in (18446744073709551615, 1, 21, 418, 1882977, 4228):
        machine.step(draw_step(number))
        machine.both_ledgers_agree()
