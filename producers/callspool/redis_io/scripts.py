"""Lua scripts, known to Redis by their digest, and the round trips that call them.

A script is called with EVALSHA. A server that has never seen it, or has forgotten it after a
restart, answers NOSCRIPT; it is then loaded and the calls concerned are made again, alone or in a
pipeline. Callers see one typed function per script; `Script` is what they are made of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from redis.exceptions import NoScriptError

from callspool.redis_io.connections import pack, read_reply

if TYPE_CHECKING:
    import redis
    import redis.asyncio

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
    """The round trips that run these calls, plain commands among them, in one pipeline.

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
