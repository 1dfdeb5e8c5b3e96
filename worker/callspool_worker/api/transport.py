"""httpx's transport for tickets: one pool of connections, shared by threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import httpx

from callspool_worker.api.network import TicketBackend
from callspool_worker.api.pool import Pool

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from callspool_worker.api.pool import Loan

_TRANSLATED: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
)
_THEIRS = tuple(theirs for theirs, _ in _TRANSLATED)


class TicketTransport(httpx.BaseTransport):
    """HTTP/1.1 without redirects, cookies and proxies; a request needs a ticket's extensions.

    Raises httpx's exceptions, and `Withheld` where the last byte was not sent.
    """

    def __init__(
        self, ssl_context: ssl.SSLContext, *, max_connections: int, unacknowledged: float
    ) -> None:
        self._pool = Pool(ssl_context, TicketBackend(unacknowledged), max_connections)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        outgoing = _outgoing(request)
        try:
            loan = self._pool.lend(outgoing.url.origin, request.extensions["timeout"]["pool"])
            try:
                incoming = loan.send(outgoing)
            except BaseException:
                loan.close()
                raise
        except _THEIRS as error:
            raise _translated(error) from error
        return httpx.Response(incoming.status, headers=incoming.headers, stream=_Incoming(loan))

    def close(self) -> None:
        self._pool.close()


class _Incoming(httpx.SyncByteStream):
    """The body of an answer as it comes in."""

    def __init__(self, loan: Loan) -> None:
        self._loan = loan

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._loan
        except _THEIRS as error:
            raise _translated(error) from error

    def close(self) -> None:
        self._loan.close()


def _outgoing(request: httpx.Request) -> httpcore.Request:
    url = request.url
    assert isinstance(request.stream, httpx.SyncByteStream)
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _translated(error: Exception) -> httpx.TransportError:
    return next(ours(str(error)) for theirs, ours in _TRANSLATED if isinstance(error, theirs))
