"""POSTs to an operator's endpoint: one connection each, to an address that was looked at."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import httpx

import callspool
from callspool.settings.urls import is_public_address
from callspool_worker.api.clock import Ticket, now
from callspool_worker.api.connection import Connection, Origin
from callspool_worker.api.network import Network, create_context
from callspool_worker.api.reading import moment_of, wait_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from callspool.settings.model import WebhookEndpoint
    from callspool_worker.api.connection import Headers
    from callspool_worker.api.network import Address

POST_SECONDS = 20.0
"""From looking up the host to the head of its answer, at most."""

_BODY_SECONDS = 1.0
_BODY_READ = 16 * 1024
"""Of an answer's body: it says nothing that matters, but a server likes it to be read."""


class PostAnswer(NamedTuple):
    """What came of a POST: a status, 0 without an answer, seconds to wait, and what went wrong."""

    status: int
    retry_after: float | None = None
    fault: str = ""


class EndpointClient:
    """Delivers to one endpoint. Follows no redirect, uses no proxy, keeps no cookie.

    Raises SettingsError where the certificates cannot be used.
    """

    def __init__(
        self,
        endpoint: WebhookEndpoint,
        seconds: float = POST_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        url = httpx.URL(endpoint.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        self._origin = Origin(url.scheme, url.raw_host.decode(), port)
        self._netloc, self._path = url.netloc, url.raw_path
        self._seconds = seconds
        self._network = Network(seconds, None if endpoint.allow_private else keep_public)
        self._context = ssl_context or create_context([self._origin])

    def post(self, body: bytes, headers: Mapping[str, str]) -> PostAnswer:
        """Sends a body of JSON; returns what came of it, whatever the other side does."""
        lines = [
            b"POST %b HTTP/1.1" % self._path,
            b"Host: " + self._netloc,
            b"Content-Type: application/json",
            b"Content-Length: %d" % len(body),
            b"Connection: close",
            f"User-Agent: callspool/{callspool.__version__}".encode(),
            *(f"{name}: {value}".encode("ascii") for name, value in headers.items()),
            b"\r\n",
        ]
        ticket = Ticket(now() + self._seconds)
        connection = Connection(self._origin, self._network, self._context)
        try:
            incoming = connection.send(b"\r\n".join(lines), body, ticket)
            _drain(connection, ticket)
            return PostAnswer(incoming.status, _read_wait(incoming.headers))
        except (httpx.TransportError, TimeoutError) as error:
            return PostAnswer(0, None, self._say(error))
        finally:
            connection.close()

    def _say(self, error: Exception) -> str:
        host = self._origin.host
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            return f"{host} gave no answer within {self._seconds:g} s"
        if isinstance(error, httpx.ConnectError):
            return f"{host} cannot be reached: {' '.join(str(error).split())[:200]}"
        if isinstance(error, httpx.ProtocolError):  # it may quote what the other side sent
            return f"{host} answers what is not HTTP"
        return f"{host} ended the connection without an answer"


def keep_public(addresses: list[Address]) -> list[Address]:
    """Returns the public ones of a host's addresses; raises OSError if there are none."""
    public = [one for one in addresses if is_public_address(str(one[1][0]))]
    if not public:
        raise OSError("it has a private address, and allow_private is not set")
    return public


def _drain(connection: Connection, ticket: Ticket) -> None:
    """Reads the end of an answer where it comes soon."""
    soon = Ticket(min(ticket.until, now() + _BODY_SECONDS))
    size = 0
    with suppress(httpx.TransportError, TimeoutError):
        for part in connection.body(soon):
            size += len(part)
            if size > _BODY_READ:
                return
        ticket.answered = True


def _read_wait(headers: Headers) -> float | None:
    found = {name.lower(): value.decode("latin-1") for name, value in headers}
    asked = found.get(b"retry-after")
    if asked is None:
        return None
    return wait_of(asked, moment_of(found.get(b"date", "")) or time.time())
