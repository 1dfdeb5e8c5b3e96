"""A TCP proxy in front of a Redis server that loses requests and replies on purpose."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Where = Literal["before", "amid", "after", "within"]
"""Where a connection is cut: before a command, amid it, after it (so that its reply is lost),
or within its reply."""


class Proxy:
    """Forwards connections to a port; cuts one at the n-th command when told to.

    Commands are counted over all connections; redis-py's CLIENT at each connect is not.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._open = threading.Event()
        self._open.set()
        self._cut_at = 0
        self._where: Where = "after"
        self.commands: list[str] = []
        self.was_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def cut(self, at: int, where: Where) -> None:
        """Cuts the connection of the n-th command from now on, once."""
        with self._lock:
            self.commands.clear()
            self._cut_at, self._where, self.was_cut = at, where, False

    def pause(self) -> None:
        """Stops forwarding; connections stay open and silent."""
        self._open.clear()

    def resume(self) -> None:
        self._open.set()

    def drop_all(self) -> None:
        """Cuts every connection that is open now."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()

    def fate(self, name: str) -> Where | None:
        """Counts a command; says whether its connection is to be cut, and where."""
        if name == "CLIENT":
            return None
        with self._lock:
            self.commands.append(name)
            if len(self.commands) != self._cut_at:
                return None
            self.was_cut = True
            return self._where

    def wait_until_open(self) -> None:
        self._open.wait()

    def forget(self, link: _Link) -> None:
        with self._lock:
            self._links.discard(link)

    def close(self) -> None:
        self.resume()
        # An accept that waits in the kernel would keep the port open.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)
        self.drop_all()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            link = _Link(self, client, server)
            with self._lock:
                self._links.add(link)
            link.start()


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._drops: Where | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._proxy.forget(self)

    def _run(self) -> None:
        with self._client, self._server:
            replies = threading.Thread(target=self._pump, args=(self._replies,), daemon=True)
            replies.start()
            self._pump(self._requests)
            replies.join()

    def _pump(self, forward: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            forward()
        self.close()

    def _requests(self) -> None:
        waiting = b""
        while received := self._client.recv(65536):
            waiting += received
            while size := _command_size(waiting):
                command, waiting = waiting[:size], waiting[size:]
                if not self._forward(command):
                    return

    def _forward(self, command: bytes) -> bool:
        """Forwards a command unless its connection is to be cut here; says whether to go on."""
        fate = self._proxy.fate(command.split(b"\r\n", 3)[2].decode())
        self._proxy.wait_until_open()
        if fate == "before":
            return False
        if fate == "amid":
            self._server.sendall(command[: len(command) // 2])
            return False
        if fate is not None:
            self._drops = fate
        self._server.sendall(command)
        if fate is not None:
            # The reply's pump ends the connection; what the client sends now is lost.
            while self._client.recv(65536):
                pass
            return False
        return True

    def _replies(self) -> None:
        while received := self._server.recv(65536):
            self._proxy.wait_until_open()
            if self._drops == "within":
                self._client.sendall(received[: len(received) // 2])
            if self._drops is not None:
                return
            self._client.sendall(received)


def _command_size(data: bytes) -> int:
    """The length of the complete command at the start of the data, 0 if there is none."""
    end = data.find(b"\r\n")
    if end < 0:
        return 0
    position = end + 2
    for _ in range(int(data[1:end])):
        end = data.find(b"\r\n", position)
        if end < 0:
            return 0
        position = end + 2 + int(data[position + 1 : end]) + 2
    return position if position <= len(data) else 0
