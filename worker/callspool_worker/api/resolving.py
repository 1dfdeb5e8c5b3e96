"""From a host's name to a connection, each step within a limit."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from callspool_worker.api.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterable

SocketOption = tuple[int, int, int] | tuple[int, int, bytes]
Address = tuple[
    socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]


def look_up(host: str, port: int, seconds: float) -> list[Address]:
    """The addresses of a host; raises OSError, or TimeoutError after ``seconds``.

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
    """A connection to the first address that takes one; they share the time.

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
