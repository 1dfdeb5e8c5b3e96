"""The outbox: what a transaction wrote reaches the queue, whatever is killed in between."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from callspool.contrib.outbox import TABLE_SQL
from callspool.errors import QueueFull
from callspool.settings import Settings
from callspool_operators import relay as relay_module
from callspool_operators.relay import (
    OutboxRelay,
    RelayedRows,
    drain,
    follow,
    open_relay,
)
from tests.operators.serving.conftest import document, posted
from tests.support import cli
from tests.support.postgres import PostgresServer

INSERT = "INSERT INTO callspool_outbox (request) VALUES (%s)"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def outbox(postgres: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """A connection to an empty outbox, each statement a transaction."""
    with postgres.connect(autocommit=True) as connection:
        connection.execute(TABLE_SQL)
        connection.execute("TRUNCATE callspool_outbox")
        yield connection


@pytest.fixture
def relay(redis_url: str) -> Iterator[OutboxRelay]:
    with open_relay(Settings(redis_url=redis_url)) as found:
        yield found


def request_of(*ids: int, **fields: object) -> str:
    return json.dumps(posted(*map(document, ids), space_token="8KZTESTSPACE", **fields))


def queued(client: redis.Redis) -> list[str]:
    return [
        each["document_id"]
        for _, fields in client.xrange("callspool:{0}:requests")
        for request in json.loads(fields[b"requests"])
        for each in request["documents"]
    ]


def left(outbox: psycopg.Connection[Any]) -> list[str | None]:
    return [row[0] for row in outbox.execute("SELECT refused FROM callspool_outbox ORDER BY id")]


def test_rows_leave_the_outbox_in_their_order_once_redis_has_them(
    relay: OutboxRelay, outbox: psycopg.Connection[Any], client: redis.Redis
):
    for at in range(450):
        outbox.execute(INSERT, (request_of(at),))
    assert drain(relay, outbox) == RelayedRows(rows=450, documents=450)
    assert queued(client) == [f"crm-{at}" for at in range(450)]
    assert left(outbox) == []


def test_a_row_that_cannot_be_enqueued_stays_with_the_reason_and_spoils_no_other(
    relay: OutboxRelay, outbox: psycopg.Connection[Any], client: redis.Redis
):
    bad = [
        posted(document(1, contact_number="12"), space_token="S"),
        posted(document(2, document_id=None), space_token="S"),
        posted(document(3), space_token="S", piloot="x"),
        posted(document(4), space_token="S", expires_at=1),
        ["no object"],
    ]
    for each in bad:
        outbox.execute(INSERT, (json.dumps(each),))
    deep = request_of(6).replace('"crm-6"', "[" * 1500 + "]" * 1500)
    outbox.execute(INSERT, (deep,))
    outbox.execute(INSERT, (request_of(9),))
    assert drain(relay, outbox) == RelayedRows(rows=1, documents=1, refused=6)
    assert queued(client) == ["crm-9"]
    reasons = left(outbox)
    assert all(reasons)
    assert len(reasons) == 6
    assert "document_id: is missing" in str(reasons[1])
    assert "nested too deeply" in str(reasons[5])
    outbox.execute("UPDATE callspool_outbox SET refused = NULL, request = %s", (request_of(5),))
    assert drain(relay, outbox).rows == 6


def test_a_transaction_that_commits_after_a_later_one_is_not_passed_over(
    relay: OutboxRelay,
    outbox: psycopg.Connection[Any],
    postgres: PostgresServer,
    client: redis.Redis,
):
    with postgres.connect() as late:
        late.execute(INSERT, (request_of(1),))
        outbox.execute(INSERT, (request_of(2),))
        assert drain(relay, outbox).rows == 1
        late.commit()
    with postgres.connect() as taken_back:
        taken_back.execute(INSERT, (request_of(3),))
        taken_back.rollback()
    assert drain(relay, outbox).rows == 1
    assert queued(client) == ["crm-2", "crm-1"]


def test_where_the_relay_dies_before_its_commit_the_rows_come_again(
    redis_url: str,
    outbox: psycopg.Connection[Any],
    postgres: PostgresServer,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
):
    outbox.execute(INSERT, (request_of(1),))
    enqueue = OutboxRelay._enqueue

    def enqueue_and_die(relay: OutboxRelay, ready: Any) -> Any:
        enqueue(relay, ready)
        raise KeyboardInterrupt

    with open_relay(Settings(redis_url=redis_url)) as relay:
        with monkeypatch.context() as patch, postgres.connect(autocommit=True) as dying:
            patch.setattr(OutboxRelay, "_enqueue", enqueue_and_die)
            with pytest.raises(KeyboardInterrupt):
                relay.relay_some(dying)
        assert left(outbox) == [None]
        assert drain(relay, outbox).rows == 1
    assert queued(client) == ["crm-1", "crm-1"], "the ledger knows the second by its id"


def test_while_the_queue_has_no_room_all_rows_stay(
    relay: OutboxRelay, outbox: psycopg.Connection[Any], client: redis.Redis
):
    outbox.execute(INSERT, (request_of(1),))
    client.hset("callspool:{0}:counts", "waiting", 10_000_000)
    with pytest.raises(QueueFull):
        drain(relay, outbox)
    assert left(outbox) == [None]
    client.hset("callspool:{0}:counts", "waiting", 0)
    assert drain(relay, outbox).rows == 1


def test_where_the_queue_takes_some_rows_those_leave_and_are_stored_once(
    redis_url: str, outbox: psycopg.Connection[Any], client: redis.Redis
):
    for ids in ((1, 2), (), (3, 4), (5,), (6, 7)):
        outbox.execute(INSERT, (request_of(*ids) if ids else '["no object"]',))
    told: list[RelayedRows] = []
    with open_relay(Settings(redis_url=redis_url, max_waiting=4)) as relay:
        for _ in range(3):
            with pytest.raises(QueueFull):
                drain(relay, outbox, told.append)
        assert told == [RelayedRows(rows=2, documents=4, refused=1)]
        assert left(outbox)[1:] == [None, None]
        client.hset("callspool:{0}:counts", "spooled", 0)
        assert drain(relay, outbox).rows == 2
    assert queued(client) == [f"crm-{at}" for at in range(1, 8)]


def test_a_row_that_the_queue_takes_in_parts_is_stored_once(
    redis_url: str, outbox: psycopg.Connection[Any], client: redis.Redis
):
    outbox.execute(INSERT, (request_of(*range(1200)),))  # three messages
    with open_relay(Settings(redis_url=redis_url, max_waiting=600)) as relay:
        for _ in range(2):
            with pytest.raises(QueueFull):
                drain(relay, outbox)
            with pytest.raises(QueueFull):
                drain(relay, outbox)
            client.hset("callspool:{0}:counts", "spooled", 0)
        assert drain(relay, outbox) == RelayedRows(rows=1, documents=1200)
    assert sorted(queued(client)) == sorted(f"crm-{at}" for at in range(1200))


def test_an_error_of_one_row_or_of_the_database_does_not_end_the_relay(
    postgres: PostgresServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    with postgres.connect(autocommit=True) as server:
        server.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    connect = partial(psycopg.connect, postgres.dsn.replace("/postgres", "/latin"), autocommit=True)
    complaints: list[str] = []
    told: list[RelayedRows] = []
    failures = [psycopg.DataError(), psycopg.InterfaceError()]

    def connect_at_last() -> psycopg.Connection[Any]:
        if failures:
            raise failures.pop()
        return connect()

    prepare = relay_module.prepare_row

    def prepare_or_fail(text: str, rules: Any) -> Any:
        if "crm-2" in text:
            raise OverflowError
        return prepare(text, rules)

    monkeypatch.setattr(relay_module, "prepare_row", prepare_or_fail)
    monkeypatch.setattr(relay_module, "PAUSES", (0.0,))
    with connect() as outbox, open_relay(Settings(redis_url=redis_url)) as relay:
        outbox.execute(TABLE_SQL)
        # Its id is shown as "…100": LATIN1 does not have the first letter.
        shown = posted(document(1, document_id="4155550100", contact_number="12"), space_token="S")
        outbox.execute(INSERT, (json.dumps(shown),))
        outbox.execute(INSERT, (request_of(2),))
        outbox.execute(INSERT, (request_of(3),))
        follow(relay, connect_at_last, lambda: bool(told), told.append, complaints.append)
        reasons = left(outbox)
    assert told == [RelayedRows(rows=1, documents=1, refused=2)]
    assert len(complaints) == 2
    assert "\\u2026" in str(reasons[0])
    assert "OverflowError" in str(reasons[1])


def test_two_killed_relays_and_a_third_lose_nothing(
    outbox: psycopg.Connection[Any], redis_url: str, client: redis.Redis, tmp_path: Path
):
    for at in range(600):
        outbox.execute(INSERT, (request_of(at),))
    dsn = tmp_path / "dsn"
    dsn.write_text(f"postgresql://tester@127.0.0.1:{outbox.info.port}/postgres\n")
    command = [*cli.COMMAND, "relay", "--dsn-file", str(dsn)]
    env = cli.environment(tmp_path, CALLSPOOL_REDIS_URL=redis_url)
    for patience in (0.0, 0.01, None):
        process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"callspool relay begins\n"
        if patience is None:
            outbox.execute(INSERT, (request_of(600),))  # a notice wakes it
            deadline = time.monotonic() + 60
            while left(outbox):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.terminate()
            assert process.wait(timeout=30) == 0
        else:
            time.sleep(patience)
            process.kill()
            process.wait()
        process.stdout.close()
    assert set(queued(client)) == {f"crm-{at}" for at in range(601)}


def test_what_is_wrong_with_the_database_is_one_line(
    postgres: PostgresServer, outbox: psycopg.Connection[Any], redis_url: str, tmp_path: Path
):
    dsn = tmp_path / "dsn"
    env = cli.environment(tmp_path, CALLSPOOL_REDIS_URL=redis_url)
    for text, words in (
        ("postgresql://secret-user:secret@127.0.0.1:1/x", "PostgreSQL does not answer"),
        ("what is this", "holds no connection string"),
        (postgres.dsn.replace("/postgres", "/template1"), "callspool relay --sql"),
        (f"{postgres.dsn}?options=-cdefault_transaction_read_only%3Don", "PostgreSQL refused"),
    ):
        dsn.write_text(text)
        done = cli.call(["relay", "--dsn-file", str(dsn), "--once"], env, tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert "secret" not in done.stderr
        assert done.stderr.count("\n") == 1
