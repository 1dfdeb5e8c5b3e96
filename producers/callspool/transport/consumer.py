"""Reads a queue's stream for a worker."""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any

import redis
from dramatiq import Consumer, Message, MessageProxy

from callspool.redis_io.errors import is_without_group
from callspool.redis_io.servers import disconnect
from callspool.transport.keeper import FIRST_BACKOFF, LONGEST_BACKOFF, Keeper
from callspool.transport.messages import (
    DeliveredMessage,
    Joining,
    Undecodable,
    as_delivery,
    check_message,
    entry_ids_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from callspool.transport.channel import Channel
    from callspool.transport.stream import QueueStream, StreamEntry

MOST_TOGETHER = 128
BYTES_TOGETHER = 64 * 1024
"""Most entries, and most bytes of them, that are joined into one message."""

FEW = 32
BYTES_IN_HAND = 1024 * 1024
"""Fewer large messages are in hand than small ones: about `BYTES_IN_HAND`, but at least `FEW`."""

logger = logging.getLogger(__name__)


class StreamsConsumer(Consumer):
    """Hands out a queue's messages: lost ones, failed ones, those of dead consumers, new ones.

    It reconnects by itself; iterating over it never raises an error of Redis.
    """

    def __init__(
        self,
        channel: Channel,
        client: redis.Redis,
        keeper: Keeper,
        *,
        prefetch: int,
        timeout: int,
        pace: float = 0.0,
    ) -> None:
        self._channel = channel
        self._holdings = channel.holdings
        self._client = client
        self._stream: QueueStream = channel.stream.over(client)
        self._keeper = keeper
        self._prefetch = max(1, prefetch)
        self._most = min(self._prefetch, FEW)
        self._timeout = timeout / 1000
        self._buffer: deque[StreamEntry] = deque()
        codec = channel.codec
        self._joins = codec if isinstance(codec, Joining) else None
        self._pace = 0.0 if self._joins is None else pace
        self._may_have_lost = True
        self._looks_at_notes = self._joins is not None
        self._next_claim = 0.0
        self._next_read = 0.0
        self._backoff = FIRST_BACKOFF
        self._away_since = 0.0
        self._closed = Event()

    def __next__(self) -> DeliveredMessage | None:
        """Returns the next message, or None after the timeout or while Redis is away."""
        if not self._buffer:
            self._fill()
        while self._buffer:
            delivery = self._join_next() if self._joins is not None else self._take_next()
            if delivery is not None:
                return delivery
        return None

    def ack(self, message: MessageProxy) -> None:
        """Acknowledges a message, soon and together with others.

        In a queue that is recorded elsewhere only `StreamsBroker.mark_recorded` does: a message
        without it is delivered again.
        """
        delivery = as_delivery(message)
        if self._channel.is_recorded_elsewhere:
            self._settle(delivery, "its actor ended without recording it")
        else:
            for entry_id in delivery.entry_ids:
                self._keeper.expect_done(self._holdings.finish(entry_id))

    def nack(self, message: MessageProxy) -> None:
        """Moves a message, whole, to the dead letters.

        One that is to be recorded elsewhere is delivered again first, as after `ack`. While Redis
        is away the message waits for it, and the worker goes on.
        """
        delivery = as_delivery(message)
        if self._channel.is_recorded_elsewhere:
            self._settle(delivery, delivery.failure)
        else:
            for entry_id in delivery.entry_ids:
                self._set_aside(entry_id, delivery.failure)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Gives messages back that were not begun; any other consumer takes them at once.

        While Redis is away, others take them after ``claim_after``.
        """
        ids = [each for message in messages for each in entry_ids_of(message)]
        with self._passing_over_an_outage():
            self._give_back(ids, begun=False)

    def close(self) -> None:
        """Gives back what no worker has begun, and sends the acknowledgements that wait."""
        self._closed.set()
        buffered = [entry.id for entry in self._buffer]
        self._buffer.clear()
        try:
            with self._passing_over_an_outage():
                self._give_back(buffered, begun=False)
                self._give_back(self._holdings.list_delayed(), begun=True)
                self._keeper.acknowledge()
        finally:
            disconnect(self._client)

    @contextmanager
    def _passing_over_an_outage(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            logger.warning(
                "queue %s closed while Redis was away (%s); other workers take what it had",
                self._channel.queue_name,
                type(error).__name__,
            )

    # Reading

    def _fill(self) -> None:
        with self._holdings.reading:
            room = self._holdings.wait_for_room(self._most, self._timeout)
            if room == 0:
                return
            try:
                self._buffer.extend(self._fetch(room))
            except redis.RedisError as error:
                self._recover(error)
            else:
                if self._away_since:
                    seconds = time.monotonic() - self._away_since
                    name = self._channel.queue_name
                    logger.info("queue %s has Redis back, after %.1f s", name, seconds)
                self._backoff, self._away_since = FIRST_BACKOFF, 0.0

    def _fetch(self, room: int) -> list[StreamEntry]:
        try:
            return self._next_entries(room)
        except redis.ResponseError as error:
            if not is_without_group(error):
                raise
            self._stream.create_group()
            return self._next_entries(room)

    def _next_entries(self, room: int) -> list[StreamEntry]:
        return (
            self._retake_lost(room)
            or self._retake_failed(room)
            or self._claim(room)
            or self._read_new(room)
        )

    def _retake_lost(self, room: int) -> list[StreamEntry]:
        """Takes entries again that were given to this process by replies that never came."""
        if not self._may_have_lost:
            return []
        lost = self._holdings.list_unknown(self._stream.list_owned())
        entries = self._stream.retake(lost[:room], counts=False)
        self._may_have_lost = len(lost) > room
        return self._holdings.take(entries)

    def _retake_failed(self, room: int) -> list[StreamEntry]:
        due = self._holdings.list_due(room)
        if not due:
            return []
        found: list[StreamEntry] = []
        for excused in (False, True):
            theirs = [each for each in due if self._holdings.is_excused(each) is excused]
            again = self._stream.retake(theirs, counts=not excused)
            found += self._holdings.take_again(theirs, again)
        return found

    def _claim(self, room: int) -> list[StreamEntry]:
        """Takes over entries of consumers that are gone."""
        now = time.monotonic()
        if now < self._next_claim:
            return []
        patience = self._channel.patience
        suspect_from = patience.suspect_from
        entries = self._stream.claim(
            min_idle=patience.claim_after,
            count=room,
            suspect_from=suspect_from,
            suspects=0 if self._holdings.has_delivered(suspect_from + 1) else 1,
        )
        if not entries:
            self._next_claim = now + patience.claim_every
            # Notes of what was read in its turn have to go, too.
            self._looks_at_notes = self._joins is not None
        return self._holdings.take(entries)

    def _overtake(self, room: int) -> list[StreamEntry]:
        """Takes small entries that stand behind many documents, in turn with the others."""
        if not self._looks_at_notes:
            return []
        self._looks_at_notes = False
        return self._holdings.take(self._stream.overtake(room))

    def _read_new(self, room: int) -> list[StreamEntry]:
        pause = max(0.001, min(self._timeout, self._next_pause()))
        room = min(room, self._holdings.room_to_fail())
        if room == 0:
            self._closed.wait(pause)
            return []
        if first := self._overtake(room):
            return first
        if self._next_read:
            self._closed.wait(max(0.0, self._next_read - time.monotonic()))
        entries = self._stream.read(room, int(pause * 1000))
        is_all = 0 < len(entries) < room
        self._looks_at_notes = len(entries) == room and self._joins is not None
        self._next_read = time.monotonic() + self._pace if is_all else 0.0
        if entries:
            each = sum(map(_count_bytes, entries)) // len(entries)
            self._most = min(self._prefetch, max(FEW, BYTES_IN_HAND // max(1, each)))
        return self._holdings.take(entries)

    def _next_pause(self) -> float:
        return min(self._next_claim - time.monotonic(), self._holdings.next_due())

    def _recover(self, error: redis.RedisError) -> None:
        self._may_have_lost = True
        disconnect(self._client)
        if not self._away_since:
            self._away_since = time.monotonic()
            logger.warning(
                "queue %s waits for Redis (%s)", self._channel.queue_name, type(error).__name__
            )
        self._closed.wait(self._backoff)
        self._backoff = min(LONGEST_BACKOFF, self._backoff * 2)

    def _take_next(self) -> DeliveredMessage | None:
        entry = self._buffer.popleft()
        message = self._decode(entry)
        return None if message is None else DeliveredMessage(message, (entry.id,), entry.deliveries)

    def _join_next(self) -> DeliveredMessage | None:
        """Joins the next small entries into one message; one that failed before comes alone."""
        buffer, size = self._buffer, 0
        messages: list[Message[Any]] = []
        ids: list[str] = []
        while buffer and len(ids) < MOST_TOGETHER:
            size += _count_bytes(buffer[0])
            if ids and (buffer[0].deliveries > 1 or size > BYTES_TOGETHER):
                break
            entry = buffer.popleft()
            message = self._decode(entry)
            if message is None:
                continue
            if entry.deliveries > 1:
                return DeliveredMessage(message, (entry.id,), entry.deliveries)
            messages.append(message)
            ids.append(entry.id)
        if not messages:
            return None
        assert self._joins is not None
        one = messages[0] if len(messages) == 1 else self._joins.join(messages)
        return DeliveredMessage(one, tuple(ids), 1)

    def _decode(self, entry: StreamEntry) -> Message[Any] | None:
        try:
            return self._read_message(entry)
        except Undecodable as error:
            self._set_aside(entry.id, error.reason)
        except Exception as error:  # noqa: BLE001 - whatever a codec raises, the queue goes on
            self._set_aside(entry.id, f"its codec raised {type(error).__name__}")
        return None

    def _read_message(self, entry: StreamEntry) -> Message[Any]:
        if entry.deliveries > self._channel.patience.deliveries:
            raise Undecodable("its workers ended while they had it, again and again")
        name = self._channel.queue_name
        return check_message(self._channel.codec.decode(name, entry.id, entry.fields), name)

    # Endings

    def _settle(self, delivery: DeliveredMessage, reason: str) -> None:
        """Ends a delivery that is acknowledged elsewhere."""
        for entry_id in self._holdings.release_recorded(delivery.entry_ids):
            self._settle_one(entry_id, delivery.deliveries, reason)

    def _settle_one(self, entry_id: str, deliveries: int, reason: str) -> None:
        patience = self._channel.patience
        if self._holdings.is_excused(entry_id):
            self._holdings.postpone(entry_id, patience.first_delay)
        elif deliveries >= patience.deliveries:
            self._set_aside(entry_id, reason)
        else:
            self._holdings.postpone(entry_id, patience.delay(deliveries))

    def _set_aside(self, entry_id: str, reason: str) -> None:
        try:
            self._channel.set_aside(entry_id, reason)
        except redis.RedisError:
            self._holdings.condemn(entry_id, reason)
            self._keeper.expect_condemned()

    def _give_back(self, ids: list[str], *, begun: bool) -> None:
        if not ids:
            return
        with self._holdings.owning:
            # Released first: what could not be given back must not be renewed either.
            self._holdings.release(ids)
            self._channel.stream.give_back(ids, begun=begun)


def _count_bytes(entry: StreamEntry) -> int:
    return sum(map(len, entry.fields.values()))
