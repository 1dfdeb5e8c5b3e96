"""Redis refuses writes, as with a full disk: that is when operators look."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from types import SimpleNamespace

import pytest
import redis

from callspool.errors import QueueUnavailable
from callspool.settings import Settings
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.local.job import Job
from callspool_worker.ledgers import open_ledger
from tests.operators.conftest import Call, call
from tests.support.ledgers import LedgerUnderTest, group
from tests.support.servers import RedisServer

__all__ = ["call"]


def test_status_answers_while_redis_refuses_every_write(call: Call) -> None:
    with RedisServer() as server, server.client() as client:
        LedgerUnderTest(client, linger_ms=0).accept(group(["crm-1"]))
        said: list[str] = []
        job = Job(
            SimpleNamespace(bytes_total=lambda: None, bytes_read=0),  # type: ignore[arg-type]
            SimpleNamespace(envelope=None),  # type: ignore[arg-type]
            LedgerReader(client),
            SimpleNamespace(update=lambda _, words: said.append(words())),  # type: ignore[arg-type]
            lambda: None,
            max_waiting=10,
            alone=True,
        )
        client.config_set("save", "1 1")
        shutil.rmtree(server.directory)
        deadline = time.monotonic() + 20
        while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
            assert time.monotonic() < deadline
            with contextlib.suppress(redis.ResponseError):
                client.execute_command("BGSAVE")
            time.sleep(0.05)
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            client.ping()
        done = call("status", "--json", "--redis", server.url)
        assert done.code == 0, done.err
        found = json.loads(done.out)
        assert found["documents"]["waiting"] == 1
        assert (found["writes_refused"], found["start_workers"]) == (True, None)
        assert "Redis refuses every write" in call("status", "--redis", server.url).out
        job._look()  # as a run does that waits
        assert "make room on that disk" in said[-1]
        checked = call("doctor", "--redis", server.url)
        assert checked.code == 2
        assert "workers: unknown" in checked.out
        reader = LedgerReader(client)
        assert reader.metrics().refuses_writes
        with pytest.raises(QueueUnavailable, match="make room"):
            reader.check_writes()
        with pytest.raises(QueueUnavailable, match=r"make room .* log of Redis$"):
            open_ledger(Settings(), client)
