"""In which time zones a contact may be, by its number or by a field of its document.

A class of zones is a text: names joined by ``&``, ``|``, and the zone in which the platform keeps
its own hours for that country: a name, ``*`` for those before the bar, or nothing for none.
``?`` stands for zones that are not known.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumber, number_type
from phonenumbers.phonenumberutil import is_number_type_geographical

from callspool.hours.opening import zone_names
from callspool.request.phone_reading import NumberError
from callspool.request.phones import identify

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "?"
"""Stands for the zones of a contact that are not known."""

OWN = "*"
"""Stands for the zones of the contact itself."""

OTHER_COUNTRIES = "*"
"""Stands for the country codes that are not named."""

ZoneSource = Literal["field", "number", "unknown"]
"""What tells the zones of a contact: a field of its document, its number, or nothing."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


class ZoneClass(NamedTuple):
    """The zones in which a contact may be, in all of which it has to be open."""

    zones: tuple[str, ...]
    platform: str
    """The zone of the platform's own hours; `OWN`, or "" for none."""

    @property
    def name(self) -> str:
        """The class as a text, as a lane has it."""
        return f"{'&'.join(self.zones) or UNKNOWN}|{self.platform}"

    @classmethod
    def from_name(cls, name: str) -> ZoneClass:
        """Returns the class of that name."""
        zones, _, platform = name.partition("|")
        return cls(() if zones == UNKNOWN else tuple(zones.split("&")), platform)


class _ZoneTable(NamedTuple):
    """Zones by the prefix of a number, and country codes in which every number has the same."""

    zones: dict[str, tuple[str, ...]]
    whole: frozenset[str]
    longest: int


@cache
def _table() -> _ZoneTable:
    found: dict[str, tuple[str, ...]] = {}
    text = (files("callspool.hours") / "zone_table.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line[0] != "#":
            name, *prefixes = line.split()
            found |= dict.fromkeys(prefixes, tuple(name.split("&")))
    divided = {_code_of(prefix) for prefix in found if prefix != _code_of(prefix)}
    return _ZoneTable(found, frozenset(found) - divided, max(map(len, found)))


def _code_of(digits: str) -> str:
    """The country code that digits begin with, or "" if there is no such one."""
    for size in (1, 2, 3):
        if int(digits[:size]) in COUNTRY_CODE_TO_REGION_CODE:
            return digits[:size]
    return ""


def zones_of_number(number: str) -> tuple[tuple[str, ...], str]:
    """Returns the zones in which a number may be, none if they are not known; and its country code.

    A number that is not bound to a place may be in every zone of its country: most mobiles are not.
    """
    try:
        form = identify(number)
    except NumberError:
        return (), ""
    digits = form[1:].partition(";")[0]
    if form[0] != "+" or not (code := _code_of(digits)):
        return (), ""
    table = _table()
    own = table.zones.get(code, ())
    if code in table.whole or not _is_bound_to_a_place(code, digits[len(code) :]):
        return own, code
    for size in range(min(table.longest, len(digits)), len(code), -1):
        if found := table.zones.get(digits[:size]):
            return found, code
    return own, code


def _is_bound_to_a_place(code: str, national: str) -> bool:
    zeros = len(national) - len(national.lstrip("0"))
    parsed = PhoneNumber(
        country_code=int(code),
        national_number=int(national or "0"),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
    return bool(is_number_type_geographical(number_type(parsed), int(code)))


class Classifier:
    """Tells the class of a contact's zones.

    ``platform_zones``: the zone of the platform's own hours by country code, `OWN` for that of the
    contact; `OTHER_COUNTRIES` stands for the rest. ``field``: that of documents which names a zone.
    """

    def __init__(self, platform_zones: Mapping[str, str], field: str = "") -> None:
        self._platform_zones = platform_zones
        self._field = field

    def classify(self, number: str, document: bytes = b"") -> str:
        """Returns the name of a contact's class."""
        return self.explain(number, document)[0].name

    def explain(self, number: str, document: bytes = b"") -> tuple[ZoneClass, ZoneSource]:
        """Returns a contact's class, and what tells it. A field that is there wins."""
        zones, code = zones_of_number(number)
        source: ZoneSource = "number" if zones else "unknown"
        named = self._named_by_field(document) if self._field else None
        if named is not None:
            zones, source = ((named,), "field") if named else ((), "unknown")
        others = self._platform_zones.get(OTHER_COUNTRIES, "")
        return ZoneClass(zones, self._platform_zones.get(code, others)), source

    def _named_by_field(self, document: bytes) -> str | None:
        """The zone that the document names; "" if what it names is none, None if it names none."""
        raw = _fields(document).get(self._field)
        if raw is None or bytes(raw) in {b"null", b'""'}:
            return None
        try:
            return find_zone(_text(raw)) or ""
        except msgspec.ValidationError:
            return ""


def find_zone(text: str) -> str | None:
    """Returns a zone's name as it is spelled, whatever the case of the text; None if it is none."""
    text = text.strip()
    return text if text in zone_names() else _by_lower_case().get(text.lower().replace(" ", "_"))


@cache
def _by_lower_case() -> dict[str, str]:
    return {name.lower(): name for name in zone_names()}
