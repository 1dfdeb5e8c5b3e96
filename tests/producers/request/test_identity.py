"""Identities, made ids and lanes: fixed values, since the ledger of a running system holds them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.errors import InvalidCallRequest
from callspool.request.identity import (
    Scope,
    digest,
    digester,
    is_account_name,
    lane_id,
    made_document_id,
)

SCOPE = Scope("default", "SPACE", "spring")
PARTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=9)


def test_an_identity_is_the_documented_hash() -> None:
    expected = hashlib.blake2b(b"default\0SPACE\0spring\0crm-17", digest_size=12).digest()
    assert digest(SCOPE, "crm-17") == expected
    assert expected.hex() == "28f1acaf8b8f1afd25dd27b1"


def test_a_made_id_is_the_documented_hash() -> None:
    expected = "tel-" + hashlib.sha256(b"+14155550123").hexdigest()[:24]
    assert made_document_id("+14155550123") == expected == "tel-36a2cef4ff9bf7a1abd2a933"


def test_a_lane_is_the_documented_hash() -> None:
    key = b'["default","SPACE","spring","agent","Follow up",{"type":"now"}]'
    expected = hashlib.blake2b(key, digest_size=10).hexdigest()
    assert (
        lane_id(SCOPE, "agent", "Follow up", {"type": "now"}) == expected == "b3765d732c04deb0c850"
    )


def test_the_order_of_a_schedules_fields_makes_no_other_lane() -> None:
    one = {"type": "custom", "calling_date": "2028-02-29", "calling_time": "09:05"}
    other = dict(reversed(one.items()))
    assert lane_id(SCOPE, "a", "b", one) == lane_id(SCOPE, "a", "b", other)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("bad", ["a\0b", "\n", "\x85", "\ud800"])
def test_a_scope_holds_no_control_characters(place: int, bad: str) -> None:
    parts = ["default", "SPACE", "spring"]
    parts[place] = bad
    with pytest.raises(InvalidCallRequest, match=Scope._fields[place]):
        digester(Scope(*parts))


@given(st.tuples(PARTS, PARTS, PARTS, PARTS), st.tuples(PARTS, PARTS, PARTS, PARTS))
def test_identities_differ_where_any_part_differs(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    first, second = digest(Scope(*one[:3]), one[3]), digest(Scope(*other[:3]), other[3])
    assert (first == second) == (one == other)


@given(st.lists(PARTS))
def test_a_digester_keeps_no_state_between_documents(document_ids: list[str]) -> None:
    digest_of = digester(SCOPE)
    assert [digest_of(each) for each in document_ids] == [digest(SCOPE, x) for x in document_ids]


def test_names_of_accounts() -> None:
    assert all(map(is_account_name, ("default", "a", "sales-eu_2", "0" * 32)))
    assert not any(map(is_account_name, ("", "A", "a b", "a\n", "é", "0" * 33, "²")))
