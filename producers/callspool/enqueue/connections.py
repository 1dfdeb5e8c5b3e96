"""The wires of one process, one for each partition, and what threads share of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from callspool.enqueue.backoff import pauses
from callspool.enqueue.connection import Wire
from callspool.enqueue.group_commit import GroupCommit
from callspool.enqueue.outcomes import TRANSPORT_ERRORS, failure_of
from callspool.enqueue.partitioning import agreeing, by_partition, check_agreed, in_order
from callspool.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.enqueue.outcomes import Failed, Outcome, Outgoing
    from callspool.enqueue.partitioning import Routes


class Wires:
    """The way to every partition, for the threads of one process."""

    def __init__(self, routes: Routes) -> None:
        self._partitions = routes.partitions
        self._where = str(routes.server)
        self._wires = routes.ways(Wire)
        self._groups = [GroupCommit(wire.store) for wire in self._wires]
        self._is_agreed = routes.partitions == 1  # each message asks in the only one anyway

    def agree(self, deadline: float) -> None:
        """Sees to it once that the ledger has as many partitions.

        Raises `LedgerMismatch` if it has not and `QueueUnavailable` if nobody tells in time.
        """
        if self._is_agreed:
            return
        for pause in pauses():
            failed = self._ask(deadline)
            if failed is None:
                self._is_agreed = True
                return
            if not failed.again or time.monotonic() + pause >= deadline:
                raise QueueUnavailable(failed.reason)
            time.sleep(pause)

    def _ask(self, deadline: float) -> Failed | None:
        trips = agreeing(self._partitions)
        try:
            commands = next(trips)
            while True:
                commands = trips.send(self._wires[0].exchange(commands, deadline))
        except StopIteration as done:
            return check_agreed(done.value, self._partitions, self._where)
        except TRANSPORT_ERRORS as error:
            return failure_of(error, self._where)

    def submit(self, message: Outgoing, deadline: float) -> Outcome:
        """Stores one message by the deadline, along with those of other threads."""
        return self._groups[message.partition].submit(message, deadline)

    def store_all(self, messages: Sequence[Outgoing], deadline: float) -> list[Outcome]:
        """Stores messages of one partition by the deadline; the outcome of each, in order."""
        return self._wires[messages[0].partition].store_all(messages, deadline)

    def store_in_turn(self, messages: Sequence[Outgoing], timeout: float) -> list[Outcome]:
        """Stores messages, one partition after the other; ``timeout`` is for each of them."""
        if self._partitions == 1:
            return self.store_all(messages, time.monotonic() + timeout)
        return in_order(
            (places, self.store_all([messages[at] for at in places], time.monotonic() + timeout))
            for places in by_partition(messages).values()
        )

    def close(self) -> None:
        """Closes the connections: those in use when their round trip is over."""
        for wire in self._wires:
            wire.close()

    def abandon(self) -> None:
        """For a child after fork; see `Wire.abandon`."""
        for wire in self._wires:
            wire.abandon()
