"""Keep-alive connections, each in the hands of one thread at a time.

A pool that looks at a connection while another thread takes it into use may close it under a
request that was already sent (seen of httpcore's, with more threads than connections): a doubt
that we would have made ourselves. Here a connection is out of the pool, or it is not in use.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import httpx

from callspool_worker.api.clock import now
from callspool_worker.api.connection import Connection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from callspool_worker.api.connection import Origin
    from callspool_worker.api.incoming import Incoming
    from callspool_worker.api.network import Network
    from callspool_worker.api.ticket import Ticket

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
        """A connection for one request; raises httpx.PoolTimeout if none is free in time.

        ``fresh``: one that carried no request yet.
        """
        patience = min(max(ticket.until - now(), 0.0), POOL_SECONDS)
        if not self._permits.acquire(timeout=patience):
            raise httpx.PoolTimeout(f"waited {patience:.1f} s")
        return Loan(self, origin, ticket, fresh=fresh)

    def take(self, origin: Origin, *, fresh: bool = False) -> Connection:
        """The connection used last among those that still live, else a new one."""
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
        """How many connections are idle, and how many in use."""
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
