"""What goes over a connection: commands packed for one write, replies read by one deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.redis_io.scripts import Argument, Command, Reply

try:  # the worker brings it along: a third of the cost
    import hiredis
except ImportError:
    hiredis = None  # type: ignore[assignment]

_quick: Callable[[tuple[Any, ...]], bytes] | None = getattr(hiredis, "pack_command", None)

Reader: Any = getattr(hiredis, "Reader", None)
"""Reads replies: hiredis' own, or None where that is not installed."""

_AT_ONCE: Final = 64 * 1024
_LEAST_TIMEOUT: Final = 0.001  # 0 would mean: do not block at all


def pack(commands: Sequence[Command]) -> bytes:
    """Returns the bytes that ask for all of these commands, in order."""
    return b"".join([(_quick or _pack_words)(_split_name(command)) for command in commands])


def read_reply(connection: Any) -> Reply:
    """Reads one reply; one by which Redis refuses the command is returned, not raised."""
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


async def read_reply_async(connection: Any) -> Reply:
    """As `read_reply`, for a connection of redis.asyncio."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _split_name(command: Command) -> tuple[Argument, ...]:
    """Returns the command without blanks in its name, which may be two words."""
    name, *arguments = command
    return (*name.split(" "), *arguments) if isinstance(name, str) and " " in name else command


def _pack_words(words: tuple[Argument, ...]) -> bytes:
    pieces = [b"*%d\r\n" % len(words)]
    pieces += [b"$%d\r\n%b\r\n" % (len(word), word) for word in map(_encode, words)]
    return b"".join(pieces)


def _encode(argument: Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()


class DeadlineConnection(AbstractConnection):
    """A connection whose every step, the handshake included, ends by one deadline.

    redis-py's timeouts are for each address tried, each write and each read; here they are what is
    left until ``deadline`` (of `time.monotonic`), so their sum has a limit.
    """

    deadline = 0.0
    is_looked_up = False
    """Whether the server is one of several: replies then go through the connection's own reading,
    which notices that another server has the partition."""
    _reader: Any = None

    def ask(self, packed: bytes, number: int) -> list[Reply]:
        """Sends commands and reads ``number`` replies, errors among them.

        Raises redis-py's errors, and those of the socket as they are.
        """
        connected: Any = self._sock
        if Reader is None or connected is None or self.is_looked_up:
            self.send_packed_command([packed])
            return [read_reply(self) for _ in range(number)]
        # What redis-py does around these calls takes longer than they do.
        if self._reader is None:
            self._reader = Reader(InvalidResponse, self._parser.parse_error)
        connected.settimeout(self._compute_timeout())
        connected.sendall(packed)
        replies: list[Reply] = []
        while len(replies) < number:
            reply = self._reader.gets()
            if reply is False:  # not all of it is there
                connected.settimeout(self._compute_timeout())
                self._feed(connected.recv(_AT_ONCE))
            elif isinstance(reply, Disconnected):
                raise reply
            else:
                replies.append(reply)
        return replies

    def _feed(self, found: bytes) -> None:
        if not found:
            raise Disconnected("Connection closed by server.")
        self._reader.feed(found)

    def _compute_timeout(self) -> float:
        return max(self.deadline - time.monotonic(), _LEAST_TIMEOUT)

    @property
    def socket_timeout(self) -> float:
        return self._compute_timeout()

    @socket_timeout.setter
    def socket_timeout(self, value: object) -> None:
        """redis-py sets its own; the deadline decides."""

    @property
    def socket_connect_timeout(self) -> float:
        return self._compute_timeout()

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, value: object) -> None:
        """redis-py sets its own; the deadline decides."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        self._limit_socket()
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        self._limit_socket()
        return super().read_response(*args, **kwargs)

    def _limit_socket(self) -> None:
        connected: Any = self._sock
        if connected is not None:
            connected.settimeout(self._compute_timeout())
