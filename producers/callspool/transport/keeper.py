"""The thread that acknowledges what is done and renews what is not."""

from __future__ import annotations

import logging
import time
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import redis

from callspool.transport.channel import FULL_BATCH
from callspool.transport.stream import DROP_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from callspool.transport.channel import Channel
    from callspool.transport.stream import ConsumerHeartbeat

logger = logging.getLogger(__name__)

COMPANY = 0.02
"""Seconds for which an acknowledgement waits for others, at most."""

BEAT_EVERY = 5.0
"""Seconds between two heartbeats."""

DROP_EVERY = 600.0

FIRST_BACKOFF, LONGEST_BACKOFF = 0.05, 1.0


class Keeper:
    """Acknowledges in batches, and repeats it until Redis has answered.

    What this process has of a queue is renewed as long as the process lives, also while its
    consumers are paused, so that no other consumer claims it. So long its heart beats, too.
    """

    def __init__(
        self,
        channels: Callable[[], Iterable[Channel]],
        renew_every: float,
        heartbeat: ConsumerHeartbeat,
    ) -> None:
        self._channels = channels
        self._renew_every = renew_every
        self._heartbeat = heartbeat
        self._next_beat = 0.0
        self._next_renewal = 0.0
        self._next_dropping = 0.0
        self._waits = Event()
        self._is_full = Event()
        self._closed = Event()
        self._sending = Lock()
        self._starting = Lock()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Starts the thread, once."""
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="callspool-keeper", daemon=True)
                self._thread.start()

    def expect_done(self, waiting: int) -> None:
        """Notes one more entry to acknowledge; ``waiting`` of its queue wait now."""
        if waiting == 1:
            self._waits.set()
        elif waiting % FULL_BATCH == 0:
            self._is_full.set()

    def expect_condemned(self) -> None:
        """Notes a message that could not be made a dead letter at once."""
        self._waits.set()

    def acknowledge(self) -> None:
        """Sends what waits now; raises redis-py's errors, and keeps what was not confirmed."""
        with self._sending:
            self._for_each(self._acknowledge)

    def close(self) -> None:
        """Ends the thread; sends what still waits, once."""
        self._closed.set()
        self._waits.set()
        self._is_full.set()
        if self._thread is not None:
            self._thread.join()
            self._heartbeat.stop()
        self.acknowledge()

    def _run(self) -> None:
        backoff = FIRST_BACKOFF
        while not self._closed.is_set():
            self._wait()
            try:
                self._beat_if_due()
                self.acknowledge()
                self._renew_if_due()
                self._drop_silent_if_due()
            except redis.RedisError as error:
                if backoff == FIRST_BACKOFF:
                    logger.warning("acknowledgements wait for Redis (%s)", type(error).__name__)
                self._waits.set()
                self._closed.wait(backoff)
                backoff = min(LONGEST_BACKOFF, backoff * 2)
            else:
                backoff = FIRST_BACKOFF

    def _wait(self) -> None:
        due = min(self._next_renewal, self._next_beat)
        if self._waits.wait(max(0.0, due - time.monotonic())):
            self._is_full.wait(COMPANY)
        self._waits.clear()
        self._is_full.clear()

    def _acknowledge(self, channel: Channel) -> None:
        done = channel.holdings.list_done()
        if done:
            channel.stream.acknowledge(done)
            if channel.holdings.forget_done(done):
                self._waits.set()
        for entry_id, reason in channel.holdings.list_condemned():
            channel.set_aside(entry_id, reason)

    def _renew(self, channel: Channel) -> None:
        with channel.holdings.owning:
            channel.stream.renew(channel.holdings.list_unfinished())

    def _drop_silent(self, channel: Channel) -> None:
        channel.stream.drop_consumers(idle=DROP_AFTER)

    def _beat_if_due(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat:
            self._heartbeat.beat()
            self._next_beat = now + BEAT_EVERY

    def _renew_if_due(self) -> None:
        now = time.monotonic()
        if now >= self._next_renewal:
            self._for_each(self._renew)
            self._next_renewal = now + self._renew_every

    def _drop_silent_if_due(self) -> None:
        now = time.monotonic()
        if now >= self._next_dropping:
            self._for_each(self._drop_silent)
            self._next_dropping = now + DROP_EVERY

    def _for_each(self, action: Callable[[Channel], None]) -> None:
        """Does it for every queue, even if one fails; then raises what failed."""
        failure: redis.RedisError | None = None
        for channel in self._channels():
            try:
                action(channel)
            except redis.RedisError as error:
                failure = error
        if failure is not None:
            raise failure
