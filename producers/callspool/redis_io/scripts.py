"""Lua scripts, known to Redis by their digest, and the round trips that call them.

A script is called with EVALSHA. A server that has never seen it, or has forgotten it after a
restart, answers NOSCRIPT; it is then loaded and the calls concerned are made again, alone or in a
pipeline. Callers see one typed function per script; `Script` is what they are made of. On a
connection, commands are packed for one write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from callspool.redis_io.errors import is_unknown_script, refusals

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from callspool.redis_io.resp import RespClient

try:  # the worker brings it along: a third of the cost
    import hiredis
except ImportError:
    hiredis = None  # type: ignore[assignment]

_quick: Callable[[tuple[Any, ...]], bytes] | None = getattr(hiredis, "pack_command", None)

Reader: Any = getattr(hiredis, "Reader", None)
"""Reads replies: hiredis' own, or None where that is not installed."""

_LARGE = 8 * 1024
"""Bytes of a word above which hiredis does not pack a command."""


def pack(commands: Sequence[Command]) -> bytes:
    """Returns the bytes that ask for all of these commands, in order."""
    pieces: list[bytes] = []
    for command in commands:
        words = _split_name(command)
        # hiredis copies each word several times: large ones are packed faster without it.
        large = [word for word in words if type(word) is bytes and len(word) > _LARGE]
        if _quick is None or large:
            pieces += _pack_words(words)
        else:
            pieces.append(_quick(words))
    return b"".join(pieces)


def read_reply(connection: Any) -> Reply:
    """Reads one reply; one by which Redis refuses the command is returned, not raised."""
    try:
        return connection.read_response()
    except refusals() as error:
        return error


async def read_reply_async(connection: Any) -> Reply:
    """As `read_reply`, for a connection of redis.asyncio."""
    try:
        return await connection.read_response()
    except refusals() as error:
        return error


def _split_name(command: Command) -> tuple[Argument, ...]:
    """Returns the command without blanks in its name, which may be two words."""
    name, *arguments = command
    return (*name.split(" "), *arguments) if isinstance(name, str) and " " in name else command


def _pack_words(words: tuple[Argument, ...]) -> Iterator[bytes]:
    yield b"*%d\r\n" % len(words)
    for word in map(_encode, words):
        yield b"$%d\r\n" % len(word)
        yield word
        yield b"\r\n"


def _encode(argument: Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()


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
    unknown = [place for place, reply in enumerate(replies) if is_unknown_script(reply)]
    missing = {place: call for place in unknown if isinstance(call := calls[place], Call)}
    if missing:
        sources = {call.script.source for call in missing.values()}
        loads: list[Command] = [("SCRIPT LOAD", source) for source in sources]
        again = yield [*loads, *(call.command for call in missing.values())]
        refusals = [reply for reply in again[: len(loads)] if isinstance(reply, Exception)]
        for place, reply in zip(missing, again[len(loads) :], strict=True):
            # Why a script cannot be loaded says more than that it is not there.
            is_missing = is_unknown_script(reply)
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


def run(client: redis.Redis | RespClient, calls: Sequence[Call | Command]) -> list[Reply]:
    """Runs calls in one pipeline. A command that failed has its error in its place.

    Raises `errors.transport_errors` when the connection fails.
    """
    exchange: Any = getattr(client, "exchange", None) or partial(_exchange, client)
    return drive(round_trips(calls), exchange)


def is_located(client: redis.Redis | RespClient) -> bool:
    """Whether the server is looked up, and another key may be on another one."""
    pool: Any = getattr(client, "connection_pool", None)
    return pool is not None and "locator" in pool.connection_kwargs


def client_at(client: redis.Redis, key: str) -> redis.Redis:
    """Returns a client of the server that has a key; the same one unless that may be another's."""
    if not is_located(client):
        return client
    pool: Any = client.connection_pool
    options = {**pool.connection_kwargs, "key": key}
    kind = type(client)
    return kind.from_pool(type(pool)(connection_class=pool.connection_class, **options))


async def run_async(client: redis.asyncio.Redis, calls: Sequence[Call | Command]) -> list[Reply]:
    """As `run`, for redis.asyncio."""
    return await drive_async(round_trips(calls), partial(_exchange_async, client))


def _exchange(client: Any, commands: Sequence[Command]) -> list[Reply]:
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
