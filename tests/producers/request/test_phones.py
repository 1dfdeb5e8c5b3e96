"""Which numbers count, and what identifies them."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_non_geo_entity,
    example_number_for_type,
    format_number,
)

from callspool.request import phones
from callspool.request.phones import WITHOUT_SEPARATORS, NumberError, identify, is_e164
from tests.producers.request.reference_numbers import (
    attempted,
    identified,
    identified_by_the_library,
)

REGIONS = sorted(SUPPORTED_REGIONS)
CODES = sorted(COUNTRY_CODE_TO_REGION_CODE)
FORMATS = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
)


def examples() -> list[tuple[str, PhoneNumber]]:
    kinds = PhoneNumberType.values()
    found = [
        (region, example_number_for_type(region, kind)) for region in REGIONS for kind in kinds
    ]
    elsewhere = [("US", example_number_for_non_geo_entity(code)) for code in CODES]
    return [(region, number) for region, number in found + elsewhere if number is not None]


def expected_of(number: str, region: str | None) -> str | None:
    """The library's verdict; where it has none, `00` is as good as `+`."""
    found = identified_by_the_library(number, region)
    if found is None and (bare := number.translate(WITHOUT_SEPARATORS)).startswith("00"):
        return identified_by_the_library(f"+{bare[2:]}", region)
    return found


def test_the_librarys_example_numbers_of_all_regions_get_the_librarys_verdict() -> None:
    for region, number in examples():
        for form in FORMATS:
            written = format_number(number, form)
            for home in (region, "IN", None):
                if home is None and form == PhoneNumberFormat.NATIONAL:
                    continue
                expected = identified_by_the_library(written, home)
                assert identified(written, home) == expected, (written, home)


def test_every_country_code_and_length_gets_the_librarys_verdict() -> None:
    draw = random.Random(1)
    for code in CODES:
        for length in range(1, 18):
            for first in draw.sample("0123456789", 3):
                number = f"+{code}{first}" + "".join(draw.choices("0123456789", k=length - 1))
                expected = identified_by_the_library(number, None)
                assert identified(number, None) == expected, number


def test_every_region_and_length_gets_the_librarys_verdict() -> None:
    draw = random.Random(2)
    for region in REGIONS:
        for length in range(2, 18):
            for first in draw.sample("0123456789", 2):
                number = first + "".join(draw.choices("0123456789", k=length - 1))
                expected = expected_of(number, region)
                assert identified(number, region) == expected, (number, region)


@given(
    st.sampled_from(["+", ""]),
    st.text("0123456789 .-()", min_size=4, max_size=24),
    st.sampled_from(REGIONS),
)
@example("+", "()-415 555-01.00", "US")
@example("", "(011) 91 98765 43210", "US")
@example("", "919876543210", "IN")
@example("", "09876543210", "IN")
def test_numbers_with_separators_get_the_librarys_verdict(
    plus: str, digits: str, region: str
) -> None:
    number = plus + digits
    found, expected = attempted(number, region), expected_of(number, region)
    if isinstance(found, NumberError):
        assert expected is None or "two numbers" in str(found)
    else:
        assert found == expected


@given(st.text(max_size=40), st.sampled_from([None, *REGIONS]))
def test_any_text_is_a_number_or_refused_in_words_without_it(text: str, region: str | None) -> None:
    outcome = attempted(text, region)
    assert str(outcome)
    if isinstance(outcome, NumberError):
        assert "\n" not in str(outcome)
        assert len(text) < 5 or text not in str(outcome)


@given(st.text("0123456789+;=ext#,/ abctel:phone-context*", max_size=60))
@example("415 555 0100 call")
@example("tel:415-555-0100;ext=12")
@example("1415555010x0")
def test_texts_that_resemble_numbers_get_the_librarys_verdict_or_none(text: str) -> None:
    found = identified(text, "US")
    assert found is None or found == expected_of(text, "US")


@pytest.mark.parametrize(
    "written",
    ["+14155550123", "+1 415 555 0123", "+1 (415) 555-0123", "+1.415.555.0123", "tel:+14155550123"],
)
def test_one_number_has_one_identity_however_it_is_written(written: str) -> None:
    assert identify(written) == "+14155550123"


@pytest.mark.parametrize("written", ["(415) 555-0123", "415-555-0123", "1 415 555 0123"])
def test_a_region_gives_a_number_its_country_code(written: str) -> None:
    assert identify(written, "US") == "+14155550123"


def test_the_apis_own_example_counts_without_a_region() -> None:
    assert identify("1234567890") == "1234567890"


@pytest.mark.parametrize(
    "written", ["123-456-7890", "(123) 456 7890", "123\u00a0456\u20117890", "١٢٣٤٥٦٧٨٩٠"]
)
def test_without_a_region_the_digits_identify_a_number(written: str) -> None:
    assert identify(written) == "1234567890"


@pytest.mark.parametrize("digits", ["1234567", "123456789012345"])
def test_seven_to_fifteen_digits_count_without_a_region(digits: str) -> None:
    assert identify(digits) == digits


@pytest.mark.parametrize("digits", ["123456", "1234567890123456", "12345678901234567890"])
def test_fewer_or_more_digits_do_not_count_without_a_region(digits: str) -> None:
    with pytest.raises(NumberError, match="has no country code"):
        identify(digits)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("+712345678901", "has a length"),
        ("+14155", "is too short"),
        ("+14155550123456789", "is too long"),
        ("+999123456789", "country code that does not exist"),
        ("+0123456789", "country code that does not exist"),
        ("hello", "is not a phone number"),
        ("", "is not a phone number"),
        ("1800FLOWERS", "is not a phone number"),
        ("+1415555\n0123", "control characters"),
        ("1" * 251, "is too long"),
    ],
)
def test_what_is_no_number_is_refused_with_a_reason(written: str, reason: str) -> None:
    with pytest.raises(NumberError, match=reason):
        identify(written)


@pytest.mark.parametrize("written", ["555-0123", "+1 555 0123"])
def test_a_number_without_its_area_code_is_none(written: str) -> None:
    with pytest.raises(NumberError, match="has no area code"):
        identify(written, "US")


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("49 171 3920005", "+491713920005"),
        ("4930 23125014", "+493023125014"),
        ("4921 870", "+494921870"),
        ("04921 1123456", "+4949211123456"),
    ],
)
def test_a_plus_that_a_spreadsheet_took_is_there_again(written: str, form: str) -> None:
    assert identify(written, "DE") == form


def test_where_plus_or_zero_may_be_lost_the_number_is_refused() -> None:
    with pytest.raises(NumberError, match="may have lost its"):
        identify("49211123456", "DE")


def test_two_extensions_of_one_switchboard_are_two_people() -> None:
    first, second = identify("+14155550100 ext. 5"), identify("+14155550100 ext. 6")
    assert first == "+14155550100;ext=5"
    assert first != second
    assert not is_e164(first)


def test_numbers_with_plus_are_not_read_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("read in full")

    monkeypatch.setattr(phones, "_read", refuse)
    assert identify("+14155550123") == "+14155550123"
    assert identify("+91 98765 43210") == "+919876543210"
    assert identify("9876543210", "IN") == "+919876543210"
    assert identify("1234567890") == "1234567890"
