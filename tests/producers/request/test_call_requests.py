"""What a call request says beside its documents."""

import json
import pickle
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.enqueue.receipts import scope_of
from callspool.errors import InvalidCallRequest, SettingsError
from callspool.request.call_request import CallRequest, CheckedEnvelope, Document
from callspool.request.checks import Rules, check_envelope, prepare
from callspool.request.message import RequestEnvelope, encode
from tests.producers.request.requests import ADA, prepared, refusal

RULES = Rules()


def test_a_request_is_prepared_with_its_defaults() -> None:
    envelope = prepared().envelope
    assert (envelope.space_token, envelope.pilot) == ("SPACE", "agent")
    assert envelope.context == "Follow up"
    assert envelope.schedule == {"type": "now"}
    assert (envelope.campaign, envelope.account, envelope.expires_at) == ("", "default", None)
    assert envelope.scope == ("default", "SPACE", "")


def test_campaign_and_account_are_kept() -> None:
    envelope = prepared(campaign="spring", account="sales-eu").envelope
    assert envelope.scope == ("sales-eu", "SPACE", "spring")


@pytest.mark.parametrize("field", ["space_token", "pilot"])
@pytest.mark.parametrize(
    "value", [None, "", " ", 5, b"x", "a\nb", " a", "a ", "x" * 513, "\ud800", ["x"]]
)
def test_space_and_pilot_are_words(field: str, value: Any) -> None:
    fault = refusal(**{field: value})
    assert (fault.field, fault.document) == (field, None)


@pytest.mark.parametrize("value", ["a/b", "..", ".", "a?b", "a#b", "a%2Fb", "a b", "a\\b"])
def test_a_space_token_cannot_change_the_path_of_the_request(value: str) -> None:
    assert refusal(space_token=value).field == "space_token"


@pytest.mark.parametrize("value", ["8KZRTQP7BNW5XEDLORYUHMJC", "a.b", "a-b_c~d:e="])
def test_other_tokens_are_taken(value: str) -> None:
    assert prepared(space_token=value).envelope.space_token == value


@pytest.mark.parametrize("value", [5, " ", "a\0b", " a", "x" * 513, "\ud800", {"a": 1}])
def test_a_campaign_is_a_word(value: object) -> None:
    assert refusal(campaign=value).field == "campaign"


@pytest.mark.parametrize("value", [5, "Sales", "a b", "x" * 33, "é", "a\n", "a/b"])
def test_an_account_is_a_short_name(value: object) -> None:
    assert refusal(account=value).field == "account"


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_context_is_required_in_the_request_or_by_the_rules(value: str | None) -> None:
    fault = refusal(context=value)
    assert (fault.field, "is missing" in fault.reason) == ("context", True)
    assert (
        prepared(context=value, rules=Rules(default_context="Say hi")).envelope.context == "Say hi"
    )


def test_the_requests_own_context_wins() -> None:
    rules = Rules(default_context="Say hi")
    assert prepared(context="Line 1\nLine 2", rules=rules).envelope.context == "Line 1\nLine 2"


@pytest.mark.parametrize("value", [5, ["x"], "\ud800", "é" * 200_000])
def test_a_context_is_a_text_of_bounded_size(value: object) -> None:
    assert refusal(context=value).field == "context"


@pytest.mark.parametrize("documents", [[], (), iter(())])
def test_a_request_without_documents_is_refused(documents: Any) -> None:
    # The API would call everybody in the space.
    fault = refusal_of(documents)
    assert (fault.field, "at least one" in fault.reason) == ("documents", True)


@pytest.mark.parametrize("documents", [None, dict(ADA), "[]", b"[]", 5])
def test_documents_are_a_list(documents: Any) -> None:
    assert refusal_of(documents).field == "documents"


def refusal_of(documents: Any) -> InvalidCallRequest:
    with pytest.raises(InvalidCallRequest) as refused:
        prepare(CallRequest("SPACE", "agent", documents, context="x"), RULES)
    return refused.value


def test_the_place_of_a_bad_document_is_told() -> None:
    good = [{**ADA, "document_id": f"crm-{number}"} for number in range(3)]
    fault = refusal(*good, {"name": "Bob"})
    assert str(fault) == "document 3: contact_number: is missing"


def test_all_faults_of_a_request_are_told_at_once() -> None:
    documents = [dict(ADA), {"name": "Bob"}, {**ADA, "name": " "}, {**ADA, "name": "Eve"}]
    fault = refusal(*documents, space_token="a/b", schedule="later", traceparent="none")
    assert [(each.document, each.field) for each in fault.faults] == [
        (None, "space_token"),
        (None, "schedule"),
        (1, "contact_number"),
        (2, "name"),
        (None, "traceparent"),
        (3, "document_id"),
    ]
    assert str(fault).endswith("(and 5 more: see faults)")
    assert [str(each) for each in pickle.loads(pickle.dumps(fault)).faults] == [
        str(each) for each in fault.faults
    ]
    assert len(refusal(*[{"name": "Bob"}] * 300).faults) == 100


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        (
            {"name": " ", "contact_number": "none", "document_id": 5, "x": object()},
            {"name", "contact_number", "document_id", "x"},
        ),
        (Document(" ", "none", extra={"email": 7}), {"extra", "name", "contact_number", "email"}),
        (b'{"name":"","labels":"gold"}', {"name", "contact_number", "labels"}),
        (b"[1]", {"json"}),
    ],
)
def test_all_faults_of_one_document_are_told_at_once(document: Any, wrong: set[str]) -> None:
    found = [each.field for each in refusal_of([document]).faults]
    assert sorted(found) == sorted(wrong)


def test_an_id_stands_once_in_a_request() -> None:
    fault = refusal(dict(ADA), {**ADA, "name": "Bob"})
    assert (fault.document, fault.field) == (1, "document_id")
    assert "document 0" in str(fault)
    without = {"name": "Ada", "contact_number": "+14155550123"}
    assert prepared(without, dict(without)).count == 2  # one contact twice, called once


@pytest.mark.parametrize("given", [[], None, {"space_token": "x"}])
def test_what_is_no_call_request_is_told_what_was_expected(given: Any) -> None:
    with pytest.raises(InvalidCallRequest, match="must be a CallRequest") as refused:
        prepare(given, RULES)
    assert ("enqueue_many takes many" in str(refused.value)) is (given is not None)


def test_ids_and_translated_texts_of_other_kinds_are_taken_as_text() -> None:
    class Promise:  # as Django calls what it translates lazily
        def __str__(self) -> str:
            return "Bonjour"

    own = {"since": date(2026, 12, 1), "order": UUID(int=1)}
    document = Document("Ada", ADA["contact_number"], document_id=UUID(int=17), extra=own)
    request = prepared(document, context=Promise(), campaign=date(2026, 12, 24))
    assert (request.envelope.context, request.envelope.campaign) == ("Bonjour", "2026-12-24")
    fields = json.loads(request.documents[0])
    assert fields["document_id"] == str(UUID(int=17))
    assert (fields["since"], fields["order"]) == ("2026-12-01", str(UUID(int=1)))


def test_a_datetime_as_schedule_is_led_to_the_custom_schedule() -> None:
    assert "Schedule.custom(" in str(refusal(schedule=datetime(2036, 12, 1, 10, 30, tzinfo=UTC)))


def test_an_error_shows_no_phone_number_that_serves_as_an_id() -> None:
    fault = refusal({**ADA, "document_id": "+1 (415) 555-0123", "email": 5})
    assert fault.document_id == "+1 (415) 555-0123"
    assert str(fault).startswith("document 0 (…123): email")


@pytest.mark.parametrize(
    ("document_id", "shown"),
    [
        ("tel:+14155550123", "tel:…123"),
        ("+1 (415) 555-0123;ext=7", "…123;ext=7"),
        ("x" * 50 + "+14155550123", "x" * 50 + "…123"),
        ("crm-14155550123", "crm-14155550123"),
        ("a+b+12", "a+b+12"),
    ],
)
def test_a_number_within_an_id_is_never_told_whole(document_id: str, shown: str) -> None:
    fault = refusal({**ADA, "name": "", "document_id": document_id})
    assert str(fault) == f"document 0 ({shown}): name: must not be blank"


def test_an_error_can_be_pickled() -> None:
    fault = refusal({**ADA, "email": 5})
    again = pickle.loads(pickle.dumps(fault))
    assert (str(again), again.document, again.field) == (str(fault), 0, "email")


def test_rules_refuse_a_region_that_does_not_exist() -> None:
    assert Rules("in").region == "IN"
    assert Rules("").region is None
    for region in ("UK", "India", "+91", "001"):
        with pytest.raises(SettingsError, match="CALLSPOOL_REGION"):
            Rules(region)


def test_a_worker_lets_what_has_expired_pass_on() -> None:
    assert check_envelope(envelope(expires_at=5), RULES).expires_at == 5
    past = "custom:2020-01-01 10:00"
    assert check_envelope(envelope(schedule=past), RULES).schedule["type"] == "custom"


def envelope(**fields: Any) -> RequestEnvelope:
    stated = {"space_token": "SPACE", "pilot": "agent", "context": "Follow up", **fields}
    return RequestEnvelope(documents=[msgspec.Raw(b"{}")], **stated)


def test_a_worker_checks_the_same_as_a_producer() -> None:
    assert check_envelope(envelope(), RULES) == prepared().envelope
    for field in ("space_token", "pilot", "context"):
        with pytest.raises(InvalidCallRequest, match=field):
            check_envelope(envelope(**{field: None}), RULES)
    with pytest.raises(InvalidCallRequest, match="documents"):
        check_envelope(RequestEnvelope(documents=[], space_token="S", pilot="p"), RULES)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NEARLY_SCHEDULES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["now", "auto", "custom"]) | ANYTHING,
        "calling_date": st.text("0123456789-", max_size=11) | ANYTHING,
        "calling_time": st.text("0123456789:", max_size=6) | ANYTHING,
    },
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "space_token": ANYTHING,
            "pilot": ANYTHING,
            "context": ANYTHING,
            "campaign": ANYTHING,
            "account": ANYTHING,
            "schedule": NEARLY_SCHEDULES | ANYTHING,
            "expires_at": ANYTHING | st.datetimes() | st.text("0123456789-:T+Z.W", max_size=26),
        },
    )
)
def test_any_envelope_is_checked_or_refused_as_invalid(fields: dict[str, Any]) -> None:
    outcome = attempted_envelope(fields)
    if isinstance(outcome, InvalidCallRequest):
        assert outcome.document is None
        assert "\n" not in str(outcome)
    else:
        json.dumps(msgspec.to_builtins(outcome), allow_nan=False).encode()


def attempted_envelope(fields: dict[str, Any]) -> CheckedEnvelope | InvalidCallRequest:
    try:
        return check_envelope(envelope(**fields), RULES)
    except InvalidCallRequest as fault:
        return fault


class Word(str):
    """Text of a class of its own, as web frameworks have them."""

    __slots__ = ()


class Chosen(str, Enum):  # noqa: UP042 - many of these are in use
    """Text that prints otherwise than it is."""

    SPACE = "SPACE"
    PILOT = "agent"
    CONTEXT = "Follow up"
    CAMPAIGN = "spring"
    ACCOUNT = "sales-eu"
    TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("kind", [Word, Chosen])
def test_text_of_a_class_of_its_own_is_as_good_as_any_other(kind: Any) -> None:
    stated = {
        "space_token": "SPACE",
        "pilot": "agent",
        "context": "Follow up",
        "campaign": "spring",
        "account": "sales-eu",
        "traceparent": Chosen.TRACE.value,
    }
    plain = prepared(**stated)
    other = prepared(**{field: kind(text) for field, text in stated.items()})
    assert [*encode(other)] == [*encode(plain)]
    assert (type(other.traceparent), other.traceparent) == (str, plain.traceparent)
    assert {type(each) for each in other.envelope.scope} == {str}


def test_the_scope_that_is_asked_for_is_the_one_that_a_request_has() -> None:
    asked = scope_of(Chosen.SPACE, Chosen.CAMPAIGN, Chosen.ACCOUNT)
    assert (asked, {*map(type, asked)}) == (("sales-eu", "SPACE", "spring"), {str})
