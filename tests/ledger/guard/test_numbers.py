from __future__ import annotations

import pytest

from callspool_ledger.guard.numbers import (
    GuardKey,
    ListNameError,
    digest_listed,
    forms_of,
    kind_of_list,
    list_name,
    read_numbers,
)

KEY = GuardKey("id", b"k" * 32)


@pytest.mark.parametrize(
    ("number", "region", "forms"),
    [
        ("+14155550123", None, ("+14155550123",)),
        ("+1 (415) 555-0123", None, ("+14155550123",)),
        ("(415) 555-0123", "US", ("+14155550123",)),
        ("+14155550123 ext. 7", None, ("+14155550123",)),
        ("14155550123", None, ("14155550123", "+14155550123", "+9114155550123")),
        ("9876543210", None, ("9876543210", "+9876543210", "+919876543210")),
        ("call me", None, ()),
        ("+1415555012", None, ("1415555012", "+1415555012", "+911415555012")),
    ],
)
def test_a_number_has_every_form_that_the_platform_may_call_it_by(
    number: str, region: str | None, forms: tuple[str, ...]
):
    assert forms_of(number, region) == forms


def test_the_digest_of_a_number_depends_on_the_key():
    other = GuardKey("id", b"o" * 32)
    assert KEY.digest_all(["+14155550123"]) == KEY.digest_all(["+14155550123"])
    assert KEY.digest_all(["+14155550123"]) != other.digest_all(["+14155550123"])
    assert len(KEY.digest_all(["+14155550123"])[0]) == 9


def test_both_numbers_of_a_document_count():
    documents = [
        b'{"name":"A","contact_number":"+14155550100"}',
        b'{"name":"B","contact_number":"+14155550101","alternate_number":"+1 415 555 0102"}',
        b'{"name":"C","contact_number":"+14155550103","alternate_number":null}',
    ]
    found = read_numbers(documents, KEY, None)
    forms = ("+14155550100", "+14155550101", "+14155550103", "+14155550102")
    assert found.digests == b"".join(KEY.digest_all(forms))
    assert found.places == [0, 1, 2, 1]


def test_numbers_that_are_not_e164_and_documents_of_any_shape_are_read():
    documents = [
        b'{"contact_number":"+14155550100","alternate_number":7}',
        b'{"contact_number":"9876543210"}',
        b'{"contact_number":"+1 415 555 0101"}',
    ]
    found = read_numbers(documents, KEY, None)
    forms = ("+14155550100", "9876543210", "+9876543210", "+919876543210", "+14155550101")
    assert found.digests == b"".join(KEY.digest_all(forms))
    assert found.places == [0, 1, 1, 1, 2]


def test_a_number_that_is_listed_twice_counts_once_and_what_is_none_is_counted():
    found = digest_listed(["+14155550100", "+1 415 555 0100", "nobody"], KEY, None)
    assert (len(found.first), found.others, found.unreadable) == (9, b"", 1)


def test_lists_have_names_of_three_kinds():
    assert [list_name(None), list_name(None, "acme"), list_name("asked-by-mail")] == [
        "global",
        "account:acme",
        "asked-by-mail",
    ]
    kinds = [*map(kind_of_list, ("global", "account:acme", "asked-by-mail"))]
    assert kinds == ["global", "account", "named"]
    for wrong in ("with space", "", "x" * 65, "account:No"):
        with pytest.raises(ListNameError):
            list_name(wrong)
