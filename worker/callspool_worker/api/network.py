"""The network under httpcore: every step bounded by a ticket, the last byte sent knowingly."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpcore

from callspool_worker.api.clock import now
from callspool_worker.api.resolving import connected, look_up
from callspool_worker.api.ticket import Ticket, Withheld

if TYPE_CHECKING:
    from collections.abc import Iterable

CONNECT_SECONDS = 10.0
"""Looking up the name, connecting and TLS, each, at most."""

_ABORT = struct.pack("ii", 1, 0)
_ORDERLY = struct.pack("ii", 0, 0)
_PEEK = 64 * 1024
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TicketBackend(httpcore.NetworkBackend):
    """Opens connections whose timeouts are tickets.

    ``unacknowledged`` is for how many seconds the kernel goes on to offer bytes that nobody
    acknowledges, so that a request cannot arrive long after this process has gone (Linux).
    """

    def __init__(self, unacknowledged: float) -> None:
        self._unacknowledged = unacknowledged

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        ticket = _ticket(timeout)
        try:
            ticket.stage = "dns"
            addresses = look_up(host, port, ticket.left(CONNECT_SECONDS))
            ticket.stage = "connect"
            options = [*self._options(), *(socket_options or ())]
            sock = connected(addresses, ticket.left(CONNECT_SECONDS), local_address, options)
        except TimeoutError as late:
            raise httpcore.ConnectTimeout(str(late)) from late
        except (OSError, UnicodeError) as failed:
            raise httpcore.ConnectError(str(failed)) from failed
        return TicketStream(sock)

    def _options(self) -> list[httpcore.SOCKET_OPTION]:
        options: list[httpcore.SOCKET_OPTION] = [
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            # Closing, the kernel's own closing after SIGKILL too, discards what is not sent yet.
            (socket.SOL_SOCKET, socket.SO_LINGER, _ABORT),
        ]
        if sys.platform == "linux":
            milliseconds = int(self._unacknowledged * 1000)
            options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds))
        return options


class TicketStream(httpcore.NetworkStream):
    """One connection; reading and writing stop when the ticket of the request says so."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Linux keeps a last, short packet back until more comes: here, the last byte.
        self._more = 0 if isinstance(sock, ssl.SSLSocket) else getattr(socket, "MSG_MORE", 0)
        self._head = b""
        self._early = b""
        self._ticket: Ticket | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._early:
            data, self._early = self._early[:max_bytes], self._early[max_bytes:]
            return data
        try:
            self._sock.settimeout(_ticket(timeout).left())
            return self._sock.recv(max_bytes)
        except TimeoutError as late:
            raise httpcore.ReadTimeout(str(late)) from late
        except OSError as broken:
            raise httpcore.ReadError(str(broken)) from broken

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        ticket = self._ticket = _ticket(timeout)
        ticket.stage = "incomplete"
        if ticket.part == "head":
            # Head and body leave together: one packet less, and one awakening of the server.
            self._head = buffer
            return
        try:
            if ticket.part == "last byte":
                self._complete(buffer, ticket)
            else:
                self._send(self._head + buffer, ticket)
                self._head = b""
        except TimeoutError as late:
            raise httpcore.WriteTimeout(str(late)) from late
        except OSError as broken:
            raise httpcore.WriteError(str(broken)) from broken

    def _send(self, buffer: bytes, ticket: Ticket) -> None:
        ticket.complete = ticket.part == "all"
        more = 0 if ticket.complete else self._more
        waiting = memoryview(buffer)
        while waiting:
            self._sock.settimeout(ticket.left())
            waiting = waiting[self._sock.send(waiting, more) :]

    def _complete(self, last_byte: bytes, ticket: Ticket) -> None:
        """Sends the last byte, if the server has not turned the request down and it is in time."""
        self._sock.settimeout(0.0)
        self._listen()
        while True:
            if now() >= ticket.send_before:
                raise Withheld
            ticket.complete = True
            try:
                self._sock.send(last_byte)
            except _WOULD_BLOCK as wait:
                ticket.complete = False
                reads = isinstance(wait, ssl.SSLWantReadError)
                self._wait_for(select.POLLIN if reads else select.POLLOUT, ticket)
            else:
                return

    def _listen(self) -> None:
        """Raises WriteError if a final answer, or the end, came before the request was complete.

        httpcore goes on to read after that error, so the early answer is not lost.
        """
        try:
            heard = self._sock.recv(_PEEK)
        except _WOULD_BLOCK:
            return
        self._early = heard
        informational = heard.startswith(b"HTTP/1.") and heard[9:10] == b"1"
        if not informational:
            raise httpcore.WriteError("the server ended the exchange before the request")

    def _wait_for(self, event: int, ticket: Ticket) -> None:
        waiting = select.poll()
        waiting.register(self._sock, event)
        waiting.poll(max(0.0, ticket.send_before - now()) * 1000)

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        if self._ticket is None or self._ticket.answered:
            # macOS refuses options of a connection that the other side has reset.
            with suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ORDERLY)
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        ticket = _ticket(timeout)
        ticket.stage = "tls"
        try:
            self._sock.settimeout(ticket.left(CONNECT_SECONDS))
            secured = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except TimeoutError as late:
            self.close()
            raise httpcore.ConnectTimeout(str(late)) from late
        except (OSError, ValueError) as failed:
            self.close()
            raise httpcore.ConnectError(str(failed)) from failed
        return TicketStream(secured)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "is_readable":
            return bool(self._early) or self._readable()
        return self._sock if info == "socket" else None

    def _readable(self) -> bool:
        if self._sock.fileno() < 0:
            return True
        listening = select.poll()
        listening.register(self._sock, select.POLLIN)
        return bool(listening.poll(0))


def _ticket(timeout: float | None) -> Ticket:
    if not isinstance(timeout, Ticket):
        raise TypeError("a request through this network needs a Ticket as its timeouts")
    return timeout
