"""A POST to an operator's endpoint ends in time, reads little, and reaches no private address."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callspool.settings.model import WebhookEndpoint
from callspool_worker.api import network
from callspool_worker.api.endpoint import EndpointClient, PostAnswer

Answer = Callable[[socket.socket], None]


class Receiver:
    """Answers each connection as it is told to, and keeps what it was sent."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            data = b""
            while not data.endswith(b"{}"):
                data += connection.recv(65536)
            self.requests.append(data)
            self._answer(connection)

    def close(self) -> None:
        self._server.close()


@contextlib.contextmanager
def receiver(answer: Answer) -> Iterator[Receiver]:
    server = Receiver(answer)
    try:
        yield server
    finally:
        server.close()


def post(url: str, *, allow_private: bool = True, seconds: float = 5.0) -> PostAnswer:
    endpoint = WebhookEndpoint(
        name="crm", url=url, secret_file=Path("none"), allow_private=allow_private
    )
    return EndpointClient(endpoint, seconds).post(b"{}", {"webhook-id": "msg_1"})


def says(text: bytes) -> Answer:
    return lambda connection: connection.sendall(text)


def drip(connection: socket.socket) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500:
        connection.sendall(bytes([letter]))
        time.sleep(0.05)


def flood(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"x" * 100_000)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (says(b"HTTP/1.1 204 No Content\r\n\r\n"), PostAnswer(204)),
        (says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), PostAnswer(302)),
        (says(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n"), PostAnswer(429, 7.0)),
        (flood, PostAnswer(200)),
    ],
)
def test_an_answer_is_its_head_and_no_redirect_is_followed(
    answer: Answer, found: PostAnswer
) -> None:
    with receiver(answer) as server:
        assert post(f"http://127.0.0.1:{server.port}/in?key=1") == found
        (request,) = server.requests
    head = request.decode().lower()
    assert head.startswith("post /in?key=1 http/1.1\r\n")
    assert f"host: 127.0.0.1:{server.port}\r\n" in head
    assert "webhook-id: msg_1\r\n" in head


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (drip, "gave no answer within 0.4 s"),
        (says(b"SSH-2.0-nonsense of a server\r\n\r\n"), "answers what is not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000), "answers what is not HTTP"),
        (says(b""), "ended the connection without an answer"),
    ],
)
def test_an_answer_that_drips_or_is_nonsense_is_one_line(answer: Answer, why: str) -> None:
    with receiver(answer) as server:
        seconds = 0.4 if answer is drip else 5.0
        found = post(f"http://127.0.0.1:{server.port}/", seconds=seconds)
    assert (found.status, found.fault) == (0, f"127.0.0.1 {why}")


def test_a_host_with_a_private_address_is_not_connected_to() -> None:
    with receiver(says(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        found = post(f"https://localhost:{server.port}/", allow_private=False)
        assert server.requests == []
    assert found.status == 0
    assert "private address" in found.fault


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "fd00::1"],
)
def test_the_very_address_that_was_checked_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    looked_up, connected = [], []

    def look_up(host: str, port: int, _: float) -> list[network.Address]:
        looked_up.append(host)
        return [(socket.AF_INET6, (address, port)), (socket.AF_INET, ("93.184.215.14", port))]

    def connect(addresses: list[network.Address], *_: object) -> socket.socket:
        connected.extend(addresses)
        raise OSError("refused")

    monkeypatch.setattr(network, "look_up", look_up)
    monkeypatch.setattr(network, "connect", connect)
    assert post("https://crm.example/", allow_private=False).status == 0
    assert looked_up == ["crm.example"]
    assert connected == [(socket.AF_INET, ("93.184.215.14", 443))]
