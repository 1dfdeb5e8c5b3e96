"""What the broker knows of one declared queue: its stream, and what this process has of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from threading import Condition, Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool.transport.messages import Codec
    from callspool.transport.stream import QueueStream, StreamEntry

logger = logging.getLogger(__name__)

FULL_BATCH = 64
"""Acknowledgements that are sent without waiting for more."""

MOST_DELAYED = 1000
"""Failed entries that wait for their next delivery; with more, nothing new is taken."""

_COMPANY = 0.002


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the broker waits; times in seconds.

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
        """Returns the seconds until the next delivery of an entry that failed in its n-th."""
        return min(self.longest_delay, self.first_delay * 2.0 ** min(deliveries - 1, 30))


class Holdings:
    """The entries of a queue that were given to this process and are not over yet.

    An entry is *running* (with a worker or about to be), *delayed* (failed, waits for its next
    delivery), *done* (its acknowledgement is on its way) or *condemned* (it becomes a dead letter
    as soon as Redis is there). Whatever Redis says this process owns and is in none of these
    stages was lost with a reply. Safe among threads.
    """

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._delayed: dict[str, float] = {}
        self._done: dict[str, None] = {}
        self._condemned: dict[str, str] = {}
        self._recorded: set[str] = set()
        self._excused: set[str] = set()
        self._changed = Condition(Lock())
        self._wake_at = -1
        self.reading = Lock()
        """Held while Redis is asked for entries: until they are counted here, they look lost."""
        self.owning = Lock()
        """Held while entries are renewed or given back: one must not undo the other."""

    def take(self, entries: Iterable[StreamEntry]) -> list[StreamEntry]:
        """Counts entries as running; leaves those out that this process has already."""
        with self._changed:
            new = [entry for entry in entries if not self._knows(entry.id)]
            self._running.update((entry.id, entry.deliveries) for entry in new)
        return new

    def take_again(self, due: Sequence[str], entries: Iterable[StreamEntry]) -> list[StreamEntry]:
        """Counts delayed entries as running; those that are not among `entries` are over."""
        with self._changed:
            for entry_id in due:
                self._delayed.pop(entry_id, None)
                self._excused.discard(entry_id)
        return self.take(entries)

    def finish(self, entry_id: str) -> int:
        """Counts an entry as done; returns how many wait for their acknowledgement."""
        with self._changed:
            self._done[entry_id] = None
            self._excused.discard(entry_id)
            self._leave(entry_id)
            return len(self._done)

    def condemn(self, entry_id: str, reason: str) -> None:
        """Counts an entry as a dead letter that Redis does not know of yet."""
        with self._changed:
            self._condemned[entry_id] = reason
            self._leave(entry_id)

    def postpone(self, entry_id: str, seconds: float) -> None:
        """Lets an entry wait for its next delivery."""
        with self._changed:
            self._delayed[entry_id] = time.monotonic() + seconds
            self._leave(entry_id)

    def release(self, ids: Iterable[str]) -> None:
        """Forgets entries: they are over, or another consumer's."""
        with self._changed:
            for entry_id in ids:
                self._delayed.pop(entry_id, None)
                self._condemned.pop(entry_id, None)
                self._excused.discard(entry_id)
                self._leave(entry_id)

    def mark_recorded(self, ids: Iterable[str]) -> None:
        """Remembers that running entries were acknowledged elsewhere."""
        with self._changed:
            self._recorded.update(each for each in ids if each in self._running)

    def release_recorded(self, ids: Sequence[str]) -> list[str]:
        """Forgets those that were acknowledged elsewhere; returns the others."""
        with self._changed:
            others = [each for each in ids if each not in self._recorded]
            for entry_id in self._recorded.intersection(ids):
                self._excused.discard(entry_id)
                self._leave(entry_id)
        return others

    def excuse(self, entry_id: str) -> None:
        """Remembers that a running entry is to be delivered again for no fault of its own."""
        with self._changed:
            if entry_id in self._running:
                self._excused.add(entry_id)

    def list_unexcused(self) -> list[str]:
        """Returns the running entries that were not excused yet."""
        with self._changed:
            return [entry_id for entry_id in self._running if entry_id not in self._excused]

    def is_excused(self, entry_id: str) -> bool:
        """Whether this entry is delivered again for no fault of its own."""
        return entry_id in self._excused

    def wait_for_room(self, limit: int, timeout: float) -> int:
        """Waits until another entry may run, and a moment for more; returns how many may."""
        with self._changed:
            self._wait_until(limit - 1, timeout)
            if len(self._running) < limit:
                self._wait_until(limit // 2, _COMPANY)
            return max(0, limit - len(self._running))

    def list_due(self, most: int) -> list[str]:
        """Returns delayed entries whose time has come, at most ``most``."""
        now = time.monotonic()
        with self._changed:
            return sorted(entry for entry, at in self._delayed.items() if at <= now)[:most]

    def next_due(self) -> float:
        """Returns the seconds until a delayed entry's time comes; infinite without one."""
        with self._changed:
            return min(self._delayed.values(), default=float("inf")) - time.monotonic()

    def room_to_fail(self) -> int:
        """Returns how many more entries may fail before nothing new is taken."""
        return max(0, MOST_DELAYED - len(self._delayed))

    def list_unknown(self, ids: Iterable[str]) -> list[str]:
        """Returns those of the ids that are in no stage here."""
        with self._changed:
            return [entry_id for entry_id in ids if not self._knows(entry_id)]

    def list_unfinished(self) -> list[str]:
        """Returns the entries that no other consumer should take: all but those that are done."""
        with self._changed:
            return [*self._running, *self._delayed, *self._condemned]

    def list_delayed(self) -> list[str]:
        """Returns the entries that wait for their next delivery."""
        with self._changed:
            return list(self._delayed)

    def has_delivered(self, times: int) -> bool:
        """Whether an entry runs that was handed out at least this often."""
        with self._changed:
            return any(deliveries >= times for deliveries in self._running.values())

    def list_done(self) -> list[str]:
        """Returns the entries whose acknowledgement is on its way."""
        with self._changed:
            return list(self._done)

    def list_condemned(self) -> list[tuple[str, str]]:
        """Returns dead letters that Redis does not know of yet: entry id and reason."""
        with self._changed:
            return list(self._condemned.items())

    def forget_done(self, ids: Iterable[str]) -> int:
        """Forgets done entries; returns how many more wait for their acknowledgement."""
        with self._changed:
            for entry_id in ids:
                self._done.pop(entry_id, None)
            return len(self._done)

    def _knows(self, entry_id: str) -> bool:
        return (
            entry_id in self._running
            or entry_id in self._done
            or entry_id in self._delayed
            or entry_id in self._condemned
        )

    def _leave(self, entry_id: str) -> None:
        self._running.pop(entry_id, None)
        self._recorded.discard(entry_id)
        if len(self._running) <= self._wake_at:
            self._changed.notify_all()

    def _wait_until(self, running: int, timeout: float) -> None:
        self._wake_at = running
        self._changed.wait_for(lambda: len(self._running) <= running, timeout)
        self._wake_at = -1


@dataclass(frozen=True, slots=True)
class Channel:
    """A declared queue: its stream, its codec, and what this process has of it."""

    queue_name: str
    stream: QueueStream
    codec: Codec
    is_recorded_elsewhere: bool
    patience: Patience
    partition: int = 0
    holdings: Holdings = field(default_factory=Holdings)

    def set_aside(self, entry_id: str, reason: str) -> None:
        """Moves an entry, whole, to the dead letters; raises redis-py's errors."""
        if self.stream.set_aside(entry_id, reason):
            kept_in = self.stream.dead_key
            logger.error(
                "message %s of %s: %s; kept in %s", entry_id, self.queue_name, reason, kept_in
            )
        self.holdings.release([entry_id])
