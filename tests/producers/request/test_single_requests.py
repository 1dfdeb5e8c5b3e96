"""Requests of one document take a shorter way, and come to the same."""

from __future__ import annotations

from typing import Any

import pytest

from callspool import CallRequest, Document, InvalidCallRequest, Schedule
from callspool.enqueue.receipts import document_ids
from callspool.request.call_request import CheckedEnvelope, Rules
from callspool.request.checks import prepare
from callspool.request.message import SHARED_BYTES, encode
from callspool.request.single_requests import HEADS_KEPT, SingleRequests
from tests.producers.request.requests import ADA, NOW

RULES = Rules(region="US", default_context="By default")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def partition_of(envelope: CheckedEnvelope) -> int:
    return len(envelope.space_token)


def request(*documents: Any, **fields: Any) -> CallRequest:
    stated: dict[str, Any] = {"space_token": "SPACE", "pilot": "agent", **fields}
    return CallRequest(documents=list(documents) or [dict(ADA)], **stated)


@pytest.fixture
def singles() -> SingleRequests:
    return SingleRequests(RULES, partition_of)


@pytest.mark.parametrize(
    "given",
    [
        request(),
        request(context="Follow up", campaign="spring", account="sales", traceparent=TRACE),
        request(campaign="", account="", context=" ", traceparent=""),
        request(schedule="auto"),
        request(schedule=Schedule.auto()),
        request(Document("Ada", "415 555 0100")),
        request(b'{"name": "Ada", "contact_number": "+14155550100", "own": 1}'),
    ],
)
def test_the_short_way_leads_to_the_same_message(
    singles: SingleRequests, given: CallRequest
) -> None:
    prepared = prepare(given, RULES)
    for _ in range(2):
        ready = singles.prepare(given)
        assert ready is not None
        assert [ready.message] == list(encode(prepared))
        assert ready.document_ids == document_ids(prepared)
        assert ready.partition == partition_of(prepared.envelope)
        assert ready.traceparent == prepared.traceparent


@pytest.mark.parametrize(
    "given",
    [
        request({"name": "Ada", "contact_number": "12"}),
        request("Ada"),
        request(space_token="a/b"),
        request(pilot=""),
        request(account="Not A Name"),
        request(schedule="later"),
        request(traceparent="none"),
        request(traceparent=0),
        request(traceparent=b""),
        request({"name": ""}, space_token="a/b"),
    ],
)
def test_the_short_way_leaves_what_is_wrong_to_the_long_way(
    singles: SingleRequests, given: CallRequest
) -> None:
    for _ in range(2):
        assert singles.prepare(given) is None
        with pytest.raises(InvalidCallRequest):
            prepare(given, RULES)


@pytest.mark.parametrize(
    "given",
    [
        request(dict(ADA), dict(ADA)),
        request(expires_at=NOW + 60),
        request(schedule="custom:2028-02-29 09:05"),
        request(schedule=Schedule.custom("2028-02-29", "09:05")),
        request(schedule={"type": "now"}),
        request(schedule=Schedule("custom", ["2028-02-29"], "09:05")),  # type: ignore[arg-type]
        request(schedule=Schedule({"type": "now"})),  # type: ignore[arg-type]
        request(context="x" * 5000),
        request({**ADA, "about": "x" * SHARED_BYTES}),
        CallRequest("SPACE", "agent", (dict(ADA),)),
        CallRequest("SPACE", "agent", iter([dict(ADA)])),  # type: ignore[arg-type]
        request(space_token=7),
        request(campaign=["spring"]),
    ],
)
def test_what_is_unusual_goes_the_long_way(singles: SingleRequests, given: CallRequest) -> None:
    assert singles.prepare(given) is None


def test_what_comes_with_a_document_is_never_taken_for_anothers(singles: SingleRequests) -> None:
    fields = ["space_token", "pilot", "context", "campaign", "account"]
    every = [request(**{field: word}) for field in fields for word in ("one", "two")]
    every += [request(campaign=f"c{number}") for number in range(2 * HEADS_KEPT)]
    for given in [*every, *every]:
        ready = singles.prepare(given)
        assert ready is not None
        assert [ready.message] == list(encode(prepare(given, RULES)))
    assert len(singles._heads) <= HEADS_KEPT
