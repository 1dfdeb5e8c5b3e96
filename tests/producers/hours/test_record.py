from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from callspool.hours.record import (
    CampaignError,
    CampaignRecord,
    PlatformHours,
    find_closing_platform,
    find_intervals,
    read_days,
    read_holidays,
    read_hours,
    read_moment,
    read_pace,
    read_zone,
)
from callspool.hours.zones import Interval

PLATFORM = PlatformHours.read("09:00-20:00", "1=America/New_York, *=own")


def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


def intervals_of(record: CampaignRecord, class_name: str, now: datetime) -> list[Interval]:
    return find_intervals(record, class_name, platform=PLATFORM, early=600, now=now)


def test_a_hand_over_fits_the_clock_of_the_contact_and_that_of_the_platform() -> None:
    record = CampaignRecord().change(hours=read_hours("08:00-21:00"))
    noon = datetime(2026, 12, 1, 12, tzinfo=UTC)

    first = intervals_of(record, "America/Los_Angeles|America/New_York", noon)[0]

    # From 8 in Los Angeles until 10 minutes before 20 in New York.
    assert first == Interval(utc(2026, 12, 1, 16), utc(2026, 12, 2, 0, 50))


def test_the_platforms_hours_count_in_the_contacts_own_zone_where_no_other_is_known() -> None:
    record = CampaignRecord().change(hours=read_hours("07:00-22:00"))
    midnight = datetime(2026, 12, 1, tzinfo=UTC)

    assert intervals_of(record, "Europe/Berlin|*", midnight)[0] == Interval(
        utc(2026, 12, 1, 8), utc(2026, 12, 1, 18, 50)
    )
    assert intervals_of(record, "Europe/Berlin|", midnight)[0] == Interval(
        utc(2026, 12, 1, 6), utc(2026, 12, 1, 20, 50)
    )


def test_an_unknown_zone_is_held_or_that_of_the_campaign() -> None:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    hours = read_hours("09:00-10:00")
    own = intervals_of(CampaignRecord().change(hours=hours, zone="Europe/Paris"), "?|", now)

    assert own[0].start == utc(2026, 12, 1, 8)
    assert intervals_of(CampaignRecord().change(hours=hours, zone="hold"), "?|", now) == []
    assert intervals_of(CampaignRecord().change(hours=hours), "?|", now) == []


def test_days_and_holidays_close_whole_days() -> None:
    holidays = read_holidays(["2026-12-25", "DE-BY"], date(2026, 12, 1))
    record = CampaignRecord().change(days=read_days("mon-fri"), **holidays)

    assert not record.may_call_on(date(2026, 12, 25))
    assert not record.may_call_on(date(2027, 1, 6))  # Epiphany, in Bavaria
    assert not record.may_call_on(date(2026, 12, 26))  # a Saturday
    assert record.may_call_on(date(2026, 12, 28))
    assert not record.may_call_on(date(2029, 3, 1))  # whose holidays nobody knows yet
    assert record.timed


def test_what_is_read_is_what_was_meant() -> None:
    assert read_hours("9:00-12:30, 14:00-20:00") == ((540, 750), (840, 1200))
    assert read_hours("22:00-02:00") == ((1320, 120),)
    assert read_hours("00:00-24:00") == ((0, 1440),)
    assert read_days("Mon-Fri,sun") == (0, 1, 2, 3, 4, 6)
    assert read_days("fri-mon") == (0, 4, 5, 6)
    assert read_days("mon-sun") == ()
    assert [read_pace(each) for each in ("600/min", "10/s", "36000/h")] == [600, 600, 600]
    assert read_zone("HOLD") == "hold"
    assert read_moment("starts", "2026-12-01T09:00+01:00", "") == utc(2026, 12, 1, 8)
    assert read_moment("ends", "2026-12-01 09:00", "Europe/Berlin") == utc(2026, 12, 1, 8)


@pytest.mark.parametrize(
    ("read", "given"),
    [
        (read_hours, "9-20"),
        (read_hours, "09:00-09:00"),
        (read_hours, "25:00-26:00"),
        (read_hours, "24:00-09:00"),
        (read_hours, "09:00-24:30"),
        (read_hours, ""),
        (read_days, "monday"),
        (read_days, ""),
        (read_days, "mon-"),
        (read_pace, "fast"),
        (read_pace, "0/min"),
        (read_pace, "600"),
        (read_zone, "Berlin"),
        (read_zone, ""),
        (lambda text: read_holidays([text], date(2026, 12, 1)), "XX"),
        (lambda text: read_holidays([text], date(2026, 12, 1)), "25.12.2026"),
        (lambda text: read_moment("starts", text, ""), "2026-12-01T09:00"),
        (lambda text: read_moment("ends", text, "hold"), "tomorrow"),
        (lambda text: read_moment("starts", text, ""), "0001-01-01T00:00+14:00"),
        (lambda text: read_moment("ends", text, ""), "9999-12-31T23:59-14:00"),
    ],
)
def test_what_cannot_be_meant_is_one_line(read: Any, given: str) -> None:
    with pytest.raises(CampaignError) as error:
        read(given)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("--")


def test_a_campaign_does_not_end_before_it_starts() -> None:
    with pytest.raises(CampaignError):
        CampaignRecord().change(starts=2, ends=1)


@pytest.mark.parametrize(
    ("class_name", "hour", "zone"),
    [
        ("America/Los_Angeles|America/New_York", 1, "America/New_York"),  # 17:00 and 20:00 there
        ("America/Los_Angeles|America/New_York", 6, ""),  # closed by both, and opens with its own
        ("America/New_York|America/New_York", 13, "America/New_York"),  # 8:00: 1 h too early
        ("America/Los_Angeles|", 1, ""),
        ("?|America/New_York", 1, ""),  # it is held
    ],
)
def test_it_is_known_whether_the_campaigns_hours_or_the_platforms_close_a_class(
    class_name: str, hour: int, zone: str
) -> None:
    record = CampaignRecord().change(hours=read_hours("08:00-21:00"))
    now = datetime(2026, 12, 2, hour, tzinfo=UTC)
    opens = next((each for each in intervals_of(record, class_name, now)), None)
    moment = datetime.fromtimestamp(opens.start / 1000, UTC) if opens else None
    assert find_closing_platform(record, class_name, now, moment) == zone
