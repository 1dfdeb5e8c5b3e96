"""What single cells hold: several labels, or a number that a spreadsheet took for its own."""

import re

from callspool.request.phone_reading import to_ascii
from callspool.request.text import clean

_AS_FLOAT = re.compile(r"(\+?\d+)[.,]0*").fullmatch
_WITH_DECIMALS = re.compile(r"\+?\d{7,}[.,]\d{1,2}").fullmatch
_SUSPECT = re.compile(r"[.,eE'=]").search
_AS_TEXT = re.compile(r"""'(.+)|="(.+)\"""").fullmatch
_AS_FLOAT_ID = re.compile(r"(\d+)[.,]0{1,2}").fullmatch
_MAY_BE_FLOAT = re.compile(r"[.,]0").search
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+").fullmatch

_SHORTENED_ID = re.compile(r"\d(?:[.,]\d+)?E\+\d{2,}").fullmatch
"""Narrower, since an id such as 12e5 may be meant."""

SHORTENED = (
    "a spreadsheet has shortened it (as in 9.19877E+11) and its last digits are gone: format the"
    " column as text and export again"
)
DECIMALS = "has decimal places: format the column as text and export again"


def healed_number(text: str) -> str:
    """The number that a spreadsheet or an address book meant by what it wrote.

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
    """The id without marks that nobody sees, and without the decimals of a spreadsheet (``12.0``).

    Raises `ValueError` for one of which a spreadsheet has left what many rows share.
    """
    bare = clean(text)
    refuse_shortened_id(bare)
    whole = _AS_FLOAT_ID(bare)
    return whole[1] if whole else bare


def healed_ids(texts: list[str]) -> list[str]:
    """As `healed_id` of each."""
    whole = "\n".join(texts)
    if whole.isascii() and "E+" not in whole and not _MAY_BE_FLOAT(whole):
        return texts
    return [*map(healed_id, texts)]


def refuse_shortened_id(text: str) -> None:
    """Raises `ValueError` for an id of which a spreadsheet has left what many rows share."""
    if "E+" in text and _SHORTENED_ID(text):
        raise ValueError(f"document_id: {SHORTENED}")


def split_labels(text: str) -> list[str]:
    """``"gold, north|vip"`` → three labels."""
    parts = text.replace(";", ",").replace("|", ",").split(",")
    return [label for label in map(str.strip, parts) if label]
