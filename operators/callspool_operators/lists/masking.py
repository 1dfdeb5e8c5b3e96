"""Documents as people may see them: of phone numbers, the last digits only."""

import re

import msgspec

from callspool_operators.lists.spellings import ALTERNATE, CONTACT_NUMBER, SPELLINGS, squash
from callspool_operators.terminal.wording import plain

_DIGIT = re.compile(r"\d")
_NUMBERS = frozenset({*SPELLINGS[CONTACT_NUMBER], *SPELLINGS[ALTERNATE]})
_INTERNATIONAL = re.compile(r"(\+|00)[\d\s().-]{6,}")
SHOWN_DIGITS = 4


def mask(number: str) -> str:
    """A phone number of which only the last digits can be read."""
    hidden = len(_DIGIT.findall(number)) - SHOWN_DIGITS
    return _DIGIT.sub("•", number, count=hidden) if hidden > 0 else number


def masked_document(raw: bytes) -> dict[str, object]:
    """The fields of a document, its phone numbers masked."""
    fields: dict[str, object] = msgspec.json.decode(raw)
    return {
        name: mask(value) if isinstance(value, str) and _is_number(name, value) else value
        for name, value in fields.items()
    }


def _is_number(name: str, value: str) -> bool:
    """Whether a field holds a phone number: a file may have more of them than the API takes."""
    return squash(name) in _NUMBERS or bool(_INTERNATIONAL.fullmatch(value.strip()))


def document_lines(raw: bytes) -> list[str]:
    """A document, a field a line, its phone numbers masked."""
    fields = masked_document(raw)
    shown = {name: plain(name, 60) for name in fields}
    width = max(map(len, shown.values()))
    return [f"{shown[name]:<{width}}  {_on_one_line(value)}" for name, value in fields.items()]


def _on_one_line(value: object) -> str:
    return plain(value if isinstance(value, str) else msgspec.json.encode(value).decode(), 100)
