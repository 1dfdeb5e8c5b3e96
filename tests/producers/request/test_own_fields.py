"""Values of documents: what is JSON comes through, anything else is refused."""

import decimal
import enum
import json
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import KNOWN_FIELDS, RESERVED, Document, PreparedRequest
from callspool.request.checks import Rules
from tests.producers.request.requests import ADA, attempted, refusal, sent_fields


class Colour(enum.StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Fraction(float):
    pass


class Row(dict[str, Any]):
    pass


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Colour.RED, "red"),
        (Text("x"), "x"),
        (Number(5), 5),
        (Fraction(1.5), 1.5),
        (Row(a=1), {"a": 1}),
        ((1, (2,)), [1, [2]]),
        (types.MappingProxyType({"a": None}), {"a": None}),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_values_that_are_json_by_another_type_are_sent(value: object, written: object) -> None:
    assert sent_fields({**ADA, "own": value})["own"] == written
    assert sent_fields({**ADA, "own": [value]})["own"] == [written]


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        b"bytes",
        decimal.Decimal("1.00"),
        {1, 2},
        object(),
        pytest.param(10**5000, id="too many digits"),
        "\ud800",
        {"a": float("nan")},
        {5: "a"},
        {"\ud800": 1},
        [[[b"x"]]],
    ],
)
def test_values_that_are_not_json_are_refused(value: object) -> None:
    assert refusal({**ADA, "own": value}).field == "own"
    assert refusal(Document("Ada", "+14155550123", extra={"own": value})).field == "own"


def test_a_value_may_be_nested_but_not_without_end() -> None:
    deep: list[Any] = []
    for _ in range(98):
        deep = [deep]
    assert sent_fields({**ADA, "own": deep})["own"] == deep
    assert "nested" in refusal({**ADA, "own": [deep]}).reason
    endless: list[Any] = []
    endless.append(endless)
    assert "nested" in refusal({**ADA, "own": endless}).reason


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*KNOWN_FIELDS, *RESERVED]) | st.text(max_size=5)


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.sampled_from([None, "IN", "US"]))
def test_any_mapping_is_sent_or_refused_as_invalid(
    fields: dict[str, Any], region: str | None
) -> None:
    outcome = attempted({**ADA, **fields}, rules=Rules(region))
    if isinstance(outcome, InvalidCallRequest):
        assert outcome.document == 0
        assert "\n" not in str(outcome)
        return
    written = json.loads(outcome.documents[0])
    assert written.pop("document_id")
    given_fields = {**ADA, **fields}
    del given_fields["document_id"]
    nulls = {name for name in KNOWN_FIELDS if given_fields.get(name, "") is None}
    assert written == {name: v for name, v in given_fields.items() if name not in nulls}


# What the API cannot store is refused: tests/producers/request/test_storable.py.
FIELD_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELD_NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        FIELD_NAMES.filter(lambda name: name not in (*KNOWN_FIELDS, *RESERVED)),
        JSON_VALUES,
        max_size=6,
    )
)
def test_fields_of_ones_own_come_through_unchanged(own: dict[str, Any]) -> None:
    assert sent_fields({**ADA, **own}) == {**ADA, **own}
    assert sent_fields(Document(**ADA, extra=own)) == {**ADA, **own}


@given(st.builds(Document, *[VALUES] * 13, extra=st.none() | VALUES))
def test_any_document_is_sent_or_refused_as_invalid(document: Document) -> None:
    outcome = attempted(document)
    assert isinstance(outcome, PreparedRequest) or outcome.document == 0
