"""Documents as JSON: checked once, and from then on only carried."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import msgspec
from msgspec import UNSET

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import (
    KNOWN_FIELDS,
    MAX_NESTING,
    RESERVED,
    Known,
    Rules,
    find_wrong_field,
)
from callspool.request.identity import made_document_id
from callspool.request.phone_reading import NumberError
from callspool.request.phones import identify, number_to_send
from callspool.request.text import fault_of_word, refuse_unstorable

_JSON_SPACE = b" \t\r\n"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TOO_DEEP = f"is nested deeper than {MAX_NESTING} levels"

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class NumberFields(msgspec.Struct, gc=False):
    """The numbers of a document, as they are written."""

    contact_number: str
    alternate_number: str | None = None


class _NumberField(msgspec.Struct):
    contact_number: str


_numbers = msgspec.json.Decoder(NumberFields).decode
_number = msgspec.json.Decoder(_NumberField).decode
_known = msgspec.json.Decoder(Known).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class CheckedDocument(msgspec.Struct, frozen=True, gc=False):
    """A document as it will be sent: a JSON object from ``{`` to ``}`` with its id in it."""

    document_id: str
    raw: bytes


def read_trusted(raw: bytes) -> CheckedDocument | None:
    """Reads a document that a producer has checked before; None if it does not look so."""
    raw = raw.strip(_JSON_SPACE)
    try:
        known = _known(raw)
    except _UNREADABLE:
        return None
    document_id = known.document_id
    if not document_id or known.id is not UNSET or known.callspool_attempt is not UNSET:
        return None
    return CheckedDocument(document_id, raw)


class TrustedDocuments(NamedTuple):
    """What a worker has to know of documents that were checked before."""

    ids: list[str]
    numbers: list[str]
    alternates: list[str | None]


def read_all_trusted(raws: Sequence[msgspec.Raw]) -> TrustedDocuments | None:
    """Returns the ids and numbers of documents that were checked before, the alternate ones too.

    None unless `read_trusted` takes each.
    """
    try:
        every = [*map(_known, raws)]
    except _UNREADABLE:
        return None
    ids = [known.document_id for known in every]
    is_free_of_reserved = (
        [known.id for known in every].count(UNSET)
        == [known.callspool_attempt for known in every].count(UNSET)
        == len(every)
    )
    if not is_free_of_reserved or not all(ids):
        return None
    numbers = [known.contact_number for known in every]
    alternates = [known.alternate_number for known in every]
    return TrustedDocuments(cast("list[str]", ids), numbers, alternates)


def read_number(raw: bytes) -> str:
    """Returns the contact number of a document that is known to be good."""
    return _number(raw).contact_number


def read_both_numbers(raw: bytes) -> NumberFields:
    """Returns both numbers of a document that is known to be good."""
    return _numbers(raw)


def check_json(raw: bytes, rules: Rules) -> CheckedDocument:
    """Checks a document from elsewhere in full; raises `InvalidCallRequest`."""
    return check_number(*parse_document(raw), rules)[0]


def parse_document(raw: bytes) -> tuple[Known, bytes]:
    """Parses JSON from elsewhere: returns its known fields, and the object without nulls in them.

    Raises `InvalidCallRequest`.
    """
    raw = raw.strip(_JSON_SPACE)
    known = _read(raw)
    refuse_unstorable(raw)
    fields = _fields(raw)
    if _encode(fields) != raw:
        _refuse_repeated_fields(raw)
    if b"null" in raw:
        raw = _without_nulls(raw, fields)
    return known, raw


def check_fields(known: Known, raw: bytes, rules: Rules) -> CheckedDocument:
    """Returns the document as it will be sent: with an id, and E.164 if the rules say so.

    ``raw`` is the JSON object of ``known``. Raises `InvalidCallRequest`.
    """
    return check_number(known, raw, rules)[0]


def check_number(known: Known, raw: bytes, rules: Rules) -> tuple[CheckedDocument, str]:
    """As `check_fields`, and the form that identifies the number, so that none is read twice."""
    number = _check_known(known, rules)
    return complete_document(known, raw, number, rules), number


def complete_document(
    known: Known, raw: bytes, number: str, rules: Rules, *, flat: bool = False
) -> CheckedDocument:
    """As `check_fields`, of what was found good; ``number`` is in its identifying form.

    ``flat``: no field of the document holds an object, and the JSON is compact.
    """
    written = known.contact_number
    if number != written:
        sent = number_to_send(written, number, as_e164=rules.send_e164)
        if sent != written:
            raw = _with_number(raw, written, sent, flat=flat)
    if isinstance(known.document_id, str):
        return CheckedDocument(known.document_id, raw)
    made = made_document_id(number)
    raw = b'%b,"document_id":"%b"}' % (raw[:-1], made.encode())
    return CheckedDocument(made, raw)


def with_fields(raw: bytes, fields: Mapping[str, str]) -> bytes:
    """Returns the document with these fields set; its other ones stay byte by byte."""
    return _encode({**_fields(raw), **fields})


def has_field(raw: bytes, field: str) -> bool:
    """Whether the document has a field, and it is not null."""
    return bytes(_fields(raw).get(field, b"null")) != b"null"


def _with_number(raw: bytes, written: str, sent: str, *, flat: bool) -> bytes:
    if not flat:
        return with_fields(raw, {"contact_number": sent})
    # Within a text, a quote has a backslash before it: this can be nothing but the field.
    before, after = (b'"contact_number":' + _encode(text) for text in (written, sent))
    return raw.replace(before, after, 1)


def _check_known(known: Known, rules: Rules) -> str:
    """Returns the identifying form of the number, once nothing is wrong with the other fields."""
    fault = _fault(known)
    if fault is None:
        try:
            return identify(known.contact_number, rules.region)
        except NumberError as wrong:
            blank = not known.contact_number.strip()
            fault = ("contact_number", "must not be blank" if blank else str(wrong))
    raise InvalidCallRequest(*fault, document_id=known.document_id)


def _fault(known: Known) -> tuple[str, str] | None:
    if known.id is not UNSET:
        return "id", RESERVED["id"]
    if known.callspool_attempt is not UNSET:
        return "callspool_attempt", RESERVED["callspool_attempt"]
    if not known.name.strip():
        return "name", "must not be blank"
    if not isinstance(known.document_id, str):
        return None
    reason = fault_of_word(known.document_id)
    return None if reason is None else ("document_id", reason)


def _read(raw: bytes) -> Known:
    """The known fields of JSON that may be anything."""
    # msgspec does not look into the strings that it skips.
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError as fault:
            reason = f"is not valid UTF-8 (byte {fault.start})"
            raise InvalidCallRequest("json", reason) from None
    if raw.count(b"[") + raw.count(b"{") > MAX_NESTING and _depth(raw) > MAX_NESTING:
        raise InvalidCallRequest("json", _TOO_DEEP)
    try:
        return _known(raw)
    except msgspec.ValidationError:
        raise _explain(raw) from None
    except msgspec.DecodeError as fault:
        raise _not_json(fault) from None
    except RecursionError:
        raise InvalidCallRequest("json", _TOO_DEEP) from None


def _depth(raw: bytes) -> int:
    deepest = depth = 0
    for byte in _STRING.sub(b"", raw):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _explain(raw: bytes) -> InvalidCallRequest:
    """Returns what is wrong with what is no document, and may not even be JSON further on."""
    try:
        fields = _fields(raw)
    except msgspec.ValidationError:
        return InvalidCallRequest("json", "must be an object")
    except msgspec.DecodeError as fault:
        return _not_json(fault)
    return find_wrong_field(
        {field: _value(fields[field]) for field in KNOWN_FIELDS if field in fields}
    )


def _not_json(fault: msgspec.DecodeError) -> InvalidCallRequest:
    reason = str(fault).removeprefix("JSON is malformed: ")
    return InvalidCallRequest("json", f"is not JSON: {reason}")


def _value(raw: msgspec.Raw) -> object:
    try:
        return _any(raw)
    except msgspec.DecodeError:
        return 0  # the one thing that is JSON and no Python value: a number out of range


def _refuse_repeated_fields(raw: bytes) -> None:
    """Refuses a known field that is there twice: which of the two counts depends on the reader."""
    names: list[str] = json.loads(raw, object_pairs_hook=_names, parse_int=str, parse_float=str)
    for field in KNOWN_FIELDS:
        if names.count(field) > 1:
            raise InvalidCallRequest(field, "is there more than once")


def _names(pairs: list[tuple[str, object]]) -> list[str]:
    return [name for name, _ in pairs]


def _without_nulls(raw: bytes, fields: dict[str, msgspec.Raw]) -> bytes:
    """The document without the known fields that are null; the others byte by byte."""
    nulls = [field for field in KNOWN_FIELDS if field in fields and bytes(fields[field]) == b"null"]
    if not nulls:
        return raw
    return _encode({field: value for field, value in fields.items() if field not in nulls})
