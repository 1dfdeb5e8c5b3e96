"""What several partitions say, made one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis

from callspool_ledger.reads import merging
from callspool_ledger.reads.all_partitions import ReadingsOfAll, readings_of
from callspool_ledger.reads.reader import Readings
from callspool_ledger.reads.views import GateView, JournalEntry, Reason
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import doubts_of, steering_of
from callspool_ledger.steering.all_partitions import DoubtsOfAll, SteeringOfAll
from callspool_ledger.steering.doubts import Doubts
from callspool_ledger.steering.steering import Steering

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OF_ONE_SPACE = {"by_digest", "places", "batches", "last_message", "has_accepted"}
MADE_OF_OTHERS = {"document", "gates_before"}


def entry(seconds: float, documents: int = 0, by: str = "ann", **more: object) -> JournalEntry:
    selector = Selector(campaign="spring")
    at = NOON + timedelta(seconds=seconds)
    return JournalEntry(1, at, by, "pause", selector, documents=documents, **more)


def gate(kind: str, selector: Selector, seconds: float = 0, **more: object) -> GateView:
    at = NOON + timedelta(seconds=seconds)
    return GateView(selector.name, selector, kind, "", "", at, **more)


def public(kind: type) -> set[str]:
    return {name for name, found in vars(kind).items() if name[0] != "_" and callable(found)}


@pytest.mark.parametrize(
    ("one", "every"), [(Readings, ReadingsOfAll), (Steering, SteeringOfAll), (Doubts, DoubtsOfAll)]
)
def test_whatever_one_partition_can_be_asked_all_can(one: type, every: type):
    assert public(one) - public(every) - OF_ONE_SPACE - MADE_OF_OTHERS == set()


def test_what_is_known_of_one_space_alone_is_not_asked_of_all(client: redis.Redis):
    readings = readings_of([client] * 3)
    with pytest.raises(TypeError, match="of_space"):
        readings.places([b"123456789012"])
    assert readings.of_space("default", "SPACE").places([b"123456789012"]) == [None]


def test_a_deed_in_several_partitions_is_one_entry():
    here = [entry(120, 5), entry(0, 1)]
    there = [entry(120.4, 7), entry(0.2, 2, by="ben")]
    found = merging.one_journal([here, there])
    assert [(one.by, one.documents) for one in found] == [("ann", 12), ("ben", 2), ("ann", 1)]


def test_the_same_done_again_stays_two_entries():
    assert len(merging.one_journal([[entry(20), entry(0)], []])) == 2
    assert len(merging.one_journal([[entry(0)], [entry(3600)]])) == 2


def test_a_gate_in_several_partitions_is_one_since_it_was_first_closed():
    everything, account = Selector(), Selector(account="sales")
    parts = [
        [gate("paused", everything, 5), gate("parked", account, 9, passing=True)],
        [gate("paused", everything, 3), gate("parked", account, 7)],
    ]
    paused, parked = merging.one_list_of_gates(parts)
    assert (paused.kind, paused.since) == ("paused", NOON + timedelta(seconds=3))
    assert (parked.kind, parked.since, parked.passing) == (
        "parked",
        NOON + timedelta(seconds=7),
        False,
    )


def test_reasons_are_added_up_and_the_most_frequent_comes_first():
    found = merging.one_list_of_reasons(
        [[Reason("dead", "a", 2), Reason("dead", "b", 3)], [Reason("dead", "a", 2)]]
    )
    assert found == [Reason("dead", "a", 4), Reason("dead", "b", 3)]


def test_operators_change_every_partition_and_say_where_one_is_away(client: redis.Redis):
    steer = steering_of([client] * 3, "ann")
    doubts = doubts_of([client] * 3, "ann")
    selector = Selector(campaign="spring")
    assert not steer.pause(selector).already
    assert steer.pause(selector).already
    assert len(client.keys("callspool:{*}:pauses")) == 3
    assert len(steer.readings.journal(10)) == 1
    assert steer.resume(selector).opened[0].selector == selector
    assert doubts.confirm(Selector()) == doubts.resend(Selector()) == steer.cancel(selector) == 0
    of_one_space = Selector(account="default", space_token="SPACE")
    steer.pause(of_one_space)
    assert len(client.keys("callspool:{*}:pauses")) == 1
