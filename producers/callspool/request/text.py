"""What counts as text, and which values the API cannot store: it would fail at them (R)."""

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date, time
from typing import Any
from uuid import UUID

from callspool.errors import InvalidCallRequest

MAX_WORD_BYTES = 512
"""Longest ``document_id``, space token, pilot or campaign, in bytes of UTF-8."""

CUT = "…"
"""Ends a space token of which only the beginning is shown."""

_LAZY = frozenset({"Promise", "LazyProxy", "LazyString"})
"""The classes of Django, Babel and others whose values are translated when they are shown."""

_INVISIBLE = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x180B, 0x180F),
    (0x200B, 0x200B),
    (0x200E, 0x200F),  # marks of direction, here and below
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFF9, 0xFFFB),
    (0xE0000, 0xE0FFF),  # tags and more variation selectors
)
_SPACES = (0x09, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x2800, 0x3000)
_CLEANED: dict[int, str | None] = {
    code: None for first, last in _INVISIBLE for code in range(first, last + 1)
}
_CLEANED.update(dict.fromkeys(_SPACES, " "))
_FOREIGN = "[^\\W\\d_\0-\x7f]"
_JOINERS = re.compile(rf"(?<!{_FOREIGN})[\u200c\u200d]+|[\u200c\u200d]+(?!{_FOREIGN})")
"""Joiners of zero width, except between letters of scripts that are written with them."""


MARKS_BEFORE = "\ufeff\u200b\u200e\u200f\u2060"
"""What may stand before the first cell of a line, where files were joined or copied."""


def clean(text: str) -> str:
    """Takes away what is not seen: marks, odd spaces, spaces around; joins accents (NFC).

    Headers, ``--map``, ids, numbers and names of scopes are compared in this form.
    """
    if text.isascii():
        return text.strip().replace("\t", " ") if "\t" in text else text.strip()
    bare = _JOINERS.sub("", text.translate(_CLEANED))
    return unicodedata.normalize("NFC", bare).strip()


def has_control_character(text: str) -> bool:
    """Whether the text holds a control character (a line break among them)."""
    # isprintable is one pass in C and true of nearly everything; it also refuses some spaces.
    return not text.isprintable() and any(unicodedata.category(c) == "Cc" for c in text)


def is_unicode(text: str) -> bool:
    """Whether the text can be written as UTF-8: half of a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fault_of_word(value: str, most: int = MAX_WORD_BYTES) -> str | None:
    """Returns why this cannot be a word that identifies something, or None if it can."""
    if not value.strip():
        return "must not be blank"
    if value.isascii() and value.isprintable() and len(value) <= most:
        return None
    if has_control_character(value):
        return "must not hold control characters (a line break, for example)"
    if not is_unicode(value):
        return "holds half of a surrogate pair, which is not valid Unicode"
    if len(value.encode()) > most:
        return f"must be at most {most} bytes long"
    return None


def are_words(values: Sequence[str]) -> bool:
    """Whether each of these can be a word that identifies something."""
    whole = "".join(values)
    if (
        whole.isascii()
        and whole.isprintable()
        and max(map(len, values), default=0) <= MAX_WORD_BYTES
    ):
        return all(map(str.strip, values))
    return not any(map(fault_of_word, values))


def plain_text(value: str) -> str:
    """Returns the text itself as a `str`: what a subclass (an enum, say) prints may differ."""
    return str.__str__(value)


def as_text(value: Any) -> Any:
    """Returns a UUID, a date or a lazily translated text as a string, all else as it is."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if any(kind.__name__ in _LAZY for kind in type(value).__mro__):
        return str(value)
    return value


def word(field: str, value: object, most: int = MAX_WORD_BYTES) -> str:
    """Returns the value as a word without spaces around it; raises `InvalidCallRequest`."""
    value = as_text(value)
    if not isinstance(value, str):
        raise InvalidCallRequest(field, f"must be a string, not {kind_of(value)}")
    value = plain_text(value)
    fault = fault_of_word(value, most)
    if fault is None and value != value.strip():
        fault = "must not begin or end with a space"
    if fault is not None:
        raise InvalidCallRequest(field, fault)
    return value


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    (str, "a string"),
    ((int, float), "a number"),
    (dict, "an object"),
    ((list, tuple), "an array"),
    (bytes, "bytes"),
)


def kind_of(value: object) -> str:
    """Returns what a value is, in JSON's words where it has one."""
    if value is None:
        return "null"
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return type(value).__name__


def shorten_token(token: str) -> str:
    """Returns enough of a space token to recognise it."""
    return token if len(token) <= 6 else f"{token[:4]}{CUT}"


def is_cut(token: str) -> bool:
    """Whether it is but the shown beginning of a space token."""
    return token.endswith(CUT)


SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1

_NUL = b"\\u0000"
_MANY_DIGITS = b"0" * 19
_LARGE_EXPONENT = b"e000"
_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")


def refuse_unstorable(raw: bytes) -> None:
    """Raises `InvalidCallRequest` for a document that the API cannot store, naming the field.

    Integers beyond 64 bits, numbers too large for JSON's readers, and NUL in a field's name.
    """
    if not may_be_unstorable(raw):
        return
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return  # whatever else it is, others say so
    for field, value in fields.items() if isinstance(fields, dict) else ():
        reason = _fault_of_name(field) or next(_faults(value), None)
        if reason:
            shown = field.replace("\0", "")
            raise InvalidCallRequest(shown or "json", reason)


def may_be_unstorable(raw: bytes) -> bool:
    """Whether JSON deserves a closer look; false for nearly all."""
    if b"\\" in raw and _NUL in raw:
        return True
    digits = raw.translate(_ALIKE, b"+")
    return _MANY_DIGITS in digits or _LARGE_EXPONENT in digits


def fault_of_number(value: object) -> str | None:
    """Returns what is wrong with a number for the API's storage; None where nothing is."""
    if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        return "holds an integer beyond 64 bits, which the API cannot store: write it as text"
    if isinstance(value, float) and not math.isfinite(value):
        return "holds a number that is too large: write it as text"
    return None


def _fault_of_name(name: str) -> str | None:
    if "\0" in name:
        return "has a field with NUL (U+0000) in its name, which the API cannot store"
    return None


def _faults(value: object) -> Iterator[str]:
    if fault := fault_of_number(value):
        yield fault
    elif isinstance(value, dict):
        for name, inner in value.items():
            if fault := _fault_of_name(name):
                yield fault
            yield from _faults(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _faults(inner)
