"""Children are kept alive, told apart, and never started in vain."""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from callspool.errors import CallspoolError, QueueUnavailable
from callspool_operators.local.state import wait_until
from callspool_worker.processes.process_slot import AWAY, ChildProcess
from callspool_worker.processes.supervisor import Supervisor, without_settings
from tests.worker.processes.conftest import Journal
from tests.worker.processes.parent import SIMPLE_CHILD

Supervise = Callable[..., Supervisor]


def test_every_child_has_its_own_name_and_session(supervise: Supervise, journal: Journal) -> None:
    supervisor = supervise("work", processes=3, stop_timeout=4.5)
    assert supervisor.wait_ready(10)
    starts = journal.starts()
    assert len({start.incarnation for start in starts}) == 3
    assert {start.stop_timeout for start in starts} == {4.5}
    assert sorted(supervisor.pids()) == sorted(start.pid for start in starts)
    assert all(os.getsid(start.pid) == start.pid for start in starts)


def test_a_killed_child_is_replaced_within_a_second(supervise: Supervise, journal: Journal) -> None:
    dead: list[str] = []
    supervisor = supervise("work", processes=2, on_child_death=dead.append)
    assert supervisor.wait_ready(10)
    victim = journal.starts()[0]
    os.kill(victim.pid, signal.SIGKILL)
    killed = time.time()
    replacement = journal.wait_for_starts(3)[2]
    assert replacement.time - killed < 1
    assert wait_until(lambda: dead == [victim.incarnation], 5)
    assert wait_until(lambda: supervisor.alive() == 2, 5)


def test_children_that_die_at_once_are_started_ever_more_rarely(
    supervise: Supervise, journal: Journal
) -> None:
    supervise("die later")
    times = [start.time for start in journal.wait_for_starts(5)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    for gap, pause in zip(gaps, (0.1, 0.2, 0.4, 0.8), strict=True):
        assert gap >= pause


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [("die", "exit code 1"), ("die with a word", "OSError: the disk is gone")],
)
def test_children_that_die_before_they_work_end_it_all_after_the_third(
    supervise: Supervise, journal: Journal, behaviour: str, why: str
) -> None:
    supervisor = supervise(behaviour)
    with pytest.raises(CallspoolError, match=why) as told:
        supervisor.wait_ready(20)
    assert "\n" not in str(told.value)
    assert supervisor.stop()
    assert len(journal.starts()) == 3


def test_a_slow_hook_does_not_delay_the_replacement(supervise: Supervise, journal: Journal) -> None:
    released = threading.Event()
    supervisor = supervise("work", on_child_death=lambda _: released.wait(10))
    assert supervisor.wait_ready(10)
    os.kill(journal.starts()[0].pid, signal.SIGKILL)
    killed = time.time()
    assert journal.wait_for_starts(2)[1].time - killed < 1
    released.set()


def test_a_hook_that_fails_does_not_stop_the_replacement(
    supervise: Supervise, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> None:
        raise QueueUnavailable("Redis is away")

    supervise("die", on_child_death=fail)
    journal.wait_for_starts(2)
    assert wait_until(lambda: "recording the death of a worker failed" in caplog.text, 5)


@pytest.mark.parametrize(("code", "kind"), [(2, CallspoolError), (3, QueueUnavailable)])
def test_a_child_that_cannot_start_ends_it_all_with_its_own_words(
    supervise: Supervise, journal: Journal, code: int, kind: type[CallspoolError]
) -> None:
    supervisor = supervise("refuse", processes=2, config={"code": code})
    with pytest.raises(kind, match=r"^Redis cannot be reached; start it$"):
        supervisor.wait_ready(10)
    assert supervisor.stop()
    assert supervisor.alive() == 0
    assert len(journal.starts()) <= 2


def test_children_that_find_redis_away_are_tried_again_for_ever(
    supervise: Supervise, journal: Journal
) -> None:
    supervisor = supervise("refuse", config={"code": AWAY})
    journal.wait_for_starts(5)
    assert supervisor.failure is None
    assert supervisor.stop()


def test_a_child_that_gives_no_reason_is_quoted_with_its_exit_code(supervise: Supervise) -> None:
    supervisor = supervise("exit", config={"code": 2})
    with pytest.raises(CallspoolError, match="ended at once with exit code 2"):
        supervisor.wait_ready(10)


def test_where_work_was_going_on_a_child_that_cannot_start_is_tried_again(
    supervise: Supervise, journal: Journal
) -> None:
    supervisor = supervise("refuse later", config={"code": 3})
    assert supervisor.wait_ready(10)
    os.kill(journal.starts()[0].pid, signal.SIGKILL)
    journal.wait_for_starts(3)
    assert supervisor.failure is None


def test_a_program_that_is_not_there_is_tried_until_it_is_stopped(
    supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = supervise("work", command=("/nowhere/python",))
    assert not supervisor.wait_ready(0.3)
    assert supervisor.stop()
    assert "cannot be started" in caplog.text


def test_what_a_child_prints_does_not_block_it(supervise: Supervise) -> None:
    assert supervise("noisy").wait_ready(10)


def test_a_child_that_finishes_in_time_is_not_killed(
    supervise: Supervise, journal: Journal
) -> None:
    dead: list[str] = []
    supervisor = supervise("work", processes=2, config={"drain": 0.3}, on_child_death=dead.append)
    assert supervisor.wait_ready(10)
    assert supervisor.stop()
    assert len(journal.lines("drained")) == 2
    assert (supervisor.alive(), dead) == (0, [])
    time.sleep(0.3)
    assert len(journal.starts()) == 2


def test_a_child_that_does_not_end_in_time_is_killed_and_reported(
    supervise: Supervise, journal: Journal
) -> None:
    dead: list[str] = []
    supervisor = supervise("stubborn", stop_timeout=0.3, on_child_death=dead.append)
    assert supervisor.wait_ready(10)
    assert not supervisor.stop()
    assert dead == [journal.starts()[0].incarnation]
    assert supervisor.alive() == 0


def test_a_supervisor_can_be_stopped_while_a_child_is_being_replaced(supervise: Supervise) -> None:
    supervisor = supervise("die", processes=2)
    assert wait_until(lambda: supervisor.alive() == 0, 5)
    assert supervisor.stop()


def test_inherited_descriptors_hold_a_lock_until_the_last_child_is_gone(
    supervise: Supervise, tmp_path: Path
) -> None:
    path = tmp_path / "lock"
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        supervisor = supervise("work", pass_fds=(held.fileno(),))
        assert supervisor.wait_ready(10)
    with path.open("w") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        supervisor.stop()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_settings_stay_out_of_the_childrens_environment() -> None:
    given = {"PATH": "/bin", "CALLSPOOL_API_TOKEN": "secret", "CALLSPOOL_REDIS_URL": "redis://"}
    assert without_settings(given) == {"PATH": "/bin"}


def test_a_child_that_is_gone_is_not_signalled_any_more(journal: Journal) -> None:
    child = ChildProcess(
        SIMPLE_CHILD,
        config=journal.config("die", incarnation="a", stop_timeout=1),
        incarnation="a",
        pass_fds=(),
        env={},
    )
    assert child.watch(lambda: None) == 1
    child.signal(signal.SIGKILL)
    assert not child.was_ready


def test_the_log_says_what_ended_a_child(
    supervise: Supervise, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        supervisor = supervise("work")
        assert supervisor.wait_ready(10)
        os.kill(journal.starts()[0].pid, signal.SIGKILL)
        journal.wait_for_starts(2)
    assert f"worker process {journal.starts()[0].pid} ended: SIGKILL" in caplog.text
