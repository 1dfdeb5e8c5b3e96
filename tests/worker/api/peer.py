"""A server in a thread that behaves as it is told, connection by connection."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Received:
    """A request as it came in: ``ended`` tells how, with its last byte or without."""

    head: bytes = b""
    body: bytes = b""
    ended: str = "open"

    @property
    def first_line(self) -> str:
        return self.head.split(b"\r\n")[0].decode()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode().split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines if line)


@dataclass(slots=True)
class Peer:
    """One connection, seen from the server."""

    sock: socket.socket
    number: int
    stopping: threading.Event
    requests: list[Received] = field(default_factory=list)
    _left: bytes = b""

    def receive(self) -> Received:
        """Reads one request, to its end or to where the client breaks off."""
        request = Received()
        self.requests.append(request)
        data = self._left
        while b"\r\n\r\n" not in data:
            more = self._more(request)
            if not more:
                request.head = data
                return request
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        request.head = head
        size = int(request.headers.get("Content-Length", "0"))
        content = bytearray(body)
        while len(content) < size:
            more = self._more(request)
            if not more:
                request.body = bytes(content)
                return request
            content += more
        request.body, self._left = bytes(content[:size]), bytes(content[size:])
        request.ended = "complete"
        return request

    def _more(self, request: Received) -> bytes:
        try:
            more = self.sock.recv(1 << 20)
        except ConnectionError:
            more = b""
        if not more:
            request.ended = "broken off"
        return more

    def send(self, data: bytes) -> None:
        with suppress(ConnectionError):
            self.sock.sendall(data)

    def reset(self) -> None:
        """Ends the connection as a crash would: with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def wait(self, seconds: float) -> None:
        self.stopping.wait(seconds)


class Server:
    """Listens on the loopback interface; ``behave`` gets every connection in a thread."""

    def __init__(self, behave: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> None:
        self._behave = behave
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.peers: list[Peer] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Received]:
        return [request for peer in self.peers for request in peer.requests if request.head]

    def __enter__(self) -> Server:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stops listening, ends every connection and waits for its thread."""
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.peers:
            with suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock, len(self.peers), self._stopping)
            self.peers.append(peer)
            self._start(partial(self._serve, peer))

    def _serve(self, peer: Peer) -> None:
        try:
            if self._tls is not None:
                peer.sock = self._tls.wrap_socket(peer.sock, server_side=True)
            self._behave(peer)
        except OSError:
            return
        finally:
            peer.sock.close()


def response(status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """An HTTP answer in bytes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def created(count: int = 1, run_id: str = "R1") -> bytes:
    """The answer to a create-call that created everything."""
    data = {"run_id": run_id, "task_ids": [f"T{n}" for n in range(count)], "status": "pending"}
    body = msgspec.json.encode({"status_code": 200, "message": "created", "data": data})
    return response(200, body, {"Content-Type": "application/json"})


def always(answer: bytes) -> Callable[[Peer], None]:
    """Answers every whole request alike, and keeps the connection."""

    def behave(peer: Peer) -> None:
        while peer.receive().ended == "complete":
            peer.send(answer)

    return behave


def once(*steps: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """The first connections behave as the steps say, one each, all later ones well."""

    def behave(peer: Peer) -> None:
        (steps[peer.number] if peer.number < len(steps) else always(created()))(peer)

    return behave
