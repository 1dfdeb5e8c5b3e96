"""What the API cannot store: it would fail at that document, after those before it (R)."""

import json
import math
from collections.abc import Iterator

from callspool.errors import InvalidCallRequest

SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1

_NUL = b"\\u0000"
_MANY_DIGITS = b"0" * 19
_LARGE_EXPONENTS = (b"e000", b"E000", b"e+000", b"E+000")
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")


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
    if _NUL in raw:
        return True
    digits = raw.translate(_DIGITS_ALIKE)
    return _MANY_DIGITS in digits or any(each in digits for each in _LARGE_EXPONENTS)


def fault_of_number(value: object) -> str | None:
    """What is wrong with a number for the API's storage; None where nothing is."""
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
