"""The wires of one event loop, one for each partition, and what its tasks share of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from callspool.enqueue.aio_connection import AsyncWire
from callspool.enqueue.backoff import pauses
from callspool.enqueue.group_commit import AsyncGroupCommit
from callspool.enqueue.outcomes import TRANSPORT_ERRORS, failure_of
from callspool.enqueue.partitioning import agreeing, by_partition, check_agreed, in_order
from callspool.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.enqueue.outcomes import Failed, Outcome, Outgoing
    from callspool.enqueue.partitioning import Routes


class AsyncWires:
    """The way to every partition, for the tasks of one event loop."""

    def __init__(self, routes: Routes) -> None:
        self._partitions = routes.partitions
        self._where = str(routes.server)
        self._wires = routes.ways(AsyncWire)
        self._groups = [AsyncGroupCommit(wire.store) for wire in self._wires]
        self._is_agreed = routes.partitions == 1

    async def agree(self, deadline: float) -> None:
        """As `Wires.agree`; ``deadline`` by the loop's clock."""
        if self._is_agreed:
            return
        loop = asyncio.get_running_loop()
        for pause in pauses():
            failed = await self._ask(deadline)
            if failed is None:
                self._is_agreed = True
                return
            if not failed.again or loop.time() + pause >= deadline:
                raise QueueUnavailable(failed.reason)
            await asyncio.sleep(pause)

    async def _ask(self, deadline: float) -> Failed | None:
        trips = agreeing(self._partitions)
        try:
            commands = next(trips)
            while True:
                commands = trips.send(await self._wires[0].exchange(commands, deadline))
        except StopIteration as done:
            return check_agreed(done.value, self._partitions, self._where)
        except TRANSPORT_ERRORS as error:
            return failure_of(error, self._where)

    async def submit(self, message: Outgoing, deadline: float) -> Outcome:
        """As `Wires.submit`."""
        return await self._groups[message.partition].submit(message, deadline)

    async def store_all(self, messages: Sequence[Outgoing], deadline: float) -> list[Outcome]:
        """Stores messages, those of different partitions at once; the outcome of each, in order."""
        if self._partitions == 1:
            return await self._wires[0].store_all(messages, deadline)
        parts = by_partition(messages)
        outcomes = await asyncio.gather(
            *(
                self._wires[partition].store_all([messages[at] for at in places], deadline)
                for partition, places in parts.items()
            )
        )
        return in_order(zip(parts.values(), outcomes, strict=True))

    async def close(self) -> None:
        """Closes the connections: those in use when their round trip is over."""
        for wire in self._wires:
            await wire.close()
