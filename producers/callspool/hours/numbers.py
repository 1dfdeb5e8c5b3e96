"""In which time zones a contact may be, by its number or a field of its document."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    PhoneMetadata,
    PhoneNumberDesc,
    PhoneNumberType,
)
from phonenumbers.phonenumberutil import is_number_type_geographical

from callspool.hours.zones import OTHER_COUNTRIES, ZoneClass, ZoneSource, find_zone
from callspool.request.phone_reading import NumberError
from callspool.request.phones import identify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode

_BOUND_TO_NO_PLACE = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
"""Kinds of numbers whose prefix tells the country and no more."""


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


@lru_cache(maxsize=1024)
def _code_of(digits: str) -> str:
    """The country code that digits begin with, or "" if there is no such one."""
    codes = frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))
    return next((digits[:size] for size in (1, 2, 3) if digits[:size] in codes), "")


def _digits_of(number: str) -> str:
    """The digits of a number that is written otherwise, or "" where no country is known."""
    try:
        form = identify(number)
    except NumberError:
        return ""
    return form[1:].partition(";")[0] if form[0] == "+" else ""


def zones_of_number(number: str) -> tuple[tuple[str, ...], str]:
    """Returns the zones in which a number may be, none if they are not known; and its country code.

    A number that is not bound to a place may be in every zone of its country: most mobiles are not.
    """
    digits = number[1:] if number[:1] == "+" else ""
    if not (digits.isdecimal() and digits.isascii()):
        digits = _digits_of(number)
    code = _code_of(digits[:3])
    if not code:
        return (), ""
    table = _table()
    own = table.zones.get(code, ())
    if code in table.whole or not is_bound_to_a_place(code, digits[len(code) :]):
        return own, code
    for size in range(min(table.longest, len(digits)), len(code), -1):
        if found := table.zones.get(digits[:size]):
            return found, code
    return own, code


class _RegionPatterns(NamedTuple):
    """Of a region's national numbers: which are bound to a place, and which are its own at all."""

    is_bound: Callable[[str], re.Match[str] | None]
    is_own: Callable[[str], re.Match[str] | None]


def is_bound_to_a_place(code: str, national: str) -> bool:
    """Returns whether the prefix of a number tells where it is: as libphonenumber has it, for a
    landline, and in some countries for a mobile.
    """
    for patterns in _patterns(code):
        if patterns.is_bound(national):
            return True
        if patterns.is_own(national):
            return False
    return False


@cache
def _patterns(code: str) -> list[_RegionPatterns]:
    """The regions of a country code in the library's order: a number belongs to the first one that
    fits. Reading a number's kind with the library takes some 10 µs, this 1 to 2.
    """
    found = []
    for region in COUNTRY_CODE_TO_REGION_CODE[int(code)]:
        metadata = PhoneMetadata.metadata_for_region(region)
        if metadata is not None and metadata.general_desc is not None:
            found.append(_patterns_of(code, metadata))
    return found


def _patterns_of(code: str, metadata: PhoneMetadata) -> _RegionPatterns:
    mobile_too = is_number_type_geographical(PhoneNumberType.MOBILE, int(code))
    elsewhere = [getattr(metadata, kind) for kind in _BOUND_TO_NO_PLACE]
    bound = [metadata.fixed_line, *([metadata.mobile] if mobile_too else [])]
    every = [*elsewhere, metadata.fixed_line, metadata.mobile]
    general = _pattern_of([metadata.general_desc])
    start = f"(?={metadata.leading_digits})" if metadata.leading_digits else ""
    is_bound = f"{start}(?={general})(?!{_pattern_of(elsewhere)}){_pattern_of(bound)}"
    is_own = start or f"(?={general}){_pattern_of(every)}"
    return _RegionPatterns(re.compile(is_bound).match, re.compile(is_own).match)


def _pattern_of(kinds: Iterable[PhoneNumberDesc | None]) -> str:
    """A pattern for whole national numbers of some kinds."""
    parts = []
    for kind in kinds:
        if kind is None or not kind.national_number_pattern:
            continue
        # No length means any that the region has, -1 that it has no number of this kind.
        lengths = "|".join(f"[0-9]{{{length}}}" for length in kind.possible_length if length > 0)
        if kind.possible_length and not lengths:
            continue
        length = rf"(?=(?:{lengths})\Z)" if lengths else ""
        parts.append(rf"{length}(?:{kind.national_number_pattern})\Z")
    return f"(?:{'|'.join(parts)})" if parts else "(?!)"


class Classifier:
    """Tells the class of a contact's zones.

    ``platform_zones``: the zone of the platform's own hours by country code, `OWN` for that of the
    contact; `OTHER_COUNTRIES` stands for the rest. ``field``: that of documents which names a zone.
    """

    def __init__(self, platform_zones: Mapping[str, str], field: str = "") -> None:
        self._platform_zones = platform_zones
        self._field = field
        self._names: dict[tuple[tuple[str, ...], str], str] = {}

    def classify(self, number: str, document: bytes = b"") -> str:
        """Returns the name of a contact's class."""
        if self._field:
            return self.explain(number, document)[0].name
        known = zones_of_number(number)
        name = self._names.get(known)
        if name is None:
            name = self._names[known] = self.explain(number)[0].name
        return name

    def explain(self, number: str, document: bytes = b"") -> tuple[ZoneClass, ZoneSource]:
        """Returns a contact's class, and what tells it. A field that is there wins."""
        zones, code = zones_of_number(number)
        source: ZoneSource = "number" if zones else "unknown"
        named = self._named_by_field(document) if self._field else None
        if named is not None:
            zones, source = ((named,), "field") if named else ((), "unknown")
        others = self._platform_zones.get(OTHER_COUNTRIES, "")
        platform = self._platform_zones.get(code, others)
        return ZoneClass(zones, platform, self._field), source

    def _named_by_field(self, document: bytes) -> str | None:
        """The zone that the document names; "" if what it names is none, None if it names none."""
        raw = _fields(document).get(self._field)
        if raw is None or bytes(raw) in {b"null", b'""'}:
            return None
        try:
            return find_zone(_text(raw)) or ""
        except msgspec.ValidationError:
            return ""
