"""Writes which time zones a phone number may be in, from libphonenumber's own data.

    python -m scripts.make_zone_table phonenumbers-9.0.42-py2.py3-none-any.whl

The wheel is that of the full `phonenumbers` package; `phonenumberslite`, which is installed, is of
the same version and has no zones. Written are the table, and what the library says of numbers of
all regions: the tests compare the two (`tests/producers/hours`).

Zones with the same clock are one. Where more kinds of clocks are left than lanes should be made of,
the classes that cost the fewest open hours are joined: a class then names more zones, and is open
where all of them are.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "producers/callspool/hours/zone_table.txt"
SAMPLES = ROOT / "tests/producers/hours/zone_samples.txt"

MOST_CLASSES = 62
"""Classes of all numbers in the world: a context has at most 64 lanes, some of them for what a
document's own field says."""

ONE_ZONE_FOR_ALL = ("1", "61")
"""Country codes of several zones for which the platform has one: their classes are their own."""

WEIGHTS = {"1": 2000.0, "91": 1000.0, "61": 100.0} | dict.fromkeys(
    ("7", "34", "52", "55", "62"), 200.0
)
"""How much the open hours of a country count, where not 30."""

BEST_KNOWN = (
    "Africa/Johannesburg",
    "Africa/Lagos",
    "America/Anchorage",
    "America/Bogota",
    "America/Mexico_City",
    "America/Nuuk",
    "America/Phoenix",
    "America/Puerto_Rico",
    "Asia/Bangkok",
    "Asia/Dhaka",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Yangon",
    "Asia/Yekaterinburg",
    "Australia/Brisbane",
    "Europe/Athens",
    "Europe/Berlin",
    "Pacific/Fiji",
    "Pacific/Guadalcanal",
    "Pacific/Honolulu",
)
"""Zones by whose names others with the same clock are known."""

BEGIN, YEARS, OPEN_FROM, OPEN_TILL = datetime(2026, 1, 1, tzinfo=UTC), 3, 8, 21

Clock = tuple[int, ...]


class Class(NamedTuple):
    """Zones by their names, how many numbers are in them, about, and whose class it is."""

    zones: frozenset[str]
    weight: float
    owner: str


def main() -> None:
    """Reads the wheel and writes both files."""
    sys.path.insert(0, sys.argv[1])
    import phonenumbers  # noqa: PLC0415
    from phonenumbers.tzdata import TIMEZONE_DATA  # type: ignore[import-not-found]  # noqa: PLC0415

    from callspool.hours.zones import zone_named  # noqa: PLC0415

    hours = [BEGIN + timedelta(hours=6 * step) for step in range(4 * 365 * YEARS)]
    names = sorted({name for zones in TIMEZONE_DATA.values() for name in zones})
    clocks = {name: _clock_of(zone_named(name), hours) for name in names}
    same: dict[Clock, list[str]] = defaultdict(list)
    for name in names:
        same[clocks[name]].append(name)
    # Of zones with one clock the best known is named, else that which most prefixes have.
    for name in BEST_KNOWN:
        same[_clock_of(zone_named(name), hours)].append(name)
        clocks[name] = _clock_of(zone_named(name), hours)
    used = dict.fromkeys(clocks, 0) | dict.fromkeys(BEST_KNOWN, len(TIMEZONE_DATA))
    for zones in TIMEZONE_DATA.values():
        for name in zones:
            used[name] += 1
    best = {name: max(same[clock], key=lambda one: used[one]) for name, clock in clocks.items()}

    codes = [str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
    canonical: dict[str, frozenset[str]] = {}
    for prefix, zones in TIMEZONE_DATA.items():
        canonical[str(prefix)] = frozenset(best[name] for name in zones)
    owner_of = {prefix: _code_of(prefix, codes) for prefix in canonical}
    weights: dict[tuple[frozenset[str], str], float] = defaultdict(float)
    # The shorter a prefix, the more numbers are behind it.
    per_code: dict[str, float] = defaultdict(float)
    for prefix in canonical:
        per_code[owner_of[prefix]] += 10.0 ** -len(prefix) if prefix != owner_of[prefix] else 0.0
    for prefix, zones in canonical.items():
        code = owner_of[prefix]
        owner = code if code in ONE_ZONE_FOR_ALL else ""
        # A country's own entry is that of its mobiles, where these are not bound to a place.
        own = WEIGHTS.get(code, 30.0) if prefix == code and code != "1" else 0.0
        share = 10.0 ** -len(prefix) / per_code[code] if prefix != code else 0.0
        weights[zones, owner] += own + WEIGHTS.get(code, 30) * share
    classes = [Class(zones, weight, owner) for (zones, owner), weight in weights.items()]
    found = _join(classes, clocks)
    lines = ["# Written by scripts/make_zone_table.py: zones, then the prefixes that are in them."]
    by_class: dict[str, list[str]] = defaultdict(list)
    for prefix, zones in canonical.items():
        owner = owner_of[prefix] if owner_of[prefix] in ONE_ZONE_FOR_ALL else ""
        by_class["&".join(sorted(found[zones, owner]))].append(prefix)
    shortened = _without_repeated(by_class, codes)
    lines += [f"{name} {' '.join(sorted(shortened[name]))}" for name in sorted(shortened)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(by_class)} classes, {sum(map(len, shortened.values()))} prefixes")
    SAMPLES.parent.mkdir(parents=True, exist_ok=True)
    SAMPLES.write_text(_samples(phonenumbers), encoding="utf-8")


def _clock_of(zone: Any, hours: list[datetime]) -> Clock:
    return tuple(
        int((hour.astimezone(zone).utcoffset() or timedelta()).total_seconds()) // 60
        for hour in hours
    )


def _code_of(prefix: str, codes: list[str]) -> str:
    return next(prefix[:size] for size in (1, 2, 3) if prefix[:size] in codes)


def _open_minutes(zones: frozenset[str], clocks: dict[str, Clock]) -> float:
    """Minutes a day in which all zones are open, on average."""
    total = 0
    every = [clocks[name][::56] for name in zones]
    for offsets in zip(*every, strict=True):
        total += max(0, 60 * (OPEN_TILL - OPEN_FROM) - (max(offsets) - min(offsets)))
    return total / len(every[0])


def _join(
    classes: list[Class], clocks: dict[str, Clock]
) -> dict[tuple[frozenset[str], str], frozenset[str]]:
    """Joins the two classes that cost the least, until there are few enough."""
    found = {(each.zones, each.owner): (each.zones, each.owner) for each in classes}
    left = {(each.zones, each.owner): each.weight for each in classes}
    minutes = {zones: _open_minutes(zones, clocks) for zones, _ in left}

    def cost(one: tuple[frozenset[str], str], two: tuple[frozenset[str], str]) -> float:
        joined = one[0] | two[0]
        if joined not in minutes:
            minutes[joined] = _open_minutes(joined, clocks)
        return sum(left[each] * (minutes[each[0]] - minutes[joined]) for each in (one, two))

    while len(left) > MOST_CLASSES:
        pairs = ((a, b) for a, b in combinations(left, 2) if a[1] == b[1])
        one, two = min(pairs, key=lambda pair: (cost(*pair), sorted(pair[0][0] | pair[1][0])))
        joined, weight = (one[0] | two[0], one[1]), left.pop(one) + left.pop(two)
        left[joined] = left.get(joined, 0.0) + weight
        found = {key: joined if value in (one, two) else value for key, value in found.items()}
    return {key: value[0] for key, value in found.items()}


def _without_repeated(by_class: dict[str, list[str]], codes: list[str]) -> dict[str, list[str]]:
    """Leaves out prefixes that say what a shorter one says; a country's own stay."""
    class_of = {prefix: name for name, prefixes in by_class.items() for prefix in prefixes}
    kept: dict[str, list[str]] = defaultdict(list)
    for prefix, name in class_of.items():
        shorter = next(
            (prefix[:size] for size in range(len(prefix) - 1, 0, -1) if prefix[:size] in class_of),
            "",
        )
        if prefix in codes or class_of.get(shorter) != name:
            kept[name].append(prefix)
    return kept


def _samples(phonenumbers: Any) -> str:
    """What the library says of numbers of all regions: zones, then valid numbers in them."""
    from phonenumbers.timezone import time_zones_for_number  # noqa: PLC0415

    random, found = Random(14), defaultdict(set)
    kinds = [
        getattr(phonenumbers.PhoneNumberType, name)
        for name in ("FIXED_LINE", "MOBILE", "TOLL_FREE")
    ]
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in kinds:
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            national = phonenumbers.national_significant_number(example)
            for changed in range(6):
                digits = list(national)
                for at in random.sample(range(len(digits)), min(changed, len(digits))):
                    digits[at] = random.choice("0123456789")
                number = f"+{example.country_code}{''.join(digits)}"
                try:
                    parsed = phonenumbers.parse(number)
                except phonenumbers.NumberParseException:
                    continue
                if phonenumbers.is_valid_number(parsed):
                    written = phonenumbers.format_number(
                        parsed, phonenumbers.PhoneNumberFormat.E164
                    )
                    found["&".join(time_zones_for_number(parsed))].add(written)
    return "".join(f"{zones} {' '.join(sorted(found[zones]))}\n" for zones in sorted(found))


if __name__ == "__main__":
    main()
