"""The threads that send: as many as there are permits and work for, and no more than can work."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callspool_worker.permits.permits import Permits

MOST = 128
"""Threads that send, in one process."""

SERVED_A_SECOND = 300
"""Requests a second that a process can hardly exceed: with a response time that makes the number of
threads of which more would only wait for the processor."""

IDLE_SECONDS = 10.0
"""After that a thread without work ends."""

BUSY = 0.7
"""Share of a processor's time from which on more threads are of no use."""

LOOK_SECONDS = 0.5

Reserved = tuple[str, ...]

_log = logging.getLogger(__name__)


def useful(threads: int, seconds: float, busy: float, least: int) -> int:
    """Returns how many threads may send, where ``threads`` may now and a request takes ``seconds``.

    ``busy``: the share of a processor that the process uses.
    """
    wanted = min(MOST, max(least, math.ceil(seconds * SERVED_A_SECOND)))
    if wanted <= threads:
        return wanted
    return threads if busy > BUSY else min(wanted, 2 * threads)


class Senders:
    """Begins ``work`` in a thread of its own for each reservation. ``least``: threads there may be
    however fast the API answers.
    """

    def __init__(self, permits: Permits, work: Callable[[Reserved], None], least: int) -> None:
        self._permits = permits
        self._work = work
        self._least = least
        self._lock = threading.Lock()
        self._orders: queue.SimpleQueue[Reserved] = queue.SimpleQueue()
        self._idle = 0
        self._aside = 0
        self._stopped = False
        self._looked_at = time.monotonic()
        self._used = time.process_time()
        permits.most = least

    def wake(self) -> None:
        """Takes note that something may be ready to be sent."""
        self._permits.expect()
        self.fill()

    def fill(self) -> None:
        """Has threads work for which there are permits and hope."""
        self._look()
        while True:
            with self._lock:
                if self._stopped or self._permits.working >= self._permits.most:
                    return
                reserved = self._permits.reserve(only_if_hopeful=True)
                if not reserved:
                    return
                self._permits.working += 1
                if self._idle:
                    self._idle -= 1
                    self._orders.put(reserved)
                    continue
            threading.Thread(target=self._run, args=(reserved,), name="sender", daemon=True).start()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Around the time for which a thread waits for Redis: another one may take its place."""
        with self._lock:
            self._permits.working -= 1
            self._aside += 1
        self.fill()
        try:
            yield
        finally:
            with self._lock:
                self._permits.working += 1
                self._aside -= 1

    def join(self, timeout: float) -> bool:
        """Begins nothing more; False if a thread still works after ``timeout`` seconds."""
        self._stopped = True
        until = time.monotonic() + timeout
        while self._working and time.monotonic() < until:
            time.sleep(0.01)
        return not self._working

    @property
    def _working(self) -> int:
        return self._permits.working + self._aside

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        used = time.process_time()
        busy = (used - self._used) / (now - self._looked_at)
        self._looked_at, self._used = now, used
        permits = self._permits
        permits.most = useful(permits.most, permits.slowest(), busy, self._least)

    def _run(self, reserved: Reserved) -> None:
        order: Reserved | None = reserved
        while order is not None:
            try:
                self._work(order)
            except Exception:  # noqa: BLE001 - what it held is told by its lease; others go on
                _log.exception("a batch could not be sent to its end")
            with self._lock:
                self._permits.working -= 1
                self._idle += 1
            order = self._next()

    def _next(self) -> Reserved | None:
        """What to work on next; None if nothing came for a while."""
        while True:
            with suppress(queue.Empty):
                return self._orders.get(timeout=IDLE_SECONDS)
            with self._lock:
                if self._orders.empty():  # else an order came in between, for an idle thread
                    self._idle -= 1
                    return None
