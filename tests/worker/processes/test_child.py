"""A child process: its orders, its readiness, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callspool.errors import CallspoolError, QueueUnavailable
from callspool.settings import load_settings
from callspool_operators.local.state import wait_until
from callspool_worker.processes.child import configuration
from callspool_worker.processes.process_slot import AWAY
from callspool_worker.processes.supervisor import COMMAND, Supervisor, without_settings
from chaos.processes import shown_of
from tests.worker.processes.conftest import ROOT, all_gone

TOKEN = "a-secret-token"


class Notes:
    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, key: str) -> list[dict[str, object]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [found for line in lines if key in (found := json.loads(line))]

    def wait_for(self, key: str) -> dict[str, object]:
        assert wait_until(lambda: bool(self.find(key)), 10)
        return self.find(key)[0]

    def pid(self) -> int:
        return int(str(self.wait_for("pid")["pid"]))


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
def environment(notes: Notes) -> dict[str, str]:
    return {**without_settings(os.environ), "PYTHONPATH": str(ROOT), "NOTES": str(notes.path)}


def orders(target: str) -> dict[str, object]:
    environ = {"CALLSPOOL_API_TOKEN": TOKEN, "CALLSPOOL_ORG_HANDLE": "example"}
    settings = load_settings(environ, overrides={"threads": 3, "batch_size": 7})
    target = target if ":" in target else f"tests.worker.processes.targets:{target}"
    return {**json.loads(configuration(settings)), "target": target}


@pytest.fixture
def supervise(environment: dict[str, str]) -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(target: str) -> Supervisor:
        config = json.dumps(orders(target)).encode()
        supervisor = Supervisor(config=config, processes=1, env=environment, stop_timeout=5)
        started.append(supervisor)
        supervisor.start()
        return supervisor

    yield start
    for supervisor in started:
        supervisor.stop(0.5)


@pytest.fixture
def start_child(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a child whose parent is the test itself."""
    children: list[subprocess.Popen[str]] = []

    def start(target: str, stop_timeout: float = 5) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            COMMAND,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        told = {**orders(target), "incarnation": "one", "stop_timeout": stop_timeout}
        assert child.stdin is not None
        child.stdin.write(json.dumps(told) + "\n")
        child.stdin.flush()
        return child

    yield start
    for child in children:
        child.kill()
        with child:  # closes its pipes
            child.wait()


StartChild = Callable[..., subprocess.Popen[str]]
Supervise = Callable[..., Supervisor]


def test_a_child_gets_its_orders_and_says_when_it_works(supervise: Supervise, notes: Notes) -> None:
    supervisor = supervise("work")
    assert supervisor.wait_ready(10)
    found = notes.wait_for("pid")
    assert (found["threads"], found["batch_size"]) == (3, 7)
    assert supervisor.stop()
    assert notes.find("finished")


def test_no_secret_is_in_the_process_list(supervise: Supervise, notes: Notes) -> None:
    assert supervise("work").wait_ready(10)
    shown = shown_of(notes.pid())
    assert b"callspool_worker.processes.child" in shown
    assert TOKEN.encode() not in shown


def test_the_end_of_the_parents_pipe_ends_a_child_in_good_order(
    start_child: StartChild, notes: Notes
) -> None:
    child = start_child("work")
    notes.pid()
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=5) == 0
    assert notes.find("finished")


def test_an_interrupt_does_not_end_a_child_and_a_sigterm_does(
    start_child: StartChild, notes: Notes
) -> None:
    child = start_child("work")
    notes.pid()
    child.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert child.poll() is None
    child.terminate()
    assert child.wait(timeout=5) == 0
    assert notes.find("finished")


def test_a_sigterm_counts_whichever_thread_receives_it(
    start_child: StartChild, notes: Notes
) -> None:
    assert start_child("told_in_another_thread").wait(timeout=10) == 0
    assert notes.find("finished")


def test_a_child_that_hangs_ends_although_nobody_is_left_to_end_it(
    start_child: StartChild, notes: Notes
) -> None:
    child = start_child("hang", stop_timeout=0.5)
    notes.pid()
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=5) == 1


def test_a_child_whose_parent_is_gone_before_the_orders_came_just_ends() -> None:
    child = subprocess.run(COMMAND, input=b"{", capture_output=True, check=False, timeout=10)
    assert (child.returncode, child.stdout, child.stderr) == (0, b"", b"")


def test_a_child_that_cannot_reach_redis_says_so_in_one_line(supervise: Supervise) -> None:
    with pytest.raises(QueueUnavailable, match=r"^Redis does not answer; check CALLSPOOL_REDIS_"):
        supervise("unreachable").wait_ready(10)


@pytest.mark.parametrize("target", ["away", "away_in_the_words_of_redis"])
def test_a_child_that_finds_redis_away_says_that_it_may_be_tried_again(
    start_child: StartChild, target: str
) -> None:
    child = start_child(target)
    said, logged = child.communicate(timeout=10)
    assert child.returncode == AWAY
    assert said.startswith("failed Redis does not answer")
    assert "Traceback" not in logged


def test_a_child_that_is_misconfigured_says_so_in_one_line(supervise: Supervise) -> None:
    with pytest.raises(CallspoolError, match=r"^no account is configured$"):
        supervise("misconfigured").wait_ready(10)


def test_a_worker_that_is_not_installed_is_no_crash(supervise: Supervise) -> None:
    with pytest.raises(CallspoolError, match=r"a part of the worker is missing .*install"):
        supervise("callspool_missing:run").wait_ready(10)


def test_a_child_that_fails_at_work_tells_stderr(start_child: StartChild, notes: Notes) -> None:
    child = start_child("fails_later")
    said, complained = child.communicate(timeout=10)
    assert (child.returncode, said) == (3, "ready\n")
    assert complained == "Redis went away\n"
    assert all_gone([notes.pid()], 1)
