"""A replica is promoted that never saw the last takes: what they sent is not sent again."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import msgspec
import pytest
import redis

from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.snapshot import read_metrics
from callspool_ledger.writes import LedgerUnavailable
from callspool_sandbox.process import SandboxProcess
from tests.support.ledgers import P
from tests.support.servers import RedisServer, free_port
from tests.worker.proving.conftest import SetUp
from tests.worker.proving.stage import LEASE_MS, QUIET, Stage

IDS = [f"crm-{n}" for n in range(10)]
DURABLE = ["off", "local", "replica"]


def follower_of(primary: RedisServer) -> RedisServer:
    return RedisServer("--replicaof", "127.0.0.1", str(primary.port), append_only=True)


@pytest.fixture
def trio() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A server and one of the two that follow it; all keep an append-only file."""
    with ExitStack() as stack:
        delay = "--repl-diskless-sync-delay", "0"
        first = stack.enter_context(RedisServer(*delay, append_only=True))
        followers = [stack.enter_context(follower_of(first)) for _ in range(2)]
        for each in followers:
            with each.client() as client:
                wait_until(lambda: client.info("replication")["master_link_status"] == "up")
        yield first, followers[0]


def wait_until(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def can_wait(client: redis.Redis) -> bool:
    """Whether this server is one since Redis 7.2."""
    return any(name in (b"waitaof", "waitaof") for name in client.command_list())


def fall_behind(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", free_port())


@pytest.mark.parametrize("durable", DURABLE)
def test_takes_that_the_promoted_replica_never_saw_are_found_at_the_api(
    trio: tuple[RedisServer, RedisServer], tmp_path: Path, durable: str
):
    first, second = trio
    with SandboxProcess(log=tmp_path / "api.jsonl") as api:
        with first.client() as before:
            if durable != "off" and not can_wait(before):
                pytest.skip("WAITAOF came with Redis 7.2")
            with closing(Stage(before, api, durable_takes=durable)) as stage:
                stage.ledger.check_durability()
                stage.accept(IDS)
                stage.accept(["crm-10"])
                before.wait(2, 5000)
                fall_behind(second)
                wait_until(lambda: before.info("replication")["connected_slaves"] == 1)
                stage.ledger.check_durability()
                stage.send()
                stage.post(stage.take())
                assert len(stage.made()) == 11
        first.kill()
        with second.client() as after:
            after.execute_command("REPLICAOF", "NO", "ONE")
            with closing(
                Stage(after, api, durable_takes="off" if durable == "off" else "local")
            ) as promoted:
                check(promoted, after)


def check(stage: Stage, after: redis.Redis) -> None:
    assert stage.states([*IDS, "crm-10"]) == "w" * 11
    assert stage.ledger.take("me:99", ["default"]) is None
    stage.read_back()
    assert stage.states([*IDS, "crm-10"]) == "c" * 11
    assert stage.ledger.take("me:100", ["default"]) is None
    assert set(stage.made().values()) == {1}
    stage.accept(["crm-11"])
    taken = stage.send()
    assert taken.attempt > 1_000_000, "a number that a forgotten take may have had"
    assert after.hget("callspool:{0}:meta", "epoch") == b"1"


def test_a_primary_that_took_over_the_data_of_a_replica_behind_it_is_another_server(
    trio: tuple[RedisServer, RedisServer], tmp_path: Path
):
    """The process, and with it the run id, is the same as before: only its data is older."""
    first, second = trio
    with SandboxProcess(log=tmp_path / "api.jsonl") as api, first.client() as client:
        with closing(Stage(client, api, durable_takes="off")) as stage:
            stage.accept(IDS)
            client.wait(2, 5000)
            fall_behind(second)
            stage.post(stage.take())
            with second.client() as other:
                other.execute_command("REPLICAOF", "NO", "ONE")
            client.execute_command("REPLICAOF", "127.0.0.1", second.port)
            wait_until(lambda: client.info("replication")["master_link_status"] == "up")
            client.execute_command("REPLICAOF", "NO", "ONE")
        # A worker that was started only now knows of no take.
        with closing(Stage(client, api)) as later:
            assert later.states(IDS) == "w" * 10
            assert later.ledger.take("me:99", ["default"]) is None
            later.read_back()
            assert later.states(IDS) == "c" * 10
            assert set(later.made().values()) == {1}


def test_a_primary_that_was_a_replica_for_a_moment_has_forgotten_nothing(
    trio: tuple[RedisServer, RedisServer], tmp_path: Path
):
    """Its history goes on under a new name, and nothing has to be read back."""
    first, _ = trio
    with (
        SandboxProcess(log=tmp_path / "api.jsonl") as api,
        first.client() as client,
        closing(Stage(client, api)) as stage,
    ):
        stage.accept(IDS)
        stage.send()
        for _ in range(2):
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            client.execute_command("REPLICAOF", "NO", "ONE")
            assert stage.ledger.take("me:99", ["default"]) is None
        stage.accept(["crm-12"])
        assert stage.send().count == 1
        assert client.hget("callspool:{0}:meta", "epoch") is None


def test_of_two_primaries_the_old_one_stops_before_the_new_one_sends(
    trio: tuple[RedisServer, RedisServer], tmp_path: Path
):
    """Workers on either side, and no `min-replicas-to-write`."""
    first, second = trio
    with ExitStack() as stack:
        api = stack.enter_context(SandboxProcess(log=tmp_path / "api.jsonl"))
        before = stack.enter_context(first.client())
        old = stack.enter_context(closing(Stage(before, api)))
        old.accept(IDS)
        old.accept(["crm-10"])
        assert old.send().count == 10
        before.wait(2, 5000)
        after = stack.enter_context(second.client())
        after.execute_command("REPLICAOF", "NO", "ONE")
        other = before.info("replication")["slave0"]["port"]
        with redis.Redis(port=other) as third:
            third.execute_command("REPLICAOF", "127.0.0.1", second.port)
        wait_until(lambda: not before.info("replication")["connected_slaves"])
        new = stack.enter_context(closing(Stage(after, api)))
        before.hset(f"{P}:meta", "alone", 60_000)
        assert old.send().count == 1, "for a moment it goes on"
        assert not LedgerReader(before).ask(read_metrics()).is_cut_off
        before.hset(f"{P}:meta", "alone", 0)
        old.accept(["crm-12"])
        with pytest.raises(LedgerUnavailable, match="without-replicas"):
            old.take()
        assert LedgerReader(before).ask(read_metrics()).is_cut_off, "an alert tells"
        new.accept(["crm-12"])
        assert new.ledger.take("me:99", ["default"]) is None
        new.read_back()
        assert new.states([*IDS, "crm-10", "crm-12"]) == "c" * 11 + "w"
        assert new.send().count == 1
        assert set(new.made().values()) == {1}
        old.ledger.run_commands([("HDEL", old.ledger.keys.meta, "replica_at")])
        assert old.take().count == 1, "as an operator wishes"


@pytest.mark.parametrize("listens", [False, True])
def test_what_only_copies_the_data_is_no_replica_that_sending_waits_for(
    set_up: SetUp, listens: bool
):
    """A backup by `redis-cli --rdb`, and a replica that is taken away before it was filled."""
    stage = set_up()
    client = stage.spool.client
    where = client.get_connection_kwargs()
    client.config_set("repl-diskless-sync-delay", 60)
    with socket.create_connection((where["host"], where["port"]), timeout=5) as copying:
        if listens:
            copying.sendall(b"REPLCONF listening-port 7777\r\n")
            assert copying.recv(100) == b"+OK\r\n"
        copying.sendall(b"SYNC\r\n")
        wait_until(lambda: "slave0" in client.info("replication"))
        assert stage.ledger.take("me:1", ["default"]) is None
    assert client.hget(f"{P}:meta", "replica_at") is None


def test_a_take_from_before_a_failover_is_not_sent_once_that_is_known(set_up: SetUp):
    stage = set_up()
    stage.accept(IDS)
    taken = stage.take()
    assert stage.ledger.is_current(taken)
    stage.spool.client.hset(f"{P}:meta", "replid", "another")
    stage.ledger.report()
    assert not stage.ledger.is_current(taken)


def test_a_change_of_roles_puts_off_no_space_that_certainly_stayed_closed(set_up: SetUp):
    """It was closed by the change before, and could not have been opened yet."""
    stage = set_up()
    client = stage.spool.client
    change = partial(client.hset, f"{P}:meta", "replid")
    gate = partial(client.hget, f"{P}:gates", "unread:default|SPACE")
    stage.accept(IDS)
    stage.post(stage.take())
    change("a")
    stage.ledger.report()
    first = msgspec.json.decode(gate() or b"{}")
    change("b")
    stage.ledger.report()
    again = msgspec.json.decode(gate() or b"{}")
    assert (again["closed"], again["clock"]) == (first["closed"], first["clock"])

    def change_amid_a_look() -> None:
        change("c")
        stage.ledger.report()

    stage.after_reading.append(change_amid_a_look)
    stage.look()
    kept = msgspec.json.decode(gate() or b"{}")
    assert kept["closed"] == first["closed"]
    assert kept["last"], "nor is a look thrown away that was under way"
    time.sleep((LEASE_MS / 1000 + QUIET) * 1.1)
    change("d")
    stage.ledger.report()
    late = msgspec.json.decode(gate() or b"{}")
    assert late["closed"] > first["closed"], "by now it may have been opened, and that forgotten"
    assert "last" not in late
    stage.ledger._member.known = 9_000_000
    stage.ledger.report()
    forgot = msgspec.json.decode(gate() or b"{}")
    assert forgot["clock"] > late["clock"]
    stage.read_back()
