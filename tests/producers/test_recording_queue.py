"""`RecordingQueue`, as the tests of another service use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter

import callspool
from callspool import (
    AsyncCallQueue,
    CallQueue,
    CallRequest,
    Document,
    InvalidCallRequest,
    QueueFull,
    QueueUnavailable,
)
from callspool.enqueue.receipts import InvalidRequestInMany
from callspool.testing import AsyncRecordingQueue, RecordingQueue
from tests.support.call_requests import contacts, one_contact


@dataclass
class Lead:
    """A row of the other service's own database."""

    id: int
    name: str
    phone: str


class Outreach:
    """The other service: it gets its queue from outside and knows nothing of Redis."""

    def __init__(self, queue: CallQueue) -> None:
        self._queue = queue

    def welcome(self, lead: Lead) -> bool:
        request = CallRequest(
            space_token="8KZ",
            pilot="space-agent-1",
            context="Welcome the new customer",
            documents=[Document(lead.name, lead.phone, document_id=f"lead-{lead.id}")],
        )
        try:
            self._queue.enqueue(request)
        except QueueUnavailable:
            return False
        return True

    def is_on_its_way(self, lead: Lead) -> bool:
        status = self._queue.status(f"lead-{lead.id}", space_token="8KZ")
        return status is not None and status.state == "waiting"


@pytest.fixture
def queue() -> RecordingQueue:
    return RecordingQueue()


def test_a_new_customer_is_called(queue: RecordingQueue) -> None:
    outreach = Outreach(queue)
    ada = Lead(17, "Ada", "+14155550100")
    assert not outreach.is_on_its_way(ada)
    assert outreach.welcome(ada)
    assert queue.documents == [
        {"name": "Ada", "contact_number": "+14155550100", "document_id": "lead-17"}
    ]
    assert queue.requests[0].context == "Welcome the new customer"
    assert outreach.is_on_its_way(ada)


def test_a_customer_whose_number_is_wrong_is_noticed(queue: RecordingQueue) -> None:
    with pytest.raises(InvalidCallRequest, match="contact_number"):
        Outreach(queue).welcome(Lead(18, "Bo", "12"))
    assert queue.documents == []


def test_an_outage_of_the_queue_is_survived(queue: RecordingQueue) -> None:
    queue.error = QueueUnavailable("Redis is away")
    ada = Lead(17, "Ada", "+14155550100")
    assert not Outreach(queue).welcome(ada)
    assert queue.requests == []
    queue.error = None
    assert Outreach(queue).welcome(ada)


def test_it_answers_as_the_real_one_does(queue: RecordingQueue) -> None:
    receipt = queue.enqueue(contacts([f"d{number}" for number in range(501)]))
    assert (receipt.documents, receipt.messages) == (501, 2)
    assert receipt.document_ids[:2] == ("d0", "d1")
    queue.clear()
    summary = queue.enqueue_many(one_contact(name) for name in "abc")
    assert (summary.requests, summary.documents) == (3, 3)
    assert len(queue.requests) == 3
    found = queue.status_many(["a", "z"], space_token="8KZ")
    assert found["a"] is not None
    assert found["a"].document_id == "a"
    assert found["z"].state == "unknown"
    assert queue.status("a", space_token="8KZ", campaign="other").state == "unknown"
    queue.clear()
    assert queue.status("a", space_token="8KZ").state == "unknown"


def test_an_invalid_request_amid_many_says_what_was_recorded(queue: RecordingQueue) -> None:
    bad = one_contact("b")
    bad.pilot = ""
    with pytest.raises(InvalidRequestInMany, match=r"request 1: .*pilot") as caught:
        queue.enqueue_many([one_contact("a"), bad])
    assert caught.value.enqueued == 1


def test_a_source_that_fails_is_told_with_what_came_before(queue: RecordingQueue) -> None:
    def source() -> Iterator[CallRequest]:
        yield one_contact("a")
        raise LookupError

    with pytest.raises(LookupError) as caught:
        queue.enqueue_many(source())
    assert caught.value.enqueued == 1


def test_a_full_queue_amid_many_is_raised(queue: RecordingQueue) -> None:
    queue.error = QueueFull("full", enqueued=0)
    with pytest.raises(QueueFull):
        queue.enqueue_many([one_contact("a")])


def test_it_is_a_call_queue_and_never_connects() -> None:
    with RecordingQueue("redis://nowhere.invalid:1/0", region="US") as queue:
        assert isinstance(queue, CallQueue)
        queue.enqueue(CallRequest("8KZ", "p", [Document("Ada", "(415) 555-0100")], context="Hi"))
    made = RecordingQueue.from_env({"CALLSPOOL_CONTEXT": "Hi"})
    made.enqueue(CallRequest("8KZ", "p", [Document("Ada", "+14155550100")]))
    assert len(made.documents) == 1


def test_its_twin_serves_an_event_loop() -> None:
    async def source() -> AsyncIterator[CallRequest]:
        yield one_contact("c")

    def plain() -> Iterator[CallRequest]:
        yield one_contact("b")

    async def scenario() -> None:
        async with AsyncRecordingQueue() as queue:
            assert isinstance(queue, AsyncCallQueue)
            await queue.enqueue(one_contact("a"))
            await queue.enqueue_many(plain())
            summary = await queue.enqueue_many(source())
            assert summary.documents == 1
            assert [document["document_id"] for document in queue.documents] == ["a", "b", "c"]
            status = await queue.status("a", space_token="8KZ")
            assert status is not None
            assert status.state == "waiting"
            found = await queue.status_many(["z"], space_token="8KZ")
            assert found["z"].state == "unknown"
            queue.error = QueueUnavailable("away")
            with pytest.raises(QueueUnavailable):
                await queue.enqueue(one_contact("d"))

    asyncio.run(scenario())


def test_it_pretends_what_became_of_a_document(queue: RecordingQueue) -> None:
    queue.enqueue(contacts(["a", "b", "c"]))
    queue.pretend("a", "created", run_id="R1", task_id="T1")
    queue.pretend("b", "in_doubt", reason="no answer")
    found = queue.status_many(["a", "b", "c"], space_token="8KZ")
    assert [each.state for each in found.values()] == ["created", "in_doubt", "waiting"]
    assert (found["a"].run_id, found["a"].attempts, found["b"].reason) == ("R1", 1, "no answer")
    assert queue.pause(space_token="8KZ") == 1
    assert queue.pauses == {(None, "8KZ", None)}
    assert queue.cancel("c", space_token="8KZ").state == "cancelled"
    assert queue.cancel("a", space_token="8KZ").state == "created"
    assert queue.resume() == 0
    assert queue.pauses == set()


def test_what_it_pretends_is_told_behind_a_cursor(queue: RecordingQueue) -> None:
    queue.enqueue(contacts(["lead-1"], campaign="spring"))
    queue.pretend("lead-1", "created", run_id="R1", task_id="T1")
    page = queue.events(wait=30)
    assert [(each.type, each.document_id, each.outcome) for each in page.events] == [
        ("created", "lead-1", "open")
    ]
    assert page.events[0].campaign == "spring"
    queue.pretend("lead-1", "created", run_id="R1", task_id="T1", outcome="reached")
    later = queue.events(page.cursor)
    assert [(each.type, each.outcome) for each in later.events] == [("ended", "reached")]
    assert queue.events(later.cursor).events == []
    assert queue.events(limit=1) == page
    assert queue.status("lead-1", space_token="8KZ", campaign="spring").outcome == "reached"


def test_it_goes_on_after_an_invalid_request_where_it_is_asked_to(queue: RecordingQueue) -> None:
    faults: list[InvalidRequestInMany] = []
    bad = CallRequest("8KZ", "p", [{"name": "Ada"}], context="Hi")
    summary = queue.enqueue_many([contacts(["a"]), bad, contacts(["b"])], on_invalid=faults.append)
    assert (summary.requests, summary.documents, summary.invalid) == (2, 2, 1)
    assert [fault.request for fault in faults] == [1]


def test_what_it_cannot_be_asked_for_is_refused_as_by_the_real_one(queue: RecordingQueue) -> None:
    with pytest.raises(ValueError, match="no state of a document: sent"):
        queue.pretend("crm-1", "sent")  # type: ignore[arg-type]
    for until in (
        datetime(2027, 1, 1, tzinfo=UTC).replace(tzinfo=None),
        datetime(2020, 1, 1, tzinfo=UTC),
    ):
        for either in (queue, CallQueue("redis://127.0.0.1:1/0")):
            with pytest.raises(InvalidCallRequest, match=r"until: (has no time zone|is past)"):
                either.pause(campaign="spring", until=until)


def test_the_values_of_a_queue_can_be_answers_of_a_service() -> None:
    status = TypeAdapter(callspool.DocumentStatus).json_schema()  # as FastAPI reads its return type
    assert {"queued", "created"} <= {*status["properties"]["state"]["enum"]}
    assert TypeAdapter(callspool.Receipt).json_schema()["required"]
