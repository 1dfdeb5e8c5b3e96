"""CALLSPOOL_DURABLE_TAKES: nothing is sent before its take is on disk."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from callspool.errors import SettingsError
from callspool_ledger.writes import LedgerUnavailable
from callspool_ledger.writes.durability import weaknesses
from tests.support.ledgers import LedgerUnderTest, group
from tests.support.servers import RedisServer


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer("--appendfsync", "always", append_only=True) as started:
        yield started


def can_wait(client: redis.Redis) -> bool:
    """Whether this server is one since Redis 7.2."""
    return any(name in (b"waitaof", "waitaof") for name in client.command_list())


def test_a_take_is_confirmed_to_be_on_disk(server: RedisServer):
    with server.client() as client:
        spool = LedgerUnderTest(client, linger_ms=0, durable_takes="local")
        spool.ledger.check_durability()
        spool.accept(group(["crm-1"]))
        taken = spool.ledger.take("me:1", ["default"])
        assert taken is not None
        assert taken.count == 1


def test_a_take_that_no_replica_confirms_is_not_handed_out(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("callspool_ledger.writes.durability.PATIENCE_MS", 50)
    with server.client() as client:
        spool = LedgerUnderTest(client, linger_ms=0, durable_takes="replica")
        if not can_wait(client):
            with pytest.raises(SettingsError, match="WAITAOF"):
                spool.ledger.check_durability()
            return
        spool.accept(group(["crm-1"]))
        with pytest.raises(LedgerUnavailable, match="on disk"):
            spool.ledger.take("me:1", ["default"])


def test_a_redis_that_may_forget_is_told_with_the_remedy(client: redis.Redis):
    ledger = LedgerUnderTest(client).ledger
    assert [each.partition(":")[0] for each in ledger.weaknesses()] == [
        "Redis keeps no append-only file"
    ]
    client.config_set("maxmemory", "1gb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert any("noeviction" in each for each in ledger.weaknesses())
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "0")


def test_a_redis_without_a_log_is_refused(client: redis.Redis):
    spool = LedgerUnderTest(client, linger_ms=0, durable_takes="local")
    with pytest.raises(SettingsError, match="appendonly yes"):
        spool.ledger.check_durability()


def test_a_primary_that_would_go_on_alone_is_told_with_the_remedy() -> None:
    with RedisServer(append_only=True) as first:
        follower = RedisServer("--replicaof", "127.0.0.1", str(first.port))
        with follower, first.client() as client:
            deadline = time.monotonic() + 20
            while not client.info("replication")["connected_slaves"]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            (told,) = weaknesses(client.info("everything"))
            assert "min-replicas-to-write 1" in told
            client.config_set("min-replicas-to-write", "1")
            assert weaknesses(client.info("everything")) == []
