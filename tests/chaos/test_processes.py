"""What the system says of its processes, with /proc and with ps."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from chaos import processes
from chaos.processes import all_processes, children_of, family_of, is_alive, shown_of

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()", "a child (of two) words"], stdin=0)
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture(params=["/proc", "ps"])
def _source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    there = processes._has_proc() if request.param == "/proc" else shutil.which("ps") is not None
    if not there:
        pytest.skip(f"this machine has no {request.param}")
    monkeypatch.setattr(processes, "_has_proc", lambda: request.param == "/proc")


@pytest.fixture
def family(_source: None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process and the number of its child, which lives as long."""
    command = [sys.executable, "-c", PARENT]
    told = {**os.environ, "SPOKEN": "in the environment"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=told
    ) as parent:
        assert parent.stdout is not None
        yield parent, int(parent.stdout.readline())


def test_a_process_is_listed_with_its_parent_and_its_words(
    family: tuple[subprocess.Popen[str], int],
) -> None:
    parent, child = family
    (listed,) = [each for each in all_processes() if each.pid == child]
    assert listed.parent == parent.pid
    assert listed.command.endswith(" -c input() a child (of two) words")
    assert b"SPOKEN=in the environment" in shown_of(child)


def test_children_and_theirs_are_found(family: tuple[subprocess.Popen[str], int]) -> None:
    parent, child = family
    assert children_of(parent.pid) == [child]
    assert family_of([os.getpid()])[0] == os.getpid()
    assert {parent.pid, child} <= set(family_of([os.getpid()]))
    assert family_of([child]) == [child]


def test_a_process_that_waits_to_be_reaped_is_alive_no_more(
    family: tuple[subprocess.Popen[str], int],
) -> None:
    parent, child = family
    assert is_alive(parent.pid)
    assert is_alive(child)
    assert parent.stdin is not None
    parent.stdin.close()
    deadline = time.monotonic() + 20
    while is_alive(parent.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not is_alive(child)
    assert parent.pid in {each.pid for each in all_processes()}
    parent.wait()
    assert not is_alive(parent.pid)
