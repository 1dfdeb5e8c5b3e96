"""Reads a text that should be one phone number: its digits, its extension, and what is neither.

Lenient readers make one number out of text: letters become digits or vanish, and two numbers in a
cell become a long one. Here a text is one number, or it is refused by the name of what is in it.
"""

import re
import unicodedata
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from callspool.request.text import clean, has_control_character

LONGEST_TEXT = 250
FEWEST_DIGITS = 7
"""Digits of a whole number, at least, its country code not counted."""
LONGEST_NATIONAL = 14
"""Digits from which on a text may be two whole numbers."""

_WORDS = (
    "telephone|telefon|téléphone|telefono|teléfono|telefone|tel|tlf|tfn|phone|ph|mobile|mobil|mob|"
    "mobiel|móvil|movil|cellphone|cellulare|celular|cell|cel|handy|fon|gsm|natel|portable|whatsapp|"
    "call|callto|number|nummer|nr|no|home|work|office|main|business|private|privat|direct|rufnummer|"
    "тел|телефон|моб|мобильный|сот|電話|電話番号|携帯|电话|手机|전화|هاتف|جوال|टेल|फोन"
)
_LEADING = re.compile(rf"(?:(?:{_WORDS})(?![^\W\d_])[ .]*:?[ ]*|[tmphc][.:][ ]*)+", re.IGNORECASE)
_BODY = re.compile(r"[ ()\[\].\-]*\+?[ ()\[\].\-]*[0-9][0-9 ()\[\].\-/]*+")
_EXTENSION = re.compile(
    r"(?:;ext=|[ ,;-]*(?:e?xt(?:ensi[oó]n)?|extn|x|#|доб|anexo|ramal|int|interno|poste)[ .:#]*|,,)"
    r"([0-9]{1,9})#?",
    re.IGNORECASE,
)
_AND = r"\b(?:und|u|and|or|oder|et|ou|y|e|o|og|och|i|en|of)\b\.?"
_DELIMITER = re.compile(rf" *(?:[,;:|&+/\\\n]+|{_AND})[ .:/+]*", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_AT_THE_END = " .,;:-/([)]"
_LETTERS_SHOWN = 20
_TO = "\u301c\u3030"
"""Waves: ``79\u301c80`` are two numbers, no long one."""

_ALIKE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_ALIKE |= {ord(sign): "/" for sign in "\u2044\u2215"}
_ALIKE |= {ord(sign): "." for sign in "\u00b7\u2022\u2219\u30fb"}
_ALIKE |= {ord(sign): "-" for sign in "\u2212\u30fc\u2043\u02d7"}


class NumberError(ValueError):
    """Why a text cannot be a phone number; of the number it shows the last two digits at most."""


class Spelled(NamedTuple):
    """A text that begins as a phone number.

    ``digits``: with the ``+`` before them, if there is one. ``number``: the same as it is spelled,
    in ASCII. ``rest``: what stands behind, and is neither an extension nor a sign that means
    nothing.
    """

    digits: str
    extension: str
    number: str
    rest: str


def spell(text: str) -> Spelled:
    """Reads the number at the beginning of a text; raises `NumberError` where there is none."""
    if len(text) > LONGEST_TEXT:
        raise NumberError("is too long for a phone number")
    plain = to_ascii(text)
    if has_control_character(plain):
        raise NumberError("must not hold control characters (a line break, for example)")
    if leading := _LEADING.match(plain):
        plain = plain[leading.end() :]
    body = _BODY.match(plain)
    if body is None:
        raise _refusal(plain, "")
    number = body[0].rstrip(_AT_THE_END)
    rest = plain[len(number) :]
    extension = _EXTENSION.fullmatch(rest.lstrip(")]").rstrip(_AT_THE_END))
    if extension:
        rest = ""
    digits = "".join(sign for sign in number if sign in "+0123456789")
    if not rest.strip(_AT_THE_END):
        rest = ""
    return Spelled(digits, extension[1] if extension else "", number, rest)


def spell_one(text: str) -> Spelled:
    """Reads a text that is one number and nothing else; raises `NumberError`."""
    spelled = spell(text)
    if spelled.rest:
        raise _refusal(spelled.rest, spelled.number)
    refuse_second_number(spelled.number)
    return spelled


def to_ascii(text: str) -> str:
    """Returns the text with digits of any script, dashes and wide signs as ASCII has them."""
    text = clean(text)
    if text.isascii():
        return text
    return "".join(map(_ascii_of, text.translate(_ALIKE)))


def _ascii_of(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    return "-" if unicodedata.category(sign) == "Pd" and sign not in _TO else sign


def refuse_second_number(number: str) -> None:
    """Raises `NumberError` where the digits of one text are those of two numbers."""
    if "/" not in number and sum(map(str.isdecimal, number)) < LONGEST_NATIONAL:
        return
    for gap in re.finditer(r"[^0-9+]+", number):
        right = sum(map(str.isdecimal, number[gap.end() :]))
        if right < FEWEST_DIGITS and not (right and "/" in gap[0]):
            continue
        if len(national_digits(number[: gap.start()])) >= FEWEST_DIGITS:
            raise NumberError(_second(number))


def national_digits(number: str) -> str:
    """Returns the digits without country code and zeros before them, as far as the text tells."""
    digits = "".join(sign for sign in number if sign in "+0123456789")
    abroad = digits[1:] if digits[:1] == "+" else digits[2:] if digits[:2] == "00" else ""
    for size in (1, 2, 3):
        if abroad and int(abroad[:size]) in COUNTRY_CODE_TO_REGION_CODE:
            return abroad[size:].lstrip("0")
    return digits.lstrip("+0")


def _refusal(rest: str, number: str) -> NumberError:
    """What is wrong with a text of which this is left behind a number, or without one."""
    has_digits = number or any(map(str.isdecimal, rest))
    if not has_digits:
        return NumberError("is not a phone number")
    delimiter = _DELIMITER.match(rest)
    if number and delimiter and rest[delimiter.end() :][:1].isdecimal():
        return NumberError(_second(rest))
    if letters := " ".join(_LETTERS.findall(rest)):
        shown = letters[:_LETTERS_SHOWN]
        return NumberError(f"is not a phone number: it holds letters ({shown}), not digits alone")
    sign = next((each for each in rest.strip() if each not in "0123456789 "), "")
    return NumberError(f"is not a phone number: it holds {sign!r}")


def _second(rest: str) -> str:
    digits = [sign for sign in rest if sign.isdecimal()]
    return f"holds two numbers (the second ends in {''.join(digits[-2:])}): write one number alone"
