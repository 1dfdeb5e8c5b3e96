"""What single cells hold: several labels, or a number that a spreadsheet took for its own."""

import re

_AS_FLOAT = re.compile(r"(\+?\d+)\.0*").fullmatch
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+").fullmatch

SCIENTIFIC = (
    "contact_number: a spreadsheet has shortened it (as in 9.19877E+11) and its last digits are"
    " gone: format the column as text and export again"
)


def healed_number(text: str) -> str:
    """The number that a spreadsheet meant: ``919876543210.0`` is ``919876543210``.

    Any other text is returned as it is. Raises `ValueError`, with the reason as its text, where
    digits are lost for good.
    """
    if "." not in text and "e" not in text and "E" not in text:
        return text
    if _SCIENTIFIC(text):
        raise ValueError(SCIENTIFIC)
    number = _AS_FLOAT(text)
    return number[1] if number else text


def split_labels(text: str) -> list[str]:
    """``"gold, north|vip"`` → three labels."""
    parts = text.replace(";", ",").replace("|", ",").split(",")
    return [label for label in map(str.strip, parts) if label]
