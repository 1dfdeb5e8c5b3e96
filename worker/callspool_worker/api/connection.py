"""Connections over HTTP/1.1: answers parsed by llhttp, bounded, and kept alive in a pool.

A connection is in the hands of one thread at a time: it is out of the pool, or it is not in use. A
pool that looks at a connection while another thread takes it into use may close it under a request
that was already sent (seen of httpcore's, with more threads than connections): a doubt that we
would have made ourselves.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import httptools
import httpx

from callspool_worker.api.clock import now

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from callspool_worker.api.clock import Ticket
    from callspool_worker.api.network import Network, Stream


MOST_OF_A_HEAD = 100 * 1024
"""Bytes of an answer that are not its body: head, interim answers, frames of chunks."""

_FRAMES = 8
"""Bytes of framing for each byte of a body, at most: chunks may be tiny."""

Headers = list[tuple[bytes, bytes]]


class Incoming:
    """The answer to one request. Raises httpx.RemoteProtocolError for what is not HTTP.

    ``status`` and ``headers`` count once ``has_head``; interim answers (1xx) are passed over.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.has_head = False
        self.is_complete = False
        self._parts: list[bytes] = []
        self._ends_with_connection = True
        self._keeps_alive = False
        self._is_over = False
        self._frames = 0
        self._size = 0
        self._parser = httptools.HttpResponseParser(self)

    @property
    def leaves_connection_usable(self) -> bool:
        """Whether another request may follow: the answer is whole, and nothing came behind it."""
        return self.is_complete and self._keeps_alive and not self._is_over

    def feed(self, data: bytes) -> None:
        """Takes what came in; nothing means that the connection has ended."""
        if not data:
            return self._end()
        size = self._size
        self._frames += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as wrong:
            # What came behind a whole answer changes nothing about it.
            if not self.is_complete:
                raise httpx.RemoteProtocolError(type(wrong).__name__) from wrong
            self._is_over = True
        self._frames -= self._size - size
        if self._frames > MOST_OF_A_HEAD + _FRAMES * self._size:
            raise httpx.RemoteProtocolError("the answer's head is too large")
        return None

    def take(self) -> list[bytes]:
        """Returns the parts of the body that came since the last call."""
        parts, self._parts = self._parts, []
        return parts

    def _end(self) -> None:
        if self.has_head and self._ends_with_connection:
            self.is_complete = self._is_over = True
        elif self.has_head:
            raise httpx.RemoteProtocolError("the connection ended amid the answer")
        else:
            raise httpx.ReadError("the connection ended without an answer")

    # What llhttp calls.

    def on_message_begin(self) -> None:
        if self.is_complete:
            self._is_over = True
        elif not self.has_head:
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.has_head:
            return  # a trailer, or an answer without a request
        self.headers.append((name, value))
        field = name.lower()
        if field == b"content-length" or (
            field == b"transfer-encoding" and b"chunked" in value.lower()
        ):
            self._ends_with_connection = False

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if not self.has_head and status >= 200:
            self.status, self.has_head = status, True

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self._size += len(body)
            self._parts.append(body)

    def on_message_complete(self) -> None:
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self._keeps_alive = self._parser.should_keep_alive()


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
        """Yields the parts of the answer's body as they come in."""
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


POOL_SECONDS = 5.0
"""The wait for a free connection, at most."""


class Pool:
    """Connections over HTTP/1.1 to any number of hosts; ``max_connections`` in use at a time."""

    def __init__(self, ssl_context: ssl.SSLContext, network: Network, max_connections: int) -> None:
        ssl_context.set_alpn_protocols(["http/1.1"])
        self._ssl_context = ssl_context
        self._network = network
        self._permits = threading.BoundedSemaphore(max_connections)
        self._idle: dict[Origin, list[Connection]] = defaultdict(list)
        self._lock = threading.Lock()
        self._closed = False
        self._lent = 0

    def lend(self, origin: Origin, ticket: Ticket, *, fresh: bool = False) -> Loan:
        """Returns a connection for one request; raises httpx.PoolTimeout if none is free in time.

        ``fresh``: one that carried no request yet.
        """
        patience = min(max(ticket.until - now(), 0.0), POOL_SECONDS)
        if not self._permits.acquire(timeout=patience):
            raise httpx.PoolTimeout(f"waited {patience:.1f} s")
        return Loan(self, origin, ticket, fresh=fresh)

    def take(self, origin: Origin, *, fresh: bool = False) -> Connection:
        """Returns the connection used last among those that still live, else a new one."""
        with self._lock:
            self._lent += 1
            idle = self._idle[origin]
            while idle and not fresh:
                connection = idle.pop()
                if not connection.has_expired():
                    return connection
                connection.close()
        return Connection(origin, self._network, self._ssl_context)

    def give_back(self, origin: Origin, connection: Connection, ticket: Ticket) -> None:
        """Keeps a connection that can be used again, and closes any other."""
        with self._lock:
            self._lent -= 1
            idle = self._idle[origin]
            if connection.rest(ticket) and not self._closed:
                idle.append(connection)
            else:
                connection.close()
            while idle and idle[0] is not connection and idle[0].has_expired():
                idle.pop(0).close()
        self._permits.release()

    def count(self) -> tuple[int, int]:
        """Returns how many connections are idle, and how many in use."""
        with self._lock:
            return sum(map(len, self._idle.values())), self._lent

    def close(self) -> None:
        """Closes what is idle at once, and what is in use when it is given back."""
        with self._lock:
            self._closed = True
            for idle in self._idle.values():
                while idle:
                    idle.pop().close()


class Loan:
    """A connection in use; iterating gives the body of its answer, closing gives it back."""

    def __init__(self, pool: Pool, origin: Origin, ticket: Ticket, *, fresh: bool) -> None:
        self._pool = pool
        self._origin = origin
        self._ticket = ticket
        self._connection = pool.take(origin, fresh=fresh)
        self._closed = False

    def send(self, head: bytes, body: bytes) -> Incoming:
        """Sends the request and reads the head of the answer."""
        return self._connection.send(head, body, self._ticket)

    def __iter__(self) -> Iterator[bytes]:
        return self._connection.body(self._ticket)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._pool.give_back(self._origin, self._connection, self._ticket)
