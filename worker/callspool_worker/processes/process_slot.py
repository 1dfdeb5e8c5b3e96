"""A worker process as its parent sees it, and the slot that is filled again when it is empty."""

from __future__ import annotations

import io
import signal
import subprocess
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from callspool_worker import events
from callspool_worker.events.event import emit

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping, Sequence


READY = b"ready"
"""The line on its stdout with which a child says that it works."""

FAILED = b"failed "
"""What a child's last line starts with when it cannot start at all; the reason follows."""

VITALS = b"vitals "
"""What a line on a child's stdout starts with that holds a report of
`callspool_worker.liveness`."""

POLL = 0.02
"""Seconds between two looks at a child that has closed its stdout and is about to end."""


AWAY = 75
"""Exit code of a child that found Redis away for now: starting it again will help."""


class ChildProcess:
    """A child in a session of its own, out of the reach of a terminal's Ctrl-C.

    It gets its configuration as one line on stdin. That pipe then stays open, and its end tells
    the child that the parent is gone, whatever happened to it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        config: bytes,
        incarnation: str,
        pass_fds: Sequence[int],
        env: Mapping[str, str],
    ) -> None:
        self.incarnation = incarnation
        self.was_ready = False
        self.reason = ""
        """Why it could not start, in its own words."""
        self._reaping = threading.Lock()
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=pass_fds,
            env=dict(env),
            start_new_session=True,
        )
        with suppress(BrokenPipeError):  # it died at once; its exit code says more
            self._stdin.write(config + b"\n")

    @property
    def _stdin(self) -> io.FileIO:
        assert isinstance(self._process.stdin, io.FileIO)
        return self._process.stdin

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    def watch(
        self, on_ready: Callable[[], None], on_report: Callable[[bytes], None] | None = None
    ) -> int:
        """Follows it until it has ended; returns its exit code (negative: the signal's number)."""
        assert isinstance(self._process.stdout, io.FileIO)
        with io.BufferedReader(self._process.stdout) as lines, self._stdin:
            for line in lines:
                if line.rstrip() == READY and not self.was_ready:
                    self.was_ready = True
                    on_ready()
                elif line.startswith(VITALS) and on_report is not None:
                    on_report(line.removeprefix(VITALS))
                elif line.startswith(FAILED):
                    self.reason = line.removeprefix(FAILED).decode(errors="replace").strip()
            while (code := self._reap()) is None:
                time.sleep(POLL)
        return code

    def _reap(self) -> int | None:
        with self._reaping:
            return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Signals it if it is still there; its number cannot have gone to another process."""
        # Reaped under the same lock: until then the kernel gives its number to no other process.
        with self._reaping:
            if self._process.returncode is None:
                self._process.send_signal(number)


SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds before a dead child is started again; doubled each time that it dies young."""

HOPELESS = 3
"""Deaths in a row, before a child could work, after which starting another one is no use."""

GROWN_UP = 10.0
"""Seconds of life after which a death counts as the first one again."""


class Events(Protocol):
    """What a slot reports, from its own thread."""

    def on_ready(self) -> None:
        """Takes note that the child works."""

    def on_report(self, child: ChildProcess, vitals: bytes) -> None:
        """Takes the vital signs that the child reported."""

    def on_end(self, child: ChildProcess, code: int) -> None:
        """Takes note that the child is certainly gone."""

    def on_hopeless(self, why: str) -> None:
        """Takes note that child after child died before it worked; ``why``: the last one's end."""

    def on_empty(self) -> None:
        """Takes note that the slot is empty for good: its last call."""


class ProcessSlot:
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
        # A daemon: should this process end without closing the slot, the children follow it.
        self._thread = threading.Thread(target=self._keep_filled, name="slot", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self, number: signal.Signals) -> None:
        """Starts no further child, and sends the signal to the present one."""
        with self._changing:
            self._closed.set()
            if self._child is not None:
                self._child.signal(number)

    def join(self, timeout: float) -> bool:
        """Waits for the slot to be empty for good; says whether it is."""
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
