"""`callspool worker`, several times: started, killed, stopped, and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

from chaos.processes import all_processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

COMMAND = (sys.executable, "-P", "-m", "callspool", "worker")
CHILD = "callspool_worker.processes.child"
LOOK = 0.3
END_TIMEOUT = 10.0


class Supervisors:
    """One `callspool worker` for each of ``envs``, started again whenever it has ended.

    Their stderr goes to ``log``. Only processes that were started here are ever signalled.
    """

    def __init__(self, envs: Sequence[Mapping[str, str]], directory: Path, log: IO[bytes]) -> None:
        self._envs = list(envs)
        self._directory = directory
        self._log = log
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._held: set[int] = set()
        self._orphans: set[int] = set()
        self.restarts = 0
        self._slots = [self._start(place) for place in range(len(envs))]
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def wait_until_begun(self, timeout: float = 20.0) -> None:
        """Returns when every supervisor has a worker process, or after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and not all(
            workers_of(process.pid) for process in self._slots
        ):
            time.sleep(LOOK)

    def kill(self, pick: float, seconds: float) -> bool:
        """SIGKILL to a supervisor, and a new one after that many seconds."""
        return self._end(pick, signal.SIGKILL, seconds)

    def terminate(self, pick: float) -> bool:
        """SIGTERM to a supervisor; a new one takes its place at once, as in a rolling restart."""
        return self._end(pick, signal.SIGTERM, 0.0)

    def kill_child(self, pick: float) -> bool:
        """SIGKILL to a worker process; False where none lives."""
        pid = self._child(pick)
        return pid is not None and _signal(pid, signal.SIGKILL)

    def pause_child(self, pick: float, seconds: float) -> bool:
        """SIGSTOP to a worker process, and SIGCONT after that many seconds."""
        pid = self._child(pick)
        return pid is not None and _pause(pid, seconds)

    def pause(self, pick: float, seconds: float) -> bool:
        """SIGSTOP to a supervisor, and SIGCONT after that many seconds."""
        return _pause(self._slots[int(pick * len(self._slots))].pid, seconds)

    def close(self) -> list[int]:
        """Ends all of them; the numbers of those that outlived their parents for too long.

        Called again it does nothing.
        """
        if self._closed.is_set():
            return []
        self._closed.set()
        self._keeper.join()
        for process in self._slots:
            self._orphans |= set(workers_of(process.pid))
            process.kill()
            process.wait()
        deadline = time.monotonic() + END_TIMEOUT
        while (left := self._living_orphans()) and time.monotonic() < deadline:
            time.sleep(LOOK)
        for pid in left:
            _signal(pid, signal.SIGKILL)
        return left

    def _end(self, pick: float, number: signal.Signals, seconds: float) -> bool:
        place = int(pick * len(self._slots))
        with self._lock:
            process = self._slots[place]
            self._orphans |= set(workers_of(process.pid))
            self._held.add(place)
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT)
        process.kill()
        process.wait()
        self._closed.wait(seconds)
        with self._lock:
            self._slots[place] = self._start(place)
            self._held.discard(place)
        return True

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own command
            COMMAND,
            env=self._envs[place],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def _keep(self) -> None:
        """What systemd or Kubernetes would do: a supervisor that ended is started again."""
        while not self._closed.wait(LOOK):
            with self._lock:
                for place, process in enumerate(self._slots):
                    if place not in self._held and process.poll() is not None:
                        self._slots[place] = self._start(place)
                        self.restarts += 1

    def _child(self, pick: float) -> int | None:
        place = int(pick * len(self._slots))
        children = workers_of(self._slots[place].pid)
        # The same number chose the supervisor: what is left of it chooses the child.
        rest = pick * len(self._slots) - place
        return children[int(rest * len(children))] if children else None

    def _living_orphans(self) -> list[int]:
        commands = {process.pid: process.command for process in all_processes()}
        return [pid for pid in sorted(self._orphans) if CHILD in commands.get(pid, "")]


def workers_of(parent: int) -> list[int]:
    """The worker processes of a supervisor, by number."""
    return sorted(
        process.pid
        for process in all_processes()
        if process.parent == parent and CHILD in process.command
    )


def _pause(pid: int, seconds: float) -> bool:
    if not _signal(pid, signal.SIGSTOP):
        return False
    time.sleep(seconds)
    _signal(pid, signal.SIGCONT)
    return True


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
