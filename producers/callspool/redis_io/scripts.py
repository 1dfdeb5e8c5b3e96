"""Lua scripts, known to Redis by their digest, and the round trips that call them.

A script is called with EVALSHA. A server that has never seen it, or has forgotten it after a
restart, answers NOSCRIPT; it is then loaded and the calls concerned are made again, alone or in a
pipeline. Callers see one typed function per script; `Script` is what they are made of. On a
connection, commands are packed for one write, and replies are read by one deadline.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError

if TYPE_CHECKING:
    import redis
    import redis.asyncio


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


Argument: TypeAlias = bytes | str | int | float
Command: TypeAlias = tuple[Argument, ...]
Reply: TypeAlias = object
"""What Redis answered to one command; an error is an answer too, as a `redis.ResponseError`."""

Questions = TypeVar("Questions")
Found = TypeVar("Found")

Steps: TypeAlias = Generator[Questions, list[Reply], Found]
"""Yields what to ask in one round trip, is sent the replies, and returns what was found.

It touches no socket: `drive` and `drive_async` run it for threads and for event loops.
"""

RoundTrips: TypeAlias = Steps[list[Command], list[Reply]]
"""The steps that return all replies in order."""


class Script(NamedTuple):
    """A Lua script: its name, its text, and the SHA-1 that EVALSHA asks for."""

    name: str
    source: str
    sha: str

    def call(self, keys: Sequence[Argument], args: Sequence[Argument] = ()) -> Call:
        """One call of this script, for `run` or `run_async`."""
        return Call(self, ("EVALSHA", self.sha, len(keys), *keys, *args))


class Call(NamedTuple):
    """One call of one script; ``command`` is what goes over the wire.

    ``on_reply``: called by the worker's ledger with the reply, once all of the round trip went
    well.
    """

    script: Script
    command: Command
    on_reply: Callable[[Reply], object] | None = None


def round_trips(calls: Sequence[Call | Command]) -> RoundTrips:
    """Returns the round trips that run these calls, plain commands among them, in one pipeline.

    One, as a rule. A second one loads the scripts that the server did not know and repeats their
    calls, which then come after everything that needed no repeating.
    """
    commands = [call.command if isinstance(call, Call) else call for call in calls]
    replies = list((yield commands))
    unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    missing = {place: call for place in unknown if isinstance(call := calls[place], Call)}
    if missing:
        sources = {call.script.source for call in missing.values()}
        loads: list[Command] = [("SCRIPT LOAD", source) for source in sources]
        again = yield [*loads, *(call.command for call in missing.values())]
        refusals = [reply for reply in again[: len(loads)] if isinstance(reply, Exception)]
        for place, reply in zip(missing, again[len(loads) :], strict=True):
            # Why a script cannot be loaded says more than that it is not there.
            is_missing = isinstance(reply, NoScriptError)
            replies[place] = refusals[0] if refusals and is_missing else reply
    return replies


def drive(steps: Steps[Questions, Found], exchange: Callable[[Questions], list[Reply]]) -> Found:
    """Runs steps to their end: ``exchange`` makes each round trip. Returns what they found."""
    try:
        questions = next(steps)
        while True:
            questions = steps.send(exchange(questions))
    except StopIteration as done:
        found: Found = done.value
        return found


async def drive_async(
    steps: Steps[Questions, Found], exchange: Callable[[Questions], Awaitable[list[Reply]]]
) -> Found:
    """As `drive`, on an event loop."""
    try:
        questions = next(steps)
        while True:
            questions = steps.send(await exchange(questions))
    except StopIteration as done:
        found: Found = done.value
        return found


def run(client: redis.Redis, calls: Sequence[Call | Command]) -> list[Reply]:
    """Runs calls in one pipeline. A command that failed has its error in its place.

    Raises what redis-py raises when the connection fails.
    """
    return drive(round_trips(calls), partial(_exchange, client))


async def run_async(client: redis.asyncio.Redis, calls: Sequence[Call | Command]) -> list[Reply]:
    """As `run`, for redis.asyncio."""
    return await drive_async(round_trips(calls), partial(_exchange_async, client))


def _exchange(client: redis.Redis, commands: Sequence[Command]) -> list[Reply]:
    """Makes one round trip, as a pipeline of redis-py does, at half its cost."""
    pool: Any = client.connection_pool
    connection = pool.get_connection()

    def ask() -> list[Reply]:
        connection.send_packed_command([pack(commands)])
        return [read_reply(connection) for _ in commands]

    try:
        replies = connection.retry.call_with_retry(ask, lambda _: connection.disconnect())
    except BaseException:
        connection.disconnect()  # replies may still be on their way
        raise
    finally:
        pool.release(connection)
    parsers: Any = client.response_callbacks
    return [
        parsers[command[0]](reply)
        if command[0] in parsers and not isinstance(reply, Exception)
        else reply
        for command, reply in zip(commands, replies, strict=True)
    ]


async def _exchange_async(client: redis.asyncio.Redis, commands: Sequence[Command]) -> list[Reply]:
    pipeline: Any = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return list(await pipeline.execute(raise_on_error=False))
