"""In which time zones a contact may be, by its number or a field of its document."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache, lru_cache
from importlib.resources import files
from itertools import groupby
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


class _NumberStart(NamedTuple):
    """What the first digits of a number tell: its country code, and the longest prefix so far.

    ``match``: of national numbers (`_match_of`); None where every number of the country is in the
    same zones. ``sizes``: of the longer prefixes that begin so, the longest first.
    """

    code: str
    prefix: str
    match: Callable[[str], re.Match[str] | None] | None
    sizes: tuple[int, ...]


_START = 4
"""Digits that a prefix is looked up by at first: there are no longer ones behind most of them."""


@cache
def _table() -> _ZoneTable:
    found: dict[str, tuple[str, ...]] = {}
    text = (files("callspool.hours") / "zone_table.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line[0] != "#":
            name, *prefixes = line.split()
            found |= dict.fromkeys(prefixes, tuple(name.split("&")))
    divided = {_code_of(prefix) for prefix in found if prefix != _code_of(prefix)}
    return _ZoneTable(found, frozenset(found) - divided)


@cache
def _sizes() -> dict[str, set[int]]:
    """The lengths of longer prefixes, by how they begin."""
    found: dict[str, set[int]] = defaultdict(set)
    for prefix in _table().zones:
        if len(prefix) > _START:
            found[prefix[:_START]].add(len(prefix))
    return found


@lru_cache(maxsize=16_384)
def _start_of(digits: str) -> _NumberStart | None:
    """What up to four digits tell; None where no country code begins so."""
    code, table = _code_of(digits), _table()
    if not code:
        return None
    shorter = (digits[:size] for size in range(len(digits), len(code), -1))
    prefix = next((each for each in shorter if each in table.zones), code)
    sizes = tuple(sorted(_sizes().get(digits, ()), reverse=True))
    return _NumberStart(code, prefix, None if code in table.whole else _match_of(code), sizes)


def _code_of(digits: str) -> str:
    """The country code that digits begin with, or "" if there is no such one."""
    sizes = (1, 2, 3)
    codes = COUNTRY_CODE_TO_REGION_CODE
    return next((digits[:size] for size in sizes if int(digits[:size] or 0) in codes), "")


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
    prefix = _prefix_of(number)
    return _table().zones.get(prefix, ()), _code_of(prefix)


def _prefix_of(number: str) -> str:
    """The prefix that tells the zones of a number; "" where no country is known."""
    digits = number[1:] if number[:1] == "+" else ""
    if not (digits.isdecimal() and digits.isascii()):
        digits = _digits_of(number)
    start = _start_of(digits[:_START])
    if start is None:
        return ""
    code, prefix, match, sizes = start
    if match is None or (found := match(digits[len(code) :])) is None or not found.lastindex:
        return code
    for size in sizes:
        if (longer := digits[:size]) in _table().zones:
            return longer
    return prefix


def is_bound_to_a_place(code: str, national: str) -> bool:
    """Returns whether the prefix of a number tells where it is: as libphonenumber has it, for a
    landline, and in some countries for a mobile.
    """
    found = _match_of(code)(national)
    return found is not None and found.lastindex is not None


@cache
def _match_of(code: str) -> Callable[[str], re.Match[str] | None]:
    """Matches national numbers; with a group those that are bound to a place.

    The regions of a country code are asked in the library's order: a number belongs to the first
    one that fits. Reading a number's kind with the library takes some 10 µs, this less than 1.
    """
    every = map(PhoneMetadata.metadata_for_region, COUNTRY_CODE_TO_REGION_CODE[int(code)])
    known = [each for each in every if each is not None and each.general_desc is not None]
    found = []
    for is_led, regions in groupby(known, lambda region: bool(region.leading_digits)):
        some = [*regions]
        kinds = "|".join(_pattern_of_region(code, region) for region in some)
        # Of many small countries most numbers are none: that is asked once for all of them.
        start = f"(?={'|'.join(str(each.leading_digits) for each in some)})" if is_led else ""
        found.append(f"{start}(?:{kinds})")
    return re.compile("|".join(found) or "(?!)").match


def _pattern_of_region(code: str, region: PhoneMetadata) -> str:
    """A pattern for the numbers of a region, with a group for those that are bound to a place."""
    mobile_too = is_number_type_geographical(PhoneNumberType.MOBILE, int(code))
    elsewhere = [getattr(region, kind) for kind in _BOUND_TO_NO_PLACE]
    bound = [region.fixed_line, *([region.mobile] if mobile_too else [])]
    general = f"(?={_pattern_of([region.general_desc])})"
    is_bound = f"(?!{_pattern_of(elsewhere)}){_pattern_of(bound)}()"
    if region.leading_digits:
        return f"(?={region.leading_digits})(?:{general}{is_bound}|)"
    return f"{general}(?:{is_bound}|{_pattern_of([*elsewhere, region.fixed_line, region.mobile])})"


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
        self._names: dict[str, str] = {}

    def classify(self, number: str, document: bytes = b"") -> str:
        """Returns the name of a contact's class."""
        if self._field:
            return self.explain(number, document)[0].name
        prefix = _prefix_of(number)
        name = self._names.get(prefix)
        if name is None:
            name = self._names[prefix] = self.explain(number)[0].name
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
