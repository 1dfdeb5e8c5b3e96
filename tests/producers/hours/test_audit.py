"""Whether calls began within their hours, judged afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callspool.hours.audit import HoursAudit
from callspool.hours.record import CampaignRecord, read_hours

BERLIN = "Europe/Berlin|"


def at(hour: float) -> int:
    """A moment of a day in December, in ms: Berlin is an hour ahead of UTC."""
    return int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() + (hour - 1) * 3600) * 1000


@pytest.mark.parametrize(
    ("handed_over", "began", "by"),
    [
        (9.5, 9.6, None),
        (19.9, 20.1, "platform"),
        (8.9, 8.95, "us"),
        (20.5, 21, "us"),
        (8.9, 9.1, None),  # the platform waited until it was time
        (19.99, 33.1, None),
    ],
)
def test_a_call_outside_of_hours_is_laid_to_who_let_it_begin(
    handed_over: float, began: float, by: str | None
):
    audit = HoursAudit(CampaignRecord().change(hours=read_hours("09:00-20:00"), close_early=7200))
    assert audit.judge(BERLIN, at(began), at(handed_over)) == by
    assert audit.judge(BERLIN, at(began), at(handed_over)) == by


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin():
    audit = HoursAudit(CampaignRecord().change(hours=read_hours("22:00-02:00"), days=(1,)))
    assert audit.judge(BERLIN, at(25.5), at(23)) is None  # Tuesday's, on Wednesday
    assert audit.judge(BERLIN, at(1.5), at(1.5)) == "us"  # Monday's would be
