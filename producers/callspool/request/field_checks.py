"""Documents as Python values: checked, and written as JSON once.

What nearly every document looks like takes a short way. Anything else is checked value by value.
"""

from collections.abc import Mapping

import msgspec

from callspool.request.document import KNOWN_FIELDS, Document, fields_of, values_of
from callspool.request.document_fields import RESERVED, Known, wrong_field
from callspool.request.json_values import plain_fields, to_json
from callspool.request.raw_document import CheckedDocument, settled
from callspool.request.rules import Rules

_TEXTS = frozenset({str, type(None)})
_STRINGS = frozenset({str})
SIMPLE = frozenset({str, int, bool})
"""Types whose every value is one of JSON."""
NAMES = frozenset({*KNOWN_FIELDS, *RESERVED})
"""Of fields that are not one's own."""

_encode = msgspec.json.Encoder().encode


def from_document(document: Document, rules: Rules) -> CheckedDocument:
    """A `Document` as it will be sent; raises `InvalidCallRequest`."""
    quick = _of_known_types(document)
    return settled(*quick, rules) if quick else from_fields(fields_of(document), rules)


def from_fields(document: Mapping[str, object], rules: Rules) -> CheckedDocument:
    """The document of these fields as it will be sent; raises `InvalidCallRequest`."""
    fields = document if type(document) is dict else dict(document)
    return settled(*(_quickly(fields) or _carefully(fields)), rules)


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
        raise wrong_field(plain) from None
    except UnicodeEncodeError:  # in the name of a field: told as what is in a value is
        to_json(plain)
        raise
    return known, to_json(plain)
