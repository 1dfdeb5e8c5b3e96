"""Until when a call request is worth sending."""

import math
from datetime import datetime

from callspool.errors import InvalidCallRequest
from callspool.request.text import kind_of

_YEAR_10000 = 253_402_300_800.0


def expiry(value: object) -> float | None:
    """``expires_at`` in unix seconds: from an aware datetime, its ISO text, or seconds.

    Raises `InvalidCallRequest`; a time that is past is not refused here.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, datetime | str | int | float):
        raise _refused(f"must be a datetime or unix seconds, not {kind_of(value)}")
    if isinstance(value, int | float):
        return _seconds(value)
    moment = _read(value) if isinstance(value, str) else value
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise _refused("has no time zone: use an aware datetime, or an offset such as +05:30")
    return _seconds(moment.timestamp())


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _refused("must be a date and time such as 2026-12-01T18:00:00+05:30") from None


def _seconds(value: float) -> float:
    # The comparison comes first: an int may be larger than any float.
    if not 0 <= value < _YEAR_10000 or math.isnan(value):
        raise _refused("must be unix seconds (not milliseconds) before the year 10000")
    return float(value)


def _refused(reason: str) -> InvalidCallRequest:
    return InvalidCallRequest("expires_at", reason)
