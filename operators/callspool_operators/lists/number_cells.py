"""Cells that hold a number and something beside it: a note, or a second number.

A service that enqueues is told to mend such a number. A list is read on: what is left without the
note must be a number beyond doubt, and the person who sent the list is told.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from phonenumbers import PhoneNumber, is_valid_number, parse

from callspool.request.phone_reading import (
    FEWEST_DIGITS,
    NumberError,
    national_digits,
    spell,
    spell_one,
    to_ascii,
)
from callspool.request.phones import identify

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
_SHORT = frozenset("hwmpct")
"""Notes of one letter: home, work, mobile, private, cell, telephone."""


class NumberCell(NamedTuple):
    """A number as it can be read, and what stood beside it in its cell."""

    number: str
    note: str = ""
    second: str = ""


def read_cell(text: str, region: str | None) -> NumberCell:
    """The one number that a cell means, or its first of two; raises `NumberError`."""
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
    same = identify(first.number, region) == identify(others.number, region)
    note = " ".join(filter(None, (first.note, others.note)))
    return NumberCell(first.number, note, "" if same else others.number)


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
