"""One worker process, as its parent sees it."""

from __future__ import annotations

import io
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence

READY = b"ready"
"""The line on its stdout with which a child says that it works."""

FAILED = b"failed "
"""What a child's last line starts with when it cannot start at all; the reason follows."""

VITALS = b"vitals "
"""What a line on a child's stdout starts with that holds a report of
`callspool_worker.liveness.heartbeat`."""

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
        # Reaped under the same lock: until then the kernel gives the number to nobody else.
        with self._reaping:
            if self._process.returncode is None:
                self._process.send_signal(number)
