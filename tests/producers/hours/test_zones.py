from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers.phonenumberutil import is_number_type_geographical

from callspool.hours.numbers import Classifier, is_bound_to_a_place, zones_of_number
from callspool.hours.zones import OWN, ZoneClass, find_zone, zone_named

SAMPLES = Path(__file__).with_name("zone_samples.txt").read_text(encoding="utf-8").splitlines()
UNKNOWN_TO_THE_LIBRARY = "Etc/Unknown"
MOMENTS = [
    datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=3 * step, hours=step) for step in range(300)
]


def clock_of(name: str) -> tuple[timedelta | None, ...]:
    zone = zone_named(name)
    return tuple(moment.astimezone(zone).utcoffset() for moment in MOMENTS)


def test_a_number_is_in_every_zone_that_the_library_says_in_all_regions() -> None:
    clocks: dict[str, tuple[timedelta | None, ...]] = {}
    numbers = 0
    for line in SAMPLES:
        joined, *each = line.split()
        for number in each:
            ours, _ = zones_of_number(number)
            numbers += 1
            if joined == UNKNOWN_TO_THE_LIBRARY:
                continue
            for zone in {*ours, *joined.split("&")} - clocks.keys():
                clocks[zone] = clock_of(zone)
            known = {clocks[zone] for zone in ours}
            assert known >= {clocks[zone] for zone in joined.split("&")}, number
    assert numbers > 1500


def test_a_number_is_bound_to_a_place_where_the_library_says_so() -> None:
    wrong = []
    for number in (number for line in SAMPLES for number in line.split()[1:]):
        parsed = phonenumbers.parse(number)
        code, national = parsed.country_code, phonenumbers.national_significant_number(parsed)
        kind = phonenumbers.number_type(parsed)
        if is_bound_to_a_place(str(code), national) != is_number_type_geographical(kind, code):
            wrong.append(number)
    assert wrong == []


def test_numbers_of_all_regions_make_few_classes() -> None:
    classifier = Classifier({"1": "America/New_York", "61": "Australia/Sydney", "*": OWN})
    numbers = [number for line in SAMPLES for number in line.split()[1:]]

    assert len({classifier.classify(number) for number in numbers}) <= 62


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+14155550100", ("America/Los_Angeles",)),
        ("+1 (212) 555-0100", ("America/New_York",)),
        ("+4930123456", ("Europe/Berlin",)),
        ("+4930123456;ext=7", ("Europe/Berlin",)),
        ("+390612345678", ("Europe/Berlin",)),
        ("4155550100", ()),
        ("+80012345678", ()),
        ("nothing", ()),
    ],
)
def test_a_prefix_tells_the_zones(number: str, zones: tuple[str, ...]) -> None:
    assert zones_of_number(number)[0] == zones


def test_a_mobile_may_be_anywhere_in_its_country() -> None:
    assert {"Australia/Adelaide", "Australia/Sydney"} <= set(zones_of_number("+61412345678")[0])
    assert zones_of_number("+61236618300")[0] == ("Australia/Sydney",)


def test_the_field_of_a_document_wins_over_its_number() -> None:
    classifier = Classifier({"1": "America/New_York"}, "timezone")

    named = classifier.explain("+14155550100", b'{"timezone":"europe/paris"}')
    wrong = classifier.explain("+14155550100", b'{"timezone":"Moon/Tranquility"}')
    absent = classifier.explain("+14155550100", b'{"timezone":null}')

    platform = ("America/New_York", "timezone")
    assert named == (ZoneClass(("Europe/Paris",), *platform), "field")
    assert wrong == (ZoneClass((), *platform), "unknown")
    assert absent == (ZoneClass(("America/Los_Angeles",), *platform), "number")


def test_a_class_is_a_text_and_back() -> None:
    for each in (ZoneClass(("A", "B"), OWN), ZoneClass((), ""), ZoneClass(("C",), "D", "f|g")):
        assert ZoneClass.from_name(each.name) == each


def test_a_zone_is_found_by_its_name_in_any_case() -> None:
    assert find_zone(" america/new york ") == "America/New_York"
    assert find_zone("../../etc/passwd") is None
