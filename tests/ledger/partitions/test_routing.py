"""Which partition keeps a space, and who is told that it has another number of them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import redis

from callspool import AsyncCallQueue, CallQueue, CallRequest
from callspool.errors import LedgerMismatch, SettingsError
from callspool.request.identity import partition_of
from callspool_ledger import keys
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_partitions
from callspool_ledger.writes import Ledger, Limits
from tests.producers.request.requests import ADA, request
from tests.support.cli import REAL, call, environment


def contact(document_id: str, space_token: str = "SPACE") -> CallRequest:
    return request({**ADA, "document_id": document_id}, space_token=space_token)


@pytest.mark.parametrize(
    ("account", "space_token", "partitions", "partition"),
    [
        ("default", "8KZTESTSPACE", 1, 0),
        ("default", "8KZTESTSPACE", 16, 14),
        ("sales", "8KZTESTSPACE", 16, 12),
        ("default", "Straße", 256, 126),
    ],
)
def test_a_space_is_where_any_language_computes_it_to_be(
    account: str, space_token: str, partitions: int, partition: int
):
    assert partition_of(account, space_token, partitions) == partition


def test_spaces_spread_over_the_partitions():
    found = Counter(partition_of("default", f"SPACE{at}", 16) for at in range(16_000))
    assert set(found) == set(range(16))
    assert min(found.values()) > 800


def test_requests_go_to_the_streams_of_their_partitions(client: redis.Redis, redis_url: str):
    spaces = [f"SPACE{at}" for at in range(20)]
    with CallQueue(redis_url, partitions=3) as queue:
        for space in spaces[:10]:
            queue.enqueue(contact("a", space_token=space))
        queue.enqueue_many(contact("a", space_token=space) for space in spaces[10:])
    for partition in range(3):
        stored = b"".join(
            fields[b"requests"]
            for _, fields in client.xrange(keys.stream(keys.REQUESTS, partition))
        )
        for space in spaces:
            is_here = f'"{space}"'.encode() in stored
            assert is_here == (partition_of("default", space, 3) == partition)


async def _status(url: str, partitions: int) -> object:
    async with AsyncCallQueue(url, partitions=partitions) as queue:
        return await queue.status("a", space_token="SPACE")


async def _enqueue(url: str, partitions: int) -> None:
    async with AsyncCallQueue(url, partitions=partitions) as queue:
        await queue.enqueue(contact("a"))
        await queue.enqueue_many([contact("b"), contact("c", space_token="OTHER")])


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_a_producer_with_another_number_is_refused_in_one_line(
    client: redis.Redis, redis_url: str, partitions: int
):
    for partition in range(4):
        Ledger(client, Limits(), partition, 4).open()
    words = f"begun with CALLSPOOL_PARTITIONS=4, and this process has {partitions}: set 4"
    with CallQueue(redis_url, partitions=partitions) as queue:
        with pytest.raises(LedgerMismatch, match=words):
            queue.enqueue(contact("a"))
        with pytest.raises(LedgerMismatch, match=words) as caught:
            queue.enqueue_many([contact("a")])
        assert caught.value.enqueued == 0
        with pytest.raises(LedgerMismatch, match=words):
            queue.status("a", space_token="SPACE")
    with pytest.raises(LedgerMismatch, match=words):
        asyncio.run(_enqueue(redis_url, partitions))
    with pytest.raises(LedgerMismatch, match=words):
        asyncio.run(_status(redis_url, partitions))
    assert not any(client.xlen(keys.stream(keys.REQUESTS, at)) for at in range(8))


def test_a_ledger_that_is_begun_anew_amid_enqueue_many_leaves_known_what_redis_has(
    client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("callspool.enqueue.receipts.PORTION_SECONDS", 0.0)

    def requests():
        yield contact("a")
        client.hset(keys.PartitionKeys().counts, "partitions", 4)
        yield contact("b")

    with CallQueue(redis_url) as queue, pytest.raises(LedgerMismatch) as caught:
        queue.enqueue_many(requests())
    assert caught.value.enqueued == client.xlen(keys.stream(keys.REQUESTS)) == 1


def test_an_event_loop_reaches_every_partition(client: redis.Redis, redis_url: str):
    asyncio.run(_enqueue(redis_url, 5))
    lengths = [client.xlen(keys.stream(keys.REQUESTS, at)) for at in range(5)]
    assert sum(lengths) >= 2


def test_who_comes_first_decides_how_many_there_are(client: redis.Redis, redis_url: str):
    assert LedgerReader(client).ask(read_partitions()) == 0
    with CallQueue(redis_url, partitions=4) as queue:
        queue.enqueue(contact("a"))
    assert LedgerReader(client).ask(read_partitions()) == 4
    with pytest.raises(LedgerMismatch, match="PARTITIONS=4, and this process has 2: set 4"):
        Ledger(client, Limits(), 0, 2).open()
    Ledger(client, Limits(), 0, 4).open()


def test_a_ledger_of_an_earlier_release_has_one_partition(client: redis.Redis, redis_url: str):
    Ledger(client, Limits()).open()
    client.hdel(keys.PartitionKeys().counts, "partitions")
    assert LedgerReader(client).ask(read_partitions()) == 1
    with pytest.raises(LedgerMismatch, match="PARTITIONS=1, and this process has 4: set 1"):
        Ledger(client, Limits(), 0, 4).open()


def test_a_worker_and_a_command_that_differ_say_so(client: redis.Redis, redis_url: str, tmp_path):
    Ledger(client, Limits(), 0, 4).open()
    env = environment(tmp_path, CALLSPOOL_REDIS_URL=redis_url, **REAL)
    done = call(["worker", "--processes", "1"], env, tmp_path)
    assert done.returncode == 2
    assert "begun with CALLSPOOL_PARTITIONS=4, and this process has 1: set 4" in done.stderr


@pytest.mark.parametrize("partitions", [0, 257])
def test_there_are_1_to_256_partitions(partitions: int):
    with pytest.raises(SettingsError, match="partitions: must be from 1 to 256"):
        CallQueue(partitions=partitions)
