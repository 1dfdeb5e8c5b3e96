"""A place for one worker process, filled again whenever it falls empty."""

from __future__ import annotations

import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Protocol

from callspool_worker import events
from callspool_worker.events.emitter import emit
from callspool_worker.processes.child_process import AWAY

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from callspool_worker.processes.child_process import ChildProcess

SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds before a dead child is started again; doubled each time that it dies young."""

HOPELESS = 3
"""Deaths in a row, before a child could work, after which starting another one is no use."""

GROWN_UP = 10.0
"""Seconds of life after which a death counts as the first one again."""


class Events(Protocol):
    """What a seat reports, from its own thread."""

    def on_ready(self) -> None:
        """The child works."""

    def on_report(self, child: ChildProcess, vitals: bytes) -> None:
        """The child told its vital signs."""

    def on_end(self, child: ChildProcess, code: int) -> None:
        """The child is certainly gone."""

    def on_hopeless(self, why: str) -> None:
        """One child after the other died before it could work; ``why``: how the last one did."""

    def on_empty(self) -> None:
        """The seat is empty for good; its last word."""


class Seat:
    """Starts a child, waits for its end, and starts the next one, until told otherwise."""

    def __init__(
        self, start_child: Callable[[], ChildProcess], events: Events, log: logging.Logger
    ) -> None:
        self.was_ready = False
        self._stillborn = 0
        self._start_child = start_child
        self._events = events
        self._log = log
        self._child: ChildProcess | None = None
        self._changing = threading.Lock()
        self._closed = threading.Event()
        # A daemon: should this process end without closing the seat, the children follow it.
        self._thread = threading.Thread(target=self._keep_filled, name="seat", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self, number: signal.Signals) -> None:
        """No further child is started, and the present one gets the signal."""
        with self._changing:
            self._closed.set()
            if self._child is not None:
                self._child.signal(number)

    def join(self, timeout: float) -> bool:
        """Waits for the seat to be empty for good; says whether it is."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def pid(self) -> int | None:
        """The process number of the child, if there is one at this moment."""
        child = self._child
        return None if child is None else child.pid

    def _keep_filled(self) -> None:
        pause = SHORTEST_PAUSE
        try:
            while not self._closed.is_set():
                age = self._seat_one()
                pause = SHORTEST_PAUSE if age > GROWN_UP else pause
                if not self._closed.wait(pause):
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            self._events.on_empty()

    def _seat_one(self) -> float:
        """Starts a child and follows it to its end; returns how many seconds it lived."""
        with self._changing:
            if self._closed.is_set():
                return 0.0
            try:
                self._child = child = self._start_child()
            except OSError as error:
                emit(events.NotStarted(why=error.strerror or type(error).__name__), self._log)
                return 0.0
        code = child.watch(self._on_ready, partial(self._events.on_report, child))
        with self._changing:
            self._child = None
        # One that was told to stop before it could listen to signals ends by the signal itself.
        if not (self._closed.is_set() and code in {0, -signal.SIGTERM}):
            emit(events.Ended(process=child.pid, why=_meaning(code)), self._log)
        self._events.on_end(child, code)
        self._count_stillborn(child, code)
        return child.age

    def _count_stillborn(self, child: ChildProcess, code: int) -> None:
        if self._closed.is_set():
            return
        if code == AWAY and not child.was_ready:
            return  # says nothing about the child: Redis may be away for as long as it likes
        self._stillborn = 0 if child.was_ready else self._stillborn + 1
        if self._stillborn == HOPELESS and not self.was_ready:
            self._events.on_hopeless(child.reason or _meaning(code))

    def _on_ready(self) -> None:
        self.was_ready = True
        self._events.on_ready()


def _meaning(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
