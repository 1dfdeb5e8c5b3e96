"""The lanes in which most documents wait, found among many without reading all of them."""

from __future__ import annotations

from random import Random

import pytest

from callspool.ledger import lanes
from callspool.ledger.readings import Readings
from callspool.ledger.selector import Selector
from callspool_worker.steering import Steering
from tests.support.ledgers import LANE, LedgerUnderTest, group

LANES = [
    LANE._replace(
        space_token=f"S{number % 3}", campaign=f"C{number % 5}", context=f"about {number}"
    )
    for number in range(300)
]
SELECTORS = [
    Selector(),
    Selector(account="default"),
    Selector(account="other"),
    Selector(space_token="S1"),
    Selector(campaign=""),
    Selector(None, "S2", "C3"),
]


@pytest.fixture
def many(spool: LedgerUnderTest) -> LedgerUnderTest:
    chance = Random(7)
    spool.accept(
        *(group([f"crm-{one}" for one in range(chance.randint(1, 4))], lane) for lane in LANES)
    )
    return spool


@pytest.mark.parametrize("most", [1, 7, 1_000])
@pytest.mark.parametrize("selector", SELECTORS, ids=lambda selector: selector.flags)
def test_the_largest_lanes_are_those_that_come_first_among_all(
    selector: Selector, most: int, many: LedgerUnderTest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lanes, "PIECE", 20)
    Steering(many.client, "ann@desk").pause(Selector(campaign="C2"))
    readings = Readings(many.client)
    expected = [lane for lane in readings.lanes() if selector.covers(lane.scope, lane.lane)]
    expected.sort(key=lambda lane: (-lane.waiting, lane.lane))
    found, total = readings.largest(selector, most)
    assert found == expected[:most]
    assert total == len(expected)


def test_of_a_ledger_without_documents_there_are_none(spool: LedgerUnderTest):
    assert Readings(spool.client).largest(Selector(), 5) == ([], 0)
