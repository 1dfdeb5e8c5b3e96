"""Documents as Python values: checked, and written as JSON once.

Each rule is applied to all documents of a list at once, which takes a third of the time. A list
with a surprise in it is checked document by document, which also says what is wrong.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain, repeat, starmap
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import (
    KNOWN_FIELDS,
    MAX_NESTING,
    OPTIONAL_TEXTS,
    RESERVED,
    Document,
    DocumentLines,
    Known,
    Rules,
    fields_of,
    find_wrong_field,
    values_of,
)
from callspool.request.phones import identify_all, number_to_send
from callspool.request.raw_document import CheckedDocument, check_fields, complete_document
from callspool.request.text import are_words, as_text, kind_of, may_be_unstorable, refuse_unstorable

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

    A UUID, a date and a lazily translated text become strings. Raises `InvalidCallRequest` for what
    JSON cannot say: NaN, bytes, names that are no strings.
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
    value = as_text(value)
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


_TEXT = frozenset({str})
_TEXT_OR_NONE = frozenset({str, type(None)})
_LESS_SIMPLE = SIMPLE | {float, list, type(None)}

_name_of = attrgetter("name")
_number_of = attrgetter("contact_number")
_id_of = attrgetter("document_id")

_encode_lines = msgspec.json.Encoder().encode_lines


class _Unreserved(Known):
    """The known fields of a document that has no reserved one."""

    id: UnsetType = UNSET
    callspool_attempt: UnsetType = UNSET


class CheckedDocuments(NamedTuple):
    """Documents as they will be sent, and their ids."""

    raws: list[bytes] | DocumentLines
    ids: list[str]


def check_all(documents: Sequence[object], rules: Rules) -> CheckedDocuments | None:
    """Returns the documents as they will be sent; None unless all are good and hold no surprise."""
    kinds = set(map(type, documents))
    try:
        if kinds == {dict}:
            return _of_fields(documents, rules)
        if kinds == {Document}:
            return _of_documents(documents, rules)
    except (TypeError, ValueError):  # msgspec's own are ValueErrors
        pass
    return None


def _of_fields(documents: Sequence[Any], rules: Rules) -> CheckedDocuments | None:
    kinds = set(map(type, chain.from_iterable(map(dict.values, documents))))
    if not kinds <= SIMPLE:
        if not kinds <= _LESS_SIMPLE:
            return None
        documents = [*map(_without_nulls, documents)]
        pairs = chain.from_iterable(map(dict.items, documents))
        if not all(type(value) in SIMPLE or _is_plain(field, value) for field, value in pairs):
            return None
    known: list[Known] = [*msgspec.convert(documents, list[_Unreserved])]
    lines = _lines(documents)
    # Numbers were seen as values above, but for the size of whole ones: to search the text costs
    # as much as all the rest.
    if any("\0" in field for field in set[str]().union(*documents)):
        return None
    if int in kinds and may_be_unstorable(lines.text):
        return None
    return _check_known(known, lines, rules)


def _without_nulls(fields: dict[str, object]) -> dict[str, object]:
    if None not in fields.values():
        return fields
    return {
        field: value
        for field, value in fields.items()
        if value is not None or field not in _OPTIONAL
    }


def _is_plain(field: str, value: object) -> bool:
    """Whether a value that is neither text nor whole number is one of JSON.

    The strings in labels are seen to by the conversion.
    """
    if type(value) is float:
        return math.isfinite(value)
    return value is None or (field == "labels" and type(value) is list)


def _of_documents(documents: Sequence[Any], rules: Rules) -> CheckedDocuments | None:
    values = [*map(values_of, documents)]
    names, numbers, *texts, labels = zip(*values, strict=True)
    if not _TEXT.issuperset(map(type, chain(names, numbers))):
        return None
    if not _TEXT_OR_NONE.issuperset(map(type, chain.from_iterable(texts))):
        return None
    if not all(each is None or _are_texts(each) for each in labels):
        return None
    known = [*starmap(Known, values)]
    extras = [document.extra for document in documents]
    if not any(extras):
        return _check_known(known, _lines(known), rules)
    raws = _with_own_fields(known, [extra or {} for extra in extras])
    return None if raws is None else _check_known(known, raws, rules)


def _with_own_fields(known: list[Known], extras: list[Any]) -> list[bytes] | None:
    """Returns the documents as JSON with fields of their own; None if one holds a surprise."""
    if not _are_simple(extras):
        return None
    pairs = zip(map(_encode, known), map(_encode, extras), strict=True)
    raws = [b"%b,%b" % (raw[:-1], extra[1:]) if extra != b"{}" else raw for raw, extra in pairs]
    return None if any(map(may_be_unstorable, raws)) else raws


def _are_simple(extras: list[Any]) -> bool:
    """Whether fields of one's own are JSON values beyond doubt, and no known ones."""
    if set(map(type, extras)) != {dict} or not NAMES.isdisjoint(chain.from_iterable(extras)):
        return False
    names, values = chain.from_iterable(extras), chain.from_iterable(map(dict.values, extras))
    return _TEXT.issuperset(map(type, names)) and SIMPLE.issuperset(map(type, values))


def _are_texts(labels: object) -> bool:
    return type(labels) is list and _TEXT.issuperset(map(type, labels))


def _lines(documents: Sequence[object]) -> DocumentLines:
    return DocumentLines(_encode_lines(documents), len(documents))


def _check_known(
    known: list[Known], raws: list[bytes] | DocumentLines, rules: Rules
) -> CheckedDocuments | None:
    """Returns the documents as they will be sent; None if a name, number or id is not good."""
    if not all(map(str.strip, map(_name_of, known))):
        return None
    given = [each for each in map(_id_of, known) if each is not None]
    if not are_words(given):
        return None
    numbers = [*map(_number_of, known)]
    forms = [each for each in identify_all(numbers, rules.region) if each is not None]
    if len(forms) < len(numbers):
        return None
    is_complete = len(given) == len(known)
    if is_complete and (forms == numbers or _are_sent_as_written(numbers, forms, rules)):
        return CheckedDocuments(raws, given)
    apart = raws.split() if isinstance(raws, DocumentLines) else raws
    every = [*map(complete_document, known, apart, forms, repeat(rules))]
    return CheckedDocuments([each.raw for each in every], [each.document_id for each in every])


def _are_sent_as_written(numbers: Sequence[str], forms: Sequence[str], rules: Rules) -> bool:
    return all(
        number_to_send(number, form, as_e164=rules.send_e164) == number
        for number, form in zip(numbers, forms, strict=True)
    )
