"""One connection by itself: when it sends its last byte, and what it leaves behind."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from callspool_worker.api.clock import Ticket, Withheld, now
from callspool_worker.api.network import Network, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD, BODY, LAST = b"POST / HTTP/1.1\r\n\r\n", b'{"x":1', b"}"


@pytest.fixture
def pair() -> Iterator[tuple[Stream, socket.socket]]:
    """A stream and the server's end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        port = listener.getsockname()[1]
        stream = Network(5).connect("127.0.0.1", port, Ticket(now() + 5))
        server, _ = listener.accept()
    server.settimeout(5)
    with server:
        yield stream, server
        stream.close()


def begun(stream: Stream, ticket: Ticket) -> None:
    """Writes all but the last byte."""
    stream.begin(HEAD + BODY, ticket)


def wait_until_readable(stream: Stream) -> None:
    until = time.monotonic() + 5
    while not stream.is_readable():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_the_request_is_whole_only_after_its_last_byte(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, server = pair
    ticket = Ticket(now() + 5)
    progress = []
    begun(stream, ticket)
    progress.append(ticket.complete)
    stream.complete(LAST, ticket)
    progress.append(ticket.complete)
    assert progress == [False, True]
    assert server.recv(len(HEAD + BODY + LAST), socket.MSG_WAITALL) == HEAD + BODY + LAST


def test_after_its_deadline_the_last_byte_stays_here(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, _ = pair
    ticket = Ticket(now() + 5, send_before=now() - 1)
    begun(stream, ticket)
    with pytest.raises(Withheld):
        stream.complete(LAST, ticket)
    assert not ticket.complete


@pytest.mark.parametrize("answer", [b"HTTP/1.1 413 Too Large\r\n\r\n", b"gibberish"])
def test_an_answer_before_the_last_byte_withholds_it_and_can_be_read(
    answer: bytes, pair: tuple[Stream, socket.socket]
) -> None:
    stream, server = pair
    ticket = Ticket(now() + 5)
    begun(stream, ticket)
    server.sendall(answer)
    wait_until_readable(stream)
    with pytest.raises(httpx.WriteError):
        stream.complete(LAST, ticket)
    assert not ticket.complete
    assert stream.is_readable()
    assert stream.read(5, ticket) + stream.read(100, ticket) == answer


def test_the_end_of_the_connection_withholds_the_last_byte(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, server = pair
    ticket = Ticket(now() + 5)
    begun(stream, ticket)
    server.shutdown(socket.SHUT_WR)
    wait_until_readable(stream)
    with pytest.raises(httpx.WriteError):
        stream.complete(LAST, ticket)
    assert not ticket.complete
    assert stream.read(100, ticket) == b""


def test_an_interim_answer_is_kept_and_the_last_byte_sent(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, server = pair
    ticket = Ticket(now() + 5)
    begun(stream, ticket)
    server.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    wait_until_readable(stream)
    stream.complete(LAST, ticket)
    assert ticket.complete
    assert stream.read(100, ticket) == b"HTTP/1.1 103 Early Hints\r\n\r\n"


def fill(stream: Stream) -> None:
    """Writes until the kernel takes no more."""
    sock = stream._sock
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    sock.settimeout(0.05)
    refusals = 0
    while refusals < 5:
        try:
            sock.send(b"x" if refusals else b"x" * 65536)
        except TimeoutError:
            refusals += 1


def drained(server: socket.socket) -> int:
    """Bytes until the connection ends in order."""
    read = 0
    while more := server.recv(1 << 20):
        read += len(more)
    return read


def test_a_last_byte_that_the_kernel_takes_too_late_is_withheld(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, _ = pair
    fill(stream)
    ticket = Ticket(now() + 5, send_before=now() + 0.2)
    with pytest.raises(Withheld):
        stream.complete(LAST, ticket)
    assert not ticket.complete


def test_what_waits_in_the_kernel_is_discarded_when_a_request_is_given_up(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, server = pair
    ticket = Ticket(now() + 5)
    begun(stream, ticket)
    fill(stream)
    sock = stream._sock
    stream.close()
    assert sock.fileno() < 0
    with pytest.raises(ConnectionResetError):
        drained(server)


def test_an_answered_connection_is_closed_in_order(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, server = pair
    ticket = Ticket(now() + 5)
    stream.send(HEAD, b"", ticket)
    assert ticket.complete, "a request without a body is whole with its head"
    ticket.answered = True
    stream.close()
    stream.close()
    assert server.recv(100) == HEAD
    assert server.recv(100) == b""


def test_a_step_gets_the_time_that_is_left_for_the_whole(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, _ = pair
    ticket = Ticket(now() + 0.6)
    begun_at = time.monotonic()
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            stream.read(100, ticket)
    assert time.monotonic() - begun_at < 1.7
