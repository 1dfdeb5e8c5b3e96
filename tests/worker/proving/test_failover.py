"""A replica is promoted that never saw the last takes: what they sent is not sent again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from callspool_sandbox.process import SandboxProcess
from tests.support.servers import RedisServer, free_port
from tests.worker.proving.stage import Stage

IDS = [f"crm-{n}" for n in range(10)]


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A server, and one that follows it."""
    with RedisServer() as first, RedisServer("--replicaof", "127.0.0.1", str(first.port)) as second:
        with second.client() as client:
            wait_until(lambda: client.info("replication")["master_link_status"] == "up")
        yield first, second


def wait_until(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_takes_that_the_promoted_replica_never_saw_are_found_at_the_api(
    pair: tuple[RedisServer, RedisServer], tmp_path: Path
):
    first, second = pair
    with SandboxProcess(log=tmp_path / "api.jsonl") as api:
        with first.client() as before, closing(Stage(before, api)) as stage:
            stage.accept(IDS)
            stage.accept(["crm-10"])
            before.wait(1, 5000)
            with second.client() as follower:
                follower.execute_command("REPLICAOF", "127.0.0.1", free_port())
            stage.send()
            stage.post(stage.take())
            assert len(stage.made()) == 11
        first.kill()
        with second.client() as after:
            after.execute_command("REPLICAOF", "NO", "ONE")
            promoted = Stage(after, api)
            with closing(promoted):
                check(promoted, after)


def check(stage: Stage, after: redis.Redis) -> None:
    assert stage.states([*IDS, "crm-10"]) == "w" * 11
    assert stage.ledger.take("me:99", ["default"]) is None
    stage.look()
    assert stage.states([*IDS, "crm-10"]) == "c" * 11
    assert stage.ledger.take("me:100", ["default"]) is None
    assert set(stage.made().values()) == {1}
    stage.accept(["crm-11"])
    taken = stage.send()
    assert taken.attempt > 1_000_000, "a number that a forgotten take may have had"
    assert after.hget("callspool:{0}:meta", "epoch") == b"1"
