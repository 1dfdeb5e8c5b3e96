"""Ten campaigns over the same numbers, one call a day: the API's log has none twice."""

from __future__ import annotations

import pytest

from chaos.capped import draw_portions, number_of, run_capped
from chaos.mix import parse_mix
from chaos.schedule import Plan

MIX = "none,500_after=8,500_before=8,drop_amid=4,drop_response=8,429=4,kill_child=20,redis_kill=6"


def plan(numbers: int, seconds: float) -> Plan:
    return Plan(
        seed=4,
        seconds=seconds,
        documents=numbers,
        mix=parse_mix(MIX),
        batch_size=10,
        fsync="always",
    )


def test_every_campaign_asks_for_every_number_once():
    portions = draw_portions(plan(500, 5), 3)
    for campaign in ("c0", "c1", "c2"):
        own = [each for each in portions if each.scope.campaign == campaign]
        assert sum(each.count for each in own) == 500
    assert len({number_of(number) for number in range(500)}) == 500


@pytest.mark.timeout(600)
@pytest.mark.long
def test_no_number_is_called_more_often_than_its_cap_says():
    report = run_capped(plan(60, 4.0), campaigns=4)
    assert report.over == 0
    assert report.once > 0
    assert report.unexplained == 0
    assert report.failures == []
