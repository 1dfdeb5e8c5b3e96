"""What operators pause is not sent, whatever else happens to the gates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callspool.request.identity import Scope
from callspool_ledger.reads.gates import read_gates, read_journal
from callspool_ledger.reads.lanes import read_lanes
from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.summary import read_clock, read_is_quiet, read_summary
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_ledger.steering.calls import SteeringOrder
from callspool_ledger.writes import LaneKey, Limits
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group, steering_calls

ACCOUNTS = ["default", "acme"]
SPRING = LANE._replace(campaign="spring")
ELSEWHERE = LANE._replace(space_token="ELSEWHERE", campaign="spring")
ACME = LANE._replace(account="acme")
LANES = [LANE, SPRING, ELSEWHERE, ACME]


def lane_id(lane: LaneKey) -> str:
    return group(["any"], lane).lane_id


def sent(spool: LedgerUnderTest, name: str = "w") -> set[LaneKey]:
    """The lanes of which something can be taken now."""
    found = set()
    number = 0
    while taken := spool.ledger.take(f"{name}:{number}", ACCOUNTS):
        found.add(taken.lane)
        number += 1
    return found


@pytest.mark.parametrize(
    ("selector", "held"),
    [
        (Selector(), LANES),
        (Selector("default"), [LANE, SPRING, ELSEWHERE]),
        (Selector(space_token="SPACE"), [LANE, SPRING, ACME]),
        (Selector(campaign="spring"), [SPRING, ELSEWHERE]),
        (Selector(campaign=""), [LANE, ACME]),
        (Selector("default", "SPACE"), [LANE, SPRING]),
        (Selector("default", campaign="spring"), [SPRING, ELSEWHERE]),
        (Selector(space_token="SPACE", campaign="spring"), [SPRING]),
        (Selector("acme", "SPACE", ""), [ACME]),
        (Selector(lane=lane_id(ELSEWHERE)), [ELSEWHERE]),
    ],
)
def test_a_pause_holds_what_its_selector_means_and_nothing_else(
    selector: Selector, held: list[LaneKey], spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group(["a"], LANE), group(["a"], ACME))
    done = steer.pause(selector)
    assert not done.already
    spool.accept(group(["a"], SPRING), group(["a"], ELSEWHERE))  # lanes that come later
    assert sent(spool) == set(LANES) - set(held)
    states = {lane.lane: lane.state for lane in steer.reader.ask(read_lanes())}
    assert {lane_id(lane) for lane in held} == {
        lane for lane, state in states.items() if state == "paused"
    }
    assert steer.reader.ask(read_summary()).lanes["paused"] == len(held)
    assert steer.resume(selector).opened == [done.gate]
    assert sent(spool, "again") == set(held)
    assert not spool.client.keys(f"{P}:parked:*")


def test_pausing_and_resuming_twice_is_harmless_and_says_so(
    spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group(["a", "b"]))
    assert steer.pause(Selector("default")) == steer.pause(Selector("default"))._replace(
        already=False
    )
    assert steer.pause(Selector("default")).already
    assert len(steer.resume(Selector("default")).opened) == 1
    again = steer.resume(Selector("default"))
    assert (again.opened, again.still) == ([], [])
    assert [entry.command for entry in steer.reader.ask(read_journal(9))] == ["resume", "pause"]
    assert [entry.documents for entry in steer.reader.ask(read_journal(9))] == [2, 2]


def test_resuming_more_than_was_paused_opens_all_of_it_and_less_says_what_still_holds(
    spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group(["a"], SPRING))
    wide, narrow = Selector("default"), Selector("default", campaign="spring")
    steer.pause(wide)
    less = steer.resume(narrow)
    assert less.opened == []
    assert [gate.selector for gate in less.still] == [wide]
    steer.pause(narrow)
    steer.pause(Selector(lane=lane_id(SPRING)))
    assert len(steer.resume(Selector()).opened) == 3
    assert sent(spool) == {SPRING}


def test_what_is_parked_and_paused_is_parked_with_its_reason_after_the_pause(
    spool: LedgerUnderTest, steer: Steering
):
    limits = Limits(first_probe_ms=0, last_probe_ms=0)
    spool.accept(group(["a"]), group(["b"], SPRING))
    park = calls.park(Limits(), "account:default", reason="Invalid token.", code="401")
    spool.ledger.run([park])
    assert sent(spool) == set()
    steer.pause(Selector())
    for _ in range(4):  # its probes come and go: every lane waits behind the pause by then
        spool.client.zadd(f"{P}:due", {"Gaccount:default": 0})
        spool.ledger.run([calls.sweep(limits)])
        assert sent(spool) == set()
    resumed = steer.resume(Selector(space_token="SPACE", campaign="none of them"))
    assert {gate.kind for gate in resumed.still} == {"paused", "parked"}
    (pause,) = [gate for gate in steer.reader.ask(read_gates()) if gate.kind == "paused"]
    spool.client.hdel(f"{P}:pauses", pause.name)
    (gate,) = steer.reader.ask(read_gates())
    assert (gate.kind, gate.reason, gate.code) == ("parked", "Invalid token.", "401")


def test_resume_opens_what_workers_parked_within_its_selector(
    spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group(["a"]), group(["b"], ACME), group(["c"], SPRING))
    for gate in ("account:acme", "space:default|SPACE", f"lane:{lane_id(SPRING)}"):
        spool.ledger.run([calls.park(Limits(), gate, reason="no", code="403")])
    assert sent(spool) == set()
    assert [gate.name for gate in steer.resume(Selector("acme")).opened] == ["account:acme"]
    assert sent(spool, "acme") == {ACME}
    opened = steer.resume(Selector(campaign="spring"))
    assert [gate.name for gate in opened.opened] == [f"lane:{lane_id(SPRING)}"]
    assert [gate.name for gate in opened.still] == ["space:default|SPACE"]
    assert len(steer.resume(Selector()).opened) == 1
    assert sent(spool, "rest") == {LANE, SPRING}


def test_more_lanes_than_one_call_frees_are_freed_by_the_sweep_unless_paused_again(
    spool: LedgerUnderTest, steer: Steering
):
    lanes = [LANE._replace(context=f"Reason {number}") for number in range(30)]
    spool.accept(*(group([f"c{at}"], lane) for at, lane in enumerate(lanes)))
    steer.pause(Selector())
    assert sent(spool) == set()
    gates = steer.reader.ask(read_gates())
    asked = SteeringOrder("ann@desk", Selector())
    spool.ledger.run([steering_calls.resume(asked, 0, gates, lanes=5)])
    assert len(sent(spool, "first")) == 5
    steer.pause(Selector())
    spool.ledger.run([calls.sweep(Limits())])
    assert sent(spool, "second") == set()
    spool.ledger.run([steering_calls.resume(asked, 0, gates, lanes=5)])
    spool.ledger.run([calls.sweep(Limits())])
    assert len(sent(spool, "third")) == 25
    spool.check()


def test_a_story_tells_the_pause_and_the_command_that_ends_it(
    spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group(["a"], SPRING))
    steer.pause(Selector(space_token="SPACE", campaign="spring"))
    (story,) = steer.reader.ask(read_stories("a"))
    assert "paused by ann@desk" in story.next_step
    assert "callspool resume --space-token SPACE --campaign spring" in story.next_step
    assert [entry.command for entry in story.journal] == ["pause"]
    steer.pause(Selector("acme"))
    assert len(steer.reader.ask(read_stories("a"))[0].journal) == 1
    assert story.scope == Scope("default", "SPACE", "spring")


def test_the_journal_keeps_the_last_thousand_entries(spool: LedgerUnderTest, steer: Steering):
    for _ in range(502):
        steer.pause(Selector("acme"))
        steer.resume(Selector("acme"))
    assert spool.client.hlen(f"{P}:journal") == 1000
    entries = steer.reader.ask(read_journal(2000))
    assert len(entries) == 1000
    assert entries[0].number == 1004
    assert (entries[0].command, entries[1].command) == ("resume", "pause")


def test_a_pause_ends_when_it_was_to_end_and_says_why_it_was(
    spool: LedgerUnderTest, steer: Steering
):
    spool.accept(group(["a"]))
    end = steer.reader.ask(read_clock()) + 3_600_000
    done = steer.pause(Selector(), "the list is wrong", end)
    assert done.gate.note == "the list is wrong"
    assert done.gate.until == datetime.fromtimestamp(end / 1000, UTC)
    spool.ledger.run([spool.ledger.calls.sweep(spool.ledger.limits)])
    assert not sent(spool)
    assert steer.reader.ask(read_is_quiet(["default"]))
    spool.client.zadd(f"{P}:due", {"P" + done.gate.name: 0})
    spool.ledger.run([spool.ledger.calls.sweep(spool.ledger.limits)])
    assert steer.reader.ask(read_gates()) == []
    assert sent(spool) == {LANE}
    ended, made = steer.reader.ask(read_journal(2))
    assert (made.command, made.note) == ("pause", "the list is wrong")
    assert (ended.command, ended.selector, ended.opened) == ("resume", Selector(), 1)


def test_an_end_that_was_taken_back_ends_no_later_pause(spool: LedgerUnderTest, steer: Steering):
    steer.pause(Selector("default"), "", 1)  # due at once
    steer.resume(Selector("default"))
    first = steer.pause(Selector("default"))
    again = steer.pause(Selector("default"), "for good")
    spool.ledger.run([spool.ledger.calls.sweep(spool.ledger.limits)])
    (gate,) = steer.reader.ask(read_gates())
    assert (first.already, again.already) == (False, True)
    assert (gate.note, gate.until, gate.since) == ("for good", None, first.gate.since)
