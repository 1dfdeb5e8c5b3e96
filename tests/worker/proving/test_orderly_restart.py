"""A restart of Redis that forgot nothing holds nobody up; one of which that is not proven does."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator, Sequence

import pytest
import redis

from callspool.redis_io.scripts import Call, Reply
from callspool_ledger.writes import Ledger, Limits
from callspool_worker.sweeping import Sweeper
from tests.support.ledgers import LedgerUnderTest, P, group
from tests.support.servers import RedisServer
from tests.worker.proving.test_recall import everything, forget_since

CALLS = "callspool_ledger.writes.calls"
UNREAD = "unread:default|SPACE"


@pytest.fixture(autouse=True)
def hearing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have no time to object, but where a test says so."""
    monkeypatch.setattr(f"{CALLS}.HEARING_MS", 0)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer("--appendfsync", "always", append_only=True) as started:
        yield started


def worker(client: redis.Redis) -> Ledger:
    """Another worker process on the same ledger."""
    ledger = Ledger(client, Limits(linger_ms=0))
    ledger.open("")
    return ledger


def is_held_up(client: redis.Redis) -> bool:
    return bool(client.hexists(f"{P}:gates", UNREAD))


def begin(client: redis.Redis) -> LedgerUnderTest:
    """A worker that was given something, and knows that it was; more waits."""
    spool = LedgerUnderTest(client, linger_ms=0)
    spool.accept(group(["crm-1"]))
    assert spool.ledger.take("me:1", ["default"])
    spool.ledger.report()
    spool.accept(group(["crm-2"]))
    return spool


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_that_forgot_nothing_holds_up_nothing(server: RedisServer, how: str):
    with server.client() as client:
        spool = begin(client)
        getattr(server, how)()
        server.start()
        assert spool.ledger.take("me:2", ["default"]) is None
        assert is_held_up(client)
        assert spool.ledger.report() == 1
        taken = spool.ledger.take("me:2", ["default"])
        assert taken
        assert not is_held_up(client)
        assert not client.hexists(f"{P}:meta", "restarted")
        spool.accept(group(["crm-3"]))
        assert not is_held_up(client), "nor what is accepted later"


def test_the_first_copy_of_a_redis_holds_up_nothing(server: RedisServer):
    """Its first replica, or a backup by `redis-cli --rdb`: it names its history anew."""
    with server.client() as client:
        spool = begin(client)
        before = client.info("replication")["master_replid"]
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as copying:
            copying.sendall(b"SYNC\r\n")
            while client.info("replication")["master_replid"] == before:
                time.sleep(0.01)
        assert spool.ledger.take("me:2", ["default"]) is None
        assert spool.ledger.report() == 1
        assert spool.ledger.take("me:2", ["default"])


def test_every_process_that_may_take_has_to_find_its_own(server: RedisServer):
    """Also one that was killed: its last take may be what was forgotten."""
    with server.client() as client:
        spool, other, gone = begin(client), worker(client), worker(client)
        other.take("it:1", ["default"])
        gone.take("gone:1", ["default"])
        server.stop()
        server.start()
        assert spool.ledger.report() == other.report() == spool.ledger.report() == 0
        assert is_held_up(client)
        assert gone.report() == 1
        assert not is_held_up(client)


def test_a_process_that_ended_in_order_or_long_ago_is_not_waited_for(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    with server.client() as client:
        spool, ended, silent = begin(client), worker(client), worker(client)
        ended.take("it:1", ["default"])
        silent.take("silent:1", ["default"])
        ended.leave()
        monkeypatch.setattr(f"{CALLS}.SILENT_MS", 50)
        time.sleep(0.1)
        spool.ledger.report()
        monkeypatch.undo()
        monkeypatch.setattr(f"{CALLS}.HEARING_MS", 0)
        server.stop()
        server.start()
        assert spool.ledger.report() == 1
        spool.accept(group(["crm-3"]))
        assert silent.take("silent:2", ["default"]), "it joins again"


def test_a_take_that_was_forgotten_is_not_vouched_for(server: RedisServer):
    with server.client() as client:
        spool, other = begin(client), worker(client)
        other.take("it:1", ["default"])
        spool.accept(group(["crm-3"]))
        kept = everything(client)
        assert other.take("it:2", ["default"])
        forget_since(client, kept)
        for _ in range(2):
            assert spool.ledger.report() == other.report() == 0
        assert is_held_up(client)


def test_an_older_copy_of_the_data_is_noticed_although_nothing_was_taken_since(
    server: RedisServer,
):
    with server.client() as client:
        spool = begin(client)
        kept = everything(client)
        spool.ledger.report()
        forget_since(client, kept)
        assert spool.ledger.report() == spool.ledger.report() == 0
        assert is_held_up(client)


def test_a_copy_in_the_running_server_is_noticed_without_a_take(server: RedisServer):
    with server.client() as client:
        spool = begin(client)
        kept = everything(client)
        spool.ledger.report()
        forget_since(client, kept)
        client.hset(f"{P}:meta", "server", client.info("server")["run_id"])
        assert spool.ledger.report() == 0
        assert is_held_up(client)


def test_one_whose_entry_is_forgotten_objects_while_it_may(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(f"{CALLS}.HEARING_MS", 60_000)
    with server.client() as client:
        spool = begin(client)
        kept = everything(client)
        late = worker(client)
        assert late.take("it:1", ["default"])
        forget_since(client, kept)
        assert spool.ledger.report() == late.report() == 0
        monkeypatch.setattr(f"{CALLS}.HEARING_MS", 0)
        assert spool.ledger.report() == 0
        assert is_held_up(client)


def test_nobody_vouches_for_takes_of_workers_that_are_all_new(server: RedisServer):
    with server.client() as client:
        begin(client)
        server.stop()
        server.start()
        new = worker(client)
        assert new.take("it:1", ["default"]) is None
        assert new.report() == new.report() == 0
        assert is_held_up(client)


def test_a_take_that_was_answered_before_the_restart_does_not_count_after_it(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    """Its reply may lie unread while the process vouches for what it knows."""
    with server.client() as client:
        ledger = begin(client).ledger
        kept = everything(client)
        run = ledger.run

        def run_and_forget(steps: Sequence[Call]) -> list[Reply]:
            monkeypatch.undo()
            monkeypatch.setattr(f"{CALLS}.HEARING_MS", 0)
            replies = run(steps)
            forget_since(client, kept)
            assert ledger.report() == 1
            return replies

        monkeypatch.setattr(ledger, "run", run_and_forget)
        taken = ledger.take("me:2", ["default"])
        assert taken
        assert client.hget(f"{P}:sending", "me:2") == f"{taken.batch}:{taken.attempt}".encode()


def test_redis_may_restart_again_before_everybody_was_heard(server: RedisServer):
    with server.client() as client:
        spool, other = begin(client), worker(client)
        other.take("it:1", ["default"])
        for _ in range(2):
            server.stop()
            server.start()
            assert spool.ledger.report() == 0
        assert other.report() == 1


def test_what_an_earlier_restart_may_have_forgotten_stays_held_up(server: RedisServer):
    with server.client() as client:
        spool = begin(client)
        kept = everything(client)
        assert spool.ledger.take("me:2", ["default"])
        forget_since(client, kept)
        spool.ledger.report()
        before = client.hget(f"{P}:meta", "restarted")
        server.stop()
        server.start()
        spool.ledger.report()
        assert is_held_up(client)
        assert client.hget(f"{P}:meta", "restarted") == before


def test_a_redis_that_cannot_tell_what_is_on_disk_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("callspool_ledger.writes.durability.SHORT_PATIENCE_MS", 50)
    with RedisServer("--appendfsync", "no", append_only=True) as server, server.client() as client:
        spool = begin(client)
        server.stop()
        server.start()
        assert spool.ledger.report() == spool.ledger.report() == 0
        assert is_held_up(client)


def test_a_space_that_may_not_be_read_needs_no_operator_where_nothing_was_forgotten(
    server: RedisServer, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    with server.client() as client:
        ledger = begin(client).ledger
        server.stop()
        server.start()
        assert ledger.take("me:2", ["default"]) is None
        assert ledger.look("me", ["default"])
        refused = ledger.calls.end_look("me", "default|SPACE", 1000, read="not", stuck="403")
        ledger.run([refused])
        Sweeper(ledger, 10, 3600, accounts=["default"])._patrol()
        assert ledger.take("me:2", ["default"])
        assert "forgot nothing: 1 space" in caplog.text
