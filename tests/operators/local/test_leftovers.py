"""What a killed run leaves behind is adopted or ended, never doubled; strangers are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from callspool.errors import QueueUnavailable
from callspool_operators.local import configuration
from callspool_operators.local.ledger import LocalLedger, StateDirBusy
from callspool_operators.local.state import FileLock, StateDir
from tests.operators.local.conftest import Run, servers_of

Make = Callable[..., LocalLedger]
StartRun = Callable[..., Run]


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def killed_run(start_run: StartRun, **options: int) -> Run:
    """A run that was killed after it wrote something; its server lives on."""
    run = start_run(**options)
    with connect(run.url) as client:
        client.set("k", "v")
    run.kill()
    return run


def assert_data_is_there(ledger: LocalLedger) -> None:
    with connect(ledger.url) as client:
        assert client.get("k") == b"v"


def test_the_server_of_a_killed_run_is_adopted_with_its_data(
    start_run: StartRun, ledger: Make, state: StateDir
) -> None:
    run = killed_run(start_run)
    with ledger() as adopting:
        assert adopting.adopted
        assert servers_of(state) == [run.server]
        assert_data_is_there(adopting)
    assert servers_of(state) == []
    with ledger() as later:
        assert_data_is_there(later)


def test_the_server_of_a_killed_run_with_a_long_path_is_adopted(
    tmp_path: Path, binary: Path
) -> None:
    deep = StateDir(tmp_path / ("long" * 30))
    first = LocalLedger(deep.path, binary=binary)
    first.open()
    first._run_lock.release()
    with LocalLedger(deep.path, binary=binary) as second:
        assert second.adopted
        assert second.url == first.url
    assert servers_of(deep) == []
    assert not Path(first.url.removeprefix("unix://")).parent.exists()
    first._server.stop()


def test_a_server_that_was_killed_with_its_run_is_started_again(
    start_run: StartRun, ledger: Make
) -> None:
    run = killed_run(start_run)
    os.kill(run.server, signal.SIGKILL)
    with ledger() as started:
        assert not started.adopted
        assert_data_is_there(started)


def test_a_server_whose_socket_was_deleted_is_ended_and_replaced(
    start_run: StartRun, ledger: Make, state: StateDir
) -> None:
    run = killed_run(start_run)
    Path(run.url.removeprefix("unix://")).unlink()
    with ledger(patience=0.5) as started:
        assert_data_is_there(started)
        assert run.server not in servers_of(state)
        assert len(servers_of(state)) == 1


def test_a_server_that_hangs_is_killed_and_replaced(
    start_run: StartRun, ledger: Make, state: StateDir
) -> None:
    run = killed_run(start_run)
    os.kill(run.server, signal.SIGSTOP)
    with ledger(patience=0.3) as started:
        assert_data_is_there(started)
        assert run.server not in servers_of(state)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with callspool."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_stranger_with_the_number_of_a_dead_server_lives_on(
    ledger: Make, state: StateDir, stranger: subprocess.Popen[bytes]
) -> None:
    with ledger() as opened, connect(opened.url) as client:
        client.set("k", "v")
    state.pid_file.write_text(f"{stranger.pid}\n")
    with ledger() as started:
        assert_data_is_there(started)
    assert stranger.poll() is None


def test_a_stranger_is_not_ended_even_where_nothing_else_helps(
    ledger: Make, state: StateDir, stranger: subprocess.Popen[bytes]
) -> None:
    state.prepare()
    state.run_lock.touch()
    holder = FileLock(state.server_lock)
    assert holder.acquire()
    state.pid_file.write_text(f"{stranger.pid}\n")
    with pytest.raises(QueueUnavailable, match="end it, or choose another --state-dir"):
        ledger(patience=0.1).open()
    assert stranger.poll() is None
    holder.release()
    state.pid_file.unlink()


@pytest.mark.parametrize(
    "words",
    [
        ["vim", "-", "--dir", "/state"],
        ["/usr/bin/valkey-server", "-", "--dir", "/state/other"],
        ["/usr/bin/valkey-server", "-", "--dir", "/state", "--port", "1"],
        ["/usr/bin/valkey-server", "/state/valkey.conf"],
    ],
)
def test_only_our_very_command_line_is_taken_for_our_server(words: list[str]) -> None:
    assert not configuration._is_command(words, Path("/state"))
    assert not configuration._is_command_line(" ".join(words), Path("/state"))


def test_our_server_is_recognised_by_both_kinds_of_process_list(
    start_run: StartRun, state: StateDir
) -> None:
    run = start_run()
    assert configuration.is_server_of(run.server, state.path)
    assert configuration._is_command_line(configuration._command_line(run.server), state.path)
    run.end()
    assert not configuration.is_server_of(run.server, state.path)


def test_a_new_run_waits_for_the_workers_of_the_killed_one(
    start_run: StartRun, ledger: Make
) -> None:
    run = killed_run(start_run, workers=2)
    waits: list[str] = []
    with ledger() as opened:
        with pytest.raises(ValueError, match="not held"):
            opened.inherit_fds()
        for pid in run.workers:
            with pytest.raises(StateDirBusy, match="workers of an earlier run"):
                opened.wait_for_old_workers(0.1, lambda: waits.append("waiting"))
            os.kill(pid, signal.SIGKILL)
        opened.wait_for_old_workers(5.0)
        assert waits == ["waiting", "waiting"]
        assert opened.inherit_fds()


def test_the_server_stays_while_workers_need_it(
    start_run: StartRun, ledger: Make, state: StateDir
) -> None:
    run = killed_run(start_run, workers=1)
    with ledger():
        pass
    assert servers_of(state) == [run.server]
    os.kill(run.workers[0], signal.SIGKILL)
    with ledger() as opened:
        opened.wait_for_old_workers(5.0)
        assert opened.adopted
        assert_data_is_there(opened)
    assert servers_of(state) == []
