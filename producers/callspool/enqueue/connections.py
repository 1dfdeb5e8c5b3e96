"""Which partition a request belongs to, and the connections on which threads send it there."""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import redis
from redis.exceptions import ReadOnlyError

from callspool.enqueue.group_commit import GroupCommit
from callspool.enqueue.storing import (
    Outage,
    Spool,
    compute_pauses,
    list_passing,
    why_not_stored,
)
from callspool.errors import LedgerMismatch, QueueUnavailable
from callspool.redis_io.errors import transport_errors
from callspool.redis_io.scripts import drive, pack, round_trips
from callspool.redis_io.servers import DeadlineConnection
from callspool.request.identity import partition_of
from callspool_ledger import keys
from callspool_ledger.errors import describe_mismatch
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from callspool.enqueue.storing import NotStored, Outcome, OutgoingMessage
    from callspool.redis_io.scripts import Command, Reply, RoundTrips
    from callspool.redis_io.servers import RedisEndpoint
    from callspool.request.call_request import CheckedEnvelope


Connections = TypeVar("Connections")


class Partitioning:
    """How many partitions there are, and on which server."""

    def __init__(self, server: RedisEndpoint, partitions: int, max_waiting: int) -> None:
        self.server = server
        self.partitions = partitions
        self._max_waiting = max_waiting

    def partition_of(self, envelope: CheckedEnvelope) -> int:
        """Returns the partition of a request."""
        return partition_of(envelope.account, envelope.space_token, self.partitions)

    def server_of(self, partition: int) -> RedisEndpoint:
        """Returns the server of a partition: the same for all but in a cluster."""
        return self.server.at(keys.prefix(partition))

    def for_each(self, make: Callable[[RedisEndpoint, Spool], Connections]) -> list[Connections]:
        """Makes connections for each partition; none of them is opened yet."""
        return [
            make(
                self.server_of(partition),
                Spool(self._max_waiting, str(self.server), partition, self.partitions),
            )
            for partition in range(self.partitions)
        ]


def ask_partitions(partitions: int) -> RoundTrips:
    """Yields the round trips that ask the first partition how many there are.

    Where there is no ledger yet, the one that asks first decides: workers look for its messages.
    """
    return round_trips([load("enqueue/agree").call([keys.PartitionKeys().counts], [partitions])])


def read_partitions(replies: Sequence[object], partitions: int, where: str) -> NotStored | None:
    """Returns None if the ledger has as many partitions, or why that is not known for now.

    ``replies`` are those to `ask_partitions`. Raises `LedgerMismatch` if it has another number.
    """
    (reply,) = replies
    if isinstance(reply, redis.RedisError):
        return why_not_stored(reply, where)
    if reply != partitions:
        raise LedgerMismatch(describe_mismatch(reply, partitions))
    return None


def has_partitions(ledgers: int, ours: int) -> bool:
    """Whether the ledger has as many partitions; False while it has not begun (0).

    Raises `LedgerMismatch` if it has another number.
    """
    if ledgers not in {0, ours}:
        raise LedgerMismatch(describe_mismatch(ledgers, ours))
    return ledgers == ours


def group_by_partition(messages: Iterable[OutgoingMessage]) -> dict[int, list[int]]:
    """Returns the places of messages by the partition that they go to."""
    places: dict[int, list[int]] = {}
    for place, message in enumerate(messages):
        places.setdefault(message.partition, []).append(place)
    return places


def restore_order(parts: Iterable[tuple[Sequence[int], Sequence[Outcome]]]) -> list[Outcome]:
    """Returns the outcomes of all messages in order; ``parts`` are places and outcomes."""
    found = {
        place: outcome
        for places, outcomes in parts
        for place, outcome in zip(places, outcomes, strict=True)
    }
    return [found[place] for place in range(len(found))]


IDLE_CONNECTIONS: Final = 8


class SpoolConnections:
    """The connections of one process to one partition, and how messages travel over them.

    Threads take a connection each for one round trip; a deque's ends need no lock. A process made
    by fork must not use its parent's `SpoolConnections`; it calls `abandon`, which closes the
    child's copies of the sockets and leaves the parent's connections as they are.
    """

    def __init__(self, server: RedisEndpoint, spool: Spool) -> None:
        self._server = server
        self._spool = spool
        self._idle: deque[Any] = deque()
        self._open: set[Any] = set()
        self._closed = False
        kind: Any = server.connection_class
        how = {"is_looked_up": bool(server.name)}
        self._class: Any = type(f"Deadline{kind.__name__}", (DeadlineConnection, kind), how)

    def store_all(self, messages: Sequence[OutgoingMessage], deadline: float) -> list[Outcome]:
        """As `store`; repeats what failed for the moment, until the deadline."""
        outcomes = self.store(messages, deadline)
        for pause in compute_pauses():
            again = list_passing(outcomes)
            if not again or time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
            retried = self.store([messages[place] for place in again], deadline)
            for place, outcome in zip(again, retried, strict=True):
                outcomes[place] = outcome
        return outcomes

    def store(self, messages: Sequence[OutgoingMessage], deadline: float) -> list[Outcome]:
        """Stores messages, as a rule in one round trip; returns each one's outcome, in order."""
        try:
            return drive(self._spool.store(messages), partial(self.exchange, deadline=deadline))
        except transport_errors() as error:
            return [why_not_stored(error, str(self._server))] * len(messages)

    def exchange(self, commands: Sequence[Command], deadline: float) -> list[Reply]:
        """Makes one round trip; raises what redis-py raises when it fails or takes too long."""
        try:
            connection, is_new = self._idle.pop(), False
        except IndexError:
            connection, is_new = self._new(), True
        connection.deadline = deadline
        try:
            if is_new:
                connection.connect()
            replies: list[Reply] = connection.ask(pack(commands), len(commands))
        except BaseException:
            self._drop(connection)
            raise
        for reply in replies:
            if isinstance(reply, ReadOnlyError):  # the server was demoted: look it up anew
                self._drop(connection)
                return replies
        self._give_back(connection)
        return replies

    def close(self) -> None:
        """Closes the connections: those in use when their round trip is over."""
        self._closed = True
        while self._idle:
            self._drop(self._idle.pop())

    def abandon(self) -> None:
        """Lets go of the parent's connections after a fork, without a word to Redis."""
        self._idle.clear()
        while self._open:
            self._open.pop().disconnect()

    def _new(self) -> Any:
        connection = self._class(**self._server.options)
        self._open.add(connection)
        return connection

    def _give_back(self, connection: Any) -> None:
        if len(self._idle) < IDLE_CONNECTIONS and not self._closed:
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: Any) -> None:
        self._open.discard(connection)
        connection.disconnect()


class PartitionConnections:
    """The connections of one process to every partition, and what its threads share of them."""

    def __init__(self, partitioning: Partitioning) -> None:
        self._partitions = partitioning.partitions
        self._where = str(partitioning.server)
        self._connections = partitioning.for_each(SpoolConnections)
        self._groups = [GroupCommit(each.store) for each in self._connections]
        self._outages = [Outage() for _ in self._connections]
        self._is_checked = partitioning.partitions == 1  # each message asks in the only one anyway

    def check_partitions(self, deadline: float) -> None:
        """Checks once that the ledger has as many partitions as this queue.

        Raises `LedgerMismatch` if it has not, and `QueueUnavailable` if Redis does not answer.
        """
        if self._is_checked:
            return
        for pause in compute_pauses():
            failure = self._ask(deadline)
            if failure is None:
                self._is_checked = True
                return
            if not failure.again or time.monotonic() + pause >= deadline:
                raise QueueUnavailable(failure.reason)
            time.sleep(pause)

    def _ask(self, deadline: float) -> NotStored | None:
        exchange = partial(self._connections[0].exchange, deadline=deadline)
        try:
            replies = drive(ask_partitions(self._partitions), exchange)
        except transport_errors() as error:
            return why_not_stored(error, self._where)
        return read_partitions(replies, self._partitions, self._where)

    def submit(self, message: OutgoingMessage, deadline: float) -> Outcome:
        """Stores one message by the deadline, along with those of other threads."""
        outage = self._outages[message.partition]
        if (failure := outage.failure(time.monotonic())) is not None:
            return failure
        outcome = self._groups[message.partition].submit(message, deadline)
        outage.note(outcome, time.monotonic())
        return outcome

    def store_all(self, messages: Sequence[OutgoingMessage], deadline: float) -> list[Outcome]:
        """Stores messages of one partition by the deadline; returns their outcomes, in order."""
        outage = self._outages[messages[0].partition]
        if (failure := outage.failure(time.monotonic())) is not None:
            return [failure] * len(messages)
        outcomes = self._connections[messages[0].partition].store_all(messages, deadline)
        outage.note(outcomes[-1], time.monotonic())
        return outcomes

    def store_in_turn(self, messages: Sequence[OutgoingMessage], timeout: float) -> list[Outcome]:
        """Stores messages, one partition after the other, each within ``timeout`` seconds."""
        if self._partitions == 1:
            return self.store_all(messages, time.monotonic() + timeout)
        return restore_order(
            (places, self.store_all([messages[at] for at in places], time.monotonic() + timeout))
            for places in group_by_partition(messages).values()
        )

    def close(self) -> None:
        """Closes the connections: those in use when their round trip is over."""
        for each in self._connections:
            each.close()

    def abandon(self) -> None:
        """Lets go of the parent's connections after a fork; see `SpoolConnections.abandon`."""
        for each in self._connections:
            each.abandon()
