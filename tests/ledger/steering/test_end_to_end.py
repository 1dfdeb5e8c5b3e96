"""Steering while real workers send to the sandbox."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from callspool_ledger.reads.gates import read_journal
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_sandbox.process import SandboxProcess
from tests.support import cli

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    """An API that takes its time, so that a pause comes in the middle."""
    with SandboxProcess(log=tmp_path / "api.jsonl", latency=0.1) as started:
        yield started


@pytest.fixture
def env(tmp_path: Path, sandbox: SandboxProcess) -> dict[str, str]:
    return cli.environment(
        tmp_path,
        CALLSPOOL_API_URL=sandbox.url,
        CALLSPOOL_BATCH_SIZE="20",
        CALLSPOOL_OPERATOR="ann",
        **cli.REAL,
    )


@pytest.fixture
def start_worker(tmp_path: Path, env: dict[str, str], redis_url: str) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []
    env["CALLSPOOL_REDIS_URL"] = redis_url

    def start() -> subprocess.Popen[str]:
        started.append(cli.start(["worker", "--threads", "4"], env, tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_until_created(sandbox: SandboxProcess, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(sandbox.created_ids()) < number:
        assert time.monotonic() < deadline, "the sandbox created too few tasks in 60 s"
        time.sleep(0.02)


def stands_still(sandbox: SandboxProcess, seconds: float) -> int:
    """How many tasks there are, provided that none is created for so long."""
    before = len(sandbox.created_ids())
    time.sleep(seconds)
    assert len(sandbox.created_ids()) == before
    return before


@pytest.mark.long
def test_a_pause_survives_killed_workers_and_what_is_resumed_is_created_once(
    tmp_path: Path,
    env: dict[str, str],
    sandbox: SandboxProcess,
    start_worker: Start,
    client: redis.Redis,
):
    def call(*arguments: str) -> str:
        result = cli.call([*arguments], env, tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout

    first = cli.write_contacts(tmp_path / "first.csv", 4000)
    second = cli.write_contacts(tmp_path / "second.csv", 1000, start_at=4000)
    call("send", str(first), "--yes")
    call("send", str(second), "--yes", "--campaign", "spring")
    worker = start_worker()
    wait_until_created(sandbox, 300)
    steer = Steering([client], "bea")
    steer.pause(Selector())
    time.sleep(1)
    created = stands_still(sandbox, 1)
    assert 300 <= created < 5000
    worker.kill()
    worker.communicate()
    start_worker()
    time.sleep(2)
    assert stands_still(sandbox, 0.5) == created
    status = json.loads(call("status", "--json"))
    assert status["lanes"] == {"open": 0, "paused": 2, "parked": 0}
    assert status["documents"]["sending"] == status["documents"]["in_doubt"] == 0
    cancelled = json.loads(call("cancel", "--campaign", "spring", "--yes", "--json"))["cancelled"]
    assert cancelled > 0
    call("resume", "--all")
    reader = LedgerReader(client)
    deadline = time.monotonic() + 90
    while (found := reader.ask(read_summary())).documents["waiting"] + found.documents["sending"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert found.documents["created"] == 5000 - cancelled
    names = Counter(sandbox.created_ids())
    assert set(names.values()) == {1}
    assert len(names) == 5000 - cancelled
    assert {f"crm-{row}" for row in range(4000)} <= set(names)
    assert [entry.by for entry in reader.ask(read_journal(9))] == ["ann", "ann", "bea"]


@pytest.mark.long
def test_a_run_ends_and_says_who_paused_its_documents_and_the_next_one_keeps_the_pause(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess
):
    file = cli.write_contacts(tmp_path / "contacts.csv", 30)
    where = ["--state-dir", str(tmp_path / "ledger")]
    run = ["run", str(file), "--yes", "--processes", "1", *where]
    cli.call([*run, "--campaign", "other"], env, tmp_path)
    assert cli.call(["pause", "--campaign", "", *where], env, tmp_path).returncode == 0
    for _ in range(2):
        paused = cli.call(run, env, tmp_path)
        assert paused.returncode == 1, paused.stderr
        assert "30 documents are paused by an operator" in paused.stdout
        assert f"callspool resume --campaign '' {where[0]} {where[1]}" in paused.stdout
    resumed = cli.call(["resume", "--campaign", "", *where, "--json"], env, tmp_path)
    assert json.loads(resumed.stdout)["documents"] == 30
    finished = cli.call([*run, "--json"], env, tmp_path)
    assert cli.report(finished)["documents"]["created"] == 30
    assert set(Counter(sandbox.created_ids()).values()) == {2}
