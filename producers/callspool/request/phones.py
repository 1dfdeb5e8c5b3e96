"""Phone numbers: which ones count, and what identifies the person behind one.

A number counts when libphonenumber calls it *possible*: its length fits its country. Reading one
number with the library takes 33-44 µs. Nearly all numbers need less: where the library would
leave the digits as they are, only their count matters, and that is looked up. `identify` gives
the library's own verdict either way (tests compare the two for every region).
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    parse,
    region_code_for_country_code,
)

from callspool.request.text import has_control_character

FEWEST_DIGITS = 7
MOST_DIGITS = 15
LONGEST_TEXT = 250

_DIGITS = re.compile(r"\+?[0-9]{4,17}").fullmatch
_SPACED = re.compile(r"\+?[0-9(][0-9 ().-]{3,40}").fullmatch
_START = re.compile(r"\+[1-9][0-9]{2}").fullmatch
_PLUS = re.compile("[+\uff0b]")
WITHOUT_SEPARATORS = str.maketrans("", "", " ().-")
_POSSIBLE = (ValidationResult.IS_POSSIBLE, ValidationResult.IS_POSSIBLE_LOCAL_ONLY)
_REASONS = {
    ValidationResult.TOO_SHORT: "is too short for a phone number of its country",
    ValidationResult.TOO_LONG: "is too long for a phone number of its country",
    ValidationResult.INVALID_LENGTH: "has a length that no phone number of its country has",
    ValidationResult.INVALID_COUNTRY_CODE: "has a country code that does not exist",
}


class NumberError(ValueError):
    """Why a text cannot be a phone number; never holds the number itself."""


def identify(number: str, region: str | None = None) -> str:
    """The form of a number that identifies it, however it was written.

    E.164 with its ``+`` (an extension follows as ``;ext=``); without a region, a number that has
    no country code is identified by its 7 to 15 digits. Raises `NumberError`.
    """
    if number[:1] == "+" and (kept := international(number[:4])) and kept.one(number):
        return number
    return _identify_digits(_digits(number), region) or _read(number, region)


def is_e164(identity: str) -> bool:
    """Whether an identifying form is a plain E.164 number that could be sent."""
    return identity[0] == "+" and ";" not in identity


def _identify_digits(digits: str, region: str | None) -> str | None:
    """The identifying form of mere digits (and a ``+``), if they need not be read."""
    if digits[:1] == "+":
        kept, prefix = international(digits[:4]), ""
    elif region is not None:
        kept, prefix = national(region)
    else:
        return digits if FEWEST_DIGITS <= len(digits) <= MOST_DIGITS else None
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
    """For ``+`` numbers that start so: a ``+`` and three digits."""
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
    return _kept(rf"\+{code}", metadata.national_prefix_for_parsing, metadata)


@cache
def national(region: str) -> tuple[Kept | None, str]:
    """For digits without a country code in a region; and what makes E.164 of them."""
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
    return _kept("", changed, _metadata(int(code))), f"+{code}"


def _kept(start: str, changed: str | None, metadata: PhoneMetadata) -> Kept | None:
    """Matches ``start`` and national digits of a possible length that nothing of ``changed`` fits.

    A prefix that is optional fits emptily and changes nothing then.
    """
    empty = re.match(changed, "") if changed else None
    if empty is not None and empty.lastindex is not None:
        return None
    general = metadata.general_desc
    assert general is not None
    lengths = {*general.possible_length, *general.possible_length_local_only}
    digits = "|".join(f"[0-9]{{{length}}}" for length in sorted(lengths))

    def pattern(begin: str) -> str:
        unchanged = rf"(?!(?:{changed})(?<!{begin}{start}))" if changed else ""
        return f"{start}{unchanged}(?:{digits})"

    return Kept(re.compile(pattern(r"\A")).fullmatch, lines_other_than(pattern(r"\n")))


def lines_other_than(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """A search for the first line, with a line feed before it, that the pattern does not fit.

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
    return digits if _DIGITS(digits) else ""


def _read(number: str, region: str | None) -> str:
    """The identifying form as libphonenumber reads it."""
    if len(number) > LONGEST_TEXT:
        raise NumberError("is too long for a phone number")
    if has_control_character(number):
        raise NumberError("must not hold control characters (a line break, for example)")
    try:
        parsed = parse(number, region)
    except NumberParseException as fault:
        if fault.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            if region is None and not _PLUS.search(number):
                return _bare_digits(number)
            raise NumberError(_REASONS[ValidationResult.INVALID_COUNTRY_CODE]) from None
        raise NumberError("is not a phone number") from None
    verdict = is_possible_number_with_reason(parsed)
    if verdict not in _POSSIBLE:
        raise NumberError(_REASONS.get(verdict, "is not a possible phone number"))
    return _form(parsed)


def _form(parsed: PhoneNumber) -> str:
    e164 = format_number(parsed, PhoneNumberFormat.E164)
    # Two people behind one switchboard are two people.
    return f"{e164};ext={parsed.extension}" if parsed.extension else e164


def _bare_digits(number: str) -> str:
    """The digits of a number that has no country code, where no region is set."""
    digits = "".join(str(unicodedata.decimal(c)) for c in number if c.isdecimal())
    rest = {c for c in number if not c.isdecimal()}
    if not all(c in "()./" or unicodedata.category(c) in ("Zs", "Pd") for c in rest):
        raise NumberError("is not a phone number: write digits, best with + and a country code")
    if not FEWEST_DIGITS <= len(digits) <= MOST_DIGITS:
        raise NumberError(
            f"has no country code, and {len(digits)} digits where {FEWEST_DIGITS} to "
            f"{MOST_DIGITS} can be a phone number: write + and the country code, or set a region"
        )
    return digits
