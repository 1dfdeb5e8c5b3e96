"""What the API cannot store is refused before it is accepted, wherever it comes from."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool import Document
from callspool.errors import InvalidCallRequest
from callspool.request.call_request import Rules
from callspool.request.checks import check_document
from callspool.request.field_checks import check_all
from callspool.request.raw_document import check_json
from callspool.request.text import may_be_unstorable

START = b'{"name":"Ada","contact_number":"+14155550123","document_id":"a"'
BAD = {
    "an integer of 65 bits": (b',"n":9223372036854775808}', {"n": 1 << 63}),
    "a small one": (b',"n":-9223372036854775809}', {"n": -(1 << 63) - 1}),
    "one further in": (b',"n":{"a":[1,99999999999999999999]}}', {"n": {"a": [10**20 - 1]}}),
    "NUL in a name": (b',"a\\u0000b":1}', {"a\0b": 1}),
    "NUL in an inner name": (b',"n":{"\\u0000":1}}', {"n": {"\0": 1}}),
}
INFINITE = (b',"n":1e400}', b',"n":-1E+999}', b',"n":[1' + b"0" * 400 + b".0]}")
GOOD = (
    b',"n":9223372036854775807,"m":-9223372036854775808}',
    b',"n":"99999999999999999999","e000":"1e400"}',
    b',"text":"a\\u0000b","x":1e300}',
)


@pytest.mark.parametrize("raw", [rest for rest, _ in BAD.values()] + list(INFINITE))
def test_json_that_the_api_cannot_store_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidCallRequest) as refused:
        check_json(START + raw, Rules())
    assert refused.value.field in {"n", "ab"}


@pytest.mark.parametrize("raw", GOOD)
def test_json_that_it_can_store_is_not(raw: bytes) -> None:
    assert check_json(START + raw, Rules()).document_id == "a"


@pytest.mark.parametrize("extra", [fields for _, fields in BAD.values()])
def test_python_values_that_the_api_cannot_store_are_refused_alone_and_among_many(
    extra: dict[str, object],
) -> None:
    document = Document(name="Ada", contact_number="+14155550123", document_id="a", extra=extra)
    fields = {"name": "Ada", "contact_number": "+14155550123", "document_id": "a", **extra}
    for documents in ([document], [fields]):
        assert check_all(documents * 3, Rules()) is None
        with pytest.raises(InvalidCallRequest):
            check_document(documents[0], Rules())


VALUES = st.recursive(
    st.integers(-(1 << 66), 1 << 66) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_the_cheap_look_never_overlooks_what_the_whole_one_finds(fields: dict[str, object]) -> None:
    raw = msgspec.json.encode(fields)
    if not may_be_unstorable(raw):
        assert not _is_unstorable(msgspec.json.decode(raw))


def _is_unstorable(value: object) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _is_unstorable(inner) for name, inner in value.items())
    if isinstance(value, list):
        return any(map(_is_unstorable, value))
    return isinstance(value, int) and not -(1 << 63) <= value < 1 << 63
