"""What a worker process knows of itself: heartbeat and statistics."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections import Counter
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

from callspool_worker.events.event import lines_dropped

if TYPE_CHECKING:
    from collections.abc import Callable


EVERY = 1.0
"""Seconds between two reports."""


class ProcessStats(msgspec.Struct, kw_only=True):
    """One report. What only grows is counted since the process began.

    ``sweep_age``: since the last finished sweep. ``wedged_for``: since the sweep last ended in good
    order, or because Redis did not answer; it grows only if the sweep itself hangs or fails.
    """

    threads: int = 0
    busy_threads: int = 0
    in_flight: dict[str, int] = {}
    limits: dict[str, float] = {}
    connections_idle: int = 0
    connections_busy: int = 0
    sweep_age: float = 0.0
    wedged_for: float = 0.0
    messages_accepted: int = 0
    log_lines_dropped: int = 0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    open_fds: int = 0

    def to_json(self) -> bytes:
        """Returns one line without its end."""
        return msgspec.json.encode(self)


_decoder = msgspec.json.Decoder(ProcessStats)


def read_vitals(line: bytes) -> ProcessStats | None:
    """Returns the report that a line holds; None if it is none."""
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        return None


P = ParamSpec("P")
R = TypeVar("R")


class Sweeping(Protocol):
    """How the sweep does."""

    def ages(self) -> tuple[float, float]:
        """Returns seconds since the last finished sweep, and since the last end in good order."""


class Connected(Protocol):
    """How many connections to the API there are."""

    def connections(self) -> tuple[int, int]:
        """Returns idle ones, and those in use."""


class Permitted(Protocol):
    """What of the permits is told."""

    @property
    def most(self) -> int:
        """Threads that may send."""

    def limits(self) -> dict[str, float]:
        """Returns account → its limit, over all workers, as this process was told last."""


class Heartbeat:
    """Counts what the threads of this process do. Safe among threads."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._threads = threads
        self._busy = 0
        self._accepted = 0
        self._in_flight: Counter[str] = Counter()

    def working(self, function: Callable[P, R]) -> Callable[P, R]:
        """Returns the function, whose threads count as busy while it runs."""

        @wraps(function)
        def count_busy(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._lock:
                self._busy += 1
            try:
                return function(*args, **kwargs)
            finally:
                with self._lock:
                    self._busy -= 1

        return count_busy

    def asking(
        self, function: Callable[Concatenate[str, P], R]
    ) -> Callable[Concatenate[str, P], R]:
        """Wraps a function of an account, which has a request in flight while it runs."""

        def count_in_flight(account: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with self._lock:
                self._in_flight[account] += 1
            try:
                return function(account, *args, **kwargs)
            finally:
                with self._lock:
                    self._in_flight[account] -= 1

        return count_in_flight

    def count_accepted(self, messages: int) -> None:
        """Counts messages that were accepted."""
        with self._lock:
            self._accepted += messages

    def take(self, sweeping: Sweeping, connected: Connected, permitted: Permitted) -> ProcessStats:
        """Returns the vital signs at this moment."""
        sweep_age, wedged_for = sweeping.ages()
        idle, busy = connected.connections()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with self._lock:
            return ProcessStats(
                threads=self._threads + permitted.most,
                limits=permitted.limits(),
                busy_threads=self._busy,
                in_flight=dict(self._in_flight),
                connections_idle=idle,
                connections_busy=busy,
                sweep_age=sweep_age,
                wedged_for=wedged_for,
                messages_accepted=self._accepted,
                log_lines_dropped=lines_dropped(),
                cpu_seconds=usage.ru_utime + usage.ru_stime,
                memory_bytes=_resident_bytes(usage.ru_maxrss),
                open_fds=len(os.listdir("/dev/fd")),  # noqa: PTH208 - names are all that is needed
            )


class Reporter:
    """Tells the vital signs every second until it is stopped, from a thread of its own."""

    def __init__(self, take: Callable[[], ProcessStats], tell: Callable[[bytes], None]) -> None:
        self._take = take
        self._tell = tell
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends it; a supervisor that does not listen any more holds up nothing."""
        self._stopped.set()

    def _run(self) -> None:
        while True:
            self._tell(self._take().to_json())
            if self._stopped.wait(EVERY):
                return


def _resident_bytes(most: int) -> int:
    """The resident memory; where the system does not say, the most that it ever was (getrusage)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return most if sys.platform == "darwin" else most * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
