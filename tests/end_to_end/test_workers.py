from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_sandbox.process import SandboxProcess
from chaos.processes import all_processes
from tests.support import cli
from tests.support.servers import RedisServer

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(append_only=True) as started:
        yield started


@pytest.fixture
def start_worker(
    tmp_path: Path, env: dict[str, str], server: RedisServer
) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a `callspool worker`; those that still live afterwards are killed."""
    started: list[subprocess.Popen[str]] = []
    env |= {
        "CALLSPOOL_REDIS_URL": server.url,
        "CALLSPOOL_REQUEST_TIMEOUT": "3",
        # After Redis was killed nothing is sent for a lease and a quiet period.
        "CALLSPOOL_PROOF_QUIET": "2",
        "CALLSPOOL_PROOF_QUIET_ANSWERED": "2",
        "CALLSPOOL_BATCH_SIZE": "20",
    }

    def start() -> subprocess.Popen[str]:
        with (tmp_path / "worker.log").open("a") as log:
            process = subprocess.Popen(
                [*cli.COMMAND, "worker", "--threads", "4"],
                env=env,
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def settle(client: redis.Redis, documents: int, timeout: float = 120) -> dict[str, int]:
    """Waits until nothing waits or is being sent any more."""
    reader = LedgerReader(client)
    deadline = time.monotonic() + timeout
    while True:
        summary = reader.ask(read_summary())
        moving = summary.documents["waiting"] + summary.documents["sending"] + summary.spooled
        if summary.documents["accepted"] == documents and not moving:
            return summary.documents
        assert time.monotonic() < deadline, summary
        time.sleep(0.1)


def wait_until_created(sandbox: SandboxProcess, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(sandbox.created_ids()) < number:
        assert time.monotonic() < deadline, "the sandbox created too few tasks in 60 s"
        time.sleep(0.05)


def send(tmp_path: Path, env: dict[str, str], number: int) -> None:
    file = cli.write_contacts(tmp_path / "contacts.csv", number)
    sent = cli.call(["send", str(file), "--json"], env, tmp_path)
    assert cli.report(sent)["documents"]["enqueued"] == number, sent.stderr


@pytest.mark.long
def test_workers_killed_in_turn_lose_nobody_and_call_nobody_twice(
    tmp_path: Path,
    env: dict[str, str],
    sandbox: SandboxProcess,
    server: RedisServer,
    start_worker: Start,
):
    living = [start_worker(), start_worker()]
    send(tmp_path, env, 20_000)
    for goal in range(2000, 12_000, 2000):
        wait_until_created(sandbox, goal)
        victim = living.pop(0)
        victim.kill()
        victim.wait()
        living.append(start_worker())
    with server.client() as client:
        documents = settle(client, 20_000)
    created = Counter(sandbox.created_ids())
    assert set(created.values()) == {1}
    assert documents["created"] + documents["in_doubt"] == 20_000
    assert documents["created"] <= len(created)


def test_a_worker_that_is_told_to_stop_leaves_nothing_in_doubt(
    tmp_path: Path,
    env: dict[str, str],
    sandbox: SandboxProcess,
    server: RedisServer,
    start_worker: Start,
):
    stopped = start_worker()
    send(tmp_path, env, 15_000)
    wait_until_created(sandbox, 500)
    stopped.terminate()
    assert stopped.wait(timeout=30) == 0
    with server.client() as client:
        found = LedgerReader(client).ask(read_summary()).documents
        assert (found["sending"], found["in_doubt"]) == (0, 0)
        assert found["created"] == len(sandbox.created_ids()) < 15_000
        start_worker()
        assert settle(client, 15_000)["created"] == 15_000
    assert set(Counter(sandbox.created_ids()).values()) == {1}


@pytest.mark.long
def test_redis_may_go_away_and_come_back_while_documents_flow(
    tmp_path: Path,
    env: dict[str, str],
    sandbox: SandboxProcess,
    server: RedisServer,
    start_worker: Start,
):
    start_worker()
    send(tmp_path, env, 5000)
    wait_until_created(sandbox, 500)
    server.kill()
    time.sleep(4)
    server.start()
    with server.client() as client:
        documents = settle(client, 5000)
    created = Counter(sandbox.created_ids())
    assert set(created.values()) == {1}
    assert documents["created"] + documents["in_doubt"] == 5000


def test_tokens_and_whole_numbers_are_nowhere_but_in_the_documents(
    tmp_path: Path,
    env: dict[str, str],
    sandbox: SandboxProcess,
    server: RedisServer,
    start_worker: Start,
):
    start_worker()
    send(tmp_path, env, 300)
    with server.client() as client:
        settle(client, 300)
        arguments = "\n".join(process.command for process in all_processes())
        keys = b" ".join(client.scan_iter(count=1000))
        leftovers = [client.dump(key) or b"" for key in client.scan_iter(count=1000)]
    token = env["CALLSPOOL_API_TOKEN"]
    logs = (tmp_path / "worker.log").read_text() + (tmp_path / "api.jsonl").read_text()
    for text in (arguments, logs, keys.decode("latin1")):
        assert token not in text
        assert "+1200555010" not in text
    assert not any(token.encode() in value for value in leftovers)


def test_a_redis_that_is_full_empties_as_batches_are_sent_and_accepts_again(
    tmp_path: Path,
    env: dict[str, str],
    sandbox: SandboxProcess,
    server: RedisServer,
    start_worker: Start,
):
    send(tmp_path, env, 6000)
    with server.client() as client:
        start_worker()
        wait_until_created(sandbox, 200)
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 0.9))
        wait_until_created(sandbox, 6000)
        assert settle(client, 6000)["created"] == 6000
    assert set(Counter(sandbox.created_ids()).values()) == {1}
