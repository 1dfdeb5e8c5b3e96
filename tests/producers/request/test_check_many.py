"""Documents that are checked together come out as each does alone."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callspool.errors import InvalidCallRequest
from callspool.request import checks
from callspool.request.call_request import (
    KNOWN_FIELDS,
    RESERVED,
    CallRequest,
    Document,
    DocumentLines,
)
from callspool.request.checks import FEW, Rules, prepare
from callspool.request.field_checks import check_all
from callspool.request.message import MAX_BYTES, encode
from tests.producers.request.requests import ADA, NOW, prepared, refusal
from tests.producers.request.test_own_fields import VALUES

PLAIN = [{**ADA, "document_id": f"crm-{n}", "plan": "gold"} for n in range(FEW)]


def outcome(documents: Any, rules: Rules) -> list[bytes] | str:
    """The JSON of each document, or why the request was refused."""
    request = CallRequest("SPACE", "agent", documents, context="Follow up")
    try:
        return prepare(request, rules, now=NOW).documents
    except InvalidCallRequest as fault:
        return f"{fault.document}: {fault.field}: {fault.reason}"


TEXTS = st.sampled_from(["Ada", "", " ", "a\nb", "é", "\ud800", "x" * 513]) | st.text(max_size=4)
NUMBERS = st.sampled_from(
    ["+14155550123", "+1 415-555-0199", "(415) 555-0100", "1234567", "+14155550123 ext. 7", "no"]
)
KNOWN = {name: TEXTS | st.none() for name in KNOWN_FIELDS} | {
    "name": st.sampled_from(["Ada", "Grace", " "]),
    "contact_number": NUMBERS,
    "labels": st.none() | st.lists(st.sampled_from(["a", "b"]), max_size=2) | VALUES,
}
OWN = st.dictionaries(st.sampled_from(["plan", "score", *RESERVED]) | TEXTS, VALUES, max_size=2)
USUAL = st.fixed_dictionaries(
    {"name": KNOWN["name"], "contact_number": NUMBERS},
    optional={"document_id": TEXTS, "email": TEXTS | st.none(), "labels": KNOWN["labels"]},
)
MAPPINGS = st.builds(lambda known, own: {**own, **known}, USUAL, OWN)
DOCUMENTS = st.builds(Document, **KNOWN, extra=st.none() | OWN)
RULES = st.builds(Rules, st.sampled_from([None, "US", "IN"]), st.booleans())


@given(st.lists(MAPPINGS, max_size=4) | st.lists(DOCUMENTS, max_size=4), RULES)
@example([{**ADA, "score": float("nan")}], Rules())
@example([{**ADA, "labels": None, "last": None, "score": 0.5}], Rules())
@example([{"name": "Ada", "contact_number": "(415) 555-0100"}] * 2, Rules("US", send_e164=True))
@example([Document("Ada", "(415) 555-0100", extra={"a": 1})] * 2, Rules("US", send_e164=True))
@example([{**ADA, "id": None}], Rules())
def test_what_can_be_vouched_for_together_is_what_each_is_alone(
    documents: list[Any], rules: Rules
) -> None:
    together = check_all(documents, rules)
    if together is not None:
        raws, ids = together
        apart = raws.split() if isinstance(raws, DocumentLines) else raws
        every = [checks.check_document(each, rules) for each in documents]
        assert [*zip(apart, ids, strict=True)] == [(each.raw, each.document_id) for each in every]


@given(st.lists(MAPPINGS | DOCUMENTS | st.just(b'{"name":1}'), max_size=FEW + 2), RULES)
def test_a_list_is_refused_as_its_documents_are_one_by_one(
    documents: list[Any], rules: Rules
) -> None:
    assert outcome(documents, rules) == outcome(iter(documents), rules)


@pytest.mark.parametrize(
    "documents",
    [
        PLAIN,
        [{**each, "score": 0.5, "vip": True, "last": None} for each in PLAIN],
        [{**each, "email": None, "labels": ["warm"]} for each in PLAIN],
        [{**each, "contact_number": "+91 98765 43210"} for each in PLAIN],
        [{"name": "Ada", "contact_number": "+14155550123"} for _ in PLAIN],
        [Document(**{**ADA, "document_id": f"c-{n}"}, labels=["warm"]) for n in range(FEW)],
        [Document(**{**ADA, "document_id": f"c-{n}"}, extra={"a": "b"}) for n in range(FEW)],
        [Document("Ada", "+14155550123") for _ in PLAIN],
    ],
)
def test_usual_documents_are_never_checked_one_by_one(
    documents: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outcome(iter(documents), Rules())
    monkeypatch.delattr(checks, "check_mapping")
    monkeypatch.delattr(checks, "check_typed")
    assert outcome(documents, Rules()) == expected


def test_the_place_of_a_bad_document_is_told_among_a_thousand() -> None:
    fault = refusal(*PLAIN * 200, {**ADA, "name": " "}, *PLAIN)
    assert (fault.document, fault.field) == (200 * FEW, "name")


def test_a_list_whose_documents_change_while_it_is_read_is_read_one_by_one() -> None:
    class OneForAll(Sequence[dict[str, Any]]):
        """Gives out the same dictionary each time."""

        def __init__(self) -> None:
            self.only: dict[str, Any] = dict(ADA)

        def __len__(self) -> int:
            return 20

        def __getitem__(self, place: Any) -> Any:
            if place >= 20:
                raise IndexError
            self.only["document_id"] = f"crm-{place}"
            return self.only

    documents = prepare(CallRequest("S", "agent", OneForAll(), context="x"), now=NOW).documents
    assert len(set(documents)) == 20


def test_documents_that_were_checked_together_are_parted_where_a_message_is_full() -> None:
    about = "x" * (MAX_BYTES // 10)
    many = [{**ADA, "document_id": f"crm-{n}", "about": about} for n in range(6 * FEW)]
    request = prepared(*many)
    messages = [*encode(request)]
    assert sum(message.documents for message in messages) == request.count == 6 * FEW
    assert len(messages) > 1
    assert all(len(message.requests) <= MAX_BYTES for message in messages)
    inner = b",".join(message.requests.partition(b'"documents":[')[2][:-3] for message in messages)
    assert inner == b",".join(request.documents)
