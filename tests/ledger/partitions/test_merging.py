"""What several partitions say, made one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis

from callspool.request.identity import Scope
from callspool_ledger.reads import dead, doubts, gates, lanes, lookup, snapshot, summary
from callspool_ledger.reads.gates import merge_gates, merge_journals, read_journal
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.reading import Reading
from callspool_ledger.reads.views import GateView, JournalEntry, Reason
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Doubts, Steering

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SCOPE = Scope("default", "SPACE")
OF_SEVERAL = [
    dead.read_dead(Selector(), 5),
    dead.read_refused(5),
    dead.read_unreadable(5),
    doubts.read_doubt("c1", Selector()),
    doubts.read_doubtful_spaces(Selector()),
    doubts.read_doubts(Selector(), 5),
    doubts.read_is_proving(["default"]),
    gates.read_gates(),
    gates.read_journal(5),
    lanes.read_lane_scopes(["lane"]),
    lanes.read_lanes(),
    lanes.read_oldest(["lane"]),
    lanes.read_one_document_lanes(),
    lanes.read_top_lanes(Selector(), "oldest", 5),
    lanes.read_top_lanes(Selector(), "waiting", 5),
    lookup.read_scopes(),
    lookup.read_stories("c1"),
    snapshot.read_accounts(),
    snapshot.read_limits(["default"]),
    summary.read_clock(),
    summary.read_is_quiet(["default"]),
    summary.read_partitions(),
    summary.read_reasons(),
    summary.read_summary(),
]
OF_ONE_SPACE = [
    lookup.read_batches([1]),
    lookup.read_by_digest([b"123456789012"], ["c1"]),
    lookup.read_places([b"123456789012"]),
    lookup.read_statuses(SCOPE, ["c1"]),
    summary.read_has_accepted((1, 1)),
    summary.read_last_message(),
]


def entry(seconds: float, documents: int = 0, by: str = "ann", **more: object) -> JournalEntry:
    selector = Selector(campaign="spring")
    at = NOON + timedelta(seconds=seconds)
    return JournalEntry(1, at, by, "pause", selector, documents=documents, **more)


def gate(kind: str, selector: Selector, seconds: float = 0, **more: object) -> GateView:
    at = NOON + timedelta(seconds=seconds)
    return GateView(selector.name, selector, kind, "", "", at, **more)


@pytest.mark.parametrize("reading", OF_SEVERAL)
def test_whatever_one_partition_can_be_asked_all_can(reading: Reading[object], client: redis.Redis):
    one, every = LedgerReader(client).ask(reading), LedgerReader(*[client] * 3).ask(reading)
    assert type(one) is type(every)


@pytest.mark.parametrize("reading", OF_ONE_SPACE)
def test_what_is_known_of_one_space_alone_is_not_asked_of_all(
    reading: Reading[object], client: redis.Redis
):
    reader = LedgerReader(*[client] * 3)
    with pytest.raises(TypeError, match="of_space"):
        reader.ask(reading)
    of_space = reader.of_space("default", "SPACE")
    assert of_space.ask(reading) == LedgerReader(client).ask(reading)


def test_a_deed_in_several_partitions_is_one_entry():
    here = [entry(120, 5), entry(0, 1)]
    there = [entry(120.4, 7), entry(0.2, 2, by="ben")]
    found = merge_journals([here, there])
    assert [(one.by, one.documents) for one in found] == [("ann", 12), ("ben", 2), ("ann", 1)]


def test_the_same_done_again_stays_two_entries():
    assert len(merge_journals([[entry(20), entry(0)], []])) == 2
    assert len(merge_journals([[entry(0)], [entry(3600)]])) == 2


def test_a_gate_in_several_partitions_is_one_since_it_was_first_closed():
    everything, account = Selector(), Selector(account="sales")
    parts = [
        [gate("paused", everything, 5), gate("parked", account, 9, passing=True)],
        [gate("paused", everything, 3), gate("parked", account, 7)],
    ]
    paused, parked = merge_gates(parts)
    assert (paused.kind, paused.since) == ("paused", NOON + timedelta(seconds=3))
    assert (parked.kind, parked.since, parked.passing) == (
        "parked",
        NOON + timedelta(seconds=7),
        False,
    )


def test_reasons_are_added_up_and_the_most_frequent_comes_first():
    found = summary.merge_reasons(
        [[Reason("dead", "a", 2), Reason("dead", "b", 3)], [Reason("dead", "a", 2)]]
    )
    assert found == [Reason("dead", "a", 4), Reason("dead", "b", 3)]


def test_operators_change_every_partition_and_say_where_one_is_away(client: redis.Redis):
    steer = Steering([client] * 3, "ann")
    decide = Doubts([client] * 3, "ann")
    selector = Selector(campaign="spring")
    assert not steer.pause(selector).already
    assert steer.pause(selector).already
    assert len(client.keys("callspool:{*}:pauses")) == 3
    assert len(steer.reader.ask(read_journal(10))) == 1
    assert steer.resume(selector).opened[0].selector == selector
    assert decide.confirm(Selector()) == decide.resend(Selector()) == steer.cancel(selector) == 0
    of_one_space = Selector(account="default", space_token="SPACE")
    steer.pause(of_one_space)
    assert len(client.keys("callspool:{*}:pauses")) == 1
