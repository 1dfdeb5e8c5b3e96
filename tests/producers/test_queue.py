"""What `CallQueue` promises while Redis is well."""

from __future__ import annotations

import asyncio
import pickle
import pydoc
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

import callspool
from callspool import (
    AsyncCallQueue,
    CallQueue,
    CallRequest,
    Document,
    InvalidCallRequest,
    QueueFull,
    QueueUnavailable,
    SettingsError,
)
from callspool.enqueue.receipts import InvalidRequestInMany
from callspool.request.message import MAX_BYTES, MAX_DOCUMENTS, decode
from tests.support.call_requests import (
    COUNTS,
    STREAM,
    Unready,
    contacts,
    one_contact,
    queued_ids,
    spooled,
)
from tests.support.servers import RedisServer


@pytest.fixture
def queue(redis_url: str) -> Iterator[CallQueue]:
    with CallQueue(redis_url) as queue:
        yield queue


def test_enqueue_returns_after_redis_has_the_request(queue: CallQueue, client: redis.Redis) -> None:
    receipt = queue.enqueue(one_contact("crm-17"))
    assert (receipt.documents, receipt.messages, receipt.document_ids) == (1, 1, ("crm-17",))
    ((_, fields),) = client.xrange(STREAM)
    envelope = decode(fields)
    assert envelope.checked
    assert envelope.counted == 1
    (request,) = envelope.requests
    assert (request.space_token, request.pilot, request.context) == (
        "8KZ",
        "space-agent-1",
        "Follow up",
    )
    assert spooled(client) == 1


def test_a_service_that_has_no_hiredis_enqueues_all_the_same(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.redis_io.scripts.Reader", None)
    with CallQueue(redis_url, max_waiting=2) as queue:
        assert queue.enqueue(one_contact("crm-17")).documents == 1
        assert queue.enqueue_many([one_contact("crm-18")]).documents == 1
        with pytest.raises(QueueFull):
            queue.enqueue(one_contact("crm-19"))
    assert queued_ids(client) == ["crm-17", "crm-18"]


def test_a_document_without_an_id_gets_one_that_the_receipt_tells(
    queue: CallQueue, client: redis.Redis
) -> None:
    request = CallRequest("8KZ", "p", [Document("Ada", "+14155550100")], context="Hi")
    (made,) = queue.enqueue(request).document_ids
    assert made.startswith("tel-")
    assert queued_ids(client) == [made]


def test_a_trace_parent_goes_along_and_is_not_mixed_with_others(
    queue: CallQueue, client: redis.Redis
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    queue.enqueue(one_contact("a"), trace=trace)
    queue.enqueue(one_contact("b"))
    assert [decode(fields).trace for _, fields in client.xrange(STREAM)] == [trace, None]


def test_a_large_request_is_split_into_messages_of_bounded_size(
    queue: CallQueue, client: redis.Redis
) -> None:
    ids = [f"d{number}" for number in range(2_345)]
    receipt = queue.enqueue(contacts(ids, about="x" * 1_500))
    entries = client.xrange(STREAM)
    assert receipt.documents == 2_345
    assert receipt.messages == len(entries) > 2_345 // MAX_DOCUMENTS
    assert list(receipt.document_ids) == queued_ids(client) == ids
    assert all(len(fields[b"requests"]) <= MAX_BYTES for _, fields in entries)
    assert spooled(client) == 2_345


def test_a_document_larger_than_a_message_goes_alone(queue: CallQueue, client: redis.Redis) -> None:
    receipt = queue.enqueue(
        CallRequest(
            "8KZ",
            "p",
            [
                Document("Ada", "+14155550100", "small"),
                Document("Bo", "+14155550101", "large", about="x" * (MAX_BYTES + 1)),
                Document("Cy", "+14155550102", "last"),
            ],
            context="Hi",
        )
    )
    assert receipt.messages == 3
    assert queued_ids(client) == ["small", "large", "last"]


def test_an_invalid_request_is_refused_before_anything_is_stored(
    queue: CallQueue, client: redis.Redis
) -> None:
    documents = [Document("Ada", "+14155550100"), Document("Bo", "not a number")]
    with pytest.raises(InvalidCallRequest) as caught:
        queue.enqueue(CallRequest("8KZ", "p", documents, context="Hi"))
    assert (caught.value.document, caught.value.field) == (1, "contact_number")
    assert not client.exists(STREAM, COUNTS)


def test_a_queue_without_a_default_context_needs_one_in_the_request(
    queue: CallQueue, redis_url: str
) -> None:
    request = CallRequest("8KZ", "p", [Document("Ada", "+14155550100")])
    with pytest.raises(InvalidCallRequest):
        queue.enqueue(request)
    with CallQueue(redis_url, default_context="Hi") as other:
        assert other.enqueue(request).documents == 1


def test_the_region_and_the_form_of_numbers_are_the_queues(
    redis_url: str, client: redis.Redis
) -> None:
    request = CallRequest("8KZ", "p", [Document("Ada", "(415) 555-0100", "a")], context="Hi")
    with CallQueue(redis_url, region="US", send_e164=True) as queue:
        queue.enqueue(request)
    ((_, fields),) = client.xrange(STREAM)
    assert b'"+14155550100"' in fields[b"requests"]


def test_a_queue_is_made_from_the_environment(redis_url: str, client: redis.Redis) -> None:
    settings = {"CALLSPOOL_REDIS_URL": redis_url, "CALLSPOOL_CONTEXT": "From the settings"}
    with CallQueue.from_env(settings) as queue:
        queue.enqueue(CallRequest("8KZ", "p", [Document("Ada", "+14155550100")]))
    ((_, fields),) = client.xrange(STREAM)
    assert decode(fields).requests[0].context == "From the settings"


def test_a_client_of_the_callers_names_the_server(redis_url: str, client: redis.Redis) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as given:
        queue = CallQueue(given)
        queue.enqueue(one_contact("a"))
        queue.close()
        assert given.ping()
    assert queued_ids(client) == ["a"]


def test_a_closed_queue_connects_again(queue: CallQueue, client: redis.Redis) -> None:
    queue.enqueue(one_contact("a"))
    queue.close()
    queue.enqueue(one_contact("b"))
    assert queued_ids(client) == ["a", "b"]


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "http://localhost", "unix://", "redis://:s3cr3t/word@localhost:6379/0"],
)
def test_a_url_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="CALLSPOOL_REDIS_URL") as caught:
        CallQueue(url)
    assert "s3cr3t" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments", [{"timeout": 0}, {"timeout": -1}, {"max_waiting": 0}, {"region": "XX"}]
)
def test_an_argument_out_of_range_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        CallQueue(**arguments)


def test_a_full_queue_refuses_what_goes_over_its_limit_and_nothing_else(
    redis_url: str, client: redis.Redis
) -> None:
    client.hset(COUNTS, "waiting", 6)
    with CallQueue(redis_url, max_waiting=10) as queue:
        queue.enqueue(contacts(["a", "b", "c"]))
        with pytest.raises(QueueFull, match="CALLSPOOL_MAX_WAITING") as caught:
            queue.enqueue(contacts(["d", "e"]))
        assert caught.value.enqueued == 0
        queue.enqueue(one_contact("f"))
        client.hset(COUNTS, "waiting", 0)
        queue.enqueue(contacts(["d", "e"]))
    assert queued_ids(client) == ["a", "b", "c", "f", "d", "e"]
    assert spooled(client) == 6


def test_callers_that_share_a_round_trip_fill_the_last_places(
    redis_url: str, client: redis.Redis
) -> None:
    taken, refused = [], []
    with CallQueue(redis_url, max_waiting=20) as queue:

        def call(number: int) -> None:
            try:
                queue.enqueue(one_contact(f"d{number}"))
            except QueueFull:
                refused.append(number)
            else:
                taken.append(number)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(taken) == 20
    assert len(refused) == 30
    assert sorted(queued_ids(client)) == sorted(f"d{number}" for number in taken)
    assert spooled(client) == 20


def test_fifty_threads_share_round_trips_and_each_gets_its_own_receipt(
    queue: CallQueue, client: redis.Redis
) -> None:
    wrong = []

    def call(worker: int) -> None:
        for number in range(40):
            name = f"w{worker}-{number}"
            if queue.enqueue(one_contact(name)).document_ids != (name,):
                wrong.append(name)

    threads = [threading.Thread(target=call, args=(worker,)) for worker in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    expected = {f"w{worker}-{number}" for worker in range(50) for number in range(40)}
    found = queued_ids(client)
    assert len(found) == 2_000
    assert set(found) == expected
    assert spooled(client) == 2_000
    assert client.xlen(STREAM) < 1_000


def test_an_invalid_request_of_one_thread_does_not_touch_the_others(
    queue: CallQueue, client: redis.Redis
) -> None:
    refused = []

    def call(number: int) -> None:
        request = one_contact(f"d{number}")
        if number % 5 == 0:
            request.pilot = ""
        try:
            queue.enqueue(request)
        except InvalidCallRequest as error:
            refused.append((number, error.field))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(refused) == [(number, "pilot") for number in range(0, 25, 5)]
    assert len(queued_ids(client)) == 20


def test_enqueue_many_joins_single_contacts_into_few_messages(
    queue: CallQueue, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.enqueue.receipts.PORTION_SECONDS", 60.0)
    summary = queue.enqueue_many(one_contact(f"d{number}") for number in range(2_000))
    assert (summary.requests, summary.documents) == (2_000, 2_000)
    assert client.xlen(STREAM) == 4
    assert queued_ids(client) == [f"d{number}" for number in range(2_000)]
    assert spooled(client) == 2_000


def test_enqueue_many_of_nothing_is_nothing(queue: CallQueue, client: redis.Redis) -> None:
    assert queue.enqueue_many([]).documents == 0
    assert not client.exists(STREAM)


def test_enqueue_many_stops_at_an_invalid_request_and_says_what_redis_has(
    queue: CallQueue, client: redis.Redis
) -> None:
    requests = [one_contact("a"), contacts(["b", "c"]), one_contact("bad"), one_contact("d")]
    requests[2].space_token = ""
    with pytest.raises(InvalidRequestInMany, match=r"request 2: .*space_token") as caught:
        queue.enqueue_many(requests)
    assert (caught.value.request, caught.value.enqueued) == (2, 3)
    assert queued_ids(client) == ["a", "b", "c"]
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.enqueued) == (str(caught.value), 3)


def test_enqueue_many_keeps_what_came_before_its_source_failed(
    queue: CallQueue, client: redis.Redis
) -> None:
    def source() -> Iterator[CallRequest]:
        yield one_contact("a")
        yield contacts(["b", "c"])
        raise LookupError("row 3 is gone")

    with pytest.raises(LookupError, match="row 3 is gone") as caught:
        queue.enqueue_many(source())
    assert caught.value.enqueued == 3
    assert "3 documents of this enqueue_many are in the queue" in caught.value.__notes__[0]
    assert queued_ids(client) == ["a", "b", "c"]
    with pytest.raises(InvalidCallRequest, match="must be a CallRequest") as wrong:
        queue.enqueue_many([one_contact("d"), None])  # type: ignore[list-item]
    assert wrong.value.enqueued == 1  # type: ignore[attr-defined]
    assert queued_ids(client) == ["a", "b", "c", "d"]


def test_enqueue_many_is_not_over_where_a_contact_ends_as_an_iterator_does(
    queue: CallQueue, client: redis.Redis
) -> None:
    unready = CallRequest("8KZ", "p", [Unready()], context="Hi")
    with pytest.raises(StopIteration) as caught:
        queue.enqueue_many([one_contact("a"), unready, one_contact("b")])
    assert caught.value.enqueued == 1
    assert queued_ids(client) == ["a"]


def test_enqueue_many_keeps_what_came_before_a_trace_that_cannot_be_told(
    redis_url: str, client: redis.Redis
) -> None:
    told = iter([None])
    with (
        CallQueue(redis_url, current_trace=lambda: next(told)) as queue,
        pytest.raises(StopIteration) as caught,
    ):
        queue.enqueue_many([one_contact("a"), one_contact("b")])
    assert caught.value.enqueued == 1
    assert queued_ids(client) == ["a"]


def test_enqueue_many_that_fills_the_queue_says_what_redis_has(
    redis_url: str, client: redis.Redis
) -> None:
    with CallQueue(redis_url, max_waiting=1_200) as queue, pytest.raises(QueueFull) as caught:
        queue.enqueue_many(one_contact(f"d{number}") for number in range(2_000))
    assert caught.value.enqueued == spooled(client) == len(queued_ids(client)) == 1_200


def test_enqueue_many_does_not_let_a_slow_source_wait_for_more(
    queue: CallQueue, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.enqueue.receipts.PORTION_SECONDS", 0.0)
    seen = []

    def source() -> Iterator[CallRequest]:
        yield one_contact("a")
        seen.extend(queued_ids(client))
        yield one_contact("b")

    queue.enqueue_many(source())
    assert seen == ["a"]


MANY = """
import resource, sys
from callspool import CallQueue, CallRequest, Document

def request(number):
    return CallRequest("8KZ", "p", [
        Document(f"Name {number}", "+14155550123", f"d{number}", about="x" * 300)
    ], context="Hi")

def peak():
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale

with CallQueue(sys.argv[1]) as queue:
    queue.enqueue_many(request(number) for number in range(5_000))
    before = peak()
    summary = queue.enqueue_many(request(number) for number in range(5_000, 205_000))
    print(summary.documents, peak() - before)
"""


def test_enqueue_many_of_200_000_documents_needs_constant_memory(
    redis_url: str, client: redis.Redis
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY, redis_url], capture_output=True, text=True, check=True
    )
    documents, grown = map(int, done.stdout.split())
    assert documents == 200_000
    assert grown < 16 * 1024 * 1024
    assert spooled(client) == 205_000


def test_nothing_runs_in_the_background(queue: CallQueue) -> None:
    before = threading.active_count()
    queue.enqueue(one_contact("a"))
    queue.enqueue(contacts([f"d{number}" for number in range(1_000)]))
    assert threading.active_count() == before


def test_a_unix_socket_will_do() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/redis.sock"
        with RedisServer("--unixsocket", path) as server:
            with CallQueue(f"unix://{path}?db=0", timeout=2) as queue:
                queue.enqueue(one_contact("a"))

            async def scenario() -> None:
                async with AsyncCallQueue(f"unix://{path}") as queue:
                    await queue.enqueue(one_contact("b"))

            asyncio.run(scenario())
            assert queued_ids(server.client()) == ["a", "b"]
        with pytest.raises(QueueUnavailable, match=f"cannot reach Redis at {path}"):
            CallQueue(f"unix://{path}", timeout=0.1).enqueue(one_contact("c"))


def test_help_holds_no_marks_of_where_a_fact_comes_from() -> None:
    for name in set(callspool.__all__) - {"__version__"}:
        text = pydoc.render_doc(getattr(callspool, name), renderer=pydoc.plaintext)
        assert not re.search(r"\([OSRU]\)", text), name


@pytest.mark.parametrize("kind", [CallQueue, AsyncCallQueue])
def test_enqueue_many_goes_on_after_invalid_requests_where_it_is_asked_to(
    kind: type[Any], redis_url: str, client: redis.Redis
) -> None:
    faults: list[InvalidRequestInMany] = []
    bad = CallRequest("8KZ", "p", [{"name": "Ada"}], context="Hi")
    requests = [bad, one_contact("a"), bad, one_contact("b")]

    async def scenario() -> Any:
        async with AsyncCallQueue(redis_url) as queue:
            return await queue.enqueue_many(requests, on_invalid=faults.append)

    if kind is CallQueue:
        with CallQueue(redis_url) as queue:
            summary = queue.enqueue_many(requests, on_invalid=faults.append)
    else:
        summary = asyncio.run(scenario())
    assert (summary.requests, summary.documents, summary.invalid) == (2, 2, 2)
    assert [(fault.request, fault.field) for fault in faults] == [
        (0, "contact_number"),
        (2, "contact_number"),
    ]
    assert queued_ids(client) == ["a", "b"]
