"""Documents as Python values, many at once: what must be true of each is asked of all together.

Lists without surprises take this way, which is a third as long as one by one (`field_checks`). All
others are left to that, which also says what is wrong.
"""

import math
from collections.abc import Sequence
from itertools import chain, repeat, starmap
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from callspool.request.call_request import DocumentLines, Rules
from callspool.request.document import OPTIONAL_TEXTS, Document, Known, values_of
from callspool.request.field_checks import NAMES, SIMPLE
from callspool.request.phone_lists import identify_all
from callspool.request.phones import number_to_send
from callspool.request.raw_document import complete_document
from callspool.request.storable import may_be_unstorable
from callspool.request.text import are_words

_TEXT = frozenset({str})
_TEXT_OR_NONE = frozenset({str, type(None)})
_LESS_SIMPLE = SIMPLE | {float, list, type(None)}
_OPTIONAL = frozenset({*OPTIONAL_TEXTS, "labels"})

_name_of = attrgetter("name")
_number_of = attrgetter("contact_number")
_id_of = attrgetter("document_id")

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


class _Unreserved(Known):
    """The known fields of a document that has no reserved one."""

    id: UnsetType = UNSET
    callspool_attempt: UnsetType = UNSET


def check_all(documents: Sequence[object], rules: Rules) -> list[bytes] | DocumentLines | None:
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


def _of_fields(documents: Sequence[Any], rules: Rules) -> list[bytes] | DocumentLines | None:
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
    return None if may_be_unstorable(lines.text) else _check_known(known, lines, rules)


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


def _of_documents(documents: Sequence[Any], rules: Rules) -> list[bytes] | DocumentLines | None:
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
) -> list[bytes] | DocumentLines | None:
    """Returns the documents as they will be sent; None if a name, number or id is not good."""
    if not all(map(str.strip, map(_name_of, known))):
        return None
    ids = [*map(_id_of, known)]
    given = [each for each in ids if each is not None]
    if not are_words(given):
        return None
    numbers = [*map(_number_of, known)]
    forms = [each for each in identify_all(numbers, rules.region) if each is not None]
    if len(forms) < len(numbers):
        return None
    if len(given) == len(ids) and (forms == numbers or _are_sent_as_written(numbers, forms, rules)):
        return raws
    apart = raws.split() if isinstance(raws, DocumentLines) else raws
    return [each.raw for each in map(complete_document, known, apart, forms, repeat(rules))]


def _are_sent_as_written(numbers: Sequence[str], forms: Sequence[str], rules: Rules) -> bool:
    return all(
        number_to_send(number, form, as_e164=rules.send_e164) == number
        for number, form in zip(numbers, forms, strict=True)
    )
