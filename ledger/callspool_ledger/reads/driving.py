"""Reads that take several round trips, written once and driven by either of redis-py's clients."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeAlias, TypeVar

import redis
import redis.asyncio

from callspool.redis_io.scripts import Call, Command, Reply, run, run_async

Found = TypeVar("Found")

Reading: TypeAlias = Generator[Sequence[Call | Command], list[Reply], Found]
"""Yields what to ask in one round trip, is sent the replies, and returns what was found."""


def drive(client: redis.Redis, reading: Reading[Found]) -> Found:
    """Runs a reading; raises what redis-py raises, for an error among the replies too."""
    try:
        questions = next(reading)
        while True:
            questions = reading.send(_sound(run(client, questions)))
    except StopIteration as done:
        found: Found = done.value
        return found


async def drive_async(client: redis.asyncio.Redis, reading: Reading[Found]) -> Found:
    """As `drive`, for redis.asyncio."""
    try:
        questions = next(reading)
        while True:
            questions = reading.send(_sound(await run_async(client, questions)))
    except StopIteration as done:
        found: Found = done.value
        return found


def _sound(replies: list[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, redis.RedisError):
            raise reply
    return replies


def read_replies(commands: Sequence[Command]) -> Reading[list[Reply]]:
    """The reading that is no more than some commands and their replies."""
    return (yield commands)
