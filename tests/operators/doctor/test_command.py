"""`callspool doctor` as a user types it, with real servers."""

from __future__ import annotations

import json
from pathlib import Path

import redis

from callspool import CallQueue, CallRequest
from callspool_sandbox.process import SandboxProcess
from tests.support import cli
from tests.support.ledgers import LANE, LedgerUnderTest, group
from tests.support.servers import RedisServer


def told(result: object, check: str) -> dict[str, str]:
    (found,) = [each for each in cli.report(result)["findings"] if each["check"] == check]  # type: ignore[arg-type]
    return found


def test_doctor_tells_what_is_wrong_and_changes_nothing(tmp_path: Path) -> None:
    with (
        RedisServer(append_only=True) as server,
        SandboxProcess(log=tmp_path / "api.jsonl") as api,
        server.client() as client,
    ):
        env = cli.environment(
            tmp_path, CALLSPOOL_REDIS_URL=server.url, CALLSPOOL_API_URL=api.url, **cli.REAL
        )
        changes = client.info("persistence")["rdb_changes_since_last_save"]
        fresh = cli.call(["doctor"], env, tmp_path)
        assert fresh.returncode == 0, fresh.stdout
        assert "0 problems" in fresh.stdout
        assert "answers, the token is accepted" in fresh.stdout
        assert client.dbsize() == 0
        assert client.info("persistence")["rdb_changes_since_last_save"] == changes
        with CallQueue(server.url) as queue:
            ada = {"name": "Ada", "contact_number": "+14155550100", "document_id": "crm-1"}
            queue.enqueue(CallRequest("SPACE", "agent", [ada], "Hello"))
        waiting = cli.call(["doctor", "--json"], env, tmp_path)
        assert waiting.returncode == 2
        assert told(waiting, "workers")["remedy"] == "callspool worker"
        client.config_set("appendonly", "no")
        forgetful = cli.call(["doctor", "--json"], env, tmp_path)
        assert told(forgetful, "persistence")["remedy"] == "set appendonly yes"
        for result in (fresh, waiting, forgetful):
            assert cli.REAL["CALLSPOOL_API_TOKEN"] not in result.stdout + result.stderr
    away = cli.call(["doctor", "--json"], env, tmp_path)
    assert away.returncode == 3
    assert told(away, "redis")["health"] == "problem"
    assert told(away, "api default")["health"] == "problem"
    wrong = cli.call(["doctor", "--json"], {**env, "CALLSPOOL_THREADS": "x"}, tmp_path)
    assert wrong.returncode == 2
    assert "CALLSPOOL_THREADS" in told(wrong, "settings")["said"]


def test_lanes_of_one_document_each_are_told_by_doctor_and_status(
    tmp_path: Path, redis_url: str, client: redis.Redis
) -> None:
    ledger = LedgerUnderTest(client)
    lanes = [LANE._replace(context=f"Dear customer {number}") for number in range(30)]
    ledger.accept(*(group([f"crm-{number}"], lane) for number, lane in enumerate(lanes)))
    env = cli.environment(tmp_path, CALLSPOOL_REDIS_URL=redis_url)
    checked = cli.call(["doctor", "--json"], env, tmp_path)
    status = cli.call(["status"], env, tmp_path)
    standing = json.loads(cli.call(["status", "--json"], env, tmp_path).stdout)
    advice = "put such text into the document's own context"
    assert advice in told(checked, "lanes")["remedy"]
    assert advice in status.stdout
    assert advice in standing["advice"][0]
