"""Python values that are JSON values, and nothing that only resembles one."""

import math
from collections.abc import Mapping

import msgspec

from callspool.errors import InvalidCallRequest
from callspool.request.document import OPTIONAL_TEXTS
from callspool.request.text import kind_of

MAX_NESTING = 100
"""Levels of arrays and objects in a document: readers give up somewhere beyond."""

_encode = msgspec.json.Encoder().encode
_SIMPLE = frozenset({str, int, bool})
_OPTIONAL = frozenset({*OPTIONAL_TEXTS, "labels"})


def plain_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of a document as built-in types; known optional ones that are None are left out.

    Raises `InvalidCallRequest` for what JSON cannot say: NaN, bytes, dates, names that are no
    strings.
    """
    return {
        _name(key, "json"): _plain(value, str(key), 1)
        for key, value in fields.items()
        if value is not None or key not in _OPTIONAL
    }


def to_json(fields: dict[str, object]) -> bytes:
    """A compact JSON object of plain fields; raises `InvalidCallRequest`."""
    try:
        return _encode(fields)
    except ValueError:
        raise _unwritable(fields) from None


def _unwritable(fields: dict[str, object]) -> InvalidCallRequest:
    for key, value in fields.items():
        try:
            _encode({key: value})
        except UnicodeEncodeError:
            reason = "holds half of a surrogate pair, which is not valid Unicode"
            return InvalidCallRequest(key, reason)
        except ValueError:
            return InvalidCallRequest(key, "holds a number with too many digits")
    return InvalidCallRequest("json", "cannot be written as JSON")


def _name(key: object, field: str) -> str:
    if not isinstance(key, str):
        raise InvalidCallRequest(field, f"has a field whose name is {kind_of(key)}, not a string")
    return str.__str__(key)


def _plain(value: object, field: str, depth: int) -> object:
    if value is None or type(value) in _SIMPLE:
        return value
    if isinstance(value, Mapping | list | tuple):
        if depth >= MAX_NESTING:
            raise InvalidCallRequest(field, f"is nested deeper than {MAX_NESTING} levels")
        if isinstance(value, Mapping):
            return {
                _name(key, field): _plain(item, field, depth + 1) for key, item in value.items()
            }
        return [_plain(item, field, depth + 1) for item in value]
    return _plain_scalar(value, field)


def _plain_scalar(value: object, field: str) -> object:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidCallRequest(field, "is not a number that JSON knows (NaN or infinite)")
        return float(value)
    raise InvalidCallRequest(
        field, f"is not a JSON value but {kind_of(value)}: pass a string or a number"
    )
