"""A traceparent goes along with a call request, and never keeps anybody from being called."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from callspool import CallQueue, CallRequest, InvalidCallRequest
from callspool.request.message import decode
from callspool.testing import RecordingQueue
from callspool_ledger import keys

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-00"


def request(number: int, traceparent: object = None) -> CallRequest:
    ada = {"name": "Ada", "contact_number": "+14155550100", "document_id": f"crm-{number}"}
    return CallRequest("SPACE", "agent", [ada], "Hello", traceparent=traceparent)  # type: ignore[arg-type]


def traces(client: redis.Redis) -> list[str | None]:
    return [decode(fields).trace for _, fields in client.xrange(keys.stream(keys.REQUESTS))]


def test_a_request_carries_its_own_trace_or_the_callers_or_the_current_one(
    redis_url: str, client: redis.Redis
) -> None:
    with CallQueue(redis_url, current_trace=lambda: OTHER) as queue:
        queue.enqueue(request(1, TRACE))
        queue.enqueue(request(2), trace=TRACE)
        queue.enqueue(request(3))
        queue.enqueue_many([request(4, TRACE), request(5, TRACE), request(6)])
    assert traces(client) == [TRACE, TRACE, OTHER, TRACE, OTHER]


@pytest.mark.parametrize("current", [None, "", "Ada Lovelace", TRACE.encode(), 7])
def test_a_current_trace_that_is_none_is_left_out(
    current: Any, redis_url: str, client: redis.Redis
) -> None:
    with CallQueue(redis_url, current_trace=lambda: current) as queue:
        queue.enqueue(request(1))
    assert traces(client) == [None]


@pytest.mark.parametrize(
    "wrong",
    ["Ada", 7, TRACE.upper(), f"{TRACE}-00", "ff" + TRACE[2:], f"00-{'0' * 32}{TRACE[35:]}"],
)
def test_a_traceparent_of_another_form_is_refused_before_anything_is_stored(wrong: object) -> None:
    queue = RecordingQueue()
    with pytest.raises(InvalidCallRequest, match="traceparent"):
        queue.enqueue(request(1, wrong))
    assert queue.documents == []
