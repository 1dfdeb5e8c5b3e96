"""What `CallQueue` does when Redis is away, full, slow or refuses."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from callspool import AsyncCallQueue, CallQueue, CallRequest, QueueFull, QueueUnavailable
from callspool.enqueue import storing
from tests.support.call_requests import COUNTS, STREAM, contacts, one_contact, queued_ids, spooled
from tests.support.proxy import Proxy, Where
from tests.support.servers import RedisServer, free_port

SOON = 1.5
"""Seconds over a timeout that are forgiven: the machine is busy with other tests."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of the test's own, which keeps what it has over a kill."""
    with RedisServer("--appendfsync", "always", append_only=True) as server:
        yield server


@pytest.fixture
def proxy(redis_server: RedisServer, redis_url: str) -> Iterator[Proxy]:
    proxy = Proxy(redis_server.port)
    yield proxy
    proxy.close()


def test_a_server_that_is_not_there_is_told_within_the_timeout() -> None:
    port = free_port()
    queue = CallQueue(f"redis://:s3cr3t@127.0.0.1:{port}/0", timeout=0.3)
    started = time.monotonic()
    with pytest.raises(QueueUnavailable, match=f"cannot reach Redis at 127.0.0.1:{port}") as caught:
        queue.enqueue(one_contact("a"))
    assert 0.1 < time.monotonic() - started < 0.3 + SOON
    assert caught.value.enqueued == 0
    assert "CALLSPOOL_REDIS_URL" in str(caught.value)
    assert "s3cr3t" not in repr(caught.value)
    assert "\n" not in str(caught.value)


def test_a_host_name_that_cannot_be_is_told() -> None:
    for host in ("no-such-host.invalid", "a..b", f"{'x' * 70}.invalid"):
        with pytest.raises(QueueUnavailable):
            CallQueue(f"redis://{host}:6379/0", timeout=0.2).enqueue(one_contact("a"))


def test_a_server_that_comes_back_within_the_timeout_is_no_error(server: RedisServer) -> None:
    queue = CallQueue(server.url, timeout=20)
    queue.enqueue(one_contact("before"))
    server.kill()
    threading.Timer(0.5, server.start).start()
    assert queue.enqueue(one_contact("after")).documents == 1
    assert queued_ids(server.client()) == ["before", "after"]


def test_a_connection_that_has_gone_stale_is_made_again(server: RedisServer) -> None:
    queue = CallQueue(server.url, timeout=2)
    for number in range(3):
        queue.enqueue(one_contact(f"d{number}"))
        server.kill()
        server.start()
    queue.enqueue_many([one_contact("last")])
    assert queued_ids(server.client()) == ["d0", "d1", "d2", "last"]


def test_scripts_forgotten_by_the_server_are_loaded_again(
    redis_url: str, client: redis.Redis
) -> None:
    queue = CallQueue(redis_url)
    for number in range(3):
        queue.enqueue(one_contact(f"d{number}"))
        client.script_flush()
    assert queued_ids(client) == ["d0", "d1", "d2"]


def test_fifty_threads_lose_nothing_while_the_server_is_killed_and_started(
    server: RedisServer,
) -> None:
    queue = CallQueue(server.url, timeout=30)
    queue.enqueue(one_contact("first"))
    failed = []

    def call(worker: int) -> None:
        for number in range(20):
            try:
                queue.enqueue(one_contact(f"w{worker}-{number}"))
            except QueueUnavailable as error:
                failed.append(str(error))
            time.sleep(0.02)

    threads = [threading.Thread(target=call, args=(worker,)) for worker in range(50)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.1)
        server.kill()
        server.start()
    for thread in threads:
        thread.join()
    assert not failed
    expected = {f"w{worker}-{number}" for worker in range(50) for number in range(20)}
    assert set(queued_ids(server.client())) == expected | {"first"}


def test_a_stopped_server_costs_no_more_than_the_timeout(server: RedisServer) -> None:
    queue = CallQueue(server.url, timeout=1.0)
    queue.enqueue(one_contact("before"))
    fresh = CallQueue(server.url, timeout=1.0)
    server.signal(signal.SIGSTOP)
    try:
        for each in (queue, fresh):  # with a connection, and with one to be made
            started = time.monotonic()
            with pytest.raises(QueueUnavailable, match="did not answer in time"):
                each.enqueue(one_contact("meanwhile"))
            assert 0.9 < time.monotonic() - started < 1.0 + SOON
    finally:
        server.signal(signal.SIGCONT)
    assert queue.enqueue(one_contact("after")).documents == 1


def test_a_signal_handler_that_interrupted_an_enqueue_is_told_so_at_once(
    server: RedisServer,
) -> None:
    """It would wait for the thread that it interrupted, which goes on afterwards."""
    queue = CallQueue(server.url, timeout=20.0)
    queue.enqueue(one_contact("before"))
    told: list[tuple[float, str]] = []

    def handle(number: int, frame: object) -> None:
        started = time.monotonic()
        with pytest.raises(QueueUnavailable) as fault:
            queue.enqueue(one_contact("in the handler"))
        told.append((time.monotonic() - started, str(fault.value)))
        server.signal(signal.SIGCONT)

    previous = signal.signal(signal.SIGALRM, handle)
    server.signal(signal.SIGSTOP)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        assert queue.enqueue(one_contact("meanwhile")).documents == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        server.signal(signal.SIGCONT)
    ((seconds, words),) = told
    assert seconds < 5
    assert "signal handler" in words
    assert queue.enqueue(one_contact("after")).documents == 1


def test_a_stopped_server_costs_fifty_threads_no_more_than_the_timeout(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "AWAY", 0.0)
    queue = CallQueue(server.url, timeout=1.0)
    queue.enqueue(one_contact("before"))
    took: list[float] = []

    def call(worker: int) -> None:
        time.sleep(worker / 100)
        started = time.monotonic()
        with pytest.raises(QueueUnavailable):
            queue.enqueue(one_contact(f"w{worker}"))
        took.append(time.monotonic() - started)

    threads = [threading.Thread(target=call, args=(worker,)) for worker in range(50)]
    server.signal(signal.SIGSTOP)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        server.signal(signal.SIGCONT)
    assert len(took) == 50
    assert max(took) < 1.0 + SOON
    assert queue.enqueue(one_contact("after")).documents == 1


def test_a_large_request_to_a_stopped_server_ends_in_time(server: RedisServer) -> None:
    queue = CallQueue(server.url, timeout=1.0)
    request = contacts([f"d{number}" for number in range(20_000)], about="x" * 1_000)
    server.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(QueueUnavailable) as caught:
            queue.enqueue(request)
        blocked = time.monotonic() - started
    finally:
        server.signal(signal.SIGCONT)
    assert caught.value.enqueued == 0
    assert blocked < 8  # a second of waiting, the rest is checking 20,000 documents


@pytest.mark.parametrize("where", ["before", "amid", "after", "within"])
def test_a_connection_cut_at_any_point_loses_nothing(
    proxy: Proxy, client: redis.Redis, where: Where
) -> None:
    queue = CallQueue(proxy.url, timeout=5)
    queue.enqueue(one_contact("first"))
    for command in (1, 2, 3):
        proxy.cut(command, where)
        queue.enqueue(one_contact(f"cut-at-{command}"))
        queue.enqueue(one_contact(f"after-{command}"))
        queue.enqueue(one_contact(f"then-{command}"))
        assert proxy.was_cut
    wanted = [f"{word}-{at}" for at in (1, 2, 3) for word in ("cut-at", "after", "then")]
    assert list(dict.fromkeys(queued_ids(client))) == ["first", *wanted]
    assert spooled(client) == len(queued_ids(client))


def test_a_server_that_goes_amid_a_large_request_leaves_what_it_has_to_be_known(
    proxy: Proxy, client: redis.Redis
) -> None:
    queue = CallQueue(proxy.url, timeout=1)
    queue.enqueue(one_contact("first"))
    before = spooled(client)
    requests = (contacts([f"r{n}-{d}" for d in range(500)], about="x" * 900) for n in range(40))

    def then_silence() -> Iterator[CallRequest]:
        for number, request in enumerate(requests):
            if number == 30:
                proxy.pause()
            yield request

    with pytest.raises(QueueUnavailable) as caught:
        queue.enqueue_many(then_silence())
    proxy.resume()
    assert caught.value.enqueued % 500 == 0
    assert 0 < caught.value.enqueued <= spooled(client) - before


def test_a_refused_password_is_told_at_once_and_never_shown(server: RedisServer) -> None:
    with server.client() as client:
        client.config_set("requirepass", "r1ght")
    for url in (
        server.url,
        server.url.replace("redis://", "redis://:wr0ng@"),
        server.url.replace("redis://", "redis://nobody:wr0ng@"),
    ):
        started = time.monotonic()
        with pytest.raises(QueueUnavailable, match="refused the user or password") as caught:
            CallQueue(url, timeout=5).enqueue(one_contact("a"))
        assert time.monotonic() - started < 2
        assert "wr0ng" not in f"{caught.value!r}{caught.value.__cause__!r}"
    url = server.url.replace("redis://", "redis://:r1ght@")
    assert CallQueue(url).enqueue(one_contact("a")).documents == 1


def test_a_user_without_the_right_to_enqueue_is_told_what_it_needs(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("ACL SETUSER web on >pw ~callspool:* +ping")
    queue = CallQueue(server.url.replace("redis://", "redis://web:pw@"))
    with pytest.raises(QueueUnavailable, match="does not let this user enqueue; allow it EVALSHA"):
        queue.enqueue(one_contact("a"))


def test_a_user_that_may_not_load_the_script_is_told_that(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("ACL SETUSER web on >pw ~callspool:* +evalsha +xadd")
    queue = CallQueue(server.url.replace("redis://", "redis://web:pw@"))
    with pytest.raises(QueueUnavailable, match="does not let this user enqueue; allow it EVALSHA"):
        queue.enqueue(one_contact("a"))


def test_a_user_with_just_these_rights_can_enqueue(server: RedisServer) -> None:
    rights = "+evalsha +script|load +xadd +hmget +hincrby"
    with server.client() as client:
        client.execute_command(f"ACL SETUSER web on >pw ~callspool:* {rights}")
        queue = CallQueue(server.url.replace("redis://", "redis://web:pw@"))
        queue.enqueue(one_contact("a"))
        assert queued_ids(client) == ["a"]


def test_a_replica_is_told_as_one(server: RedisServer) -> None:
    with RedisServer("--replicaof", "127.0.0.1", str(server.port)) as replica:
        queue = CallQueue(replica.url, timeout=0.3)
        with pytest.raises(QueueUnavailable, match="is a replica"):
            queue.enqueue(one_contact("a"))


def test_a_server_with_little_memory_left_refuses_and_takes_again_when_there_is_more(
    server: RedisServer,
) -> None:
    with server.client() as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", int(used / 0.9))
        queue = CallQueue(server.url)
        for _ in range(3):
            with pytest.raises(QueueFull, match="maxmemory"):
                queue.enqueue(one_contact("a"))
        assert not client.exists(STREAM)
        client.config_set("maxmemory", used * 10)
        time.sleep(1.1)
        queue.enqueue(one_contact("a"))
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", int(used / 0.82))
        time.sleep(1.1)
        queue.enqueue(one_contact("b"))  # asks along with it
        with pytest.raises(QueueFull):
            queue.enqueue(one_contact("c"))
        assert queued_ids(client) == ["a", "b"]


def test_memory_is_asked_for_at_most_once_a_second(proxy: Proxy) -> None:
    queue = CallQueue(proxy.url)
    started = time.monotonic()
    for number in range(200):
        queue.enqueue(one_contact(f"d{number}"))
    asked = proxy.commands.count("INFO")
    assert 1 <= asked <= 1 + (time.monotonic() - started)


def test_a_server_out_of_memory_is_a_full_queue(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.enqueue.storing.FULL_FROM", 100.0)
    with server.client() as client:
        queue = CallQueue(server.url)
        queue.enqueue(one_contact("a"))
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 0.9))
        client.config_set("maxmemory-policy", "noeviction")
        with pytest.raises(QueueFull, match="maxmemory"):
            queue.enqueue(one_contact("b"))
        assert spooled(client) == 1
        client.config_set("maxmemory", 0)
        queue.enqueue(one_contact("b"))
        assert queued_ids(client) == ["a", "b"]


def test_a_key_of_the_wrong_kind_is_told_without_the_message(
    redis_url: str, client: redis.Redis
) -> None:
    client.set(COUNTS, "something else")
    with pytest.raises(QueueUnavailable, match="WRONGTYPE") as caught:
        CallQueue(redis_url).enqueue(one_contact("a"))
    assert "4155550123" not in str(caught.value)


def test_a_server_without_scripts_is_told_without_the_message(server: RedisServer) -> None:
    with RedisServer("--rename-command", "EVALSHA", "") as crippled:
        with pytest.raises(QueueUnavailable, match="unknown command") as caught:
            CallQueue(crippled.url).enqueue(one_contact("a"))
        assert "8KZ" not in str(caught.value)


def test_something_that_is_not_redis_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        port = listener.getsockname()[1]
        with pytest.raises(QueueUnavailable, match="does not answer as Redis does"):
            CallQueue(f"redis://127.0.0.1:{port}/0", timeout=1).enqueue(one_contact("a"))
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("kind", [CallQueue, AsyncCallQueue])
def test_while_redis_is_known_to_be_away_callers_fail_at_once(kind: type[Any]) -> None:
    queue = kind(f"redis://127.0.0.1:{free_port()}/0", timeout=0.3)
    took: list[float] = []
    loop = asyncio.new_event_loop()

    def ask(request: CallRequest) -> None:
        waiting = queue.enqueue(request)
        if kind is AsyncCallQueue:
            loop.run_until_complete(waiting)

    def enqueue(request: CallRequest) -> None:
        started = time.monotonic()
        with pytest.raises(QueueUnavailable, match="cannot reach"):
            ask(request)
        took.append(time.monotonic() - started)

    for request in (one_contact("a"), one_contact("b"), contacts(list("cdefgh"))):
        enqueue(request)
    loop.close()
    assert max(took[1:]) < took[0]
