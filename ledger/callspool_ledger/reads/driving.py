"""Reads that take several round trips, written once and driven by either of redis-py's clients."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeAlias, TypeVar

import redis
import redis.asyncio

from callspool.redis_io import scripts
from callspool.redis_io.scripts import Call, Command, Reply, run, run_async

Found = TypeVar("Found")

Reading: TypeAlias = Generator[Sequence[Call | Command], list[Reply], Found]
"""Yields what to ask in one round trip, is sent the replies, and returns what was found."""


def drive(client: redis.Redis, reading: Reading[Found]) -> Found:
    """Runs a reading; raises what redis-py raises, for an error among the replies too."""
    return scripts.drive(reading, lambda questions: _raise_errors(run(client, questions)))


async def drive_async(client: redis.asyncio.Redis, reading: Reading[Found]) -> Found:
    """As `drive`, for redis.asyncio."""

    async def exchange(questions: Sequence[Call | Command]) -> list[Reply]:
        return _raise_errors(await run_async(client, questions))

    return await scripts.drive_async(reading, exchange)


def _raise_errors(replies: list[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, redis.RedisError):
            raise reply
    return replies


def read_replies(commands: Sequence[Command]) -> Reading[list[Reply]]:
    """The reading that is no more than some commands and their replies."""
    return (yield commands)
