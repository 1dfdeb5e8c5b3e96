from __future__ import annotations

import json

from callspool.request.call_request import Rules
from callspool.request.message import decode
from callspool_ledger.writes import Delivery, Limits
from callspool_worker.accepting.message_reader import Reader

REQUEST = {"space_token": "SPACE", "pilot": "agent", "context": "Follow up"}
GOOD = {"name": "Ada", "contact_number": "+14155550100", "document_id": "c1"}


def read(*requests: dict[str, object], checked: bool = False, **limits: int) -> Delivery:
    fields = {b"v": b"1", b"requests": json.dumps(requests).encode()}
    if checked:
        fields[b"checked"] = b"1"
    reader = Reader(Rules(), Limits(**limits), now=lambda: 5.0)
    return reader.read("1-0", decode(fields))


def request(*documents: object, **fields: object) -> dict[str, object]:
    return {**REQUEST, "documents": list(documents), **fields}


def reasons(delivery: Delivery) -> list[tuple[str, str]]:
    records = [json.loads(refusal.record) for refusal in delivery.refusals]
    return [(record["field"], record["reason"]) for record in records]


def test_a_bad_document_is_refused_with_its_reason_while_its_neighbours_go_on():
    bad = {"name": "Bob", "contact_number": "call me"}
    delivery = read(request(GOOD, bad, {**GOOD, "document_id": "c2"}))
    assert [len(group.documents) for group in delivery.groups] == [2]
    (record,) = [json.loads(refusal.record) for refusal in delivery.refusals]
    assert (record["field"], record["place"], record["message"]) == ("contact_number", 1, "1-0")
    assert json.loads(record["document"]) == bad


def test_a_bad_request_is_refused_with_all_its_documents_while_the_next_one_goes_on():
    bad = request(GOOD, GOOD, schedule={"type": "nwo"})
    delivery = read(bad, request(GOOD))
    assert [field for field, _ in reasons(delivery)] == ["schedule.type"] * 2
    assert len(delivery.groups) == 1


def test_a_document_of_another_language_gets_an_id_that_travels_with_it():
    delivery = read(request({"name": "Ada", "contact_number": "+1 415 555 0100"}))
    (document,) = delivery.groups[0].documents
    assert json.loads(document)["document_id"].startswith("tel-")


def test_requests_that_differ_in_their_context_wait_in_different_lanes():
    delivery = read(request(GOOD), request(GOOD, context="Something else"))
    assert len({group.lane_id for group in delivery.groups}) == 2


def test_groups_are_no_larger_than_a_batch():
    documents = [{**GOOD, "document_id": f"c{number}"} for number in range(25)]
    delivery = read(request(*documents), batch_size=10, checked=True)
    assert [len(group.documents) for group in delivery.groups] == [10, 10, 5]
    assert [len(group.digests) for group in delivery.groups] == [10, 10, 5]


def test_a_document_larger_than_a_body_may_be_stands_alone_with_the_reason():
    large = {**GOOD, "document_id": "large", "about": "x" * 2000}
    after = {**GOOD, "document_id": "c2"}
    delivery = read(request(GOOD, large, after), batch_bytes=1500)
    assert [len(group.documents) for group in delivery.groups] == [1, 1, 1]
    assert ["CALLSPOOL_BATCH_BYTES" in group.reason for group in delivery.groups] == [
        False,
        True,
        False,
    ]


def test_an_expiry_reaches_the_ledger_in_milliseconds_even_if_it_is_past():
    assert read(request(GOOD, expires_at=1.5)).groups[0].expires_ms == 1500
    assert read(request(GOOD, expires_at="2026-12-01T00:00:00+00:00")).groups[0].expires_ms > 0
    assert read(request(GOOD)).groups[0].expires_ms == 0


def test_a_request_without_documents_is_counted_as_refused():
    assert len(read(request()).refusals) == 1


def numbered(number: int) -> dict[str, object]:
    return {**GOOD, "document_id": f"c{number}"}


def test_neighbouring_requests_of_one_lane_become_one_group():
    other = {"context": "Something else"}
    delivery = read(
        *(request(numbered(number)) for number in range(5)),
        request(numbered(5), **other),
        request(numbered(6)),
        request(numbered(7), expires_at=1.5),
    )
    assert [len(group.documents) for group in delivery.groups] == [5, 1, 1, 1]
    assert [group.expires_ms for group in delivery.groups] == [0, 0, 0, 1500]
    assert delivery.groups[0].lane_id == delivery.groups[2].lane_id


def test_a_head_that_was_seen_before_does_not_vouch_for_one_that_only_looks_alike():
    fields = {b"v": b"1"}
    reader = Reader(Rules(), Limits(), now=lambda: 5.0)

    def refused(**changed: object) -> list[str]:
        fields[b"requests"] = json.dumps([request(GOOD, **changed)]).encode()
        return [field for field, _ in reasons(reader.read("1-0", decode(fields)))]

    assert refused(expires_at=1) == []
    assert refused(expires_at=True) == ["expires_at"]
    assert refused(expires_at=1) == []
    assert refused(schedule={"type": "now"}) == []
    assert refused(schedule={"type": ["now"]}) == ["schedule.type"]
    assert refused(pilot=["agent"]) == ["pilot"]
