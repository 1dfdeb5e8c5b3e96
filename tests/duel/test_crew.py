from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from benchmarks.duel.crew import Crew
from chaos.processes import is_alive

PARENT = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(sleep, start_new_session=True)
with open("pids", "a") as file:
    file.write(f"{os.getpid()} {child.pid}\\n")
time.sleep(float(sys.argv[1]))
"""


def pids(home: Path, workers: int) -> list[list[int]]:
    """Of each worker that was ever started: its own, and its child's."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = (home / "pids").read_text().splitlines() if (home / "pids").exists() else []
        if len(lines) >= workers:
            return [list(map(int, line.split())) for line in lines]
        time.sleep(0.02)
    raise AssertionError(f"fewer than {workers} workers in 20 s")


def wait_until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(map(is_alive, processes)):
        assert time.monotonic() < deadline, "a worker's child outlived it"
        time.sleep(0.02)


def test_a_kill_takes_the_children_along_and_nobody_is_left_in_the_end(tmp_path: Path):
    command = [sys.executable, "-c", PARENT, "60"]
    with Crew([command], os.environ, tmp_path) as crew:
        (first,) = pids(tmp_path, 1)
        crew.kill_and_restart(0)
        wait_until_gone(first)
        _, second = pids(tmp_path, 2)
        crew.revive()
        assert all(map(is_alive, second))
    wait_until_gone(second)


def test_a_worker_that_ended_by_itself_is_started_again(tmp_path: Path):
    command = [sys.executable, "-c", PARENT.replace("time.sleep(60)", ""), "0"]
    with Crew([command], os.environ, tmp_path) as crew:
        pids(tmp_path, 1)
        deadline = time.monotonic() + 20
        while len(pids(tmp_path, 1)) < 2:
            assert time.monotonic() < deadline
            crew.revive()
            time.sleep(0.02)
