from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from chaos.link import LinkProcess


class Echo:
    """Sends back what it receives, and remembers it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1000):
                    self.received += data
                    connection.sendall(data)
            except OSError:
                pass
        self.ended.set()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.listener.close()


@pytest.fixture
def link(echo: Echo) -> Iterator[LinkProcess]:
    with LinkProcess(echo.port) as process:
        yield process


def connect(link: LinkProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=10)


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end, whichever way it ends."""
    data = b""
    try:
        while piece := connection.recv(1000):
            data += piece
    except ConnectionError:
        pass
    return data


def test_bytes_go_both_ways_and_so_does_the_end(echo: Echo, link: LinkProcess):
    with connect(link) as connection:
        connection.sendall(b"x" * 200_000)
        connection.shutdown(socket.SHUT_WR)
        assert len(read_all(connection)) == 200_000
    assert echo.ended.wait(10)


def test_a_connection_is_cut_at_the_very_byte_on_its_way_to_the_server(
    echo: Echo, link: LinkProcess
):
    link.cut(4, up=True, reset=False)
    with connect(link) as connection:
        connection.sendall(b"12345678")
        read_all(connection)
    assert echo.ended.wait(10)
    assert echo.received == b"1234"
    assert link.heal() == 1


def test_a_connection_is_cut_at_the_very_byte_on_its_way_back(echo: Echo, link: LinkProcess):
    link.cut(4, up=False, reset=False)
    with connect(link) as connection:
        connection.sendall(b"12345678")
        assert read_all(connection) == b"1234"
    assert echo.ended.wait(10)
    assert echo.received == b"12345678"


def test_bytes_are_counted_over_all_connections_and_a_reset_is_one(echo: Echo, link: LinkProcess):
    link.cut(12, up=True, reset=True)
    with connect(link) as first, connect(link) as second:
        first.sendall(b"12345678")
        assert first.recv(8, socket.MSG_WAITALL) == b"12345678"
        second.sendall(b"12345678")
        with pytest.raises(ConnectionResetError):
            second.recv(1)
        first.sendall(b"!")
        assert first.recv(1) == b"!"


def test_a_cut_that_did_not_come_to_pass_is_forgotten_when_the_link_heals(
    echo: Echo, link: LinkProcess
):
    link.cut(4, up=True, reset=False)
    assert link.heal() == 0
    with connect(link) as connection:
        connection.sendall(b"12345678")
        assert connection.recv(8, socket.MSG_WAITALL) == b"12345678"


def test_connections_can_be_dropped_held_back_and_refused(echo: Echo, link: LinkProcess):
    with connect(link) as connection:
        connection.sendall(b"1")
        assert connection.recv(1) == b"1"
        link.stall()
        connection.sendall(b"2")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        link.flow()
        connection.settimeout(10)
        assert connection.recv(1) == b"2"
        assert link.drop(reset=False) == 1
        assert read_all(connection) == b""
    link.shut()
    with pytest.raises(ConnectionRefusedError):
        connect(link)
    link.open()
    with connect(link) as connection:
        connection.sendall(b"3")
        assert connection.recv(1) == b"3"
