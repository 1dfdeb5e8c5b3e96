"""Keep-alive connections, each in the hands of one thread at a time.

httpcore's own pool looks at a connection while another thread takes it into use, and may close
it under a request that was already sent (seen with more threads than connections): a doubt that
we would have made ourselves. Here a connection is taken out of the pool, or it is not in use.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

KEEP_ALIVE_SECONDS = 4.0
"""Below the idle limit of common servers (5 s and more), so that we end a connection first."""


class Pool:
    """Connections over HTTP/1.1 to any number of hosts; ``max_connections`` in use at a time."""

    def __init__(
        self, ssl_context: ssl.SSLContext, network: httpcore.NetworkBackend, max_connections: int
    ) -> None:
        self._ssl_context = ssl_context
        self._network = network
        self._permits = threading.BoundedSemaphore(max_connections)
        self._idle: dict[str, list[httpcore.HTTPConnection]] = defaultdict(list)
        self._lock = threading.Lock()
        self._closed = False

    def lend(self, origin: httpcore.Origin, patience: float) -> Loan:
        """A connection for one request; raises PoolTimeout if ``patience`` seconds bring none."""
        if not self._permits.acquire(timeout=patience):
            raise httpcore.PoolTimeout(f"waited {patience:.1f} s")
        return Loan(self, origin)

    def take(self, origin: httpcore.Origin) -> httpcore.HTTPConnection:
        """The connection used last among those that still live, else a new one."""
        with self._lock:
            idle = self._idle[str(origin)]
            while idle:
                connection = idle.pop()
                if not connection.has_expired():
                    return connection
                connection.close()
        return httpcore.HTTPConnection(
            origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=self._network,
        )

    def give_back(self, origin: httpcore.Origin, connection: httpcore.HTTPConnection) -> None:
        """Keeps a connection that can be used again, and closes any other."""
        with self._lock:
            idle = self._idle[str(origin)]
            if connection.is_available() and not self._closed:
                idle.append(connection)
            else:
                connection.close()
            while idle and idle[0].has_expired():
                idle.pop(0).close()
        self._permits.release()

    def close(self) -> None:
        """Closes what is idle at once, and what is in use when it is given back."""
        with self._lock:
            self._closed = True
            for idle in self._idle.values():
                while idle:
                    idle.pop().close()


class Loan:
    """A connection in use; iterating gives the body of its answer, closing gives it back."""

    def __init__(self, pool: Pool, origin: httpcore.Origin) -> None:
        self._pool = pool
        self._origin = origin
        self._connection = pool.take(origin)
        self._answer: httpcore.Response | None = None
        self._closed = False

    def send(self, request: httpcore.Request) -> httpcore.Response:
        """Sends the request and reads the head of the answer."""
        self._answer = self._connection.handle_request(request)
        return self._answer

    def __iter__(self) -> Iterator[bytes]:
        assert self._answer is not None
        return self._answer.iter_stream()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._answer is not None:
            self._answer.close()
        self._pool.give_back(self._origin, self._connection)
