"""Puts documents that are checked already into the queue, many in a round trip."""

import time
from collections.abc import Sequence
from typing import Self

from callspool.enqueue.connections import PartitionConnections
from callspool.enqueue.partitioning import Partitioning
from callspool.enqueue.receipts import EnqueueTally, Portion
from callspool.redis_io.servers import server_of
from callspool.request.call_request import CheckedEnvelope, PreparedRequest
from callspool.request.message import encode
from callspool.settings import Settings

TIMEOUT = 10.0
"""Seconds for each round trip, tries after a failure included."""


class Spooler:
    """The queue for documents of one envelope, and so of one partition. A context manager."""

    def __init__(self, settings: Settings, envelope: CheckedEnvelope) -> None:
        server = server_of(settings.redis_url, TIMEOUT)
        partitioning = Partitioning(server, settings.partitions, settings.max_waiting)
        self._connections = PartitionConnections(partitioning)
        self._partition = partitioning.partition_of(envelope)
        self._envelope = envelope
        self._portion = Portion()
        self._tally = EnqueueTally()

    @property
    def enqueued(self) -> int:
        """Documents that Redis certainly has."""
        return self._tally.documents

    def add(self, documents: Sequence[bytes]) -> None:
        """Takes checked documents, and stores what was gathered when it is enough.

        Raises `QueueFull`, `QueueUnavailable` or `LedgerMismatch`.
        """
        for message in encode(PreparedRequest(self._envelope, [list(documents)])):
            if self._portion.add(message, partition=self._partition):
                self.store()

    def store(self) -> None:
        """Stores what was gathered; raises as `add`."""
        if messages := self._portion.take():
            deadline = time.monotonic() + TIMEOUT
            self._connections.check_partitions(deadline)
            self._tally.add(messages, self._connections.store_all(messages, deadline))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.close()
