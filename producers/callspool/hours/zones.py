"""Classes of time zones, and when a campaign may call the contacts of some zones.

A class of zones is a text: names joined by ``&``, ``|``, and the zone in which the platform keeps
its own hours for that country: a name, ``*`` for those before the bar, or nothing for none; then,
behind a bar of its own, the field of documents that was asked, if one was. ``?`` stands for zones
that are not known. Intervals of time are computed beforehand.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo


HORIZON = timedelta(hours=72)
"""How far ahead intervals are computed: for so long they do without a worker that computes more."""

DAY_MINUTES = 24 * 60


class Interval(NamedTuple):
    """A time in which calls may begin, in unix ms: its first moment, and the first one after it."""

    start: int
    end: int


class DailyHours(NamedTuple):
    """Hours of a day, in minutes after midnight; over midnight where they end before they begin."""

    start: int
    end: int


@cache
def zone_names() -> frozenset[str]:
    """Returns the names of all time zones of the IANA database that the package `tzdata` holds."""
    return frozenset((_tzdata() / "zones").read_text(encoding="utf-8").split())


@cache
def zone_named(name: str) -> ZoneInfo:
    """Returns a time zone by its name, from the package and never from the machine.

    Raises `KeyError` for a name that is none.
    """
    if name not in zone_names():
        raise KeyError(name)
    zoneinfo: Any = import_module("zoneinfo")
    with (_tzdata() / "zoneinfo").joinpath(*name.split("/")).open("rb") as content:
        zone: ZoneInfo = zoneinfo.ZoneInfo.from_file(content, key=name)
    return zone


def _tzdata() -> Any:
    # Commands that only read seldom ask for a zone, and these imports would be a tenth of them.
    return import_module("importlib.resources").files("tzdata")


def find_opening(
    zones: Iterable[str],
    hours: Sequence[DailyHours],
    may_call_on: Callable[[date], bool],
    begin: datetime,
    end: datetime,
) -> list[Interval]:
    """Returns when all of the zones are within hours on an allowed day, between two moments.

    The day of hours over midnight is that on which they begin.
    """
    found = [Interval(_ms(begin), _ms(end))]
    for name in zones:
        found = intersect(found, _of_zone(zone_named(name), hours, may_call_on, begin, end))
    return found


def intersect(one: Sequence[Interval], two: Sequence[Interval]) -> list[Interval]:
    """Returns when both are open; each is in order and without overlaps."""
    found: list[Interval] = []
    at = 0
    for start, end in one:
        while at < len(two) and two[at].end <= start:
            at += 1
        further = at
        while further < len(two) and two[further].start < end:
            found.append(Interval(max(start, two[further].start), min(end, two[further].end)))
            further += 1
    return found


def close_early(intervals: Iterable[Interval], seconds: float) -> list[Interval]:
    """Returns intervals that end ``seconds`` earlier; what is shorter falls away."""
    earlier = int(seconds * 1000)
    return [Interval(start, end - earlier) for start, end in intervals if end - earlier > start]


def _of_zone(
    zone: ZoneInfo,
    hours: Sequence[DailyHours],
    may_call_on: Callable[[date], bool],
    begin: datetime,
    end: datetime,
) -> list[Interval]:
    windows = sorted(_windows(zone, hours, may_call_on, begin, end))
    joined: list[Interval] = []
    for window in windows:
        if joined and window.start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, window.end))
        else:
            joined.append(window)
    return joined


def _windows(
    zone: ZoneInfo,
    hours: Sequence[DailyHours],
    may_call_on: Callable[[date], bool],
    begin: datetime,
    end: datetime,
) -> Iterator[Interval]:
    day = begin.astimezone(zone).date() - timedelta(days=1)
    last = end.astimezone(zone).date()
    while day <= last:
        if may_call_on(day):
            for start, stop in hours:
                length = stop - start if stop > start else stop - start + DAY_MINUTES
                opens, closes = _moments(zone, day, start), _moments(zone, day, start + length)
                # Where the clock shows an hour twice or never, the later beginning and the earlier
                # end count: then it is open only while the clock shows what was asked for.
                if max(opens) < min(closes):
                    yield Interval(max(opens), min(closes))
        day += timedelta(days=1)


def _moments(zone: ZoneInfo, day: date, minutes: int) -> tuple[int, int]:
    """The moments, in ms, at which the clock of a zone may be meant to show a time of a day."""
    days, minutes = divmod(minutes, DAY_MINUTES)
    shown = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60), zone)
    return _ms(shown), _ms(shown.replace(fold=1))


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


UNKNOWN = "?"
"""Stands for the zones of a contact that are not known."""

OWN = "*"
"""Stands for the zones of the contact itself."""

OTHER_COUNTRIES = "*"
"""Stands for the country codes that are not named."""

ZoneSource = Literal["field", "number", "unknown"]
"""What tells the zones of a contact: a field of its document, its number, or nothing."""


class ZoneClass(NamedTuple):
    """The zones in which a contact may be, in all of which it has to be open."""

    zones: tuple[str, ...]
    platform: str
    """The zone of the platform's own hours; `OWN`, or "" for none."""
    field: str = ""
    """The field of documents that was asked for their zone, if one was."""

    @property
    def name(self) -> str:
        """The class as a text, as a lane has it."""
        field = f"|{self.field}" if self.field else ""
        return f"{'&'.join(self.zones) or UNKNOWN}|{self.platform}{field}"

    @classmethod
    def from_name(cls, name: str) -> ZoneClass:
        """Returns the class of that name."""
        zones, platform, *field = name.split("|", 2)
        named = () if zones == UNKNOWN else tuple(zones.split("&"))
        return cls(named, platform, *field)


def find_zone(text: str) -> str | None:
    """Returns a zone's name as it is spelled, whatever the case of the text; None if it is none."""
    text = text.strip()
    return text if text in zone_names() else _by_lower_case().get(text.lower().replace(" ", "_"))


def suggest_zone(text: str) -> str | None:
    """Returns the zone that a city's name stands for: Europe/Berlin for Berlin."""
    city = "/" + text.strip().lower().replace(" ", "_")
    return next((name for name in sorted(zone_names()) if name.lower().endswith(city)), None)


@cache
def _by_lower_case() -> dict[str, str]:
    return {name.lower(): name for name in zone_names()}
