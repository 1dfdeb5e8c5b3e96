"""Documents as Python values, many at once: what must be true of each is asked of all together.

Lists without surprises take this way, a third as long as one document at a time (`fields`). What
it cannot vouch for it leaves to that, which also finds what is wrong.
"""

import math
from collections.abc import Sequence
from itertools import chain, starmap
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from callspool.document import KNOWN_FIELDS, OPTIONAL_TEXTS, Document, values_of
from callspool.identity import made_document_id
from callspool.known import Known
from callspool.phones import NumberError, identify_all, is_e164
from callspool.rules import Rules
from callspool.text import are_words

_SIMPLE = frozenset({str, int, bool})
_TEXT = frozenset({str})
_TEXT_OR_NONE = frozenset({str, type(None)})
_OPTIONAL = frozenset({*OPTIONAL_TEXTS, "labels"})
_NAME, _NUMBER, _ID, *_OTHERS = range(len(KNOWN_FIELDS))

_encode = msgspec.json.Encoder().encode

Fields = dict[str, Any]


class _Unreserved(Known):
    """Known fields beside which no reserved name is."""

    id: UnsetType = UNSET
    callspool_attempt: UnsetType = UNSET


def prepared(documents: Sequence[object], rules: Rules) -> list[bytes] | None:
    """The documents as they will be sent; None unless all of them are good and as expected."""
    kinds = set(map(type, documents))
    try:
        if kinds == {dict}:
            return _of_fields(documents, rules)
        if kinds == {Document}:
            return _of_documents(documents, rules)
    except (TypeError, ValueError):  # msgspec's and NumberError among them
        return None
    return None


def _of_fields(documents: Sequence[Any], rules: Rules) -> list[bytes] | None:
    plain = _plain(documents)
    if plain is None:
        return None
    known = msgspec.convert(plain, list[_Unreserved])
    ids = [each.document_id for each in known]
    numbers = [each.contact_number for each in known]
    if not all([each.name.strip() for each in known]):
        return None
    ...
