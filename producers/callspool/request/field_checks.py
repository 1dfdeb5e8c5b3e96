"""Documents as Python values: checked, and written as JSON once.

What nearly every document looks like takes a short way. Anything else is checked value by value.
"""

import math
from collections.abc import Mapping

import msgspec

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import Rules
from callspool.request.document import (
    KNOWN_FIELDS,
    MAX_NESTING,
    OPTIONAL_TEXTS,
    RESERVED,
    Document,
    Known,
    fields_of,
    find_wrong_field,
    values_of,
)
from callspool.request.raw_document import CheckedDocument, check_fields
from callspool.request.storable import refuse_unstorable
from callspool.request.text import kind_of

_TEXTS = frozenset({str, type(None)})
_STRINGS = frozenset({str})
SIMPLE = frozenset({str, int, bool})
"""Types whose every value is one of JSON."""
NAMES = frozenset({*KNOWN_FIELDS, *RESERVED})
"""Of fields that are not one's own."""
_OPTIONAL = frozenset({*OPTIONAL_TEXTS, "labels"})

_encode = msgspec.json.Encoder().encode


def check_typed(document: Document, rules: Rules) -> CheckedDocument:
    """Returns a `Document` as it will be sent; raises `InvalidCallRequest`."""
    quick = _of_known_types(document)
    if quick is None:
        return check_mapping(fields_of(document), rules)
    refuse_unstorable(quick[1])
    return check_fields(*quick, rules)


def check_mapping(document: Mapping[str, object], rules: Rules) -> CheckedDocument:
    """Returns the document of these fields as it will be sent; raises `InvalidCallRequest`."""
    fields = document if type(document) is dict else dict(document)
    known, raw = _quickly(fields) or _carefully(fields)
    refuse_unstorable(raw)
    return check_fields(known, raw, rules)


def _of_known_types(document: Document) -> tuple[Known, bytes] | None:
    """The known fields and the JSON of a document without surprises, else None."""
    values = values_of(document)
    *texts, labels = values
    if not _TEXTS.issuperset(map(type, texts)) or None in texts[:2]:
        return None
    if labels is not None and not (type(labels) is list and _STRINGS.issuperset(map(type, labels))):
        return None
    known = Known(*values)
    try:
        raw = _encode(known)
        if document.extra:
            if not _is_simple(document.extra):
                return None
            raw = b"%b,%b" % (raw[:-1], _encode(document.extra)[1:])
    except ValueError:
        return None
    return known, raw


def _is_simple(extra: object) -> bool:
    """Whether fields of one's own are JSON values beyond doubt, and no known ones."""
    return (
        type(extra) is dict
        and NAMES.isdisjoint(extra)
        and _STRINGS.issuperset(map(type, extra))
        and SIMPLE.issuperset(map(type, extra.values()))
    )


def _quickly(fields: dict[str, object]) -> tuple[Known, bytes] | None:
    """The known fields and the JSON of a document without surprises, else None."""
    for field, value in fields.items():
        # The strings in labels are seen to by the conversion.
        if type(value) not in SIMPLE and (field != "labels" or value is None):
            return None
    try:
        return msgspec.convert(fields, Known), _encode(fields)
    except (msgspec.ValidationError, TypeError, ValueError):
        return None


def _carefully(fields: dict[str, object]) -> tuple[Known, bytes]:
    """The same for any values: says what is wrong with them, or makes them plain."""
    plain = plain_fields(fields)
    try:
        known = msgspec.convert(plain, Known)
    except msgspec.ValidationError:
        raise find_wrong_field(plain) from None
    except UnicodeEncodeError:  # in the name of a field: told as what is in a value is
        to_json(plain)
        raise
    return known, to_json(plain)


def plain_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Returns a document's fields as built-in types, without known optional ones that are None.

    Raises `InvalidCallRequest` for what JSON cannot say: NaN, bytes, dates, names that are no
    strings.
    """
    return {
        _name(key, "json"): _plain(value, str(key), 1)
        for key, value in fields.items()
        if value is not None or key not in _OPTIONAL
    }


def to_json(fields: dict[str, object]) -> bytes:
    """Returns plain fields as a compact JSON object; raises `InvalidCallRequest`."""
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
    if value is None or type(value) in SIMPLE:
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
