"""Many numbers at once get the verdicts that each gets alone."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS

from callspool.request import phones
from callspool.request.phones import identify_all
from tests.producers.request.reference_numbers import identified

REGIONS = sorted(SUPPORTED_REGIONS)
CODES = sorted(COUNTRY_CODE_TO_REGION_CODE)
SEPARATORS = (" ", "-", ".", " (", ") ")

PLAIN = st.from_regex(r"\+?[1-9][0-9]{6,14}", fullmatch=True)
SPACED = st.text("0123456789 .-()", min_size=4, max_size=20)
ODD = st.sampled_from(["", "+", "\n", "+14155550100\n+14155550101", "7", "tel:+14155550123"])
ANY = PLAIN | SPACED | SPACED.map("+".__add__) | ODD | st.text(max_size=12)


def each(numbers: list[str], region: str | None) -> list[str | None]:
    return [identified(number, region) for number in numbers]


def some_numbers(draw: random.Random, start: str, length: int) -> list[str]:
    """Three numbers of a length that differ in their first digit, each in two ways of writing."""
    firsts = draw.sample("0123456789", 3)
    bare = [first + "".join(draw.choices("0123456789", k=length - 1)) for first in firsts]
    spaced = [digits[:2] + draw.choice(SEPARATORS) + digits[2:] for digits in bare]
    return [start + digits for digits in (*bare, *spaced)]


def test_every_country_code_and_length_gets_the_verdicts_of_single_numbers() -> None:
    draw = random.Random(1)
    for code in CODES:
        good: list[str] = []
        for length in range(2, 16):
            numbers = some_numbers(draw, f"+{code}", length)
            verdicts = each(numbers, None)
            for number, verdict in zip(numbers, verdicts, strict=True):
                assert [*identify_all([number])] == [verdict], number
            good += [number for number, known in zip(numbers, verdicts, strict=True) if known]
        assert [*identify_all(good)] == each(good, None), code


def test_every_region_and_length_gets_the_verdicts_of_single_numbers() -> None:
    draw = random.Random(2)
    for region in REGIONS:
        good: list[str] = []
        for length in range(3, 14):
            numbers = some_numbers(draw, "", length)
            verdicts = each(numbers, region)
            assert [*identify_all(numbers, region)] == verdicts, region
            good += [number for number, known in zip(numbers, verdicts, strict=True) if known]
        assert [*identify_all(good, region)] == each(good, region), region


@given(st.lists(ANY, max_size=6), st.sampled_from([None, "US", "IN", "AG", "IT", "SM"]))
@example(["+14155550100\n+14155550101", "+14155550102"], None)
@example(["+14155550100", "(415) 555-0101", "+91 98765 43210"], "US")
@example(["4155550100", "415 555 0101", "14155550102"], "US")
@example(["1234567", "123456789012345"], None)
@example(["4641234", "2684641234"], "AG")
def test_any_list_of_texts_gets_the_verdicts_of_single_texts(
    numbers: list[str], region: str | None
) -> None:
    assert [*identify_all(numbers, region)] == each(numbers, region)


@pytest.mark.parametrize(
    ("numbers", "region"),
    [
        (["+14155550100", "+12025550101"], None),
        (["+14155550100", "+919876543210"], None),
        (["+1 415-555-0100", "+1 (202) 555 0101"], None),
        (["(415) 555-0100", "202.555.0101"], "US"),
        (["1234567", "123 456 789"], None),
        (["+14155550100", "2025550101", "+1 415 555 0102"], "US"),
    ],
)
def test_what_is_written_as_usual_is_never_read_alone(
    numbers: list[str], region: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = each(numbers, region)
    monkeypatch.delattr(phones, "identify")
    assert [*identify_all(numbers, region)] == expected
