"""Everything that the broker knows about one declared queue."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callspool.transport.holdings import Holdings

if TYPE_CHECKING:
    from callspool.transport.codecs import Codec
    from callspool.transport.stream import Stream

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the broker waits for what; times in seconds.

    ``claim_after``: an entry that its consumer has not renewed for so long is free for others.
    ``first_delay``, ``longest_delay``: until a failed entry is delivered again, doubling.
    ``deliveries``: how often an entry is delivered before it is a dead letter.
    """

    claim_after: float = 15.0
    first_delay: float = 1.0
    longest_delay: float = 30.0
    deliveries: int = 10

    @property
    def claim_every(self) -> float:
        """Seconds between two looks for entries of the dead."""
        return min(1.0, self.claim_after / 3)

    @property
    def renew_every(self) -> float:
        """Seconds between two renewals of what this process has."""
        return self.claim_after / 3

    @property
    def suspect_from(self) -> int:
        """Deliveries from which an entry may be what ends its workers."""
        return max(2, self.deliveries // 2)

    def delay(self, deliveries: int) -> float:
        """Seconds until the next delivery of an entry that failed in its n-th."""
        return min(self.longest_delay, self.first_delay * 2.0 ** min(deliveries - 1, 30))


@dataclass(frozen=True, slots=True)
class Channel:
    """A declared queue: its stream, its codec, and what this process has of it."""

    queue_name: str
    stream: Stream
    codec: Codec
    is_recorded_elsewhere: bool
    patience: Patience
    partition: int = 0
    holdings: Holdings = field(default_factory=Holdings)

    def bury(self, entry_id: str, reason: str) -> None:
        """Moves an entry, whole, to the dead letters; raises redis-py's errors."""
        if self.stream.bury(entry_id, reason):
            kept_in = self.stream.dead_key
            logger.error(
                "message %s of %s: %s; kept in %s", entry_id, self.queue_name, reason, kept_in
            )
        self.holdings.release([entry_id])
