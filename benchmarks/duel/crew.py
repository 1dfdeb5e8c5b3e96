"""A contestant's worker processes: started, killed whole, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from chaos.processes import family_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STOPPING = 15.0
"""Seconds in which workers that are asked to end may finish."""

REVIVAL = 0.5
"""Seconds before a worker that ended by itself is started again."""


class Crew:
    """A number of workers with one command each; a worker is its whole tree of processes."""

    def __init__(
        self, commands: list[list[str]], environment: Mapping[str, str], home: Path
    ) -> None:
        self._commands = commands
        self._environment = dict(environment)
        self._home = home
        self._living: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Crew:
        try:
            for number in range(len(self._commands)):
                self._living.append(self._start(number))
        except OSError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The workers' own processes, without their children."""
        return [process.pid for process in self._living]

    def kill_and_restart(self, number: int) -> None:
        """Kills worker ``number`` with its children at once, then starts another in its place."""
        number %= len(self._living)
        _kill_tree(self._living[number])
        self._living[number] = self._start(number)

    def revive(self) -> None:
        """Starts again what has ended by itself, as a service manager does."""
        for number, process in enumerate(self._living):
            if process.poll() is not None:
                _kill_tree(process)
                time.sleep(REVIVAL)
                self._living[number] = self._start(number)

    def close(self) -> None:
        """Asks all to end, and kills those that do not."""
        families = [family_of([process.pid])[1:] for process in self._living]
        for process in self._living:
            process.terminate()
        for process, family in zip(self._living, families, strict=True):
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOPPING)
            _kill_tree(process)
            _kill(family)
        self._living.clear()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self._home / f"worker-{number}.log").open("ab") as log:
            return subprocess.Popen(
                self._commands[number],
                env=self._environment,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        # Stopped first, so that it starts no child while its children are looked up.
        process.send_signal(signal.SIGSTOP)
        _kill(family_of([process.pid]))
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what lost its parent but not its group


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
