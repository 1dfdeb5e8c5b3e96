"""A small client of one Redis server, for commands that only read: they need not import redis-py.

That import takes longer than all that such a command does besides. Several servers, a cluster or
Sentinels, are left to redis-py.
"""

from __future__ import annotations

import select
import socket
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from callspool.redis_io.errors import RefusedReply, RespError
from callspool.redis_io.scripts import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from io import BufferedReader

    from callspool.redis_io.scripts import Command, Reply

_CLOSED = "Connection closed by server."
_NO_REPLY = "what was answered is no reply of Redis"


class RespClient:
    """Asks the server of a URL that a setting may have, over one connection.

    It connects when it is used, and anew after an error. ``timeout``: seconds for each step.
    """

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        options = dict(reversed(parse_qsl(parts.query)))  # of several, redis-py takes the first
        self._timeout = timeout
        self._tls = options if parts.scheme == "rediss" else None
        self._path = unquote(parts.path) if parts.scheme == "unix" else ""
        self._address = unquote(parts.hostname or "localhost"), parts.port or 6379
        self._where = self._path or f"{self._address[0]}:{self._address[1]}"
        self._greeting = _make_greeting(
            options | {key: unquote(value) for key, value in _credentials(parts) if value},
            "0" if self._path else parts.path.strip("/"),
        )
        self._socket: Any = None
        self._replies: Any = None

    def __str__(self) -> str:
        return f"Redis at {self._where}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """Makes one round trip. A command that was refused has its error in its place.

        Raises OSError and `RespError`. Replies are of the types that redis-py returns.
        """
        if self._socket is not None and select.select([self._socket], [], [], 0)[0]:
            self.close()  # nothing was asked: the server has closed it
        try:
            greeting = self._connect() if self._socket is None else []
            self._socket.sendall(pack([*greeting, *commands]))
            self._check_greeting(greeting)
            replies = [_read_reply(self._replies) for _ in commands]
        except BaseException:
            self.close()  # replies may still be on their way
            raise
        return [
            _TYPES[command[0]](reply)
            if command[0] in _TYPES and not isinstance(reply, Exception)
            else reply
            for command, reply in zip(commands, replies, strict=True)
        ]

    def _check_greeting(self, greeting: Sequence[Command]) -> None:
        for _ in greeting:
            reply = _read_reply(self._replies)
            if isinstance(reply, RefusedReply):
                raise reply

    def close(self) -> None:
        """Closes the connection; it is opened again when the client is used again."""
        for each in (self._replies, self._socket):
            if each is not None:
                each.close()
        self._replies = self._socket = None

    def _connect(self) -> list[Command]:
        """Returns what has to be said first."""
        try:
            if self._path:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.settimeout(self._timeout)
                self._socket.connect(self._path)
            else:
                self._socket = socket.create_connection(self._address, self._timeout)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    self._socket = _wrap(self._socket, self._address[0], self._tls)
        except TimeoutError:
            raise TimeoutError("Timeout connecting to server") from None
        except OSError as error:
            number, *words = error.args or ("unknown",)
            reason = "".join(f" {each}." for each in words[:1])
            raise ConnectionError(f"Error {number} connecting to {self._where}.{reason}") from error
        self._replies = self._socket.makefile("rb")
        return self._greeting


def _credentials(parts: Any) -> list[tuple[str, str | None]]:
    return [("username", parts.username), ("password", parts.password)]


def _make_greeting(options: Mapping[str, str], database: str) -> list[Command]:
    """Returns the commands that log in, give the connection its name, and choose the database."""
    name, password = options.get("username"), options.get("password", "")
    greeting: list[Command] = []
    if name or password:
        greeting.append(("AUTH", name, password) if name else ("AUTH", password))
    if client_name := options.get("client_name"):
        greeting.append(("CLIENT SETNAME", client_name))
    chosen = int(options.get("db", database) or 0)
    if chosen:
        greeting.append(("SELECT", chosen))
    return greeting


def _wrap(plain: socket.socket, host: str, options: Mapping[str, str]) -> socket.socket:
    """Returns the socket under TLS; ``options`` are those of the URL, which redis-py names."""
    ssl: Any = import_module("ssl")
    context = ssl.create_default_context()
    needed = options.get("ssl_cert_reqs", "required")
    named = options.get("ssl_check_hostname", "").upper() not in _NO
    context.check_hostname = named and needed != "none"
    context.verify_mode = getattr(ssl, f"CERT_{needed.upper()}")
    if own := options.get("ssl_certfile"):
        context.load_cert_chain(own, options.get("ssl_keyfile"))
    authorities, folder = options.get("ssl_ca_certs"), options.get("ssl_ca_path")
    if authorities or folder:
        context.load_verify_locations(authorities, folder)
    wrapped: socket.socket = context.wrap_socket(plain, server_hostname=host)
    return wrapped


_NO = ("0", "F", "FALSE", "N", "NO")
"""What redis-py takes for no."""


def _read_reply(replies: BufferedReader) -> Reply:
    kind = replies.read(1)
    if kind not in b"+-:$*":  # before its line ends, for it may have none
        raise RespError(_NO_REPLY)
    line = replies.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError(_CLOSED)
    rest = line[:-2]
    if kind == b"+":
        return rest
    if kind == b"-":
        return RefusedReply(rest.decode(errors="replace").removeprefix("ERR "))
    if not rest.removeprefix(b"-").isdigit():
        raise RespError(_NO_REPLY)
    number = int(rest)
    if kind == b":":
        return number
    if number < 0:
        return None
    if kind == b"*":
        return [_read_reply(replies) for _ in range(number)]
    text = replies.read(number + 2)
    if len(text) < number + 2:
        raise ConnectionError(_CLOSED)
    return text[:-2]


def _pair(reply: Any) -> dict[bytes, bytes]:
    each = iter(reply or ())
    return dict(zip(each, each, strict=True))


def _pair_entries(reply: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    return [(entry_id, _pair(fields)) for entry_id, fields in reply]


_TYPES: dict[Any, Callable[[Any], Reply]] = {
    "HEXISTS": bool,
    "HGETALL": _pair,
    "SMEMBERS": set,
    "TIME": lambda reply: (int(reply[0]), int(reply[1])),
    "XRANGE": _pair_entries,
    "XREVRANGE": _pair_entries,
    "ZSCORE": lambda reply: None if reply is None else float(reply),
}
"""What redis-py makes of the replies to the commands that readings send."""
