"""What a supervisor's process does about signals, and what becomes of its children."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from callspool_operators.local.state import wait_until
from tests.worker.processes.conftest import Journal, all_gone, seconds_since

StartParent = Callable[..., subprocess.Popen[str]]


def pids_of(journal: Journal, number: int = 2) -> list[int]:
    return [start.pid for start in journal.wait_for_starts(number)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_lets_the_children_finish(
    start_parent: StartParent, journal: Journal, number: signal.Signals, code: int
) -> None:
    parent = start_parent("work", drain=0.3)
    pids = pids_of(journal)
    parent.send_signal(number)
    assert parent.wait(timeout=10) == code
    assert all_gone(pids, 0)
    assert len(journal.lines("drained")) == 2


def test_a_terminals_interrupt_reaches_the_parent_alone(
    start_parent: StartParent, journal: Journal
) -> None:
    parent = start_parent("work")
    pids = pids_of(journal)
    assert all(os.getpgid(pid) == pid for pid in pids)
    parent.send_signal(signal.SIGINT)
    parent.wait(timeout=10)
    assert journal.lines("interrupted") == []


def test_a_second_interrupt_does_not_wait(start_parent: StartParent, journal: Journal) -> None:
    parent = start_parent("stubborn", stop_timeout=60)
    pids = pids_of(journal)
    parent.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert parent.poll() is None
    parent.send_signal(signal.SIGINT)
    assert parent.wait(timeout=5) == 1
    assert all_gone(pids, 0)


def test_children_that_do_not_end_in_time_are_killed(
    start_parent: StartParent, journal: Journal
) -> None:
    parent = start_parent("stubborn", stop_timeout=0.5)
    pids = pids_of(journal)
    asked = time.monotonic()
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(timeout=10) == 1
    assert 0.4 < seconds_since(asked) < 3
    assert all_gone(pids, 0)


def test_children_follow_a_killed_parent(start_parent: StartParent, journal: Journal) -> None:
    parent = start_parent("work")
    pids = pids_of(journal)
    parent.kill()
    assert all_gone(pids, 2)


def test_a_stopped_parent_leaves_its_children_at_work(
    start_parent: StartParent, journal: Journal
) -> None:
    parent = start_parent("work")
    pids = pids_of(journal)
    parent.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    assert not all_gone(pids, 0)
    parent.send_signal(signal.SIGCONT)
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(timeout=10) == 0


@pytest.mark.parametrize("code", [2, 3])
def test_children_that_cannot_start_end_the_parent_with_their_code(
    start_parent: StartParent, journal: Journal, code: int
) -> None:
    parent = start_parent("refuse", code=code)
    said, logged = parent.communicate(timeout=10)
    assert parent.returncode == code
    assert said == "failure: Redis cannot be reached; start it\n"
    assert "Traceback" not in logged


def test_every_child_may_be_killed_in_turn(start_parent: StartParent, journal: Journal) -> None:
    parent = start_parent("work")
    for turn in range(3):
        victim = pids_of(journal, 2 + turn)[turn]
        os.kill(victim, signal.SIGKILL)
    pids_of(journal, 5)
    assert parent.poll() is None
    parent.terminate()
    assert parent.wait(timeout=10) == 0
    assert wait_until(lambda: len(journal.lines("drained")) == 2, 1)
