"""From a host's name to a verified connection: a ticket bounds every step."""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from callspool.errors import SettingsError
from callspool_worker.api.clock import Withheld, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from callspool_worker.api.clock import Ticket
    from callspool_worker.api.connection import Origin


def create_context(
    origins: Iterable[Origin], environ: Mapping[str, str] = os.environ
) -> ssl.SSLContext:
    """Makes the TLS context for these origins: certifi's roots, or what the environment names.

    Raises SettingsError where ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` names what cannot be used. An
    API over plain HTTP needs no certificates, and none are loaded for it.
    """
    if all(origin.scheme != "https" for origin in origins):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    folder = environ.get("SSL_CERT_DIR", "")
    if folder and not any(Path(part).is_dir() for part in folder.split(os.pathsep)):
        raise SettingsError(_sentence("SSL_CERT_DIR", folder, "it is no folder"))
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as wrong:
        file = environ.get("SSL_CERT_FILE", "")
        if not file:
            raise SettingsError(
                f"the root certificates cannot be loaded ({_say_reason(wrong)}): install certifi"
                " again"
            ) from wrong
        raise SettingsError(_sentence("SSL_CERT_FILE", file, _say_reason(wrong))) from wrong


def _sentence(name: str, value: str, fault: str) -> str:
    return (
        f"{name} is set to {value!r}, which cannot be used ({fault}):"
        " set it to certificates that exist, or unset it"
    )


def _say_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds no certificate"
    return (error.strerror or type(error).__name__).lower()


SocketOption = tuple[int, int, int] | tuple[int, int, bytes]
Address = tuple[
    socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]


def look_up(host: str, port: int, seconds: float) -> list[Address]:
    """Returns the addresses of a host; raises OSError, or TimeoutError after ``seconds``.

    The system's resolver knows no limit, so it works in a thread that may be left behind.
    """
    found: Future[list[Address]] = Future()

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.set_result([(family, address) for family, _, _, _, address in answers])
        except (OSError, UnicodeError) as unknown:
            found.set_exception(unknown)

    threading.Thread(target=resolve, name="callspool-resolver", daemon=True).start()
    try:
        return found.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no address within {seconds:.0f} s") from None


def connect(
    addresses: list[Address],
    seconds: float,
    options: Iterable[SocketOption],
) -> socket.socket:
    """Returns a connection to the first address that takes one; they share the time.

    Raises OSError as the last address did, or TimeoutError.
    """
    until = now() + seconds
    failure: OSError = OSError("the host has no address")
    for place, (family, address) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            for option in options:
                sock.setsockopt(*option)
            sock.settimeout(max(0.05, (until - now()) / (len(addresses) - place)))
            sock.connect(address)
        except OSError as failed:
            sock.close()
            failure = failed
        else:
            return sock
    raise failure


CONNECT_SECONDS = 10.0
"""Looking up the name, connecting and TLS, each, at most."""

_ABORT = struct.pack("ii", 1, 0)
_ORDERLY = struct.pack("ii", 0, 0)
_PEEK = 64 * 1024
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Network:
    """Opens connections.

    ``unacknowledged`` is for how many seconds the kernel goes on to offer bytes that no peer
    acknowledges, so that a request cannot arrive long after this process has gone (Linux).
    ``choose`` returns those of a host's addresses that may be connected to, or raises OSError.
    """

    def __init__(
        self,
        unacknowledged: float,
        choose: Callable[[list[Address]], list[Address]] | None = None,
    ) -> None:
        self._unacknowledged = unacknowledged
        self._choose = choose

    def connect(self, host: str, port: int, ticket: Ticket) -> Stream:
        """Returns a connection; raises httpx.ConnectTimeout or httpx.ConnectError."""
        try:
            ticket.stage = "dns"
            addresses = look_up(host, port, ticket.seconds_left(CONNECT_SECONDS))
            if self._choose is not None:
                addresses = self._choose(addresses)
            ticket.stage = "connect"
            sock = connect(addresses, ticket.seconds_left(CONNECT_SECONDS), self._options())
        except TimeoutError as late:
            raise httpx.ConnectTimeout(str(late)) from late
        except (OSError, UnicodeError) as failed:
            raise httpx.ConnectError(str(failed)) from failed
        return Stream(sock)

    def _options(self) -> list[SocketOption]:
        options: list[SocketOption] = [
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            # Closing, the kernel's own closing after SIGKILL too, discards what is not sent yet.
            (socket.SOL_SOCKET, socket.SO_LINGER, _ABORT),
        ]
        if sys.platform == "linux":
            milliseconds = int(self._unacknowledged * 1000)
            options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds))
        return options


class Stream:
    """One connection; reading and writing stop when the ticket of the request says so.

    Raises httpx's exceptions of reading and writing.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Linux keeps a last, short packet back until more comes: here, the last byte.
        self._more = 0 if isinstance(sock, ssl.SSLSocket) else getattr(socket, "MSG_MORE", 0)
        self._early = b""
        self._ticket: Ticket | None = None

    def read(self, most: int, ticket: Ticket) -> bytes:
        """Returns what has come in, as soon as anything has; b"" at the connection's end."""
        if self._early:
            data, self._early = self._early[:most], self._early[most:]
            return data
        try:
            self._sock.settimeout(ticket.seconds_left())
            return self._sock.recv(most)
        except TimeoutError as late:
            raise httpx.ReadTimeout(str(late)) from late
        except OSError as broken:
            raise httpx.ReadError(str(broken)) from broken

    def send(self, head: bytes, body: bytes, ticket: Ticket) -> None:
        """Sends a request, the last byte of its body by itself: see `complete`."""
        if not body:
            ticket.complete = True
        self.begin(head + body[:-1], ticket)
        if body:
            self.complete(body[-1:], ticket)

    def begin(self, buffer: bytes, ticket: Ticket) -> None:
        """Sends what is not the last byte of a body."""
        self._ticket = ticket
        ticket.stage = "incomplete"
        more = 0 if ticket.complete else self._more
        waiting = memoryview(buffer)
        try:
            while waiting:
                self._sock.settimeout(ticket.seconds_left())
                waiting = waiting[self._sock.send(waiting, more) :]
        except TimeoutError as late:
            raise httpx.WriteTimeout(str(late)) from late
        except OSError as broken:
            raise httpx.WriteError(str(broken)) from broken

    def complete(self, last_byte: bytes, ticket: Ticket) -> None:
        """Sends the last byte, if the server has not turned the request down and it is in time.

        Raises `Withheld` where it is not, or where the ticket says that it may not be sent.
        """
        try:
            self._complete(last_byte, ticket)
        except TimeoutError as late:
            raise httpx.WriteTimeout(str(late)) from late
        except OSError as broken:
            raise httpx.WriteError(str(broken)) from broken

    def _complete(self, last_byte: bytes, ticket: Ticket) -> None:
        self._sock.settimeout(0.0)
        self._listen()
        while True:
            if not ticket.may_send() or now() >= ticket.send_before:
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

        The early answer is not lost: it is what is read next.
        """
        try:
            heard = self._sock.recv(_PEEK)
        except _WOULD_BLOCK:
            return
        self._early = heard
        informational = heard.startswith(b"HTTP/1.") and heard[9:10] == b"1"
        if not informational:
            raise httpx.WriteError("the server ended the exchange before the request")

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

    def start_tls(self, ssl_context: ssl.SSLContext, host: str, ticket: Ticket) -> Stream:
        """Puts the connection under TLS; raises httpx.ConnectTimeout or httpx.ConnectError."""
        ticket.stage = "tls"
        try:
            self._sock.settimeout(ticket.seconds_left(CONNECT_SECONDS))
            secured = ssl_context.wrap_socket(self._sock, server_hostname=host)
        except TimeoutError as late:
            self.close()
            raise httpx.ConnectTimeout(str(late)) from late
        except (OSError, ValueError) as failed:
            self.close()
            raise httpx.ConnectError(str(failed)) from failed
        return Stream(secured)

    def is_readable(self) -> bool:
        """Whether anything has come in, the end of the connection for example."""
        if self._early or self._sock.fileno() < 0:
            return True
        listening = select.poll()
        listening.register(self._sock, select.POLLIN)
        return bool(listening.poll(0))
