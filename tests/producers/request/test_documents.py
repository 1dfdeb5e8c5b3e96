"""Documents as `Document` and as mappings."""

import collections
import json
import types
from typing import Any

import pytest

from callspool.request.call_request import KNOWN_FIELDS, RESERVED, Document, Known
from callspool.request.checks import Rules
from tests.producers.request.requests import ADA, refusal, sent, sent_fields

FULL = {
    **ADA,
    "email": "ada@example.com",
    "alternate_number": "whatever",
    "occupation": "Analyst",
    "company_name": "Engines Ltd",
    "address": "12 St James's Square",
    "about": "Warm lead",
    "context": "Wants a quote",
    "labels": ["warm", "webinar"],
    "title": "Q1",
    "description": "From the fair",
}


def test_a_document_and_a_mapping_of_the_same_fields_are_sent_alike() -> None:
    assert sent_fields(Document(**FULL)) == sent_fields(FULL) == FULL


def test_fields_that_are_none_are_not_sent() -> None:
    assert sent_fields(Document("Ada", "+14155550123", "crm-17")) == ADA
    assert sent_fields({**ADA, "email": None, "labels": None}) == ADA


def test_extra_fields_are_sent_beside_the_known_ones() -> None:
    extra = {"plan": "gold", "score": 17, "vip": True, "orders": [{"id": 1}], "last": None}
    assert sent_fields(Document(**FULL, extra=extra)) == {**FULL, **extra}
    assert sent_fields(Document(**FULL, extra=types.MappingProxyType(extra))) == {**FULL, **extra}
    assert sent_fields({**FULL, **extra}) == {**FULL, **extra}


@pytest.mark.parametrize("field", KNOWN_FIELDS)
def test_extra_fields_cannot_repeat_a_known_one(field: str) -> None:
    fault = refusal(Document("Ada", "+14155550123", extra={field: "x"}))
    assert (fault.field, fault.document) == ("extra", 0)
    assert field in fault.reason


@pytest.mark.parametrize("field", RESERVED)
@pytest.mark.parametrize("value", ["x", 7, None, [], {"a": 1}])
def test_reserved_fields_are_refused_in_every_form(field: str, value: object) -> None:
    forms = (
        {**ADA, field: value},
        Document("Ada", "+14155550123", extra={field: value}),
        json.dumps({**ADA, field: value}).encode(),
    )
    for form in forms:
        fault = refusal(form)
        assert (fault.field, fault.reason) == (field, RESERVED[field])


def test_the_refusal_of_id_advises_document_id() -> None:
    assert "document_id" in refusal({**ADA, "id": "x"}).reason


def test_an_error_names_document_field_and_reason() -> None:
    fault = refusal(dict(ADA), {**ADA, "email": 5})
    assert str(fault) == (
        "document 1 (crm-17): email: must be a string, not a number (write it in quotes)"
    )
    assert (fault.document, fault.document_id, fault.field) == (1, "crm-17", "email")


@pytest.mark.parametrize("field", [name for name in KNOWN_FIELDS if name != "labels"])
@pytest.mark.parametrize("value", [5, 1.5, True, [], {}, b"x"])
def test_known_fields_must_be_strings(field: str, value: object) -> None:
    fields = {**FULL, field: value}
    for form in (fields, Document(**fields)):
        assert refusal(form).field == field


@pytest.mark.parametrize("value", ["warm", [1], ["a", None], {"a": 1}, [["a"]], [b"a"]])
def test_labels_must_be_an_array_of_strings(value: object) -> None:
    fields: dict[str, Any] = {**ADA, "labels": value}
    for form in (fields, Document(**fields)):
        assert refusal(form).field == "labels"


def test_a_tuple_of_labels_is_an_array() -> None:
    labels: Any = ("a", "b")
    assert sent_fields({**ADA, "labels": labels})["labels"] == ["a", "b"]
    assert sent_fields(Document("Ada", "+14155550123", labels=labels))["labels"] == ["a", "b"]


@pytest.mark.parametrize("field", ["name", "contact_number"])
def test_name_and_contact_number_are_required_and_not_blank(field: str) -> None:
    without = {key: value for key, value in ADA.items() if key != field}
    assert (refusal(without).field, refusal(without).reason) == (field, "is missing")
    for blank in ("", " ", "\t\u3000"):
        fault = refusal({**ADA, field: blank})
        assert (fault.field, fault.reason) == (field, "must not be blank")
    assert refusal({**ADA, field: None}).field == field


@pytest.mark.parametrize(
    "document_id",
    ["", " ", "a\nb", "a\0b", "\x7f", "a\x85", "x" * 513, "é" * 257, "\ud800"],
)
def test_a_document_id_that_cannot_identify_is_refused(document_id: str) -> None:
    assert refusal({**ADA, "document_id": document_id}).field == "document_id"
    assert refusal(Document("Ada", "+14155550123", document_id)).field == "document_id"


@pytest.mark.parametrize("document_id", ["x", "x" * 512, "é" * 256, "a b", "näïve\u00a0id", "0"])
def test_any_other_text_is_a_document_id(document_id: str) -> None:
    assert sent_fields({**ADA, "document_id": document_id})["document_id"] == document_id


def test_a_number_is_not_a_document_id_but_in_quotes() -> None:
    assert "in quotes" in refusal({**ADA, "document_id": 17}).reason


def test_a_document_without_an_id_gets_one_from_its_number() -> None:
    fields = {"name": "Ada", "contact_number": "+1 (415) 555-0123"}
    made = sent_fields(fields)["document_id"]
    assert made == sent_fields({**fields, "contact_number": "+14155550123"})["document_id"]
    assert made == sent_fields({**fields, "document_id": None})["document_id"]
    assert made == sent_fields(json.dumps({**fields, "document_id": None}).encode())["document_id"]
    assert made.startswith("tel-")
    assert len(made) == 28


def test_numbers_of_a_known_country_are_sent_as_e164_unless_told_otherwise() -> None:
    written = {**ADA, "contact_number": "(415) 555-0123"}
    region = Rules(region="us")
    as_written = Rules(region="US", send_e164=False)
    for form in (written, Document(**written), json.dumps(written).encode()):
        assert sent_fields(form, region)["contact_number"] == "+14155550123"
        assert sent_fields(form, as_written)["contact_number"] == "(415) 555-0123"
    assert sent_fields(FULL, region) == FULL


def test_how_a_number_is_sent_changes_no_identity() -> None:
    written = {"name": "Ada", "contact_number": "(415) 555-0123"}
    ids = {
        sent_fields(written, Rules(region="US", send_e164=flag))["document_id"]
        for flag in (True, False)
    }
    assert len(ids) == 1


def test_what_e164_cannot_say_is_sent_as_written() -> None:
    rules = Rules(send_e164=True)
    for number in ("1234567890", "+14155550100 ext. 5"):
        assert sent_fields({**ADA, "contact_number": number}, rules)["contact_number"] == number


def test_a_bad_number_is_refused_without_being_shown() -> None:
    fault = refusal({"name": "Ada", "contact_number": "+1415555012345678"})
    assert fault.field == "contact_number"
    assert "1415555" not in str(fault)


def test_an_alternate_number_need_not_be_a_number() -> None:
    assert sent_fields({**ADA, "alternate_number": "n/a"})["alternate_number"] == "n/a"


@pytest.mark.parametrize("name", [5, None, (1,), b"x", 1.5])
def test_names_of_fields_are_strings(name: object) -> None:
    assert refusal({**ADA, name: 1}).field == "json"


@pytest.mark.parametrize("document", ["{}", None, 5, [], ("a",), bytearray(b"{}"), object()])
def test_what_is_no_document_is_refused(document: object) -> None:
    fault = refusal(document)
    assert (fault.document, fault.field) == (0, "json")


def test_mappings_of_any_type_are_documents() -> None:
    assert sent_fields(types.MappingProxyType(dict(ADA))) == ADA
    assert sent_fields(collections.OrderedDict(ADA)) == ADA


def test_the_json_is_compact() -> None:
    assert sent(dict(ADA)) == (
        b'{"name":"Ada","contact_number":"+14155550123","document_id":"crm-17"}'
    )


def test_the_types_list_the_fields_in_one_order() -> None:
    assert Known.__struct_fields__ == (*KNOWN_FIELDS, *RESERVED)


def test_half_a_surrogate_pair_in_a_fields_name_is_refused() -> None:
    for value in ("x", {}):
        assert "surrogate" in refusal({**ADA, "\ud800": value}).reason
        assert "surrogate" in refusal(Document(**ADA, extra={"\ud800": value})).reason
