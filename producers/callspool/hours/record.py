"""What an operator asks for by account and campaign: hours, days, holidays, pace, start and end."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from callspool.errors import CallspoolError
from callspool.hours.zones import (
    DAY_MINUTES,
    HORIZON,
    OWN,
    DailyHours,
    Interval,
    ZoneClass,
    close_early,
    find_opening,
    find_zone,
    intersect,
    suggest_zone,
    zone_named,
)
from callspool.request.text import fault_of_word

if TYPE_CHECKING:
    from collections.abc import Sequence

HOLD = "hold"
"""Says that contacts whose zone is not known are not called."""

OWN_ZONE = "own"
"""Says that the platform keeps its hours by the contact's own zone."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

HOLIDAY_YEARS = 3
"""This year and the next two: for so long holidays are known, and nobody is called later."""

MOST_PACE, LONGEST_EARLY = 1_000_000.0, 6 * 3600

USUAL_EARLY = 600.0
"""Seconds before the end of hours at which they close, where nothing else was set."""

_HOURS = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])-([01]?[0-9]|2[0-4]):([0-5][0-9])")
_PACE = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)/(s|min|h)")
_CALENDAR = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")
_COUNTRY = re.compile(r"[1-9][0-9]{0,2}|\*")
_PER_MINUTE = {"s": 60.0, "min": 1.0, "h": 1 / 60}
_BEFORE = timedelta(minutes=5)
"""How long before now the computed intervals begin: for a worker whose clock is ahead."""


class CampaignError(CallspoolError, ValueError):
    """What a campaign was told cannot be: ``option`` names the field, ``reason`` what it may be."""

    def __init__(self, option: str, reason: str, given: str = "") -> None:
        shown = f" {given[:60]}" if given else ""
        super().__init__(f"--{option}{shown}: {reason}")
        self.option = option
        self.reason = reason


class CampaignRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What holds for the documents of one campaign of one account; nothing of it needs be given.

    ``hours`` in minutes after midnight; ``days``: 0 is Monday, none means every day; ``holidays``
    as they were asked for, ``closed`` the days that they are, known until the end of the year
    ``known_until``. ``zone``: that of contacts whose zone is not known, `HOLD` holds them; so does
    nothing. ``zone_field``: the field of documents that names their zone. ``close_early`` in
    seconds. ``pace``: documents a minute. ``starts`` and ``ends`` in unix ms. ``timed``: whether
    calls may begin at some hours only.
    """

    hours: tuple[tuple[int, int], ...] = ()
    days: tuple[int, ...] = ()
    holidays: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    known_until: int = 0
    zone: str = ""
    zone_field: str = ""
    close_early: int | None = None
    pace: float | None = None
    starts: int | None = None
    ends: int | None = None
    timed: bool = False

    def change(self, **fields: Any) -> CampaignRecord:
        """Returns the record with some fields anew.

        Raises `CampaignError` where they do not fit together.
        """
        changed = msgspec.structs.replace(self, **fields)
        if (
            changed.starts is not None
            and changed.ends is not None
            and changed.starts >= changed.ends
        ):
            raise CampaignError("ends", "the campaign ends before it starts")
        timed = bool(changed.hours or changed.days or changed.holidays)
        return msgspec.structs.replace(changed, timed=timed)

    def may_call_on(self, day: date) -> bool:
        """Returns whether a day is one of the campaign's days and no holiday."""
        if self.days and day.weekday() not in self.days:
            return False
        if self.known_until and day.year > self.known_until:
            return False
        return day.isoformat() not in self.closed

    @property
    def daily_hours(self) -> list[DailyHours]:
        """The hours of an allowed day: all of it, unless some were asked for."""
        return [DailyHours(*each) for each in self.hours] or [DailyHours(0, DAY_MINUTES)]


class PlatformHours(NamedTuple):
    """The hours at which the platform itself lets calls ring, every day; none: at any time.

    ``zones``: in which zone, by country code (`Classifier`).
    """

    hours: tuple[DailyHours, ...]
    zones: dict[str, str]

    @classmethod
    def read(cls, hours: str, zones: str) -> PlatformHours:
        """Reads ``09:00-20:00`` (or ``none``) and ``1=America/New_York, *=own``.

        Raises `CampaignError`.
        """
        if hours.strip().lower() == "none":
            return cls((), {})
        found: dict[str, str] = {}
        for pair in filter(None, map(str.strip, zones.split(","))):
            code, _, name = map(str.strip, pair.partition("="))
            zone = OWN if name == OWN_ZONE else find_zone(name)
            if zone is None or not _COUNTRY.fullmatch(code):
                reason = f"say it as 1=America/New_York, or *={OWN_ZONE}"
                raise CampaignError("platform-zones", reason, pair)
            found[code] = zone
        return cls(tuple(DailyHours(*each) for each in read_hours(hours)), found)


def lie_outside(record: CampaignRecord, platform: PlatformHours) -> bool:
    """Returns whether no hour of a campaign is one of the platform's, by the same clock."""
    if not record.hours or not platform.hours:
        return False
    return _minutes(record.daily_hours).isdisjoint(_minutes(platform.hours))


def _minutes(hours: Sequence[DailyHours]) -> set[int]:
    """The minutes of a day that hours hold; hours that end before they start pass midnight."""
    found: set[int] = set()
    for start, end in hours:
        last = end if end > start else end + DAY_MINUTES
        found |= {minute % DAY_MINUTES for minute in range(start, last)}
    return found


def find_intervals(
    record: CampaignRecord,
    class_name: str,
    *,
    platform: PlatformHours,
    early: float,
    now: datetime,
) -> list[Interval]:
    """Returns when the contacts of a class may be called, in the next 72 hours.

    ``early``: seconds before the end at which it closes, where the record names none. Contacts
    whose zone is not known have the campaign's; without one they are never open.
    """
    zones, theirs, _ = ZoneClass.from_name(class_name)
    if not zones:
        zones = () if record.zone in {"", HOLD} else (record.zone,)
    if not zones:
        return []
    begin, end = now - _BEFORE, now + HORIZON
    found = find_opening(zones, record.daily_hours, record.may_call_on, begin, end)
    if theirs and platform.hours:
        both = zones if theirs == OWN else (theirs,)
        found = intersect(found, find_opening(both, platform.hours, lambda _: True, begin, end))
    return close_early(found, early if record.close_early is None else record.close_early)


def find_closing_platform(
    record: CampaignRecord, class_name: str, now: datetime, opens: datetime | None
) -> str:
    """Returns the zone of the platform's hours where these keep a class closed, and "" where they
    do not: the campaign's own hours open before ``opens``, when both do (None: not known).
    """
    theirs = ZoneClass.from_name(class_name).platform
    if not theirs:
        return ""
    at, none = int(now.timestamp() * 1000), PlatformHours((), {})
    own = find_intervals(record, class_name, platform=none, early=USUAL_EARLY, now=now)
    first = next((max(each.start, at) for each in own if each.end > at), None)
    is_earlier = first is not None and (opens is None or first < opens.timestamp() * 1000)
    return theirs if is_earlier else ""


def read_hours(text: str) -> tuple[tuple[int, int], ...]:
    """Reads ``09:00-20:00``, or several with commas; raises `CampaignError`."""
    found = []
    for part in text.split(","):
        match = _HOURS.fullmatch(part.strip())
        if match is None:
            reason = "say them as 09:00-20:00, several with commas"
            raise CampaignError("hours", reason, text)
        start, end = (int(match[at]) * 60 + int(match[at + 1]) for at in (1, 3))
        if start == end or start >= DAY_MINUTES or end > DAY_MINUTES:
            raise CampaignError("hours", "is no time of a day", part.strip())
        found.append((start, end))
    return tuple(sorted(set(found)))


def read_days(text: str) -> tuple[int, ...]:
    """Reads ``mon-fri,sun``; raises `CampaignError`."""
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise CampaignError("days", f"name some of {', '.join(DAYS)}, as mon-fri,sun", text)
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        found |= {day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)}
    return tuple(sorted(found)) if len(found) < len(DAYS) else ()


def read_holidays(texts: Sequence[str], today: date) -> dict[str, Any]:
    """Reads days (``2026-12-24``) and calendars (``US``, ``DE-BY``): the fields of a record.

    Raises `CampaignError`; calendars need the package `holidays`.
    """
    closed: set[str] = set()
    calendars = [text for text in texts if _CALENDAR.fullmatch(text)]
    for text in texts:
        if text in calendars:
            closed |= _days_of(text, range(today.year, today.year + HOLIDAY_YEARS))
            continue
        try:
            closed.add(date.fromisoformat(text).isoformat())
        except ValueError:
            reason = "is neither a day (2026-12-24) nor a calendar (US, DE-BY)"
            raise CampaignError("holidays", reason, text) from None
    until = today.year + HOLIDAY_YEARS - 1 if calendars else 0
    return {"holidays": tuple(texts), "closed": tuple(sorted(closed)), "known_until": until}


def _days_of(calendar: str, years: range) -> set[str]:
    try:
        import holidays  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        reason = "calendars need a package: pip install './callspool[holidays]'"
        raise CampaignError("holidays", reason, calendar) from None
    country, _, part = calendar.partition("-")
    try:
        found = holidays.country_holidays(country, subdiv=part or None, years=list(years))
    except NotImplementedError:
        raise CampaignError("holidays", "there is no such calendar", calendar) from None
    return {day.isoformat() for day in found}


def read_zone(text: str) -> str:
    """Reads a time zone, or ``hold``; raises `CampaignError`."""
    if text.strip().lower() == HOLD:
        return HOLD
    zone = find_zone(text)
    if zone is None:
        meant = suggest_zone(text) or "one as Europe/Berlin"
        reason = f"is no time zone: say {meant}, or {HOLD}"
        raise CampaignError("zone", reason, text)
    return zone


def read_zone_field(text: str) -> str:
    """Checks the name of a document's field; raises `CampaignError`."""
    if fault := fault_of_word(text):
        raise CampaignError("zone-field", fault)
    return text


def read_pace(text: str) -> float:
    """Reads ``600/min``, ``10/s`` or ``5000/h``: documents a minute; raises `CampaignError`."""
    match = _PACE.fullmatch(text.strip())
    pace = float(match[1]) * _PER_MINUTE[match[2]] if match else 0.0
    if not 0 < pace <= MOST_PACE:
        raise CampaignError("pace", "say it as 600/min, 10/s or 5000/h", text)
    return pace


def read_close_early(seconds: int) -> int:
    """Checks seconds before the end of hours; raises `CampaignError`."""
    if not 0 <= seconds <= LONGEST_EARLY:
        raise CampaignError("close-early", f"may be 0 to {LONGEST_EARLY} seconds", str(seconds))
    return seconds


def read_moment(option: str, text: str, zone: str) -> int:
    """Reads ``2026-12-01T09:00``, with an offset or in the zone given, as unix ms.

    Raises `CampaignError`.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CampaignError(option, "say it as 2026-12-01T09:00+01:00", text) from None
    if moment.tzinfo is None:
        if zone in {"", HOLD}:
            reason = "has no offset: add one (+01:00) or give a zone"
            raise CampaignError(option, reason, text)
        moment = moment.replace(tzinfo=zone_named(zone))
    try:
        return int(moment.astimezone(UTC).timestamp() * 1000)
    except OverflowError:
        raise CampaignError(option, "is no year that a clock will show", text) from None
