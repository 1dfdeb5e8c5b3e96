"""Puts documents that are checked already into the queue, many in a round trip."""

import time
from collections.abc import Sequence
from typing import Self

from callspool.call_request import CheckedEnvelope, PreparedRequest
from callspool.message import encode
from callspool.receipts import Portion, Tally
from callspool.settings import Settings
from callspool.spooling.options import server_of
from callspool.spooling.spool import Spool
from callspool.spooling.wire import Wire

TIMEOUT = 10.0
"""Seconds for each round trip, tries after a failure included."""


class Spooler:
    """The queue for documents of one envelope. A context manager."""

    def __init__(self, settings: Settings, envelope: CheckedEnvelope) -> None:
        server = server_of(settings.redis_url, TIMEOUT)
        self._wire = Wire(server, Spool(settings.max_waiting, str(server)))
        self._envelope = envelope
        self._portion = Portion()
        self._tally = Tally()

    @property
    def enqueued(self) -> int:
        """Documents that Redis certainly has."""
        return self._tally.documents

    def add(self, documents: Sequence[bytes]) -> None:
        """Takes checked documents, and stores what was gathered when it is enough.

        Raises `QueueFull` or `QueueUnavailable`.
        """
        for message in encode(PreparedRequest(self._envelope, list(documents))):
            if self._portion.add(message):
                self.store()

    def store(self) -> None:
        """Stores what was gathered; raises `QueueFull` or `QueueUnavailable`."""
        if messages := self._portion.take():
            self._tally.add(messages, self._wire.store_all(messages, time.monotonic() + TIMEOUT))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()
