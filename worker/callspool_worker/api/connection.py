"""One connection over HTTP/1.1: a request, its answer, and whether another may follow."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import httpx

from callspool_worker.api.incoming import Incoming

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from callspool_worker.api.network import Network, Stream
    from callspool_worker.api.ticket import Ticket

KEEP_ALIVE_SECONDS = 4.0
"""Below the idle limit of common servers (5 s and more), so that we end a connection first."""

_READ = 64 * 1024


class Origin(NamedTuple):
    """Where a connection leads to."""

    scheme: str
    host: str
    port: int


class Connection:
    """A connection to an origin, opened by its first request. One thread at a time may use it.

    ``ssl_context`` serves origins of https. Raises httpx's transport errors.
    """

    def __init__(self, origin: Origin, network: Network, ssl_context: ssl.SSLContext) -> None:
        self._origin = origin
        self._network = network
        self._ssl_context = ssl_context
        self._stream: Stream | None = None
        self._incoming = Incoming()
        self._idle_since = 0.0
        self._answers = 0

    def send(self, head: bytes, body: bytes, ticket: Ticket) -> Incoming:
        """Sends a request and reads the head of its answer; `body` reads on.

        The body's last byte is sent by itself, and not after the ticket's deadline. Bytes that come
        before it on a connection that has carried another request may be an answer to that one.
        """
        self._incoming = Incoming()
        stream = self._stream = self._stream or self._open(ticket)
        # A server may answer, and end, before it has the whole request: the answer is read then.
        with suppress(httpx.WriteError):
            stream.send(head, body, ticket)
        if self._answers and not ticket.complete:
            raise httpx.RemoteProtocolError("an answer came before the request was complete")
        self._answers += 1
        while not self._incoming.has_head:
            self._incoming.feed(stream.read(_READ, ticket))
        return self._incoming

    def body(self, ticket: Ticket) -> Iterator[bytes]:
        """The parts of the answer's body as they come in."""
        assert self._stream is not None
        incoming = self._incoming
        while True:
            yield from incoming.take()
            if incoming.is_complete:
                return
            incoming.feed(self._stream.read(_READ, ticket))

    def rest(self, ticket: Ticket) -> bool:
        """Whether the connection can be used for another request; it waits for it from now on."""
        self._idle_since = time.monotonic()
        return (
            self._stream is not None
            and ticket.complete
            and ticket.answered
            and self._incoming.leaves_connection_usable
            and not self._stream.is_readable()
        )

    def has_expired(self) -> bool:
        """Whether it rested for too long, or the server has ended it."""
        assert self._stream is not None
        too_long = time.monotonic() - self._idle_since > KEEP_ALIVE_SECONDS
        return too_long or self._stream.is_readable()

    def close(self) -> None:
        """Ends the connection; of a request that was not answered nothing more is sent."""
        if self._stream is not None:
            self._stream.close()

    def _open(self, ticket: Ticket) -> Stream:
        scheme, host, port = self._origin
        stream = self._network.connect(host, port, ticket)
        return stream.start_tls(self._ssl_context, host, ticket) if scheme == "https" else stream
