"""What was sent and what was not: the last byte decides, and we know about it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

from callspool_worker.api import now
from callspool_worker.decisions.answers import Answered, NoAnswer, NotSent
from tests.worker.api.peer import always, created, once, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_worker.api import UnpodApi
    from tests.worker.api.peer import Peer, Server

BODY = b'{"pilot":"p","documents":[%b]}' % b",".join([b'{"name":"Ada"}'] * 3000)


def test_past_its_deadline_a_request_stays_incomplete(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve()
    api = connect(server, max_connections=1)
    answer = api.create("default", "8KZ", BODY, send_before=now() - 0.001)
    assert isinstance(answer, NotSent)
    assert answer.kind == "withheld"
    assert isinstance(api.create("default", "8KZ", BODY), Answered)
    server.stop()
    assert [request.ended for request in server.requests].count("complete") == 1


def test_the_last_byte_waits_for_leave_and_is_withheld_without(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    server = serve()
    api = connect(server, max_connections=1)
    asked: list[bool] = []

    def refuse() -> bool:
        asked.append(True)
        return False

    answer = api.create("default", "8KZ", BODY, may_send=refuse)
    assert isinstance(answer, NotSent)
    assert (answer.kind, asked) == ("withheld", [True])
    assert isinstance(api.create("default", "8KZ", BODY, may_send=lambda: True), Answered)
    server.stop()
    assert [request.ended for request in server.requests].count("complete") == 1


def test_a_deadline_that_passes_while_a_server_reads_slowly_withholds_the_last_byte(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    late = threading.Event()

    def read_late(peer: Peer) -> None:
        late.wait(10)
        peer.receive()

    server = serve(once(read_late))
    api = connect(server)
    body = b'{"x":"%b"}' % (b"x" * 12_000_000)
    threading.Timer(0.6, late.set).start()
    answer = api.create("default", "8KZ", body, send_before=now() + 0.3)
    assert isinstance(answer, NotSent)
    assert answer.kind == "withheld"
    server.stop()
    (request,) = server.requests
    assert request.ended == "broken off"
    assert len(request.body) < len(body)


def test_a_worker_that_is_stopped_amid_sending_sends_an_incomplete_request(
    serve: Callable[..., Server],
) -> None:
    accepted, awake = threading.Event(), threading.Event()

    def read_when_it_is_too_late(peer: Peer) -> None:
        accepted.set()
        awake.wait(20)
        peer.receive()

    server = serve(read_when_it_is_too_late)
    script = textwrap.dedent(f"""
        from callspool_worker.api import UnpodApi, now
        from tests.worker.api.conftest import FakeAccount

        accounts = {{"default": FakeAccount("{server.url}")}}
        api = UnpodApi(accounts, request_timeout=20, max_connections=1)
        body = b'{{"x":"%b"}}' % (b"x" * 12_000_000)
        print(type(a := api.create("default", "8KZ", body, now() + 0.5)).__name__, a.kind)
    """)
    worker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert accepted.wait(20)
    worker.send_signal(signal.SIGSTOP)
    threading.Event().wait(0.7)
    worker.send_signal(signal.SIGCONT)
    awake.set()
    told, _ = worker.communicate(timeout=20)
    server.stop()
    assert told == "NotSent withheld\n"
    assert [request.ended for request in server.requests] == ["broken off"]


def test_a_connection_that_ends_after_the_last_byte_leaves_a_doubt(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def read_and(end: Callable[[Peer], None]) -> Callable[[Peer], None]:
        def behave(peer: Peer) -> None:
            peer.receive()
            end(peer)

        return behave

    server = serve(once(read_and(lambda peer: peer.sock.close()), read_and(lambda p: p.reset())))
    api = connect(server)
    for _ in range(2):
        answer = api.create("default", "8KZ", BODY)
        assert isinstance(answer, NoAnswer)
        assert answer.kind == "reset"
    assert [request.ended for request in server.requests] == ["complete", "complete"]


def test_a_connection_that_ends_before_the_last_byte_leaves_none(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def leave_early(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.reset()

    server = serve(once(leave_early))
    body = b'{"x":"%b"}' % (b"x" * 12_000_000)
    answer = connect(server).create("default", "8KZ", body)
    assert isinstance(answer, Answered), "sent again at once, since nothing can have happened"
    assert len(server.peers) == 2


def test_when_every_connection_breaks_early_it_is_not_sent(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def leave_early(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.reset()

    server = serve(leave_early)
    body = b'{"x":"%b"}' % (b"x" * 12_000_000)
    answer = connect(server).create("default", "8KZ", body)
    assert isinstance(answer, NotSent)
    assert answer.kind == "incomplete"
    assert len(server.peers) == 3, "one try and two more, at once"


def test_a_refusal_that_comes_before_the_last_byte_is_heard(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def refuse_and_read_on(peer: Peer) -> None:
        refusal = response(413, b"<h1>Request Entity Too Large</h1>", {"Connection": "close"})
        peer.send(refusal)
        peer.receive()

    server = serve(refuse_and_read_on)
    answer = connect(server).create("default", "8KZ", b'{"x":"%b"}' % (b"x" * 12_000_000))
    assert isinstance(answer, Answered)
    assert answer.status == 413
    assert not answer.request_complete
    server.stop()
    assert [request.ended for request in server.requests] == ["broken off"]


def test_what_comes_amid_a_second_request_is_no_answer_to_it_and_ends_the_connection(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    second_begun = threading.Event()

    def answer_twice(peer: Peer) -> None:
        peer.receive()
        peer.send(created(run_id="R1"))
        peer.sock.recv(1000)  # the next request, of which most is on its way
        second_begun.set()
        peer.send(created(run_id="R1"))
        peer.receive()

    server = serve(once(answer_twice, always(created(run_id="R2"))))
    api = connect(server)
    assert run_of(api.create("default", "8KZ", BODY)) == "R1"
    assert run_of(api.create("default", "8KZ", b'{"x":"%b"}' % (b"x" * 12_000_000))) == "R2"
    assert second_begun.is_set()
    server.stop()
    ended = [[request.ended for request in peer.requests] for peer in server.peers]
    assert ended[0][0] == "complete"
    assert "complete" not in ended[0][1:]
    assert ended[1] == ["complete", "broken off"]


def test_a_refusal_is_heard_on_a_connection_of_its_own(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def refuse_what_is_large(peer: Peer) -> None:
        while True:
            head = peer.sock.recv(1000)
            if not head:
                return
            large = b"Content-Length: 12" in head
            peer.send(response(413, b"too large") if large else created())
            if large:
                peer.receive()
                return

    server = serve(refuse_what_is_large)
    api = connect(server)
    assert run_of(api.create("default", "8KZ", BODY)) == "R1"
    answer = api.create("default", "8KZ", b'{"x":"%b"}' % (b"x" * 12_000_000))
    assert isinstance(answer, Answered)
    assert (answer.status, answer.request_complete) == (413, False)
    assert len(server.peers) == 2


def run_of(answer: object) -> str:
    assert isinstance(answer, Answered)
    assert isinstance(answer.json, dict)
    return str(answer.json["data"]["run_id"])


def test_an_interim_answer_does_not_hold_the_last_byte_back(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def hint(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        peer.receive()
        peer.send(created())

    answer = connect(serve(hint)).create("default", "8KZ", BODY)
    assert isinstance(answer, Answered)
    assert answer.status == 200
    assert answer.request_complete


def test_nothing_listens_and_nothing_was_sent(connect: Callable[..., UnpodApi]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = connect(f"http://127.0.0.1:{port}").create("default", "8KZ", BODY)
    assert isinstance(answer, NotSent)
    assert answer.kind == "connect"
    assert answer.reason.startswith(f"127.0.0.1:{port}: no connection: ")
    assert "refused" in answer.reason


def test_a_host_that_does_not_exist_was_not_sent_to(
    connect: Callable[..., UnpodApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    answer = connect("http://nowhere.invalid").create("default", "8KZ", BODY)
    assert isinstance(answer, NotSent)
    assert answer.kind == "dns"
