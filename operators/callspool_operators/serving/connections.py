"""A connection of a caller: what it may send before it is known, and how long it may be silent."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Final, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

MOST_CONNECTIONS: Final = 4_096
MOST_HEADER_BYTES: Final = 32 * 1024
HEADER_SECONDS: Final = 10.0
"""How long a connection may take to send a whole header; between two requests, too."""
STALLED_SECONDS: Final = 30.0
"""How long a caller may leave unread what was written to it."""
HANDSHAKE_SECONDS: Final = 5.0
"""How long a connection may take to begin and to end TLS."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _CrowdMember(Protocol):
    def give_way(self) -> None: ...


class ConnectionCrowd:
    """All connections of this process, and those that give way to new ones, the oldest first."""

    def __init__(self) -> None:
        self.most = MOST_CONNECTIONS
        self._open: set[_CrowdMember] = set()
        self.silent: dict[_CrowdMember, None] = {}

    def let_in(self, connection: _CrowdMember) -> None:
        """Counts a connection; where there are too many, the oldest silent one is closed."""
        self._open.add(connection)
        self.silent[connection] = None
        if len(self._open) > self.most:
            oldest = next(iter(self.silent))
            oldest.give_way()
            self.silent.pop(oldest, None)

    def forget(self, connection: _CrowdMember) -> None:
        """Counts a connection no more."""
        self._open.discard(connection)
        self.silent.pop(connection, None)


CROWD: Final = ConnectionCrowd()


class BoundedConnection(HttpToolsProtocol):
    """A connection that has to send a header soon, and gives way to others until it has.

    Where there are too many connections, the oldest that has sent no whole header is closed; one
    whose refused body is still coming counts as such. One request is served at a time.
    """

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._stall: asyncio.TimerHandle | None = None
        self._is_in_header = False
        self._is_ahead = False
        self._is_answered = True
        self._expect_header()
        CROWD.let_in(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_header()
        self._set_stall(is_stalled=False)
        CROWD.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_ahead:
            return
        self._overhead += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            self._set_stall(is_stalled=True)
        elif self._overhead > MOST_HEADER_BYTES and not self._is_ahead:
            if self._is_in_header:
                self._end(_TOO_LARGE)
            else:  # trailers and the like, which nothing needs
                self.transport.abort()

    def on_message_begin(self) -> None:
        # A caller that does not wait for its answer gets this one, and has to come again.
        if not self._is_answered:
            self._is_ahead = True
            self.cycle.keep_alive = False
            return
        self._is_in_header = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_ahead:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_header:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_ahead:
            return
        self._is_in_header = self._is_answered = False
        self._overhead = 0
        self._have_header()
        self.scope["callspool_give_way"] = self._offer_to_give_way  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._is_ahead:
            return
        if not self._is_answered:
            self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_ahead:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self._is_answered = True
        super().on_response_complete()
        if self.transport.is_closing():
            self._set_stall(is_stalled=True)
        else:
            self._expect_header()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_stall(is_stalled=True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._set_stall(is_stalled=self.transport.is_closing())

    def give_way(self) -> None:
        """Ends it, since others need its place."""
        self.transport.abort()

    def _offer_to_give_way(self) -> None:
        CROWD.silent[self] = None

    def _set_stall(self, *, is_stalled: bool) -> None:
        """Gives a caller some time to read what was written; then the connection is gone."""
        if not is_stalled and self._stall is not None:
            self._stall.cancel()
            self._stall = None
        elif is_stalled and self._stall is None:
            self._stall = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def _expect_header(self) -> None:
        self._overhead = 0
        CROWD.silent[self] = None
        self._timer = self.loop.call_later(HEADER_SECONDS, self._end, b"")

    def _have_header(self) -> None:
        CROWD.silent.pop(self, None)
        self._timer.cancel()

    def _end(self, answer: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(answer or (_TOO_SLOW if self._overhead else b""))
        self.transport.close()
        self._set_stall(is_stalled=True)


class TlsGreeting(asyncio.Protocol):
    """A connection that has not begun TLS yet: it counts, and gives way to others.

    ``begin`` makes the protocol that goes on with it then. Until its caller says something, it is
    a socket without a transport.
    """

    def __init__(self, begin: Callable[[], asyncio.Protocol], context: ssl.SSLContext) -> None:
        self._begin = begin
        self._context = context

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        taken = transport.get_extra_info("socket")
        self._socket = socket.socket(fileno=os.dup(taken.fileno()))
        self._socket.setblocking(False)
        transport.abort()  # the socket stays, and nothing was read of it
        CROWD.let_in(self)
        self._handshake = asyncio.get_running_loop().create_task(self._shake_hands())

    def give_way(self) -> None:
        """Ends it."""
        self._handshake.cancel()

    async def _shake_hands(self) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await _wait_for_data(self._socket)
            await asyncio.get_running_loop().connect_accepted_socket(
                self._begin,
                self._socket,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=HANDSHAKE_SECONDS,
            )
        except (OSError, asyncio.CancelledError):  # the caller is gone
            self._socket.close()
        finally:
            CROWD.forget(self)


async def _wait_for_data(silent: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    said: asyncio.Future[None] = loop.create_future()
    loop.add_reader(silent, lambda: None if said.done() else said.set_result(None))
    try:
        await said
    finally:
        loop.remove_reader(silent)
