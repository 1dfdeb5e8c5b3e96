"""What a request looks like on the wire, and how connections are used."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import callspool
from callspool.errors import SettingsError
from callspool_worker.api import UnknownAccount, UnpodApi, connection
from callspool_worker.decisions.answers import Answered, NotSent
from tests.worker.api.conftest import TOKEN, FakeAccount, Hidden
from tests.worker.api.peer import always, created, once, response

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from tests.worker.api.peer import Peer, Server

BODY = b'{"pilot":"p","documents":[{"name":"Ada","contact_number":"+14155550123"}]}'


def test_a_create_call_looks_as_the_api_documents_it(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve()
    answer = connect(server).create("default", "8KZRTQP7", BODY)
    assert isinstance(answer, Answered)
    assert answer.json == {
        "status_code": 200,
        "message": "created",
        "data": {"run_id": "R1", "task_ids": ["T0"], "status": "pending"},
    }
    assert answer.request_complete
    (request,) = server.requests
    assert request.body == BODY
    assert request.first_line == "POST /api/v2/platform/spaces/8KZRTQP7/tasks/create/ HTTP/1.1"
    assert request.headers == {
        "Host": f"127.0.0.1:{server.port}",
        "Authorization": f"Token {TOKEN}",
        "Org-Handle": "unpod.tv",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": f"callspool/{callspool.__version__}",
        "Content-Length": str(len(BODY)),
    }


def test_a_read_names_its_path_in_steps_and_its_page(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve(always(response(200, b'{"status_code":200,"data":[]}')))
    answer = connect(server).get(
        "default", ("spaces", "8KZ", "runs", "R1", "tasks"), {"page": 2, "page_size": 50}
    )
    assert isinstance(answer, Answered)
    assert answer.json == {"status_code": 200, "data": []}
    (request,) = server.requests
    path = "/api/v2/platform/spaces/8KZ/runs/R1/tasks/?page=2&page_size=50"
    assert request.first_line == f"GET {path} HTTP/1.1"
    assert "Content-Length" not in request.headers


def test_a_space_token_cannot_leave_its_place_in_the_path(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve()
    connect(server).create("default", "../agents/?x=1#é", BODY)
    (request,) = server.requests
    step = "..%2Fagents%2F%3Fx%3D1%23%C3%A9"
    assert request.first_line == f"POST /api/v2/platform/spaces/{step}/tasks/create/ HTTP/1.1"


def test_a_base_url_may_have_a_path_of_its_own(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve()
    connect(f"{server.url}/behind/").create("default", "8KZ", BODY)
    (request,) = server.requests
    assert request.first_line.startswith("POST /behind/api/v2/platform/spaces/8KZ/")


def test_many_requests_share_one_connection(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve()
    api = connect(server)
    answers = [api.create("default", "8KZ", BODY) for _ in range(20)]
    assert all(isinstance(answer, Answered) for answer in answers)
    assert len(server.peers) == 1
    assert len(server.requests) == 20


def test_threads_get_their_own_answers(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def echo(peer: Peer) -> None:
        while (request := peer.receive()).ended == "complete":
            peer.send(response(200, request.body))

    server = serve(echo)
    api = connect(server, max_connections=4)

    def send(number: int) -> bool:
        answer = api.create("default", "8KZ", b'{"n":%d}' % number)
        return isinstance(answer, Answered) and answer.json == {"n": number}

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(send, range(200)))
    assert len(server.peers) <= 4


def test_a_redirect_is_an_answer_and_is_not_followed(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    elsewhere = serve()
    server = serve(always(response(307, b"", {"Location": elsewhere.url})))
    answer = connect(server).create("default", "8KZ", BODY)
    assert isinstance(answer, Answered)
    assert answer.status == 307
    assert elsewhere.peers == []


def test_a_cookie_is_not_sent_back(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve(always(response(200, b"{}", {"Set-Cookie": "session=1; Path=/"})))
    api = connect(server)
    for _ in range(2):
        api.create("default", "8KZ", BODY)
    assert all("Cookie" not in request.headers for request in server.requests)


def test_a_proxy_of_the_environment_is_not_used(
    serve: Callable[..., Server],
    connect: Callable[..., UnpodApi],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy, server = serve(), serve()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    connect(server).create("default", "8KZ", BODY)
    assert len(server.requests) == 1
    assert proxy.peers == []


def test_a_connection_that_the_server_closed_while_idle_is_not_used_again(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    closed = threading.Event()

    def answer_and_leave(peer: Peer) -> None:
        peer.receive()
        peer.send(created())
        peer.sock.close()
        closed.set()

    server = serve(once(answer_and_leave))
    api = connect(server)
    assert isinstance(api.create("default", "8KZ", BODY), Answered)
    assert closed.wait(5)
    assert isinstance(api.create("default", "8KZ", BODY), Answered)
    assert len(server.peers[0].requests) == 1


def test_when_every_connection_is_busy_a_request_is_not_sent(
    serve: Callable[..., Server],
    connect: Callable[..., UnpodApi],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "POOL_SECONDS", 0.1)
    received, go_on = threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        peer.receive()
        received.set()
        go_on.wait(5)
        peer.send(created())

    api = connect(serve(slow), max_connections=1)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(api.create, "default", "8KZ", BODY)
        assert received.wait(5)
        answer = api.create("default", "8KZ", BODY)
        go_on.set()
    assert isinstance(answer, NotSent)
    assert answer.kind == "pool"
    assert "no connection became free" in answer.reason


def test_a_client_that_is_closed_lets_a_request_on_its_way_finish(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    received, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(peer: Peer) -> None:
        peer.receive()
        received.set()
        go_on.wait(5)
        peer.send(created())
        if peer.receive().ended == "broken off":
            ended.set()

    api = connect(serve(slow))
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(api.create, "default", "8KZ", BODY)
        assert received.wait(5)
        api.close()
        go_on.set()
        assert isinstance(answer.result(5), Answered)
    assert ended.wait(5), "the connection is closed when its request is over"


def test_an_empty_body_is_never_sent(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve()
    with pytest.raises(ValueError, match="two bytes"):
        connect(server).create("default", "8KZ", b"")
    assert server.peers == []


def test_an_unknown_account_is_the_callers_error(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    api = connect(serve())
    with pytest.raises(UnknownAccount, match="account 'sales' is not set up here"):
        api.create("sales", "8KZ", BODY)
    with pytest.raises(UnknownAccount):
        api.get("sales", ("agents",))


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        (FakeAccount("ftp://host"), "the API's URL"),
        (FakeAccount("https://"), "the API's URL"),
        (FakeAccount("https://host:port"), "the API's URL"),
        (FakeAccount("https://host?x=1"), "the API's URL"),
        (FakeAccount("https://host", Hidden("")), "the API token"),
        (FakeAccount("https://host", Hidden("two words")), "the API token"),
        (FakeAccount("https://host", Hidden("new\nline")), "the API token"),
        (FakeAccount("https://host", org_handle="a\r\nb"), "the org handle"),
    ],
)
def test_an_account_that_cannot_be_used_is_refused_at_the_start(
    account: FakeAccount, reason: str, stack: ExitStack
) -> None:
    with pytest.raises(SettingsError, match=reason) as refusal:
        UnpodApi({"default": account}, request_timeout=5, max_connections=1)
    assert "two words" not in str(refusal.value)
