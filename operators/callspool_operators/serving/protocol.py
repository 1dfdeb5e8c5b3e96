"""HTTP connections with bounds: of their number, their headers, and how long they are silent."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

MOST_CONNECTIONS: Final = 4_096
SPARE_FILES: Final = 256
"""Files that a process opens besides its connections from callers."""
MOST_HEADER_BYTES: Final = 32 * 1024
HEADER_SECONDS: Final = 10.0
"""How long a connection may take to send a whole header; between two requests, too."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedConnection(HttpToolsProtocol):
    """A connection that has to send a header soon, and gives way to others until it has.

    Where there are too many connections, the oldest that has sent no whole header is closed.
    """

    most = MOST_CONNECTIONS
    silent: dict[BoundedConnection, None] = {}  # noqa: RUF012 - shared by all, in their order

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._header_bytes = 0
        self._expect_header()
        if len(self.connections) > self.most:
            oldest = next(iter(self.silent))
            oldest.transport.abort()
            self.silent.pop(oldest, None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_header()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self in self.silent:
            self._header_bytes += len(data)
        super().data_received(data)
        if self in self.silent and self._header_bytes > MOST_HEADER_BYTES:
            self._end(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._have_header()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # Of requests that came one behind the other, the next one has begun already.
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._expect_header()

    def _expect_header(self) -> None:
        self._header_bytes = 0
        self.silent[self] = None
        self._timer = self.loop.call_later(HEADER_SECONDS, self._end, b"")

    def _have_header(self) -> None:
        self.silent.pop(self, None)
        self._timer.cancel()

    def _end(self, answer: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(answer or (_TOO_SLOW if self._header_bytes else b""))
        self.transport.close()


def raise_limits() -> int:
    """Lets this process open as many files as it may; returns how many connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        unlimited = hard == resource.RLIM_INFINITY
        soft = wanted if unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed: Any = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - SPARE_FILES
    return max(16, min(MOST_CONNECTIONS, int(allowed)))
