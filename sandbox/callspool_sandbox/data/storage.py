"""What the API's storage cannot take (R): it fails at that document, after those before it."""

from __future__ import annotations

import json
import re
from typing import Any

_MAY_BE_TOO_LARGE = re.compile(rb"[0-9]{19}")
_MAY_BE_INFINITE = re.compile(rb"[0-9][eE]\+?[0-9]{3}|[0-9]{300}|Infinity|NaN")
_MAY_BE_NUL = b"\\u0000"

_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


def holds_infinity(raw: bytes) -> bool:
    """Whether a body holds a number that no other service would be told."""
    if not _MAY_BE_INFINITE.search(raw):
        return False
    return any(isinstance(each, float) and each - each != 0 for each in _values(_read(raw)))


def first_unstorable(raw: bytes) -> int | None:
    """The place of the first document that cannot be stored; None where all can."""
    if _MAY_BE_NUL not in raw and not _MAY_BE_TOO_LARGE.search(raw):
        return None
    body = _read(raw)
    documents = body.get("documents") if isinstance(body, dict) else None
    places = enumerate(documents if isinstance(documents, list) else [])
    return next((place for place, one in places if not _is_storable(one)), None)


def _is_storable(document: object) -> bool:
    return not any(
        (isinstance(each, int) and not _SMALLEST <= each <= _LARGEST)
        or (isinstance(each, dict) and any("\0" in name for name in each))
        for each in _values(document)
    )


def _values(value: Any) -> list[Any]:
    """A value and all that it holds."""
    found, left = [], [value]
    while left:
        each = left.pop()
        found.append(each)
        if isinstance(each, dict):
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
