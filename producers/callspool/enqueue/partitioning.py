"""Which partition keeps the space of a request, and what its messages need to get there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import redis

from callspool.enqueue.storing import Spool, why_not_stored
from callspool.errors import LedgerMismatch
from callspool.redis_io.scripts import round_trips
from callspool.request.identity import partition_of
from callspool_ledger import keys
from callspool_ledger.errors import describe_mismatch
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from callspool.enqueue.storing import NotStored, Outcome, OutgoingMessage
    from callspool.redis_io.scripts import RoundTrips
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
