"""`AsyncCallQueue`: the same promises on an event loop."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from callspool import (
    AsyncCallQueue,
    CallRequest,
    Document,
    QueueFull,
    QueueUnavailable,
    SettingsError,
)
from callspool.aio import DOCUMENTS_ON_THE_LOOP
from callspool.enqueue import storing
from callspool.enqueue.receipts import InvalidRequestInMany
from callspool.request.message import MAX_DOCUMENTS
from tests.support.call_requests import (
    COUNTS,
    STREAM,
    Unready,
    contacts,
    one_contact,
    queued_ids,
    spooled,
)
from tests.support.proxy import Proxy, Where
from tests.support.servers import RedisServer, free_port

SOON = 1.5


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer("--appendfsync", "always", append_only=True) as server:
        yield server


def test_enqueue_returns_after_redis_has_the_request(redis_url: str, client: redis.Redis) -> None:
    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            receipt = await queue.enqueue(one_contact("crm-17"))
            assert (receipt.documents, receipt.messages) == (1, 1)
            assert receipt.document_ids == ("crm-17",)
            assert queued_ids(client) == ["crm-17"]

    asyncio.run(scenario())
    assert spooled(client) == 1


def test_a_thousand_tasks_share_round_trips(redis_url: str, client: redis.Redis) -> None:
    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            receipts = await asyncio.gather(
                *(queue.enqueue(one_contact(f"d{number}")) for number in range(1_000))
            )
            assert [receipt.document_ids for receipt in receipts] == [
                (f"d{number}",) for number in range(1_000)
            ]
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
    assert queued_ids(client) == [f"d{number}" for number in range(1_000)]
    assert client.xlen(STREAM) < 20


def test_each_task_gets_the_error_of_its_own_request(redis_url: str, client: redis.Redis) -> None:
    async def scenario() -> list[object]:
        async with AsyncCallQueue(redis_url, max_waiting=3) as queue:
            requests = [one_contact(f"d{number}") for number in range(6)]
            requests[1].pilot = ""
            return list(
                await asyncio.gather(
                    *(queue.enqueue(request) for request in requests), return_exceptions=True
                )
            )

    results = asyncio.run(scenario())
    assert [type(result).__name__ for result in results] == [
        "Receipt",
        "InvalidCallRequest",
        "Receipt",
        "Receipt",
        "QueueFull",
        "QueueFull",
    ]
    assert queued_ids(client) == ["d0", "d2", "d3"]


def test_one_queue_works_on_event_loops_one_after_another(
    redis_url: str, client: redis.Redis
) -> None:
    queue = AsyncCallQueue(redis_url)

    async def scenario(name: str) -> None:
        async with queue:
            await queue.enqueue(one_contact(name))

    for name in "abc":
        asyncio.run(scenario(name))
    assert queued_ids(client) == ["a", "b", "c"]


def test_what_a_closed_loop_left_open_is_let_go(redis_url: str, client: redis.Redis) -> None:
    queue = AsyncCallQueue(redis_url)

    async def leaves_it_open(name: str) -> None:
        await queue.enqueue(one_contact(name))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(leaves_it_open("a"))
        asyncio.run(leaves_it_open("b"))
        assert len(queue._opened) == 1
        queue._opened.clear()
        gc.collect()
    assert queued_ids(client) == ["a", "b"]


def test_a_large_request_is_split_and_does_not_hold_up_the_loop(
    redis_url: str, client: redis.Redis
) -> None:
    turns: list[bool] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        class WaitsForTheLoop(list[Any]):
            """Is not read before the event loop has done something else."""

            def __iter__(self) -> Iterator[Any]:
                another_ran = threading.Event()
                loop.call_soon_threadsafe(another_ran.set)
                turns.append(another_ran.wait(5))
                return super().__iter__()

        request = contacts([f"d{number}" for number in range(20_000)])
        request.documents = WaitsForTheLoop(request.documents)
        async with AsyncCallQueue(redis_url) as queue:
            receipt = await queue.enqueue(request)
            assert receipt.messages == 20_000 // MAX_DOCUMENTS

    asyncio.run(scenario())
    assert spooled(client) == 20_000
    assert turns
    assert all(turns), "the event loop stood still while the documents were checked"


@pytest.mark.parametrize("count", [1, 2, DOCUMENTS_ON_THE_LOOP + 1])
def test_a_contact_that_ends_as_an_iterator_does_is_an_error_and_holds_nobody_up(
    count: int,
) -> None:
    async def scenario() -> None:
        async with AsyncCallQueue("redis://localhost:1") as queue:
            request = CallRequest("8KZ", "p", [Unready()] * count, context="Hi")
            await asyncio.wait_for(queue.enqueue(request), 0.5)

    with pytest.raises(RuntimeError, match="raised StopIteration"):
        asyncio.run(scenario())


def test_enqueue_many_takes_plain_and_async_iterables(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.enqueue.receipts.PORTION_SECONDS", 60.0)

    async def source() -> AsyncIterator[CallRequest]:
        for number in range(1_000):
            await asyncio.sleep(0)
            yield one_contact(f"a{number}")

    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            first = await queue.enqueue_many(one_contact(f"p{number}") for number in range(1_000))
            second = await queue.enqueue_many(source())
            assert (first.requests, second.documents) == (1_000, 1_000)

    asyncio.run(scenario())
    assert queued_ids(client) == [f"{kind}{n}" for kind in "pa" for n in range(1_000)]
    assert client.xlen(STREAM) == 4


def test_enqueue_many_stops_at_an_invalid_request_and_says_what_redis_has(
    redis_url: str, client: redis.Redis
) -> None:
    requests = [one_contact("a"), contacts(["b", "c"]), one_contact("bad")]
    requests[2].space_token = ""

    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            await queue.enqueue_many(requests)

    with pytest.raises(InvalidRequestInMany, match="request 2: ") as caught:
        asyncio.run(scenario())
    assert caught.value.enqueued == 3
    assert queued_ids(client) == ["a", "b", "c"]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_enqueue_many_keeps_what_came_before_its_source_failed(
    redis_url: str, client: redis.Redis, asynchronous: bool
) -> None:
    def plain() -> Iterator[CallRequest]:
        yield one_contact("a")
        yield contacts(["b", "c"])
        raise LookupError("row 3 is gone")

    async def source() -> AsyncIterator[CallRequest]:
        for request in plain():
            yield request

    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            await queue.enqueue_many(source() if asynchronous else plain())

    with pytest.raises(LookupError, match="row 3 is gone") as caught:
        asyncio.run(scenario())
    assert caught.value.enqueued == 3
    assert queued_ids(client) == ["a", "b", "c"]


def test_enqueue_many_that_fills_the_queue_says_what_redis_has(
    redis_url: str, client: redis.Redis
) -> None:
    async def scenario() -> None:
        async with AsyncCallQueue(redis_url, max_waiting=1_200) as queue:
            await queue.enqueue_many(one_contact(f"d{number}") for number in range(2_000))

    with pytest.raises(QueueFull) as caught:
        asyncio.run(scenario())
    assert caught.value.enqueued == spooled(client) == 1_200


def test_a_client_of_the_callers_names_the_server(redis_url: str, client: redis.Redis) -> None:
    async def scenario() -> None:
        async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as given:
            async with AsyncCallQueue(given) as queue:
                await queue.enqueue(one_contact("a"))
            await given.ping()

    asyncio.run(scenario())
    assert queued_ids(client) == ["a"]


def test_a_client_of_the_other_kind_is_refused(client: Any) -> None:
    with pytest.raises(SettingsError, match=r"redis\.asyncio"):
        AsyncCallQueue(client)


def test_a_queue_is_made_from_the_environment(redis_url: str, client: redis.Redis) -> None:
    async def scenario() -> None:
        settings = {"CALLSPOOL_REDIS_URL": redis_url, "CALLSPOOL_CONTEXT": "Hi"}
        async with AsyncCallQueue.from_env(settings) as queue:
            await queue.enqueue(CallRequest("8KZ", "p", [Document("Ada", "+14155550100", "a")]))

    asyncio.run(scenario())
    assert queued_ids(client) == ["a"]


def test_a_server_that_is_not_there_is_told_within_the_timeout() -> None:
    port = free_port()

    async def scenario() -> None:
        async with AsyncCallQueue(f"redis://:s3cr3t@127.0.0.1:{port}/0", timeout=0.3) as queue:
            await queue.enqueue(one_contact("a"))

    started = time.monotonic()
    with pytest.raises(QueueUnavailable, match=f"cannot reach Redis at 127.0.0.1:{port}") as caught:
        asyncio.run(scenario())
    assert time.monotonic() - started < 0.3 + SOON
    assert "s3cr3t" not in repr(caught.value)


def test_a_stopped_server_costs_no_more_than_the_timeout(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "AWAY", 0.0)

    async def scenario() -> list[float]:
        took: list[float] = []

        async def call(queue: AsyncCallQueue, number: int) -> None:
            await asyncio.sleep(number / 100)
            started = time.monotonic()
            with pytest.raises(QueueUnavailable):
                await queue.enqueue(one_contact(f"d{number}"))
            took.append(time.monotonic() - started)

        async with AsyncCallQueue(server.url, timeout=1.0) as queue:
            await queue.enqueue(one_contact("before"))
            server.signal(signal.SIGSTOP)
            try:
                await asyncio.gather(*(call(queue, number) for number in range(50)))
                with pytest.raises(QueueUnavailable):
                    await queue.enqueue(contacts([f"d{number}" for number in range(2_000)]))
            finally:
                server.signal(signal.SIGCONT)
            await queue.enqueue(one_contact("after"))
        return took

    took = asyncio.run(scenario())
    assert len(took) == 50
    assert max(took) < 1.0 + SOON


def test_tasks_lose_nothing_while_the_server_is_killed_and_started(server: RedisServer) -> None:
    async def scenario() -> None:
        async with AsyncCallQueue(server.url, timeout=30) as queue:

            async def call(worker: int) -> None:
                for number in range(20):
                    await queue.enqueue(one_contact(f"w{worker}-{number}"))
                    await asyncio.sleep(0.02)

            async def restarts() -> None:
                for _ in range(2):
                    await asyncio.sleep(0.1)
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)

            await asyncio.gather(restarts(), *(call(worker) for worker in range(30)))

    asyncio.run(scenario())
    expected = {f"w{worker}-{number}" for worker in range(30) for number in range(20)}
    assert set(queued_ids(server.client())) == expected


@pytest.mark.parametrize("where", ["before", "amid", "after", "within"])
def test_a_connection_cut_at_any_point_loses_nothing(
    redis_url: str, client: redis.Redis, where: Where
) -> None:
    with Proxy(int(redis_url.rpartition(":")[2].removesuffix("/0"))) as proxy:

        async def scenario() -> None:
            async with AsyncCallQueue(proxy.url, timeout=5) as queue:
                await queue.enqueue(one_contact("first"))
                for command in (1, 2, 3):
                    proxy.cut(command, where)
                    for name in "abc":
                        await queue.enqueue(one_contact(f"{name}{command}"))
                    assert proxy.was_cut

        asyncio.run(scenario())
    wanted = [f"{name}{command}" for command in (1, 2, 3) for name in "abc"]
    assert list(dict.fromkeys(queued_ids(client))) == ["first", *wanted]


def test_a_wrong_password_is_told_at_once(server: RedisServer) -> None:
    with server.client() as client:
        client.config_set("requirepass", "r1ght")

    async def scenario() -> None:
        async with AsyncCallQueue(server.url.replace("redis://", "redis://:wr0ng@")) as queue:
            await queue.enqueue(one_contact("a"))

    started = time.monotonic()
    with pytest.raises(QueueUnavailable, match="refused the user or password") as caught:
        asyncio.run(scenario())
    assert time.monotonic() - started < 2
    assert "wr0ng" not in repr(caught.value)


def test_a_cancelled_task_leaves_the_others_alone(redis_url: str, client: redis.Redis) -> None:
    async def scenario() -> None:
        async with AsyncCallQueue(redis_url) as queue:
            tasks = [
                asyncio.create_task(queue.enqueue(one_contact(f"d{number}")))
                for number in range(20)
            ]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert all(not task.cancelled() for task in tasks[1::2])

    asyncio.run(scenario())
    assert {f"d{number}" for number in range(1, 20, 2)} <= set(queued_ids(client))
    assert client.hexists(COUNTS, "spooled")


def test_a_queue_closed_amid_a_round_trip_leaves_nothing_open(
    redis_url: str, client: redis.Redis
) -> None:
    async def scenario() -> None:
        queue = AsyncCallQueue(redis_url)
        await queue.enqueue(one_contact("a"))
        task = asyncio.create_task(queue.enqueue(one_contact("b")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await queue.close()
        await task
        gc.collect()

    asyncio.run(scenario())
    gc.collect()
    assert queued_ids(client) == ["a", "b"]
