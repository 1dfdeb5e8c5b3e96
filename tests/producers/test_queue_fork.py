"""A queue made before a fork, used on both sides of it (gunicorn, celery prefork)."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import pytest
import redis

from callspool import CallQueue
from tests.support.call_requests import one_contact, queued_ids
from tests.support.servers import RedisServer


@pytest.fixture
def queue(redis_url: str) -> Iterator[CallQueue]:
    with CallQueue(redis_url, timeout=10) as queue:
        yield queue


def in_a_child(work: Callable[[], object], seconds: float = 20) -> int:
    """Runs in a fork; 0 when it came back, 1 when it raised, 9 when it got stuck."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 and later: threads and fork
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 9


def test_parent_and_child_use_connections_of_their_own(
    queue: CallQueue, client: redis.Redis
) -> None:
    queue.enqueue(one_contact("parent-1"))
    assert in_a_child(lambda: queue.enqueue(one_contact("child"))) == 0
    queue.enqueue(one_contact("parent-2"))
    assert queued_ids(client) == ["parent-1", "child", "parent-2"]


def test_a_child_closes_its_copies_of_the_parents_sockets(
    queue: CallQueue, client: redis.Redis
) -> None:
    queue.enqueue(one_contact("parent"))

    def sockets() -> set[int]:
        found = set()
        for number in range(3, 200):
            try:
                if os.path.samestat(os.fstat(number), inherited):
                    found.add(number)
            except OSError:
                continue
        return found

    process = queue._process()
    (connection,) = process.connections._connections[0]._open
    inherited = os.fstat(connection._sock.fileno())

    def work() -> None:
        assert sockets()
        queue.enqueue(one_contact("child"))
        assert not sockets()

    assert in_a_child(work) == 0
    assert sockets()
    queue.enqueue(one_contact("parent-again"))
    assert queue._process() is process
    assert queued_ids(client) == ["parent", "child", "parent-again"]


def test_children_forked_while_fifty_threads_enqueue_do_not_get_stuck(
    queue: CallQueue, client: redis.Redis
) -> None:
    stop = threading.Event()
    counts = [0] * 50
    failed: list[BaseException] = []

    def call(worker: int) -> None:
        while not stop.is_set():
            try:
                queue.enqueue(one_contact(f"w{worker}-{counts[worker]}"))
            except BaseException as error:
                failed.append(error)
                raise
            counts[worker] += 1

    def fifty_more(child: int) -> None:
        threads = [
            threading.Thread(target=queue.enqueue, args=(one_contact(f"c{child}-{number}"),))
            for number in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    threads = [threading.Thread(target=call, args=(worker,)) for worker in range(50)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    codes = [in_a_child(lambda child=child: fifty_more(child)) for child in range(5)]
    stop.set()
    for thread in threads:
        thread.join(20)
    assert codes == [0] * 5
    assert not failed
    found = queued_ids(client)
    expected = {f"w{worker}-{number}" for worker in range(50) for number in range(counts[worker])}
    expected |= {f"c{child}-{number}" for child in range(5) for number in range(50)}
    assert len(found) == len(expected)
    assert set(found) == expected


def test_a_child_forked_amid_a_round_trip_has_no_part_in_it(client: redis.Redis) -> None:
    with RedisServer() as server:
        queue = CallQueue(server.url, timeout=10)
        queue.enqueue(one_contact("first"))
        server.signal(signal.SIGSTOP)
        threads = [
            threading.Thread(target=queue.enqueue, args=(one_contact(f"parent-{number}"),))
            for number in range(3)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        waker = threading.Timer(0.3, server.signal, args=(signal.SIGCONT,))
        waker.start()
        assert in_a_child(lambda: queue.enqueue(one_contact("child"))) == 0
        for thread in threads:
            thread.join()
        found = queued_ids(server.client())
    assert sorted(found) == ["child", "first", "parent-0", "parent-1", "parent-2"]


def test_a_grandchild_can_enqueue(queue: CallQueue, client: redis.Redis) -> None:
    queue.enqueue(one_contact("parent"))

    def child() -> None:
        queue.enqueue(one_contact("child"))
        assert in_a_child(lambda: queue.enqueue(one_contact("grandchild"))) == 0
        queue.enqueue(one_contact("child-again"))

    assert in_a_child(child) == 0
    assert queued_ids(client) == ["parent", "child", "grandchild", "child-again"]


def test_a_queue_never_used_before_the_fork_works_after_it(
    queue: CallQueue, client: redis.Redis
) -> None:
    assert in_a_child(lambda: queue.enqueue(one_contact("child"))) == 0
    assert queued_ids(client) == ["child"]
