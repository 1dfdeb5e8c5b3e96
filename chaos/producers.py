"""Services that enqueue: several at once, again and again until the queue has it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from callspool import CallQueue
from callspool.errors import CallspoolError, QueueFull, QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.contacts import Key, Portion

TIMEOUT = 2.0
PAUSE = 0.1
MOST_AT_ONCE = 3

FORGOTTEN = 3.0
"""Seconds that a Redis with ``appendfsync everysec`` may lose: it syncs each second, and holds
writes back, at most two, while that takes."""

AFTER_A_CRASH = 0.5
"""Seconds by which a crash may be noted earlier than a reply that came before it."""

LATE = 10.0
"""Seconds by which a reply may come later than what was done: links stall for a while."""

_log = logging.getLogger(__name__)


class Producers:
    """Threads that share one `CallQueue` and send portions when their time has come.

    ``acknowledged`` are the documents of requests for which `enqueue` returned, and when it first
    did (monotonic clock). A portion is repeated until that happened, or until `stop`.
    """

    def __init__(self, url: str, portions: Sequence[Portion], threads: int) -> None:
        self._queue = CallQueue(url, timeout=TIMEOUT)
        self._portions = portions
        self._begun = 0.0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._confirmed: list[tuple[float, Portion]] = []
        self.acknowledged: dict[Key, float] = {}
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._work, args=(portions[place::threads],), daemon=True)
            for place in range(threads)
        ]

    def start(self) -> None:
        """Begins; the portions' times count from here."""
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()

    def done(self) -> bool:
        """Whether every portion was handed over."""
        return not any(thread.is_alive() for thread in self._threads)

    def repeat_after_crashes(self, crashes: Sequence[float]) -> None:
        """Enqueues once more what Redis had confirmed shortly before it crashed (monotonic times).

        Without ``appendfsync always`` a crash may take that with it, whatever we do.
        """
        endangered = [
            portion
            for at, portion in self._confirmed
            if any(at - AFTER_A_CRASH <= crash <= at + FORGOTTEN for crash in crashes)
        ]
        for portion in endangered:
            self._enqueue([portion])
        self.counts["repeated after a crash of Redis"] += len(endangered)

    def repeat_until(self, moment: float) -> None:
        """Enqueues once more all that was confirmed until that moment (monotonic clock)."""
        forgotten = [portion for at, portion in self._confirmed if at <= moment + LATE]
        for portion in forgotten:
            self._enqueue([portion])
        self.counts["repeated after Redis was emptied"] += len(forgotten)

    def stop(self) -> None:
        """Gives up what is not enqueued yet."""
        self._stopped.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._queue.close()

    def _work(self, portions: Sequence[Portion]) -> None:
        left = list(reversed(portions))
        try:
            while left and not self._stopped.is_set():
                due = self._take_due(left)
                if due:
                    self._enqueue(due)
        except (CallspoolError, OSError, ValueError, TypeError) as error:
            _log.exception("a producer failed")
            with self._lock:
                self.failures.append(f"{type(error).__name__}: {error}")

    def _take_due(self, left: list[Portion]) -> list[Portion]:
        """The next portions whose time has come; waits a little where none has."""
        now = time.monotonic() - self._begun
        due: list[Portion] = []
        while left and left[-1].at <= now and len(due) < MOST_AT_ONCE:
            due.append(left.pop())
        if not due:
            self._stopped.wait(min(left[-1].at - now, 0.5))
        return due

    def _enqueue(self, portions: Sequence[Portion]) -> None:
        requests = [portion.request() for portion in portions]
        while not self._stopped.is_set():
            try:
                if len(requests) == 1:
                    self._queue.enqueue(requests[0])
                else:
                    self._queue.enqueue_many(requests)
            except (QueueUnavailable, QueueFull) as error:
                with self._lock:
                    self.counts[type(error).__name__] += 1
                self._stopped.wait(PAUSE)
            else:
                now = time.monotonic()
                with self._lock:
                    self.counts["requests"] += len(portions)
                    self._confirmed += [(now, portion) for portion in portions]
                    for portion in portions:
                        for key in portion.members():
                            self.acknowledged.setdefault(key, now)
                return
