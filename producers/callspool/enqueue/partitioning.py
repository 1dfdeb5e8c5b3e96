"""The way of messages to the partition that keeps their space: one wire for each partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import redis

from callspool.enqueue.outcomes import Failed, failure_of
from callspool.enqueue.storing import Spool
from callspool.errors import LedgerMismatch
from callspool.redis_io.scripts import round_trips
from callspool.request.identity import partition_of
from callspool_ledger import keys
from callspool_ledger.errors import describe_mismatch
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from callspool.enqueue.outcomes import Outcome, Outgoing
    from callspool.redis_io.scripts import RoundTrips
    from callspool.redis_io.servers import Server
    from callspool.request.call_request import CheckedEnvelope

Way = TypeVar("Way")


class Routes:
    """Which partition a request goes to, and what is needed to get there."""

    def __init__(self, server: Server, partitions: int, max_waiting: int) -> None:
        self.server = server
        self.partitions = partitions
        self._max_waiting = max_waiting

    def partition_of(self, envelope: CheckedEnvelope) -> int:
        """The partition of a request."""
        return partition_of(envelope.account, envelope.space_token, self.partitions)

    def ways(self, way: Callable[[Server, Spool], Way]) -> list[Way]:
        """A way to each partition. Nothing is connected by that."""
        return [
            way(
                self.server.at(keys.prefix(partition)),
                Spool(self._max_waiting, str(self.server), partition, self.partitions),
            )
            for partition in range(self.partitions)
        ]


def agreeing(partitions: int) -> RoundTrips:
    """The round trips that ask the first partition how many there are.

    Whoever asks before there is a ledger decides it: its messages are where workers look.
    """
    return round_trips([load("enqueue/agree").call([keys.counts()], [partitions])])


def check_agreed(replies: Sequence[object], partitions: int, where: str) -> Failed | None:
    """What `agreeing` came to: None, or why nobody knows for now; raises `LedgerMismatch`."""
    (reply,) = replies
    if isinstance(reply, redis.RedisError):
        return failure_of(reply, where)
    if reply != partitions:
        raise LedgerMismatch(describe_mismatch(reply, partitions))
    return None


def is_same(ledgers: int, ours: int) -> bool:
    """Whether the ledger has as many partitions; False while it has not begun (0).

    Raises `LedgerMismatch` if it has another number.
    """
    if ledgers not in {0, ours}:
        raise LedgerMismatch(describe_mismatch(ledgers, ours))
    return ledgers == ours


def by_partition(messages: Iterable[Outgoing]) -> dict[int, list[int]]:
    """The places of messages by the partition that they go to."""
    places: dict[int, list[int]] = {}
    for place, message in enumerate(messages):
        places.setdefault(message.partition, []).append(place)
    return places


def in_order(parts: Iterable[tuple[Sequence[int], Sequence[Outcome]]]) -> list[Outcome]:
    """The outcomes of all messages, in their order; ``parts`` are places and outcomes."""
    found = {
        place: outcome
        for places, outcomes in parts
        for place, outcome in zip(places, outcomes, strict=True)
    }
    return [found[place] for place in range(len(found))]
