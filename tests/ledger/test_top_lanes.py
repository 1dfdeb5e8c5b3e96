"""The lanes that come first, found among many without reading all of them."""

from __future__ import annotations

import time
from random import Random

import pytest

from callspool_ledger.reads import lanes
from callspool_ledger.reads.lanes import LaneOrder, read_lanes, read_oldest, read_top_lanes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_clock
from callspool_ledger.reads.views import LaneView
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from tests.support.ledgers import LANE, LedgerUnderTest, calls, group

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
def many(spool: LedgerUnderTest, monkeypatch: pytest.MonkeyPatch) -> LedgerUnderTest:
    """Lanes of different ages and sizes; of some the oldest batch rests, one is paused."""
    monkeypatch.setattr(lanes, "PIECE", 20)
    chance = Random(7)
    for at in range(0, len(LANES), 50):
        spool.accept(
            *(
                group([f"crm-{one}" for one in range(chance.randint(1, 4))], lane)
                for lane in LANES[at : at + 50]
            )
        )
        time.sleep(0.002)
    for number in range(9):
        taken = spool.ledger.take(f"me:{number}", ["default"])
        assert taken is not None
        delay = 60_000 if number % 3 else 0
        spool.ledger.run([calls.put_back(taken, tries=1, delay_ms=delay)])
        if number % 3 == 1:
            spool.accept(group(["crm-later"], LANES[number]))
    spool.ledger.take("sends", ["default"])
    Steering([spool.client], "ann@desk").pause(Selector(campaign="C2"))
    return spool


def in_order(reader: LedgerReader, selector: Selector, order: LaneOrder) -> list[LaneView]:
    """What reading every lane tells."""
    found = [lane for lane in reader.ask(read_lanes()) if selector.covers(lane.scope, lane.lane)]
    if order == "waiting":
        return sorted(found, key=lambda lane: (-lane.waiting, lane.lane))
    since = reader.ask(read_oldest([lane.lane for lane in found]))
    never = reader.ask(read_clock()) / 1000 + 1
    ages = {lane: moment.timestamp() for lane, moment in since.items()}
    return sorted(found, key=lambda lane: (ages.get(lane.lane, never), lane.lane))


@pytest.mark.parametrize("order", ["waiting", "oldest"])
@pytest.mark.parametrize("selector", SELECTORS, ids=lambda selector: selector.flags)
def test_the_top_lanes_are_those_that_come_first_among_all(
    selector: Selector, order: LaneOrder, many: LedgerUnderTest
):
    reader = LedgerReader(many.client)
    expected = in_order(reader, selector, order)
    for most in (1, 7, 1_000):
        top, total = reader.ask(read_top_lanes(selector, order, most))
        found = [each.view for each in top]
        assert found == expected[:most]
        assert total == len(expected)


def test_of_a_ledger_without_documents_there_are_none(spool: LedgerUnderTest):
    assert LedgerReader(spool.client).ask(read_top_lanes(Selector(), "oldest", 5)) == ([], 0)
