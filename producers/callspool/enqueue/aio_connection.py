"""Round trips to Redis from an event loop: its connections, each within a deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.exceptions import ReadOnlyError, ResponseError

from callspool.enqueue.backoff import pauses
from callspool.enqueue.connection import IDLE_CONNECTIONS
from callspool.enqueue.outcomes import TRANSPORT_ERRORS, Failed, Outcome, Outgoing, failure_of
from callspool.redis_io.resp import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.enqueue.storing import Spool
    from callspool.redis_io.scripts import Command, Reply
    from callspool.redis_io.servers import Server


class AsyncWire:
    """The connections of one event loop, and how messages travel over them."""

    def __init__(self, server: Server, spool: Spool) -> None:
        self._server = server
        self._spool = spool
        self._idle: list[Any] = []
        self._closed = False

    async def store_all(self, messages: Sequence[Outgoing], deadline: float) -> list[Outcome]:
        """As `store`, and tries again what failed for the moment, until the deadline."""
        loop = asyncio.get_running_loop()
        outcomes = await self.store(messages, deadline)
        for pause in pauses():
            again = [
                place
                for place, outcome in enumerate(outcomes)
                if isinstance(outcome, Failed) and outcome.again
            ]
            if not again or loop.time() + pause >= deadline:
                break
            await asyncio.sleep(pause)
            retried = await self.store([messages[place] for place in again], deadline)
            for place, outcome in zip(again, retried, strict=True):
                outcomes[place] = outcome
        return outcomes

    async def store(self, messages: Sequence[Outgoing], deadline: float) -> list[Outcome]:
        """Stores messages, as a rule in one round trip; the outcome of each, in order."""
        steps = self._spool.store(messages)
        try:
            commands = next(steps)
            while True:
                commands = steps.send(await self.exchange(commands, deadline))
        except StopIteration as done:
            return list(done.value)
        except TRANSPORT_ERRORS as error:
            return [failure_of(error, str(self._server))] * len(messages)

    async def exchange(self, commands: Sequence[Command], deadline: float) -> list[Reply]:
        """One round trip by the deadline (of the loop's clock), else `TimeoutError`."""
        is_new = not self._idle
        connection = self._server.connection() if is_new else self._idle.pop()
        try:
            async with asyncio.timeout_at(deadline):
                if is_new:
                    await connection.connect()
                await connection.send_packed_command([pack(commands)])
                replies = [await _reply(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        was_demoted = any(isinstance(reply, ReadOnlyError) for reply in replies)
        if was_demoted or self._closed or len(self._idle) >= IDLE_CONNECTIONS:
            await connection.disconnect(nowait=True)
        else:
            self._idle.append(connection)
        return replies

    async def close(self) -> None:
        """Closes the connections: those in use when their round trip is over."""
        self._closed = True
        while self._idle:
            await self._idle.pop().disconnect()


async def _reply(connection: Any) -> Reply:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
