"""Supervisors whose children keep a journal, and none of which outlives its test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from callspool_operators.local.state import wait_until
from callspool_worker.processes.supervisor import Supervisor
from chaos.processes import is_alive
from tests.worker.processes.parent import SIMPLE_CHILD

ROOT = Path(__file__).parents[3]


@dataclass
class Start:
    """One start of a child."""

    time: float
    pid: int
    incarnation: str
    stop_timeout: float


class Journal:
    """What the children of a test wrote down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self, word: str) -> list[list[str]]:
        text = self.path.read_text() if self.path.exists() else ""
        lines = [line.split() for line in text.splitlines()]
        return [rest for first, *rest in lines if first == word]

    def starts(self) -> list[Start]:
        return [Start(float(t), int(p), i, float(s)) for t, p, i, s in self.lines("started")]

    def wait_for_starts(self, number: int) -> list[Start]:
        assert wait_until(lambda: len(self.starts()) >= number, 10)
        return self.starts()

    def config(self, behaviour: str, **more: object) -> bytes:
        told = {"journal": str(self.path), "behaviour": behaviour, **more}
        return json.dumps(told).encode()


def all_gone(pids: list[int], within: float) -> bool:
    return wait_until(lambda: not any(is_alive(pid) for pid in pids), within)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    assert all_gone([start.pid for start in journal.starts()], 5)


@pytest.fixture
def supervise(journal: Journal) -> Iterator[Callable[..., Supervisor]]:
    """Starts supervisors of simple children."""
    started: list[Supervisor] = []

    def start(
        behaviour: str,
        processes: int = 1,
        config: dict[str, object] | None = None,
        **options: object,
    ) -> Supervisor:
        supervisor = Supervisor(
            options.pop("command", SIMPLE_CHILD),  # type: ignore[arg-type]
            config=journal.config(behaviour, **(config or {})),
            processes=processes,
            **options,  # type: ignore[arg-type]
        )
        started.append(supervisor)
        supervisor.start()
        return supervisor

    yield start
    for supervisor in started:
        supervisor.stop(0.5)


@pytest.fixture
def start_parent(journal: Journal) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts supervisors in processes of their own."""
    parents: list[subprocess.Popen[str]] = []

    def start(
        behaviour: str, processes: int = 2, stop_timeout: float = 5, **config: object
    ) -> subprocess.Popen[str]:
        arguments = [journal.config(behaviour, **config).decode(), processes, stop_timeout]
        parent = subprocess.Popen(
            [sys.executable, "-m", "tests.worker.processes.parent", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        parents.append(parent)
        return parent

    yield start
    for parent in parents:
        parent.kill()
        parent.communicate()
    for started in journal.starts():
        if is_alive(started.pid):
            os.kill(started.pid, signal.SIGKILL)


def seconds_since(moment: float) -> float:
    return time.monotonic() - moment
