"""What single cells hold: several labels, or a number that a spreadsheet took for its own."""

import re

_AS_FLOAT = re.compile(r"(\+?\d+)[.,]0*").fullmatch
_WITH_DECIMALS = re.compile(r"\+?\d{7,}[.,]\d{1,2}").fullmatch
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+").fullmatch

_SHORTENED_ID = re.compile(r"\d(?:[.,]\d+)?E\+\d{2,}").fullmatch
"""Narrower, since an id such as 12e5 may be meant."""

SHORTENED = (
    "a spreadsheet has shortened it (as in 9.19877E+11) and its last digits are gone: format the"
    " column as text and export again"
)
DECIMALS = "has decimal places: format the column as text and export again"


def healed_number(text: str) -> str:
    """The number that a spreadsheet meant: ``919876543210.0`` is ``919876543210``.

    Any other text is returned as it is. Raises `ValueError`, with the reason as its text, where
    digits are lost for good.
    """
    if "." not in text and "," not in text and "e" not in text and "E" not in text:
        return text
    if _SCIENTIFIC(text):
        raise ValueError(f"contact_number: {SHORTENED}")
    if number := _AS_FLOAT(text):
        return number[1]
    if _WITH_DECIMALS(text):
        raise ValueError(f"contact_number: {DECIMALS}")
    return text


def refuse_shortened_id(text: str) -> None:
    """Raises `ValueError` for an id of which a spreadsheet has left what many rows share."""
    if "E+" in text and _SHORTENED_ID(text):
        raise ValueError(f"document_id: {SHORTENED}")


def split_labels(text: str) -> list[str]:
    """``"gold, north|vip"`` → three labels."""
    parts = text.replace(";", ",").replace("|", ",").split(",")
    return [label for label in map(str.strip, parts) if label]
