"""Phone numbers: which ones count, and what identifies the person behind one.

A number counts when libphonenumber calls it *possible*: its length fits its country, area code
included. Reading one number with the library takes 33-44 µs. Nearly all numbers need less: where
the library would leave the digits as they are, only their count matters, which a pattern checks.
Either way `identify` gives the library's own verdict (tests compare the two for every region),
except where a number may have lost its ``+``. Numbers of one country in one form are matched
together, in a tenth of the time that it takes number by number.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    number_type,
    parse,
    region_code_for_country_code,
)

from callspool.request.phone_reading import (
    FEWEST_DIGITS,
    LONGEST_NATIONAL,
    NumberError,
    Spelled,
    spell_one,
    to_ascii,
)

MOST_DIGITS = 15

_DIGITS = re.compile(r"\+?[0-9]{4,17}").fullmatch
_SPACED = re.compile(r"\+?[0-9(][0-9 ().-]{3,40}").fullmatch
_START = re.compile(r"\+[1-9][0-9]{2}").fullmatch
WITHOUT_SEPARATORS = str.maketrans("", "", " ().-")
_REASONS = {
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "has no area code",
    ValidationResult.TOO_SHORT: "is too short for a phone number of its country",
    ValidationResult.TOO_LONG: "is too long for a phone number of its country",
    ValidationResult.INVALID_LENGTH: "has a length that no phone number of its country has",
    ValidationResult.INVALID_COUNTRY_CODE: "has a country code that does not exist",
}


def identify(number: str, region: str | None = None) -> str:
    """Returns the form of a number that identifies it, however it was written.

    E.164 with its ``+`` (an extension follows as ``;ext=``); without a region, a number that has
    no country code is identified by its 7 to 15 digits. Raises `NumberError`.
    """
    if number[:1] == "+" and (kept := international(number[:4])) and kept.one(number):
        return number
    return _identify_digits(_digits(number), region) or _identify_spelled(spell_one(number), region)


def is_e164(identity: str) -> bool:
    """Whether an identifying form is a plain E.164 number that could be sent."""
    return identity[0] == "+" and ";" not in identity


def number_to_send(written: str, form: str, *, as_e164: bool) -> str:
    """Returns what goes out for a number that was written so; ``form`` identifies it.

    E.164 where that says another number to a reader who takes the digits as they stand. A number
    whose digits are those already, behind their ``+``, keeps its separators.
    """
    if as_e164 and is_e164(form):
        if "+" not in written:
            return form
        return written if written.translate(WITHOUT_SEPARATORS) == form else form
    return form if form[0] != "+" and not _SPACED(written) else to_ascii(written)


def _identify_digits(digits: str, region: str | None) -> str | None:
    """The identifying form of mere digits (and a ``+``), if they need not be read."""
    if digits[:1] == "+":
        kept, prefix = international(digits[:4]), ""
    elif region is not None:
        kept, prefix = national(region)
    else:
        is_bare = digits[:2] != "00" and FEWEST_DIGITS <= len(digits) <= MOST_DIGITS
        return digits if is_bare else None
    return prefix + digits if kept is not None and kept.one(digits) else None


class Kept(NamedTuple):
    """Matches digits that libphonenumber would leave as they are, and calls possible.

    ``one`` matches one number; ``find_other`` finds the first that it would not match among many,
    a line feed before each.
    """

    one: Callable[[str], re.Match[str] | None]
    find_other: Callable[[str], re.Match[str] | None]


@lru_cache(maxsize=2048)
def international(start: str) -> Kept | None:
    """Returns what matches the numbers that start so (a ``+`` and three digits); None for none."""
    if _START(start) is None:
        return None
    for size in (1, 2, 3):
        code = int(start[1 : 1 + size])
        if code in COUNTRY_CODE_TO_REGION_CODE:
            return _of_country(code)
    return None


@cache
def _of_country(code: int) -> Kept | None:
    metadata = _metadata(code)
    return _build_kept(rf"\+{code}", metadata.national_prefix_for_parsing, metadata)


@cache
def national(region: str) -> tuple[Kept | None, str]:
    """Returns what matches a region's digits without a country code, and their E.164 prefix."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.country_code is None:
        return None, ""
    code = str(metadata.country_code)
    abroad = metadata.international_prefix
    if abroad is not None and re.match(abroad, ""):
        return None, ""
    # What could hold an international prefix or the country code is read in full.
    changed = f"(?:{abroad})|{code}" if abroad else code
    if metadata.national_prefix_for_parsing:
        changed += f"|(?:{metadata.national_prefix_for_parsing})"
    return _build_kept("", changed, _metadata(int(code))), f"+{code}"


def _build_kept(start: str, changed: str | None, metadata: PhoneMetadata) -> Kept | None:
    """Matches ``start`` and national digits of a possible length that nothing of ``changed`` fits.

    A prefix that is optional fits emptily and changes nothing then.
    """
    empty = re.match(changed, "") if changed else None
    if empty is not None and empty.lastindex is not None:
        return None
    general = metadata.general_desc
    assert general is not None
    digits = "|".join(f"[0-9]{{{length}}}" for length in sorted(general.possible_length))

    def pattern(begin: str) -> str:
        unchanged = rf"(?!(?:{changed})(?<!{begin}{start}))" if changed else ""
        return f"{start}{unchanged}(?:{digits})"

    return Kept(re.compile(pattern(r"\A")).fullmatch, lines_other_than(pattern(r"\n")))


def lines_other_than(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """Returns a search for the first line (with its line feed before) that does not fit.

    It repeats no group possessively: before Python 3.11.5 that matches what it should not.
    """
    return re.compile(rf"\n(?!(?:{pattern})$)", re.MULTILINE).search


def _metadata(code: int) -> PhoneMetadata:
    """The data by which libphonenumber judges the numbers of a country code."""
    region = region_code_for_country_code(code)
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    assert metadata is not None
    return metadata


def _digits(number: str) -> str:
    """The digits (and ``+``) of a number written with usual separators, else nothing."""
    if _DIGITS(number):
        return number
    if not _SPACED(number):
        return ""
    digits = number.translate(WITHOUT_SEPARATORS)
    return digits if _DIGITS(digits) and len(digits) < room_for_two(digits) else ""


def room_for_two(digits: str) -> int:
    """Digits (and a ``+``) from which on a text with separators may be two whole numbers."""
    return LONGEST_NATIONAL + (2 if digits[0] == "+" else 0)


def _identify_spelled(spelled: Spelled, region: str | None) -> str:
    """The identifying form of a number that had to be read sign by sign."""
    form = _identify_digits(spelled.digits, region) or _identify_by_library(spelled.digits, region)
    # Two people behind one switchboard are two people.
    return f"{form};ext={spelled.extension}" if spelled.extension else form


def _identify_by_library(digits: str, region: str | None) -> str:
    """The form of mere digits (and a ``+``) as libphonenumber reads them."""
    abroad = digits[:2] == "00"
    if region is None and digits[:1] != "+":
        if not abroad:
            raise NumberError(_too_few_or_many(digits))
        digits, abroad = f"+{digits[2:]}", False
    try:
        return _read(digits, region)
    except NumberError:
        if not abroad:
            raise
    return _read(f"+{digits[2:]}", region)


def _read(digits: str, region: str | None) -> str:
    try:
        parsed = parse(digits, region)
    except NumberParseException as fault:
        if fault.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            raise NumberError(_REASONS[ValidationResult.INVALID_COUNTRY_CODE]) from None
        raise NumberError("is not a phone number") from None
    verdict = is_possible_number_with_reason(parsed)
    if verdict != ValidationResult.IS_POSSIBLE:
        raise NumberError(_REASONS.get(verdict, "is not a possible phone number"))
    form = format_number(parsed, PhoneNumberFormat.E164)
    code = str(parsed.country_code)
    if digits.startswith(code) and form == f"+{code}{digits}":
        return _settle_lost_plus(digits, parsed, form)
    return form


_CALLED = (
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
)


def _settle_lost_plus(digits: str, parsed: PhoneNumber, form: str) -> str:
    """The form of digits that begin with the country code, though that may be an area code, too.

    A spreadsheet takes a ``+`` away, and as well the zero before an area code.
    """
    abroad = parse(f"+{digits}")
    kind = number_type(abroad)
    if kind not in _CALLED:
        return form
    if kind == PhoneNumberType.MOBILE or not is_valid_number(parsed):
        return f"+{digits}"
    raise NumberError("may have lost its + or its first 0: write the one that it had")


def _too_few_or_many(digits: str) -> str:
    return (
        f"has no country code, and {len(digits)} digits where {FEWEST_DIGITS} to "
        f"{MOST_DIGITS} can be a phone number: write + and the country code, or set a region"
    )


_FindOther = Callable[[str], re.Match[str] | None]

_find_other_than_usual = lines_other_than(r"\+?[0-9(][0-9 ().-]{3,40}")
_find_other_than_digits = lines_other_than(r"\+?[0-9]{4,17}")
_find_with_country = lines_other_than(rf"(?!00)[0-9]{{{FEWEST_DIGITS},{MOST_DIGITS}}}")


def identify_all(numbers: Sequence[str], region: str | None = None) -> Sequence[str | None]:
    """Returns the identifying form of each number; None in place of one that `identify` refuses."""
    if _are_international(numbers):
        return numbers
    signed = [number for number in numbers if number[:1] == "+"]
    if not signed or len(signed) == len(numbers):
        return _of_one_kind(numbers, region)
    others = [number for number in numbers if number[:1] != "+"]
    forms = dict(zip(signed, _of_one_kind(signed, region), strict=True))
    forms.update(zip(others, _of_one_kind(others, region), strict=True))
    return [forms[number] for number in numbers]


def _of_one_kind(numbers: Sequence[str], region: str | None) -> Sequence[str | None]:
    """As `identify_all`, for numbers that all begin with ``+``, or of which none does."""
    if (together := _identify_together(numbers, region)) is not None:
        return together
    return [_identify_or_none(number, region) for number in numbers]


def _identify_or_none(number: str, region: str | None) -> str | None:
    try:
        return identify(number, region)
    except NumberError:
        return None


def _identify_together(numbers: Sequence[str], region: str | None) -> Sequence[str] | None:
    if not _all_match(_find_other_than_usual, numbers):
        return None
    bare = "\n".join(numbers).translate(WITHOUT_SEPARATORS).split("\n")
    if not _all_match(_find_other_than_digits, bare) or max(map(len, bare)) >= room_for_two(
        bare[0]
    ):
        return None
    if bare[0][0] == "+":
        return bare if _are_international(bare) else None
    if region is None:
        return bare if _all_match(_find_with_country, bare) else None
    kept, prefix = national(region)
    if kept is None or not _all_match(kept.find_other, bare):
        return None
    return [prefix + digits for digits in bare]


def _are_international(numbers: Sequence[str]) -> bool:
    """Whether every number begins with ``+`` and is in its identifying form already."""
    countries = {international(start) for start in {number[:4] for number in numbers}}
    if None in countries:
        return False
    if len(countries) == 1:
        (country,) = countries
        return country is not None and _all_match(country.find_other, numbers)
    return all((kept := international(each[:4])) and kept.one(each) for each in numbers)


def _all_match(find_other: _FindOther, numbers: Sequence[str]) -> bool:
    text = "\n".join(("", *numbers))
    return text.count("\n") == len(numbers) and find_other(text) is None
