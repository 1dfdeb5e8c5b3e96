"""One limit for a whole request, whatever part of it takes long."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from callspool_worker.api.client import MOST_OF_A_CREATION
from callspool_worker.decisions.answers import Answer, Answered, NoAnswer, NotSent
from tests.worker.api.peer import created, once, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_worker.api import UnpodApi
    from tests.worker.api.peer import Peer, Server

BODY = b'{"pilot":"p","documents":[]}'
LIMIT = 0.5


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    begun = time.monotonic()
    return work(), time.monotonic() - begun


def drip(data: bytes) -> Callable[[Peer], None]:
    """Answers a byte at a time, each well within any limit of its own."""

    def behave(peer: Peer) -> None:
        peer.receive()
        for place in range(len(data)):
            peer.send(data[place : place + 1])
            peer.wait(0.05)

    return behave


def head_then_drip(peer: Peer) -> None:
    peer.receive()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while not peer.stopping.is_set():
        peer.send(b"x")
        peer.wait(0.05)


def silence(peer: Peer) -> None:
    peer.receive()
    peer.wait(30)


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(silence, id="silence"),
        pytest.param(drip(created()), id="dripping head"),
        pytest.param(head_then_drip, id="dripping body"),
        pytest.param(drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 100), id="endless patience"),
    ],
)
def test_an_answer_that_takes_too_long_is_no_answer(
    behave: Callable[[Peer], None],
    serve: Callable[..., Server],
    connect: Callable[..., UnpodApi],
) -> None:
    api = connect(serve(behave), request_timeout=LIMIT)
    answer, seconds = timed(lambda: api.create("default", "8KZ", BODY))
    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"
    assert answer.reason.startswith("127.0.0.1:")
    assert LIMIT <= seconds < LIMIT + 2


def test_a_server_that_does_not_read_gets_no_whole_request(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve(lambda peer: peer.wait(30))
    api = connect(server, request_timeout=LIMIT)
    body = b'{"x":"%b"}' % (b"x" * 20_000_000)
    answer, seconds = timed(lambda: api.create("default", "8KZ", body))
    assert isinstance(answer, NotSent)
    assert answer.kind == "incomplete"
    assert seconds < LIMIT + 2


def test_a_name_that_nobody_resolves_in_time_is_not_sent(
    connect: Callable[..., UnpodApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = threading.Event()

    def resolve(*_: Any, **__: Any) -> list[Any]:
        given_up.wait(10)
        raise socket.gaierror("gone")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    api = connect("http://api.invalid", request_timeout=LIMIT)
    answer, seconds = timed(lambda: api.create("default", "8KZ", BODY))
    given_up.set()
    assert isinstance(answer, NotSent)
    assert answer.kind == "dns"
    assert seconds < LIMIT + 2


def test_a_read_is_limited_too(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    api = connect(serve(silence), request_timeout=LIMIT)
    answer, seconds = timed(lambda: api.get("default", ("agents",)))
    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"
    assert seconds < LIMIT + 2


def test_an_answer_without_end_is_not_read_without_end(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    body = b'"' + b"x" * (MOST_OF_A_CREATION - 2) + b'"'
    sizes = iter([body, body + b" "])

    def behave(peer: Peer) -> None:
        while peer.receive().ended == "complete":
            peer.send(response(200, next(sizes)))

    api = connect(serve(behave))
    largest = api.create("default", "8KZ", BODY)
    assert isinstance(largest, Answered)
    assert isinstance(largest.json, str)
    assert len(largest.body) == 64 * 1024
    larger = api.create("default", "8KZ", BODY)
    assert isinstance(larger, NoAnswer)
    assert larger.kind == "too_large"


def test_after_a_timeout_the_client_works_on(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    api = connect(serve(once(silence)), request_timeout=LIMIT, max_connections=1)
    assert isinstance(api.create("default", "8KZ", BODY), NoAnswer)
    assert isinstance(api.create("default", "8KZ", BODY), Answered)
