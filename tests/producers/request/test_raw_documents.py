"""Documents as JSON: from producers in other languages, and from our own."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import KNOWN_FIELDS
from callspool.request.checks import CheckedDocument, Rules, check_raw_document, read_all_trusted
from callspool.request.raw_document import read_trusted
from tests.producers.request.requests import ADA, prepared, refusal, sent

RULES = Rules()
ADA_RAW = b'{"name":"Ada","contact_number":"+14155550123","document_id":"crm-17"}'


def with_own(own: bytes) -> bytes:
    """Ada's document with JSON of one's own in it."""
    return ADA_RAW[:-1] + b"," + own + b"}"


def reason(raw: bytes, trusted: bool = False) -> InvalidCallRequest:
    with pytest.raises(InvalidCallRequest) as refused:
        check_raw_document(raw, RULES, trusted, place=3)
    assert refused.value.document == 3
    assert "\n" not in str(refused.value)
    return refused.value


NOT_JSON = [
    b"",
    b" ",
    b"\xef\xbb\xbf" + ADA_RAW,
    b"\x0b" + ADA_RAW,
    ADA_RAW + b"\0",
    ADA_RAW + b"x",
    ADA_RAW + ADA_RAW,
    ADA_RAW[:-1],
    ADA_RAW[:-1] + b",}",
    b"{'name':'Ada'}",
    b'{"name":0',
    b'{"name":0,"x":NaN}',
    with_own(b'"own":NaN'),
    with_own(b'"own":-Infinity'),
    with_own(b'"own":01'),
    with_own(b'"own":1.'),
    with_own(b'"own":+1'),
    with_own(b'"own":.5'),
    with_own(b'"own":tru'),
    with_own(b'"own":"\x01"'),
    with_own(b'"own":"\n"'),
    with_own(rb'"own":"\q"'),
    with_own(rb'"own":"\u12"'),
    with_own(b'"own":undefined'),
    with_own(b'"own":1//comment'),
    with_own(b"own:1"),
    with_own(b'"own":[1,]'),
]
NOT_UNICODE = [
    with_own(b'"own":"\xff"'),
    with_own(b'"\xff":1'),
    with_own(b'"own":"\xc0\xaf"'),
    with_own(b'"own":"\xed\xa0\x80"'),
    with_own(b'"own":{"deep":["\xfe"]}'),
    ADA_RAW.replace(b"Ada", b"\xe9"),
    with_own(rb'"own":"\ud800 alone"'),
    with_own(rb'"own":"\ud800\u0041 alone"'),
    with_own(rb'"own":"\udc00 alone"'),
    with_own(rb'"\ud800 alone":1'),
    ADA_RAW.replace(b"Ada", rb"\ud800 Ada Lovelace"),
]
NOT_AN_OBJECT = [b"[]", b"1", b"null", b'"x"', b"true", b"[" + ADA_RAW + b"]"]


@pytest.mark.parametrize("raw", [*NOT_JSON, *NOT_UNICODE, *NOT_AN_OBJECT])
@pytest.mark.parametrize("form", ["message", "producer"])
def test_what_is_no_json_object_is_refused(raw: bytes, form: str) -> None:
    fault = reason(raw) if form == "message" else refusal(raw)
    assert fault.field == "json"


@pytest.mark.parametrize(
    "own",
    [
        b'"a":1.00',
        b'"a":1234567890123456789',
        b'"a":1e99',
        b'"a":-0',
        b'"a":"\\u00e9\\/\\ud83d\\ude00"',
        '"ключ":"значение"'.encode(),
        b'"a":null,"b":[null,{"c":null}]',
        b'"a":1,"a":2',
        b'"":""',
        b'"deep":' + b"[" * 99 + b"]" * 99,
        b'"brackets":"' + b"[{" * 500 + b'"',
    ],
    ids=lambda own: own[:20].decode(),
)
def test_unknown_fields_come_through_byte_by_byte(own: bytes) -> None:
    raw = with_own(own)
    assert sent(raw) == raw
    assert check_raw_document(raw, RULES, False).raw == raw
    assert check_raw_document(raw, RULES, True).raw == raw


def test_unknown_fields_stay_as_they_are_when_known_ones_change() -> None:
    raw = (
        b'{"big":1234567890123456789,"email":null,"name":"Ada","price":1.00,'
        b'"contact_number":"(415) 555-0123"}'
    )
    checked = check_raw_document(raw, Rules("US", send_e164=True), False)
    assert checked.raw == (
        b'{"big":1234567890123456789,"name":"Ada","price":1.00,'
        b'"contact_number":"+14155550123","document_id":"%b"}' % checked.document_id.encode()
    )


@pytest.mark.parametrize("trusted", [False, True])
def test_white_space_around_a_document_is_stripped(trusted: bool) -> None:
    checked = check_raw_document(b" \r\n\t" + ADA_RAW + b"\n ", RULES, trusted)
    assert checked == CheckedDocument("crm-17", ADA_RAW)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_made_id_is_spliced_into_the_document(trusted: bool) -> None:
    raw = b'{ "name":"Ada","contact_number":"+14155550123" }'
    checked = check_raw_document(raw, RULES, trusted)
    assert checked.raw.startswith(raw[:-1])
    assert json.loads(checked.raw)["document_id"] == checked.document_id


@pytest.mark.parametrize("field", KNOWN_FIELDS)
@pytest.mark.parametrize("layout", ["compact", "spaced", "escaped"])
def test_a_known_field_must_not_be_there_twice(field: str, layout: str) -> None:
    value = b'["a"]' if field == "labels" else b'"+14155550199"'
    name = (
        field.encode() if layout != "escaped" else b"\\u%04x" % ord(field[0]) + field[1:].encode()
    )
    again = b'"%b":%b' % (name, value)
    raw = with_own(again if field in ADA else again + b"," + again)
    fault = reason(raw.replace(b",", b" , ") if layout == "spaced" else raw)
    assert (fault.field, fault.reason) == (field, "is there more than once")


def test_a_document_nested_too_deeply_is_refused() -> None:
    for depth in (101, 5_000, 100_000):
        assert "nested" in reason(with_own(b'"a":' + b"[" * depth + b"]" * depth)).reason
        assert "nested" in reason(with_own(b'"a":' + b'{"b":' * depth + b"1" + b"}" * depth)).reason


@pytest.mark.parametrize("field", [name for name in KNOWN_FIELDS if name not in ADA])
def test_null_in_an_optional_field_is_as_good_as_absent(field: str) -> None:
    assert check_raw_document(with_own(b'"%b":null' % field.encode()), RULES, False).raw == ADA_RAW


@pytest.mark.parametrize("field", ["name", "contact_number"])
def test_null_in_a_required_field_is_refused(field: str) -> None:
    raw = json.dumps({**ADA, field: None}).encode()
    assert (reason(raw).field, reason(raw).reason) == (field, "must be a string, not null")


@pytest.mark.parametrize("value", [b"1", b"1e999", b"[]", b"{}", b"true"])
def test_wrong_types_are_refused_by_name(value: bytes) -> None:
    fault = reason(with_own(b'"email":' + value))
    assert (fault.field, fault.document_id) == ("email", "crm-17")


def test_a_trusted_document_is_only_looked_at() -> None:
    raw = ADA_RAW.replace(b"+14155550123", b"+1")
    assert check_raw_document(raw, RULES, True) == CheckedDocument("crm-17", raw)
    assert reason(raw).field == "contact_number"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"{}", "name"),
        (b"[]", "json"),
        (b"{", "json"),
        (with_own(b'"id":1'), "id"),
        (with_own(b'"callspool_attempt":"x"'), "callspool_attempt"),
        (with_own(b'"email":1'), "email"),
        (b'{"name":"","contact_number":"+14155550123"}', "name"),
        (b'{"name":"A","contact_number":"x"}', "contact_number"),
        (b'{"name":"A","contact_number":"1234567","document_id":""}', "document_id"),
    ],
)
def test_a_trusted_document_that_is_none_is_checked_in_full(raw: bytes, field: str) -> None:
    assert reason(raw, trusted=True).field == field


def test_what_a_producer_prepares_is_trusted_by_the_worker() -> None:
    own = {**ADA, "document_id": "crm-1"}
    documents = prepared(own, ADA_RAW, {"name": "Bob", "contact_number": "1234567890"})
    for raw in documents.documents:
        assert check_raw_document(raw, RULES, True) == check_raw_document(raw, RULES, False)


JSON_TEXT = st.text('{}[]",:\\ u0d8abntf.-+eE19Nalsru\n\x00é', max_size=60).map(
    lambda text: text.encode()
)
NEARLY = st.builds(
    lambda at, cut, junk: ADA_RAW[:at] + junk + ADA_RAW[at + cut :],
    st.integers(0, len(ADA_RAW)),
    st.integers(0, 9),
    st.binary(max_size=6) | JSON_TEXT,
)


@given(st.binary(max_size=80) | JSON_TEXT | NEARLY, st.booleans())
@example(b'{"name":1e400}', False)
@example(b'""[' + b"[" * 2000, False)
def test_any_bytes_are_a_document_or_refused_as_invalid(raw: bytes, trusted: bool) -> None:
    outcome: Any
    try:
        outcome = check_raw_document(raw, RULES, trusted)
    except InvalidCallRequest as fault:
        outcome = str(fault)
        assert "\n" not in outcome
        return
    assert outcome.raw.startswith(b"{")
    assert outcome.raw.endswith(b"}")
    assert msgspec.json.decode(outcome.raw, type=dict[str, msgspec.Raw])["document_id"]
    if not trusted:
        assert json.loads(outcome.raw.decode())["document_id"] == outcome.document_id


class _Holder(msgspec.Struct):
    documents: list[msgspec.Raw]


own_documents = st.sampled_from(
    [
        ADA_RAW,
        ADA_RAW.replace(b"crm-17", b"crm-18"),
        ADA_RAW.replace(b'"crm-17"', b'""'),
        ADA_RAW.replace(b'"crm-17"', b"null"),
        ADA_RAW.replace(b'"crm-17"', b"17"),
        b'{"name":"Ada","contact_number":"+14155550123"}',
        with_own(b'"id":null'),
        with_own(b'"id":[1]'),
        with_own(b'"callspool_attempt":"x"'),
        with_own(b'"plan":{"gold":[1, 2]}'),
        with_own(b'"labels":[1]'),
        b"3",
        b"[" * 2000 + b"]" * 2000,
    ]
)


@given(st.lists(own_documents, max_size=4), st.sampled_from([b"", b" ", b"\r\n\t "]))
def test_many_documents_are_trusted_at_once_if_each_is_trusted_alone(
    raws: list[bytes], space: bytes
) -> None:
    listed = b",".join(space + raw + space for raw in raws)
    try:
        held = msgspec.json.decode(b'{"documents":[%b]}' % listed, type=_Holder).documents
    except RecursionError:  # the message is refused whole
        return
    alone = [read_trusted(bytes(raw)) for raw in held]
    ids = [each.document_id for each in alone if each]
    found = read_all_trusted(held)
    assert (found and found.ids) == (ids if len(ids) == len(raws) else None)
    assert [each.raw for each in alone if each] == [
        bytes(raw) for raw, each in zip(held, alone, strict=True) if each
    ]
