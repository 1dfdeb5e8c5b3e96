"""When the API may call (``now``, ``auto`` or ``custom``), and until when it is worth it.

The API runs a call at once for any other word, typos included (O), so nothing else gets through.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Self

from callspool.errors import InvalidCallRequest
from callspool.request.text import kind_of, plain_text

_TEXT = re.compile(r"custom:([0-9-]+) ([0-9:]+)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_KEYS = ("type", "calling_date", "calling_time")
_WORDS = 'must be now, auto or custom ("custom:2026-12-01 10:30")'
# Wherever the agent is, a local time is past once it is past where days end last.
_LAST_ZONE = timezone(timedelta(hours=-12))
_YEAR_10000 = 253_402_300_800.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to call: at once, in the agent's own hours, or at a local date and time.

    ``calling_date`` (``YYYY-MM-DD``) and ``calling_time`` (``HH:MM``) belong to ``custom``, and
    carry no time zone. Checked when the request is enqueued.
    """

    type: str = "now"
    calling_date: str | None = None
    calling_time: str | None = None

    @classmethod
    def now(cls) -> Self:
        """Returns the schedule to call at once."""
        return cls("now")

    @classmethod
    def auto(cls) -> Self:
        """Returns the schedule to call in the calling days and hours of the agent."""
        return cls("auto")

    @classmethod
    def custom(cls, calling_date: date | str, calling_time: time | str) -> Self:
        """Returns the schedule to call on that day at that minute, in the agent's time zone."""
        day = calling_date if isinstance(calling_date, str) else f"{calling_date:%Y-%m-%d}"
        minute = calling_time if isinstance(calling_time, str) else f"{calling_time:%H:%M}"
        return cls("custom", day, minute)


def check_schedule(schedule: object) -> dict[str, str]:
    """Returns the schedule as the API takes it; None means now. Raises `InvalidCallRequest`."""
    if schedule is None:
        return {"type": "now"}
    given = _as_mapping(schedule)
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise InvalidCallRequest("schedule", f"holds only {', '.join(_KEYS)}; remove the rest")
    kind, day, minute = (given.get(key) for key in _KEYS)
    if kind == "custom":
        return {"type": "custom", **_moment(day, minute)}
    if not isinstance(kind, str) or kind not in ("now", "auto"):
        raise InvalidCallRequest("schedule.type", _WORDS)
    if day is not None or minute is not None:
        raise InvalidCallRequest(
            "schedule", f"calling_date and calling_time belong to custom, not to {kind}"
        )
    return {"type": plain_text(kind)}


def is_past(schedule: Mapping[str, str], now: float) -> bool:
    """Whether a custom time is past in every time zone (``now`` in unix seconds)."""
    if schedule["type"] != "custom":
        return False
    day = date.fromisoformat(schedule["calling_date"])
    minute = time.fromisoformat(schedule["calling_time"])
    return datetime.combine(day, minute, _LAST_ZONE).timestamp() < now


def _as_mapping(schedule: object) -> Mapping[object, object]:
    if isinstance(schedule, Schedule):
        return {key: getattr(schedule, key) for key in _KEYS}
    if isinstance(schedule, Mapping):
        return schedule
    if isinstance(schedule, date):
        raise InvalidCallRequest(
            "schedule",
            "must be a Schedule, not a date: Schedule.custom(when.date(), when.time()) calls at"
            " that time of the agent's zone",
        )
    if not isinstance(schedule, str):
        raise InvalidCallRequest(
            "schedule", f"must be a Schedule, an object or a string, not {kind_of(schedule)}"
        )
    if schedule in ("now", "auto"):
        return {"type": schedule}
    match = _TEXT.fullmatch(schedule)
    if match is None:
        raise InvalidCallRequest("schedule", _WORDS)
    return {"type": "custom", "calling_date": match[1], "calling_time": match[2]}


def _moment(day: object, minute: object) -> dict[str, str]:
    if not (isinstance(day, str) and _DATE.fullmatch(day) and _exists(day)):
        raise InvalidCallRequest(
            "schedule.calling_date", "must be a date that exists, as YYYY-MM-DD"
        )
    if not (isinstance(minute, str) and _TIME.fullmatch(minute)):
        raise InvalidCallRequest("schedule.calling_time", "must be a time of day, as HH:MM")
    return {"calling_date": plain_text(day), "calling_time": plain_text(minute)}


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def check_expiry(value: object) -> float | None:
    """Returns ``expires_at`` in unix seconds: of an aware datetime, its ISO text, or seconds.

    Raises `InvalidCallRequest`; a time that is past is not refused here.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, datetime | str | int | float):
        raise _describe_expiry(f"must be a datetime or unix seconds, not {kind_of(value)}")
    if isinstance(value, int | float):
        return _check_seconds(value)
    moment = _parse_moment(value) if isinstance(value, str) else value
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise _describe_expiry(
            "has no time zone: use an aware datetime, or an offset such as +05:30"
        )
    return _check_seconds(moment.timestamp())


def check_until(value: object) -> float | None:
    """Returns in unix seconds when a pause is to end; raises `InvalidCallRequest`."""
    try:
        until = check_expiry(value)
    except InvalidCallRequest as fault:
        raise InvalidCallRequest("until", fault.reason) from None
    if until is not None and until <= datetime.now(UTC).timestamp():
        raise InvalidCallRequest("until", "is past already: nothing would be paused")
    return until


def _parse_moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _describe_expiry(
            "must be a date and time such as 2026-12-01T18:00:00+05:30"
        ) from None


def _check_seconds(value: float) -> float:
    # The comparison comes first: an int may be larger than any float.
    if not 0 <= value < _YEAR_10000 or math.isnan(value):
        raise _describe_expiry("must be unix seconds (not milliseconds) before the year 10000")
    return float(value)


def _describe_expiry(reason: str) -> InvalidCallRequest:
    return InvalidCallRequest("expires_at", reason)
