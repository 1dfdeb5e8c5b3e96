from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callspool.hours.zones import (
    DailyHours,
    Interval,
    close_early,
    find_opening,
    intersect,
    zone_named,
    zone_names,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 2 * 365
EVERY_DAY = range(7)
WORKDAYS = range(5)

KINDS_OF_HOURS = [
    ([DailyHours(9 * 60, 20 * 60)], WORKDAYS),
    ([DailyHours(22 * 60, 3 * 60)], (4, 5)),  # over midnight
    (
        [DailyHours(30, 150), DailyHours(165, 24 * 60)],
        EVERY_DAY,
    ),  # the hours in which clocks change
]


def is_open_by_the_wall(zone: str, hours: list[DailyHours], days: object, moment: datetime) -> bool:
    """Whether a clock on the wall of that zone shows an hour at which calls may begin."""
    shown = moment.astimezone(zone_named(zone))
    minute = shown.hour * 60 + shown.minute
    today, before = shown.weekday(), (shown.weekday() - 1) % 7
    return any(
        (start < end and start <= minute < end and today in days)
        or (start > end and minute >= start and today in days)
        or (start > end and minute < end and before in days)
        for start, end in hours
    )  # fmt: skip


def changes_of(zone: str) -> Iterator[datetime]:
    """The moments at which the zone's clock is put forward or back, to the second."""
    found = zone_named(zone)

    def offset(seconds: int) -> timedelta | None:
        return (BEGIN + timedelta(seconds=seconds)).astimezone(found).utcoffset()

    edges = range(0, DAYS * 86_400, 2 * 86_400)
    known = [offset(each) for each in edges]
    for (first, before), (last, after) in pairwise(zip(edges, known, strict=True)):
        low, high = first, last
        if before == after:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == before else (low, middle)
        yield BEGIN + timedelta(seconds=high)


CHANGES = {zone: [*changes_of(zone)] for zone in sorted(zone_names())}


@pytest.mark.parametrize(("hours", "days"), KINDS_OF_HOURS)
def test_no_call_begins_outside_the_hours_at_any_change_of_any_clock_in_two_years(
    hours: list[DailyHours], days: range
) -> None:
    wrong, instants = [], 0
    for zone, changes in CHANGES.items():
        for change in changes or [BEGIN]:
            begin, end = change - timedelta(days=2), change + timedelta(days=2)
            opening = find_opening([zone], hours, lambda day: day.weekday() in days, begin, end)
            tried = {at for each in opening for at in (each.start, each.end - 1)}
            near = {
                int((change + timedelta(minutes=m)).timestamp() * 1000)
                for m in range(-125, 126, 25)
            }
            tried |= {at for at in near for each in opening if each.start <= at < each.end}
            instants += len(tried)
            wrong += [
                (zone, at)
                for at in tried
                if not is_open_by_the_wall(
                    zone, hours, days, datetime.fromtimestamp(at / 1000, UTC)
                )
            ]

    assert wrong == []
    assert instants > 1000
    assert sum(map(len, CHANGES.values())) > 500


def test_a_day_is_as_long_as_its_hours_where_no_clock_changes() -> None:
    begin, end = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 8, tzinfo=UTC)
    opening = find_opening(
        ["Europe/Berlin"], [DailyHours(540, 1200)], lambda d: d.weekday() < 5, begin, end
    )

    assert [each.end - each.start for each in opening] == [11 * 3_600_000] * 5


def test_several_zones_are_open_where_all_of_them_are() -> None:
    begin, end = datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)
    (both,) = find_opening(
        ["America/New_York", "America/Los_Angeles"],
        [DailyHours(540, 1200)],
        lambda _: True,
        begin,
        end,
    )[1:] or [None]

    assert both == Interval(
        int(datetime(2026, 12, 1, 17, tzinfo=UTC).timestamp() * 1000),
        int(end.timestamp() * 1000),
    )


def test_zones_that_are_never_open_together_are_never_open() -> None:
    end = BEGIN + timedelta(days=3)

    assert (
        find_opening(
            ["Asia/Tokyo", "America/New_York"], [DailyHours(540, 900)], lambda _: True, BEGIN, end
        )
        == []
    )


def test_a_day_off_is_off_by_the_calendar_of_the_zone() -> None:
    begin, end = datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 12, 27, tzinfo=UTC)
    opening = find_opening(
        ["Asia/Tokyo"], [DailyHours(0, 1440)], lambda day: day != date(2026, 12, 25), begin, end
    )

    closed_from = int(datetime(2026, 12, 24, 15, tzinfo=UTC).timestamp() * 1000)
    assert opening[0].end == closed_from
    assert opening[1].start == closed_from + 24 * 3_600_000


edges = st.lists(st.integers(0, 1000), max_size=12, unique=True).map(sorted)
intervals = edges.map(
    lambda found: [Interval(a, b) for a, b in zip(found[::2], found[1::2], strict=False)]
)


@given(intervals, intervals)
@settings(max_examples=200, deadline=None)
def test_what_two_have_in_common_is_what_both_hold(
    one: list[Interval], two: list[Interval]
) -> None:
    def moments(found: list[Interval]) -> set[int]:
        return {at for start, end in found for at in range(start, end)}

    assert moments(intersect(one, two)) == moments(one) & moments(two)


@given(intervals, st.integers(0, 300))
@settings(max_examples=100, deadline=None)
def test_closing_early_only_takes_away(found: list[Interval], seconds: int) -> None:
    for start, end in close_early(found, seconds / 1000):
        assert Interval(start, end + seconds) in found


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError):
        zone_named("Europe/Atlantis")
