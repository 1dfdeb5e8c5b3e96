"""When to call: what is taken, and everything else, which the API would run at once."""

import datetime
from enum import Enum
from typing import Any

import pytest

from callspool.request.schedule import Schedule
from tests.producers.request.requests import NOW, prepared, refusal


@pytest.mark.parametrize(
    ("schedule", "sent"),
    [
        (None, {"type": "now"}),
        ("now", {"type": "now"}),
        ("auto", {"type": "auto"}),
        ({"type": "now", "calling_date": None}, {"type": "now"}),
        (Schedule.now(), {"type": "now"}),
        (Schedule.auto(), {"type": "auto"}),
    ],
)
def test_now_and_auto_are_sent_as_they_are(schedule: Any, sent: dict[str, str]) -> None:
    assert prepared(schedule=schedule).envelope.schedule == sent


@pytest.mark.parametrize(
    "schedule",
    [
        "custom:2028-02-29 09:05",
        {"type": "custom", "calling_date": "2028-02-29", "calling_time": "09:05"},
        Schedule.custom("2028-02-29", "09:05"),
        Schedule.custom(datetime.date(2028, 2, 29), datetime.time(9, 5)),
    ],
)
def test_a_custom_schedule_can_be_written_in_several_ways(schedule: Any) -> None:
    assert prepared(schedule=schedule).envelope.schedule == {
        "type": "custom",
        "calling_date": "2028-02-29",
        "calling_time": "09:05",
    }


class When(str, Enum):  # noqa: UP042 - many of these are in use
    """Text that prints otherwise than it is."""

    AUTO = "auto"
    CUSTOM = "custom"
    DAY = "2028-02-29"
    MINUTE = "09:05"
    WHOLE = "custom:2028-02-29 09:05"


@pytest.mark.parametrize(
    ("schedule", "plain"),
    [
        (When.AUTO, "auto"),
        ({"type": When.AUTO}, "auto"),
        (Schedule(When.AUTO), "auto"),
        (When.WHOLE, "custom:2028-02-29 09:05"),
        (Schedule(When.CUSTOM, When.DAY, When.MINUTE), "custom:2028-02-29 09:05"),
    ],
)
def test_the_members_of_an_enum_are_sent_as_the_text_that_they_are(
    schedule: Any, plain: str
) -> None:
    sent = prepared(schedule=schedule).envelope.schedule
    assert sent == prepared(schedule=plain).envelope.schedule
    assert {*map(type, sent.values())} == {str}


WRONG_SCHEDULES: list[Any] = [
    "",
    "Now",
    "nwo",
    "now ",
    "later",
    "custom",
    "custom:",
    "custom:2028-02-29",
    "custom:2028-02-29T09:05",
    "custom: 2028-02-29 09:05",
    "custom:2028-02-29  09:05",
    "custom:2028-02-30 09:05",
    "custom:2027-02-29 09:05",
    "custom:2028-13-01 09:05",
    "custom:28-02-29 09:05",
    "custom:2028-2-29 09:05",
    "custom:20280229 09:05",
    "custom:2028-02-29 24:00",
    "custom:2028-02-29 9:05",
    "custom:2028-02-29 09:60",
    "custom:2028-02-29 09:05:00",
    "custom:2028-02-29 ٠٩:05",
    "custom:0000-01-01 09:05",
    5,
    True,
    [],
    b"now",
    {},
    {"type": None},
    {"type": "NOW"},
    {"type": ["now"]},
    {"type": "now", "at": "x"},
    {"type": "now", "calling_date": "2028-02-29"},
    {"type": "auto", "calling_time": "09:05"},
    {"type": "custom"},
    {"type": "custom", "calling_date": "2028-02-29"},
    {"type": "custom", "calling_date": 20280229, "calling_time": "09:05"},
    {"type": "custom", "calling_date": "2028-02-29", "calling_time": "09:05\n"},
    {"type": "custom", "calling_date": "2028-02-29\n", "calling_time": "09:05"},
    {"type": "custom", "calling_date": "2028-02-29", "calling_time": None},
    {5: "now"},
    Schedule("later"),
    Schedule("now", "2028-02-29"),
    Schedule("custom", "2028-02-29"),
]


@pytest.mark.parametrize("schedule", WRONG_SCHEDULES)
def test_any_other_word_is_refused_since_the_api_would_call_at_once(schedule: Any) -> None:
    assert refusal(schedule=schedule).field.startswith("schedule")


def test_a_custom_time_that_is_past_everywhere_is_refused() -> None:
    past = datetime.datetime.fromtimestamp(NOW, datetime.UTC) - datetime.timedelta(hours=12)
    minute = datetime.timedelta(minutes=1)
    assert refusal(schedule=f"custom:{past - minute:%Y-%m-%d %H:%M}").field == "schedule"
    later = prepared(schedule=f"custom:{past + minute:%Y-%m-%d %H:%M}").envelope
    assert later.schedule["type"] == "custom"
