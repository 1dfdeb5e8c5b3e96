"""Several partitions, on one server and on a real Redis Cluster whose nodes die."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from callspool import CallQueue, CallRequest, Document
from callspool.redis_io.servers import server_of
from callspool.request.identity import partition_of
from callspool_ledger import keys
from callspool_ledger.reads.lookup import read_stories
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_sandbox.process import SandboxProcess
from tests.support import cli
from tests.support.clusters import RedisCluster
from tests.support.servers import RedisServer

PARTITIONS = 6
SPACES = 12
Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def start_worker(tmp_path: Path, env: dict[str, str]) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []
    env |= {
        "CALLSPOOL_REQUEST_TIMEOUT": "3",
        "CALLSPOOL_BATCH_SIZE": "20",
        "CALLSPOOL_PARTITIONS": str(PARTITIONS),
        "CALLSPOOL_PROCESSES": "1",
    }

    def start() -> subprocess.Popen[str]:
        with (tmp_path / "worker.log").open("a") as log:
            process = subprocess.Popen(
                [*cli.COMMAND, "worker"],
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


def request(space: int, first: int, number: int) -> CallRequest:
    """Some people, each with an id that no other space has."""
    return CallRequest(
        space_token=f"SPACE{space}",
        pilot="space-agent-test",
        context="Follow up",
        documents=[
            Document(
                name=f"Person {at}",
                contact_number=f"+141555501{at % 100:02}",
                document_id=f"s{space}-{at}",
            )
            for at in range(first, first + number)
        ],
    )


def connect_partitions(url: str) -> list[redis.Redis]:
    server = server_of(url, 2.0)
    return [server.at(keys.prefix(partition)).client() for partition in range(PARTITIONS)]


def settle(reader: LedgerReader, documents: int, timeout: float = 60) -> dict[str, int]:
    """Waits until nothing waits, is being sent or in doubt any more."""
    deadline = time.monotonic() + timeout
    while True:
        summary = reader.ask(read_summary())
        found = summary.documents
        moving = found["waiting"] + found["sending"] + found["in_doubt"] + summary.spooled
        if found["accepted"] >= documents and not moving:
            return found
        assert time.monotonic() < deadline, summary
        time.sleep(0.1)


def created_once(sandbox: SandboxProcess, number: int) -> None:
    created = Counter(sandbox.created_ids())
    assert len(created) == number
    assert set(created.values()) == {1}


def operate(env: dict[str, str], cwd: Path, *arguments: str) -> dict[str, Any]:
    done = cli.call([*arguments, "--json"], env, cwd)
    assert done.returncode == 0, done.stderr
    return cli.report(done)


def test_every_command_sees_all_partitions_of_a_server(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess, start_worker: Start
):
    with RedisServer() as server, CallQueue(server.url, partitions=PARTITIONS) as queue:
        env["CALLSPOOL_REDIS_URL"] = server.url
        operate(env, tmp_path, "pause", "--all")
        queue.enqueue_many(request(space, 0, 50) for space in range(SPACES))
        # Whoever does not know of partitions writes to the first one: it is passed on.
        with server.client() as client:
            foreign = b'[{"space_token":"SPACE1","pilot":"p","context":"c","documents":[%b]}]' % (
                b'{"name":"Eve","contact_number":"+14155550199","document_id":"eve"}'
            )
            client.xadd(keys.stream(keys.REQUESTS), {"v": "1", "requests": foreign})
        start_worker()
        number = SPACES * 50 + 1
        wait_until(lambda: operate(env, tmp_path, "status")["documents"]["waiting"] == number)
        # A new ledger holds each space until it was read back once.
        wait_until(lambda: _gates(operate(env, tmp_path, "status")) == ["paused"])
        status = operate(env, tmp_path, "status")
        assert status["lanes"]["paused"] == SPACES + 1
        assert len(status["journal"]) == 1
        assert len(operate(env, tmp_path, "lanes", "--limit", "100")["lanes"]) == SPACES + 1
        home = partition_of("default", "SPACE1", PARTITIONS)
        with server.client() as client:
            assert LedgerReader(client, partition=home).ask(read_stories("eve"))
            assert home != 0
        assert operate(env, tmp_path, "cancel", "--document-id", "s3-7", "--yes")["cancelled"] == 1
        opened = operate(env, tmp_path, "resume", "--all")
        assert (len(opened["opened"]), opened["documents"]) == (1, number - 1)
        with server.client() as client:
            found = settle(LedgerReader(*[client] * PARTITIONS), number)
        assert (found["created"], found["cancelled"]) == (number - 1, 1)
        status_of = queue.status("s5-1", space_token="SPACE5")
        assert status_of is not None
        assert status_of.state == "created"
    created_once(sandbox, number - 1)


def _gates(status: dict[str, Any]) -> list[str]:
    return [gate["kind"] for gate in status["gates"]]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, "30 s were not enough"
        time.sleep(0.1)


@pytest.mark.long
def test_a_node_of_a_cluster_that_dies_under_load_costs_nobody_a_call_and_nobody_a_second_one(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess, start_worker: Start
):
    with (
        RedisCluster(replicas=True) as cluster,
        CallQueue(cluster.url, partitions=PARTITIONS, timeout=15) as queue,
    ):
        env["CALLSPOOL_REDIS_URL"] = cluster.url
        env["CALLSPOOL_PROOF_QUIET"] = env["CALLSPOOL_PROOF_QUIET_ANSWERED"] = "2"
        start_worker()
        reader = LedgerReader(*connect_partitions(cluster.url))
        rounds = 8
        victim = cluster.primary_of(0)
        for at in range(rounds):
            queue.enqueue_many(request(space, at * 60, 60) for space in range(SPACES))
            if at == 3:
                wait_until(lambda: len(sandbox.created_ids()) > 200)
                victim.kill()
        number = rounds * 60 * SPACES
        found = settle(reader, number)
        assert cluster.primary_of(0) is not victim
        # What the promoted replica had not got yet was accepted again, or is known to be lost:
        for space in range(SPACES):
            ids = [f"s{space}-{at}" for at in range(rounds * 60)]
            scope = reader.of_space("default", f"SPACE{space}")
            assert scope is not reader
            for status in queue.status_many(ids, space_token=f"SPACE{space}").values():
                assert status is not None
                assert status.state == "created"
        assert found["created"] == number
    created_once(sandbox, number)
