"""`callspool worker`: what it refuses before it starts, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from callspool import __version__
from callspool.errors import QueueUnavailable, SettingsError
from callspool.settings import load_settings
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_operators.commands.worker import (
    put_in_doubt,
    refuse_what_cannot_work,
    worker,
)
from callspool_operators.local.state import wait_until
from callspool_worker.processes.supervisor import without_settings
from chaos.processes import is_alive
from tests.support.ledgers import LedgerUnderTest, group
from tests.support.servers import RedisServer, free_port
from tests.worker.processes.conftest import all_gone

ACCOUNT = {"CALLSPOOL_API_TOKEN": "a-secret-token", "CALLSPOOL_ORG_HANDLE": "example"}


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without settings, and a directory without a file of them."""
    for name in os.environ.keys() - without_settings(os.environ).keys():
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def give(environment: pytest.MonkeyPatch, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        environment.setenv(name, value)


def test_without_a_token_nothing_is_started(environment: pytest.MonkeyPatch) -> None:
    give(environment, {"CALLSPOOL_ORG_HANDLE": "example"})
    with pytest.raises(SettingsError, match=r"^CALLSPOOL_API_TOKEN: is missing"):
        worker.main([], standalone_mode=False)


def test_without_redis_nothing_is_started(environment: pytest.MonkeyPatch) -> None:
    give(environment, ACCOUNT)
    environment.setattr("callspool_operators.commands.worker.FIRST_PATIENCE", 0.0)
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(QueueUnavailable, match="CALLSPOOL_REDIS_URL") as refused:
        worker.main(["--redis", nowhere], standalone_mode=False)
    assert "\n" not in str(refused.value)


def test_a_redis_that_is_not_there_yet_is_waited_for(environment: pytest.MonkeyPatch) -> None:
    with RedisServer() as server:
        tries = iter([QueueUnavailable("refused"), None])

        @contextmanager
        def answer(url: str) -> Iterator[str]:
            if (fault := next(tries)) is not None:
                raise fault from redis.ConnectionError("refused")
            yield url

        environment.setattr("callspool_operators.commands.worker.client_that_answers", answer)
        give(environment, {**ACCOUNT, "CALLSPOOL_REDIS_URL": server.url})
        refuse_what_cannot_work(load_settings(os.environ))
    assert next(tries, "none is left") == "none is left"


def test_with_a_wrong_password_nothing_is_started(environment: pytest.MonkeyPatch) -> None:
    give(environment, ACCOUNT)
    with RedisServer() as server, server.client() as client:
        client.config_set("requirepass", "right")
        url = server.url.replace("redis://", "redis://:wrong@")
        with pytest.raises(QueueUnavailable) as refused:
            worker.main(["--redis", url], standalone_mode=False)
    assert "wrong" not in str(refused.value)


def test_a_number_of_processes_out_of_range_is_named(environment: pytest.MonkeyPatch) -> None:
    give(environment, ACCOUNT)
    with pytest.raises(SettingsError, match="CALLSPOOL_PROCESSES"):
        worker.main(["--processes", "0"], standalone_mode=False)


class Log:
    """What a process writes to stderr, read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stderr is not None
        self._reader = threading.Thread(target=self.lines.extend, args=(process.stderr,))
        self._reader.start()

    def ready(self) -> list[int]:
        """The numbers of the worker processes that are ready."""
        found = re.findall(r"process (\d+) is ready", "".join(self.lines))
        return [int(pid) for pid in found]

    def close(self) -> None:
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def start_command(tmp_path: Path, redis_url: str) -> Iterator[Callable[[int], Log]]:
    """Starts the command with a number of processes."""
    logs: list[Log] = []

    def start(processes: int) -> Log:
        words = ["-m", "callspool", "worker", "--redis", redis_url, "--processes", str(processes)]
        process = subprocess.Popen(
            [sys.executable, "-P", *words],
            cwd=tmp_path,
            env={**without_settings(os.environ), **ACCOUNT},
            stderr=subprocess.PIPE,
            text=True,
        )
        logs.append(Log(process))
        return logs[-1]

    yield start
    for log in logs:
        log.process.kill()
        log.process.wait()
        assert all_gone(log.ready(), 10)
        log.close()


def test_the_workers_work_until_they_are_told_to_end(start_command: Callable[[int], Log]) -> None:
    log = start_command(2)
    assert wait_until(lambda: len(log.ready()) == 2, 30)
    os.kill(log.ready()[0], signal.SIGKILL)
    assert wait_until(lambda: len(log.ready()) == 3, 30)
    log.process.terminate()
    assert log.process.wait(timeout=20) == 0
    assert not any(is_alive(pid) for pid in log.ready())
    said = "".join(log.lines)
    assert "a-secret-token" not in said
    assert "could not be recorded" not in said
    events = [json.loads(line) for line in log.lines if line.startswith("{")]
    ready = next(each for each in events if each["event"] == "ready")
    assert (ready["version"], ready["accounts"]) == (__version__, ["default"])
    assert ready["hosts"] == ["unpod.ai"]
    assert [each["event"] for each in events[-2:]] == ["stopping", "stopped"]
    assert "on SIGTERM" in events[-2]["message"]


def test_the_workers_end_when_their_parent_is_killed(start_command: Callable[[int], Log]) -> None:
    log = start_command(1)
    assert wait_until(lambda: len(log.ready()) == 1, 30)
    log.process.kill()
    assert all_gone(log.ready(), 5)


def test_what_a_dead_worker_held_is_in_doubt_as_soon_as_redis_is_there_again() -> None:
    with RedisServer(append_only=True) as server:
        with server.client() as client:
            ledger = LedgerUnderTest(client, linger_ms=0)
            ledger.accept(group(["crm-1", "crm-2"]))
            assert ledger.ledger.take("gone:1", ["default"])
        server.stop()
        settings = load_settings({**ACCOUNT, "CALLSPOOL_REDIS_URL": server.url})
        report = threading.Thread(target=put_in_doubt, args=(settings, "gone"))
        report.start()
        report.join(0.7)
        assert report.is_alive()
        server.start()
        report.join(20)
        with server.client() as client:
            assert LedgerReader(client).ask(read_summary()).documents["in_doubt"] == 2


def test_a_dead_worker_is_left_to_its_lease_where_redis_stays_away(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool_operators.commands.worker.MARGIN", 0.0)
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    timeout = {"CALLSPOOL_REQUEST_TIMEOUT": "0.2"}
    put_in_doubt(load_settings({**ACCOUNT, **timeout, "CALLSPOOL_REDIS_URL": nowhere}), "gone")
    assert "waits for its lease" in caplog.text
