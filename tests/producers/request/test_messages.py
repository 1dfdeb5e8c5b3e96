"""The message format, written and read."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callspool.errors import MessageUnreadable
from callspool.request.checks import Rules, check_envelope, check_raw_document
from callspool.request.message import (
    MAX_BYTES,
    MAX_DOCUMENTS,
    Envelope,
    Message,
    decode,
    encode,
    merge,
)
from tests.producers.request.requests import ADA, NOW, prepared

RULES = Rules()
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def read(message: Message, **fields: bytes) -> Envelope:
    return decode({b"v": b"1", b"requests": message.requests, **named(fields)})


def named(fields: dict[str, bytes]) -> dict[bytes, bytes]:
    return {name.encode(): value for name, value in fields.items()}


def many(count: int, **own: Any) -> list[dict[str, Any]]:
    return [{**ADA, "document_id": f"crm-{place}", **own} for place in range(count)]


def ids(messages: list[Message]) -> list[str]:
    return [
        check_raw_document(bytes(raw), RULES, trusted=True).document_id
        for message in messages
        for request in read(message).requests
        for raw in request.documents
    ]


def test_a_message_is_json_that_any_language_can_read() -> None:
    (message,) = encode(prepared(campaign="spring", account="sales", expires_at=NOW + 1))
    assert message.documents == 1
    assert json.loads(message.requests) == [
        {
            "space_token": "SPACE",
            "pilot": "agent",
            "context": "Follow up",
            "schedule": {"type": "now"},
            "campaign": "spring",
            "account": "sales",
            "expires_at": NOW + 1,
            "documents": [ADA],
        }
    ]


def test_a_message_leaves_out_what_is_not_set() -> None:
    (message,) = encode(prepared())
    assert list(json.loads(message.requests)[0]) == [
        "space_token",
        "pilot",
        "context",
        "schedule",
        "documents",
    ]


def test_a_request_comes_back_from_its_messages_as_it_was() -> None:
    request = prepared(
        *many(3), campaign="spring", schedule="custom:2028-02-29 09:05", expires_at=NOW + 0.1
    )
    (message,) = encode(request)
    (again,) = read(message).requests
    assert check_envelope(again, RULES) == request.envelope
    assert [bytes(raw) for raw in again.documents] == request.documents


@pytest.mark.parametrize(("count", "parts"), [(1, 1), (500, 1), (501, 2), (1_250, 3)])
def test_a_large_request_is_split_by_number(count: int, parts: int) -> None:
    messages = list(encode(prepared(*many(count))))
    assert len(messages) == parts
    assert max(message.documents for message in messages) <= MAX_DOCUMENTS
    assert ids(messages) == [f"crm-{i}" for i in range(count)]


def test_a_large_request_is_split_by_bytes() -> None:
    documents = many(40, about="x" * 30_000)
    messages = list(encode(prepared(*documents)))
    assert len(messages) > 1
    assert all(len(message.requests) <= MAX_BYTES for message in messages)
    assert ids(messages) == [f"crm-{i}" for i in range(40)]


def test_a_single_document_that_is_too_large_goes_alone() -> None:
    (small, other), huge = many(2), {**ADA, "about": "x" * MAX_BYTES}
    messages = list(encode(prepared(small, huge, other)))
    assert [message.documents for message in messages] == [1, 1, 1]


def test_messages_are_merged_in_order_within_the_limits() -> None:
    messages = [next(encode(prepared(*many(count)))) for count in (1, 200, 299, 1, 499)]
    merged = list(merge(messages))
    assert [message.documents for message in merged] == [500, 500]
    assert ids(merged) == ids(messages)


def test_neighbours_with_the_same_head_become_one_request_and_others_stay_apart() -> None:
    heads: list[dict[str, Any]] = [{}, {}, {"campaign": "spring"}, {"expires_at": NOW + 9}, {}, {}]
    each = [
        next(encode(prepared({**ADA, "document_id": f"crm-{place}"}, **own)))
        for place, own in enumerate(heads)
    ]
    (merged,) = merge(each)
    requests = read(merged).requests
    assert [len(request.documents) for request in requests] == [2, 1, 1, 2]
    assert [request.campaign for request in requests] == [None, "spring", None, None]
    assert [request.expires_at for request in requests] == [None, None, NOW + 9, None]
    assert ids([merged]) == [f"crm-{place}" for place in range(6)]
    assert merged.documents == 6
    (twice,) = merge([merged, each[0]])
    assert ids([twice]) == [*ids([merged]), "crm-0"]
    foreign = Message(each[0].requests, 1)
    (beside,) = merge([foreign, foreign, each[1]])
    assert [len(request.documents) for request in read(beside).requests] == [1, 1, 1]


def test_messages_too_large_to_be_merged_stay_apart() -> None:
    large = next(encode(prepared({**ADA, "about": "x" * (MAX_BYTES // 2)})))
    assert list(merge([large, large])) == [large, large]
    assert list(merge([])) == []


def test_the_other_fields_of_a_message_are_read() -> None:
    (message,) = encode(prepared())
    plain = read(message)
    assert (plain.checked, plain.counted, plain.trace) == (False, 0, None)
    full = read(message, checked=b"1", n=b"1", trace=TRACE.encode(), other=b"\xff")
    assert (full.checked, full.counted, full.trace) == (True, 1, TRACE)


@pytest.mark.parametrize("trace", [b"", b"\xff", b"Ada Lovelace", TRACE.encode() + b"-00"])
def test_a_trace_that_is_none_is_ignored(trace: bytes) -> None:
    (message,) = encode(prepared())
    assert read(message, trace=trace).trace is None


@pytest.mark.parametrize("version", [b"", b"0", b"2", b"01", b"1.0", b"\xff\n", b"x" * 99])
def test_an_unknown_version_is_unreadable(version: bytes) -> None:
    with pytest.raises(MessageUnreadable, match="version"):
        decode({b"v": version, b"requests": b"[]"})


def test_a_message_without_its_fields_is_unreadable() -> None:
    with pytest.raises(MessageUnreadable, match="no field v"):
        decode({})
    with pytest.raises(MessageUnreadable, match="no field requests"):
        decode({b"v": b"1"})


@pytest.mark.parametrize("count", [b"", b"-1", b"1.5", b"x", b"1" * 10, b"\xff"])
def test_a_count_that_is_none_is_unreadable(count: bytes) -> None:
    (message,) = encode(prepared())
    with pytest.raises(MessageUnreadable, match="field n"):
        read(message, n=count)


@pytest.mark.parametrize(
    "requests",
    [
        b"",
        b"[]",
        b"{}",
        b"[1]",
        b"[{}]",
        b"[null]",
        b'[{"documents":{}}]',
        b'[{"documents":null}]',
        b'[{"documents":[],"campain":"typo"}]',
        b'[{"documents":[{]}]',
        b'[{"documents":[NaN]}]',
        b'[{"documents":[],"pilot":"\xff"}]',
        b'[{"documents":[' + b"[" * 100_000,
        b'[{"documents":[]}] x',
    ],
)
def test_requests_of_another_shape_are_unreadable(requests: bytes) -> None:
    with pytest.raises(MessageUnreadable):
        decode({b"v": b"1", b"requests": requests})


def test_one_bad_request_or_document_does_not_spoil_its_neighbours() -> None:
    requests = b'[{"space_token":5,"documents":[{"a":1},7,"\xff"]},{"documents":[]}]'
    envelope = decode({b"v": b"1", b"requests": requests})
    assert [len(request.documents) for request in envelope.requests] == [3, 0]


def outcome(fields: dict[bytes, bytes]) -> Envelope | MessageUnreadable:
    try:
        return decode(fields)
    except MessageUnreadable as fault:
        return fault


NAMES = st.sampled_from([b"v", b"requests", b"checked", b"n", b"trace"])
JSONISH = st.text('[]{}":,documents0pilt \x00\xe9', max_size=60).map(lambda text: text.encode())


@given(st.dictionaries(NAMES | st.binary(max_size=3), st.binary(max_size=40) | JSONISH))
@example({b"requests": b'[{"documents":[]}]'})
@example({b"requests": b'[{"documents":[1]}]', b"n": "²".encode()})
def test_any_fields_are_a_message_or_unreadable(fields: dict[bytes, bytes]) -> None:
    for each in (fields, {**fields, b"v": b"1"}):
        result = outcome(each)
        assert isinstance(result, Envelope) or "\n" not in result.reason


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
# What the API cannot store is refused: tests/producers/request/test_storable.py.
NAMES_OF_FIELDS = TEXTS.filter(lambda name: "\0" not in name).map("own {}".format)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(
    st.lists(st.dictionaries(NAMES_OF_FIELDS, TEXTS | INTEGERS), min_size=1),
    TEXTS,
)
def test_any_request_survives_the_queue(owns: list[dict[str, Any]], context: str) -> None:
    documents = [{**ADA, "document_id": f"crm-{at}", **own} for at, own in enumerate(owns)]
    request = prepared(*documents, context=context)
    messages = list(encode(request))
    found = [
        raw for message in messages for each in read(message).requests for raw in each.documents
    ]
    assert [json.loads(bytes(raw)) for raw in found] == documents
    for message in messages:
        for each in read(message).requests:
            assert check_envelope(each, RULES) == request.envelope
