"""A text is one phone number, or it is refused by the name of what else is in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.request.phones import NumberError, identify, identify_all, number_to_send

NUMBER = "+14155550100"


@pytest.mark.parametrize(
    "written",
    [
        "+1\u00a0415\u202f555\u20090100",
        "+1\u3000415\u2007555\u205f0100",
        "\u202a+1 415 555 0100\u202c",
        "\u2068+1 415\u200e 555\u200f 0100\u2069",
        "\ufeff+1 415\u200b555\u00ad0100\ufe0f",
        "+1\t415\t5550100",
        "+1 (415) 555\u20110100",
        "+1\u2212415\u2013555\u30fc0100",
        "\uff0b\uff11 \uff14\uff11\uff15 \uff15\uff15\uff15 \uff10\uff11\uff10\uff10",
        "+\u0661 \u0664\u0661\u0665 \u0665\u0665\u0665 \u0660\u0661\u0660\u0660",
        "+\u0967 \u096a\u0967\u096b \u096b\u096b\u096b \u0966\u0967\u0966\u0966",
        "+1/415/555-0100",
        "(+1) 415 555 0100",
        "[+1] 415.555.0100",
        "+ 1 415 555 0100",
        "tel:+1-415-555-0100",
        "Tel. +1 415 555 0100",
        "TEL: +1 415 555 0100",
        "phone: +1 415 555 0100",
        "Mobil +1 415 555 0100",
        "Téléphone : +1 415 555 0100",
        "тел. +1 415 555 0100",
        "電話:+1 415 555 0100",
        "Te\u0301le\u0301phone: +1 415 555 0100",
        "m: +1 415 555 0100",
        "0014155550100",
        "00 1 (415) 555-0100",
        "+1 415 555 0100;",
        "+1 415 555 0100 ()",
    ],
)
def test_one_number_is_read_however_it_is_set(written: str) -> None:
    assert identify(written) == NUMBER
    assert [*identify_all([written, NUMBER])] == [NUMBER, NUMBER]


@pytest.mark.parametrize(
    "written",
    [
        "+14155550100x12",
        "+1 415 555 0100 x12",
        "+1 415 555 0100 ext. 12",
        "+1 415 555 0100 Ext 12",
        "+1 415 555 0100, extension: 12",
        "+1 415 555 0100 #12",
        "+1 415 555 0100 ext#12",
        "tel:+1-415-555-0100;ext=12",
        "+1 415 555 0100 доб. 12",
        "+1 415 555 0100 \uff58\uff11\uff12",
    ],
)
def test_known_forms_of_extensions_are_read(written: str) -> None:
    assert identify(written) == f"{NUMBER};ext=12"


@pytest.mark.parametrize(
    ("written", "region", "named"),
    [
        ("070 174 06 05 hem", "SE", "letters (hem)"),
        ("070 174 06 05 (Axel)", "SE", "letters (Axel)"),
        ("+1 415 555 XXXX", None, "letters (XXXX)"),
        ("+44 7700 9O0124", None, "letters (O)"),
        ("+44 7700 900XXX", None, "letters (XXX)"),
        ("1-800-FLOWERS", "US", "letters (FLOWERS)"),
        ("Axel 070 174 06 05", "SE", "letters (Axel)"),
        ("ada1415555@example.org", None, "letters"),
        ("030 23125037 Mo-Fr 9-17", "DE", "letters (Mo Fr)"),
        ("*31#4155550100", "US", "'*'"),
        ("+1 415 555 0100?", None, "'?'"),
    ],
)
def test_letters_and_signs_beside_digits_are_refused_by_name(
    written: str, region: str | None, named: str
) -> None:
    with pytest.raises(NumberError) as refused:
        identify(written, region)
    assert named in str(refused.value)
    assert [*identify_all([written], region)] == [None]


@pytest.mark.parametrize(
    ("written", "region", "ending"),
    [
        ("030 23125014 / 15", "DE", "15"),
        ("030 23125014/15", "DE", "15"),
        ("+49 30 23125016 / 017", None, "17"),
        ("+49 30/23125016/017", None, "17"),
        ("030 23125033 u. 34", "DE", "34"),
        ("030 23125033 und 34", "DE", "34"),
        ("030 23125014, 46", "DE", "46"),
        ("030 23125014; 46", "DE", "46"),
        ("030 23125027 / 030 23125028", "DE", "28"),
        ("555-0100/555-0101", None, "01"),
        ("555-0100 555-0101", None, "01"),
        ("555-0100-555-0102", None, "02"),
        ("98765 43210 98765 43211", "IN", "11"),
        ("+1 415 555 0100 +1 415 555 0101", None, "01"),
        ("+14155550100+14155550101", None, "01"),
        ("+1 415-555-0100 ::: +1 415-555-0101", None, "01"),
        ("+91-98765-43210/43211", None, "11"),
    ],
)
def test_two_numbers_are_refused_and_the_second_named_by_its_end(
    written: str, region: str | None, ending: str
) -> None:
    with pytest.raises(NumberError, match=rf"two numbers \(the second ends in {ending}\)"):
        identify(written, region)
    assert [*identify_all([written, written], region)] == [None, None]


@pytest.mark.parametrize(
    ("written", "region", "form"),
    [
        ("030/23125018", "DE", "+493023125018"),
        ("030 / 231 25 018", "DE", "+493023125018"),
        ("030/2312/5018", "DE", "+493023125018"),
        ("+49 30/23125018", None, "+493023125018"),
        ("+49 (0) 35242 / 12345", None, "+493524212345"),
        ("0049 35242/12345", None, "+493524212345"),
        ("0171/1234567", "DE", "+491711234567"),
        ("030 23125014-15", "DE", "+49302312501415"),
        ("+44 (0)20 7946 0018", None, "+442079460018"),
    ],
)
def test_a_slash_within_one_number_is_fine(written: str, region: str | None, form: str) -> None:
    assert identify(written, region) == form


def test_00_is_plus_where_no_region_says_otherwise() -> None:
    assert identify("0014155550100") == identify("001 415-555-0100") == NUMBER
    assert identify("0014155550100", "US") == NUMBER  # no number of the US begins so
    assert identify("00919876543210", "DE") == "+919876543210"
    with pytest.raises(NumberError, match="country code that does not exist"):
        identify("0000000000")


@pytest.mark.parametrize(
    ("written", "region", "sent"),
    [
        ("(415) 555-0100", "US", NUMBER),
        ("4155550100", "US", NUMBER),
        ("0014155550100", None, NUMBER),
        ("tel:+14155550100", None, NUMBER),
        ("+44 (0)20 7946 0018", None, "+442079460018"),
        ("+1\u202f415 555 0100", None, NUMBER),
        ("+1/415/5550100", None, NUMBER),
        ("+1 415-555-0100", None, "+1 415-555-0100"),
        (NUMBER, None, NUMBER),
    ],
)
def test_where_the_country_is_known_e164_goes_out(
    written: str, region: str | None, sent: str
) -> None:
    assert number_to_send(written, identify(written, region), as_e164=True) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("(123) 456-7890", "(123) 456-7890"),
        ("\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10", "1234567890"),
        ("Tel. 123 4567890", "1234567890"),
        ("+14155550100 ext. 5", "+14155550100 ext. 5"),
    ],
)
def test_what_e164_cannot_say_goes_out_as_plain_as_it_was_written(written: str, sent: str) -> None:
    assert number_to_send(written, identify(written), as_e164=True) == sent


@given(st.from_regex(r"\+1415555[0-9]{4}", fullmatch=True), st.characters(categories=["L"]))
def test_a_letter_among_the_digits_never_makes_a_number(number: str, letter: str) -> None:
    for place in range(2, len(number)):
        with pytest.raises(NumberError):
            identify(number[:place] + letter + number[place + 1 :])
