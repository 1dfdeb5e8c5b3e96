"""A state directory that leaves nothing behind, and runs in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from callspool_operators.local import configuration
from callspool_operators.local.ledger import LocalLedger
from callspool_operators.local.state import StateDir, wait_until
from chaos.processes import all_processes
from tests.support.servers import server_binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture
def binary() -> Path:
    return Path(server_binary())


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    """A directory whose server, whatever the test did with it, is gone afterwards."""
    state = StateDir(tmp_path / "state")
    yield state
    pid = configuration.recorded_pid(state.pid_file)
    if pid is not None:
        configuration.signal_server(pid, state.path, signal.SIGKILL)
    assert wait_until(lambda: not servers_of(state), 5)


@pytest.fixture
def ledger(state: StateDir, binary: Path) -> Callable[..., LocalLedger]:
    """Makes ledgers of the state directory, on the server under test."""

    def make(**options: float) -> LocalLedger:
        return LocalLedger(state.path, binary=binary, **options)  # type: ignore[arg-type]

    return make


def servers_of(state: StateDir) -> list[int]:
    """The servers of a state directory, by the system's own list of processes."""
    mark = f" - --dir {state.path}"
    return [process.pid for process in all_processes() if process.command.endswith(mark)]


@dataclass
class Run:
    """A run in another process."""

    process: subprocess.Popen[str]
    url: str
    server: int
    workers: list[int]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)


@pytest.fixture
def start_run(state: StateDir, binary: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(workers: int = 0) -> Run:
        process = start_holder(state, binary, workers)
        assert process.stdout is not None
        url, *pids = process.stdout.readline().split()
        runs.append(Run(process, url, int(pids[0]), [int(pid) for pid in pids[1:]]))
        return runs[-1]

    yield start
    for run in runs:
        run.kill()
        for pid in run.workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pipe in (run.process.stdin, run.process.stdout):
            assert pipe is not None
            pipe.close()


def start_holder(state: StateDir, binary: Path, workers: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.operators.local.holder", str(state.path), str(binary)]
    return subprocess.Popen(
        [*command, str(workers)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
