"""Cells of ids and numbers, as people and spreadsheets write them."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from phonenumbers import PhoneNumber, is_valid_number, parse, region_code_for_country_code

from callspool.request.phone_reading import (
    FEWEST_DIGITS,
    NumberError,
    national_digits,
    spell,
    spell_one,
    to_ascii,
)
from callspool.request.phones import identify
from callspool.request.text import clean

_AS_FLOAT = re.compile(r"(\+?\d+)[.,]0*").fullmatch
_WITH_DECIMALS = re.compile(r"\+?\d{7,}[.,]\d{1,2}").fullmatch
_SUSPECT = re.compile(r"[.,eE'=]").search
_AS_TEXT = re.compile(r"""'(.+)|="(.+)\"""").fullmatch
_AS_FLOAT_ID = re.compile(r"(\d+)[.,]0{0,2}").fullmatch
_MAY_BE_ODD_ID = re.compile(r"[.,](?:0|\n|\Z)|['=]").search
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+").fullmatch

_SHORTENED_ID = re.compile(r"\d(?:[.,]\d+)?E\+\d{2,}").fullmatch
"""Narrower, since an id such as 12e5 may be meant."""

SHORTENED = (
    "a spreadsheet has shortened it (as in 9.19877E+11) and its last digits are gone: format the"
    " column as text and export again"
)
DECIMALS = "has decimal places: format the column as text and export again"


def healed_number(text: str) -> str:
    """Returns the number that a spreadsheet or an address book meant by what it wrote.

    ``919876543210.0``, ``'919876543210``, ``="919876543210"`` and the same between invisible signs
    are ``919876543210``. Any other text is returned as it is. Raises `ValueError`, with the reason
    as its text, where digits are lost for good.
    """
    if text.isascii() and not _SUSPECT(text):
        return text
    bare = to_ascii(text)
    if marked := _AS_TEXT(bare):
        bare = marked[1] or marked[2]
    bare = bare.strip()
    if _SCIENTIFIC(bare):
        raise ValueError(f"contact_number: {SHORTENED}")
    if bare.startswith("="):
        raise ValueError("contact_number: is a formula: export the values of the column")
    if number := _AS_FLOAT(bare):
        return number[1]
    if _WITH_DECIMALS(bare):
        raise ValueError(f"contact_number: {DECIMALS}")
    return bare


def healed_numbers(texts: list[str]) -> list[str]:
    """As `healed_number` of each; raises `ValueError` for the first that lost digits."""
    whole = "".join(texts)
    if whole.isascii() and not _SUSPECT(whole):
        return texts
    return [*map(healed_number, texts)]


def healed_id(text: str) -> str:
    """Returns the id without invisible marks, and as a spreadsheet meant it.

    ``12.0``, ``'12``, ``="12"`` and ``12`` in digits of any script are ``12``; ``n/a`` is none.
    Raises `ValueError` for an id of which a spreadsheet has left what many rows share.
    """
    bare = clean(text)
    if marked := _AS_TEXT(bare):
        bare = clean(marked[1] or marked[2])
    if bare in NOT_GIVEN:
        return ""
    if not bare.isascii() and (digits := to_ascii(bare)).isdecimal():
        bare = digits
    refuse_shortened_id(bare)
    whole = _AS_FLOAT_ID(bare)
    return whole[1] if whole else bare


def healed_ids(texts: list[str]) -> list[str]:
    """As `healed_id` of each."""
    whole = "\n".join(texts)
    is_plain = whole.isascii() and "E+" not in whole and NOT_GIVEN.isdisjoint(texts)
    if is_plain and not _MAY_BE_ODD_ID(whole):
        return texts
    return [*map(healed_id, texts)]


def refuse_shortened_id(text: str) -> None:
    """Raises `ValueError` for an id of which a spreadsheet has left what many rows share."""
    if "E+" in text and _SHORTENED_ID(text):
        raise ValueError(f"document_id: {SHORTENED}")


def split_labels(text: str) -> list[str]:
    """Splits the labels of a cell: ``"gold, north|vip"`` holds three."""
    parts = text.replace(";", ",").replace("|", ",").split(",")
    return [label for label in map(str.strip, parts) if label]


SURE_DIGITS = 9
"""National digits of a number that is whole though the library does not know its range."""
LONGEST_NOTE = 40
LONGEST_CELL = 100
"""Characters of a cell in which two numbers are looked for."""

_GAP = re.compile(
    r"\s*(?:[,;:|&/\\\n\r]+|\b(?:und|u|and|or|oder|et|ou|y|e|o|og|och|i|en|of)\b\.?)[\s.:/]*"
    r"|(?=\+)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+(?:-\s+)?")
_NOTE = re.compile(rf"(?:[ ,;]|[ ,;]*[(\[]| - ?|- )[^\d]{{1,{LONGEST_NOTE}}}")
_AROUND = " ()[],;:.-/"
_NO_WORD = re.compile(r"(\w)\1*|[OoIlSBZQD]+|(?i:e?xtn?|extension|durchwahl|dw)")
"""Blanks (XXXX), letters that look like digits, and what should be followed by an extension."""
_KEYS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_OLD = (
    r"old|former(?:ly)?|previous(?:ly)?|alte[rs]?|ehemalig\w*|ancien\w*|antigu?[oa]|vecchi[oa]|oude?"
    r"|gammal\w*|stary|старый"
)
_NO_CALL = re.compile(
    r"\b(?:do\s*n[o'\u2019]?t\s+(?:call|ring|contact|phone|dial|use|disturb)|no\s+(?:calls?|longer)"
    r"|dnc|dnd|c?tps|opt(?:ed)?[ -]?out|unsub\w*|wrong|disconnected"
    r"|(?:out\s+of|not\s+in)\s+(?:service|use)|not\s+(?:working|valid|interested)"
    r"|in(?:valid|active|correct)|dead|deceased|died|passed\s+away|blocked|removed?|stop|expired"
    r"|left\s+(?:the\s+)?(?:company|firm)|(?:tele)?fax"
    r"|nicht\s+(?:mehr\s+)?(?:anrufen|aktuell|gültig)|keine?\s+(?:anrufe?|werbung)|falsch\w*"
    r"|verstorben|gekündigt|gesperrt|ungültig|veraltet"
    r"|(?:pas|plus)\s+appeler|faux|fausse|décédée?|résiliée?|invalide|périmée?"
    r"|no\s+(?:llamar|sirve)|equivocado|fallecid[oa]|não\s+(?:ligar|chamar)|errado|falecid[oa]"
    r"|non\s+chiamare|sbagliat[oa]|decedut[oa]|niet\s+(?:meer\s+)?bellen|verkeerd|overleden"
    r"|(?:ring|kontakta)\s+(?:inte|ikke|ej)|ikke\s+ring|fel\s*nummer|avliden|slutat|död"
    r"|älä\s+soita|väärä|kuollut|nie\s+dzwonić|błędny|zmarł[ay]?|nevolat|zemřela?"
    r"|не\s+(?:звонить|звоните|беспокоить)|неверный|умер(?:ла)?|aramay\u0131n|yanl\u0131\u015f|vefat)\b"
    r"|勿打|勿扰|空号|错号|電話不可|使われていない|कॉल न करें|لا تتصل"
    rf"|\A(?:{_OLD})(?: \w+)?\Z",
    re.IGNORECASE,
)
"""Notes because of which a number is not called."""
_SHORT = frozenset("hwmpct")
"""Notes of one letter: home, work, mobile, private, cell, telephone."""


_STAND_INS = ("n/a", "#n/a", "n.a.", "na", "nan", "none", "null", "nil")
NOT_GIVEN = frozenset(
    form for text in _STAND_INS for form in (text, text.upper(), text.title())
) | {"NaN", "-", "--", "\u2013", "\u2014", ".", "?"}
"""What people and programs write into a cell that has nothing to say."""


def refuse_stand_in(form: str) -> None:
    """Raises `NumberError` for a number that stands for none: all of its digits are the same."""
    if len(set(national_digits(form.partition(";")[0]) or "0")) == 1:
        raise NumberError("stands for no number: all of its digits are the same")


class NumberCell(NamedTuple):
    """A number as it can be read, and what stood beside it in its cell."""

    number: str
    note: str = ""
    second: str = ""


def read_cell(text: str, region: str | None) -> NumberCell:
    """Returns the one number that a cell means, or its first of two; raises `NumberError`."""
    try:
        return _read_one(text, region)
    except NumberError:
        found = _first_of_two(text, region) if len(text) <= LONGEST_CELL else None
        if found is None:
            raise
        return found


def _read_one(text: str, region: str | None) -> NumberCell:
    """A number, perhaps with a note behind; raises `NumberError`."""
    try:
        identify(text, region)
    except NumberError:
        found = _without_note(text, region)
        if found is None:
            raise
        return found
    return NumberCell(_without_leading_word(text))


def _without_leading_word(text: str) -> str:
    spelled = spell_one(text)
    return text if spelled.extension else spelled.number


def _without_note(text: str, region: str | None) -> NumberCell | None:
    try:
        spelled = spell(text)
    except NumberError:
        return None
    note = spelled.rest.strip(_AROUND)
    if spelled.extension or not _is_note(spelled.rest, note):
        return None
    if forbids := _NO_CALL.search(note):
        raise NumberError(f"is not to be called, says the note behind it ({forbids[0].lower()})")
    if not _is_sure(spelled.number, region) or _is_word_number(spelled.number, note, region):
        return None
    return NumberCell(spelled.number, note)


def _is_note(rest: str, note: str) -> bool:
    """Whether words behind a number are no part of it: nor digits mistyped, nor a blank."""
    if not _NOTE.fullmatch(rest) or not note.replace(" ", "").strip(_AROUND):
        return False
    if len(note) == 1:
        return note.lower() in _SHORT
    letters = "".join(filter(str.isalpha, note))
    return len(letters) > 1 and not _NO_WORD.fullmatch(letters) and "*" not in note


def _is_sure(number: str, region: str | None) -> bool:
    """Whether this is a whole number, so that nothing of it hides in the words behind."""
    try:
        spell_one(number)
        form = identify(number, region)
    except NumberError:
        return False
    if form[0] != "+":
        return len(form) >= SURE_DIGITS
    return len(national_digits(form)) >= SURE_DIGITS or is_valid_number(_parse_form(form))


def _is_word_number(number: str, note: str, region: str | None) -> bool:
    """Whether capitals behind a number may be its digits, as on a telephone's keys."""
    if not note.isupper():
        return False
    digits = "".join(filter(str.isdecimal, note.translate(_KEYS)))
    try:
        form = identify(number + digits, region)
    except NumberError:
        return False
    return form[0] != "+" or is_valid_number(_parse_form(form))


def _parse_form(form: str) -> PhoneNumber:
    return parse(form)


def _first_of_two(text: str, region: str | None) -> NumberCell | None:
    """The number before the first gap that has a whole number on either side.

    Spaces are no gap unless one alone of them can be.
    """
    plain = "\n".join(map(to_ascii, text.splitlines()))
    found = next(_pairs(plain, _GAP, region, read_cell), None)
    if found is None:
        by_spaces = [*_pairs(plain, _SPACE, region, _read_one)]
        if len(by_spaces) != 1:
            return None
        found = by_spaces[0]
    first, others = found
    if others.second:
        raise NumberError("holds three numbers or more: write one number alone")
    form, second = identify(first.number, region), identify(others.number, region)
    number = others.number
    if second[0] != "+" == form[0] and (abroad := _of_the_same_country(number, form)):
        number = second = abroad
    note = " ".join(filter(None, (first.note, others.note)))
    return NumberCell(first.number, note, "" if form == second else number)


def _of_the_same_country(number: str, form: str) -> str | None:
    """The form of a number that lacks the country code of the one before it."""
    region = region_code_for_country_code(_parse_form(form).country_code or 0)
    try:
        return identify(number, region)
    except NumberError:
        return None


_Read = Callable[[str, str | None], NumberCell]


def _pairs(
    text: str, gap: re.Pattern[str], region: str | None, read: _Read
) -> Iterator[tuple[NumberCell, NumberCell]]:
    for found in gap.finditer(text):
        first = _whole(text[: found.start()], region, _read_one)
        others = _whole(text[found.end() :], region, read) if first else None
        if first and others:
            yield first, others


def _whole(text: str, region: str | None, read: _Read) -> NumberCell | None:
    """A number that needs nothing of its neighbour."""
    try:
        found = read(text, region)
    except NumberError:
        return None
    return found if len(national_digits(found.number)) >= FEWEST_DIGITS else None
