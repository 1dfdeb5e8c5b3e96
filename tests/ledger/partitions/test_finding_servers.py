"""Real Sentinels and a real Redis Cluster: who has a partition is found, also when it moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from callspool import AsyncCallQueue, CallQueue
from callspool.errors import QueueUnavailable
from callspool.redis_io.servers import server_of
from callspool.request.identity import partition_of
from callspool_ledger import keys
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.writes import Ledger, LedgerUnavailable, Limits
from tests.producers.request.requests import request
from tests.support.clusters import RedisCluster
from tests.support.sentinels import Watched
from tests.support.servers import RedisServer

PARTITIONS = 6


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    """Three primaries without replicas."""
    with RedisCluster() as started:
        yield started


def eventually(do: Callable[[], object], timeout: float = 20) -> None:
    """Does it until it does not fail for want of a server."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            do()
        except (redis.ConnectionError, redis.TimeoutError, LedgerUnavailable):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def test_every_partition_is_on_the_node_that_serves_its_slot(cluster: RedisCluster):
    server = server_of(cluster.url, 2.0)
    for partition in range(PARTITIONS):
        with server.at(keys.prefix(partition)).client() as client:
            assert Ledger(client, Limits(), partition, PARTITIONS).open() is None
        with cluster.client(partition) as client:
            assert client.exists(f"{keys.prefix(partition)}:meta")
    ports = {cluster.primary_of(partition).port for partition in range(PARTITIONS)}
    assert len(ports) == 3


def test_all_scripts_and_streams_of_a_partition_stay_in_its_slot(cluster: RedisCluster):
    for node in cluster.nodes:
        with node.client() as client:
            for key in client.scan_iter():
                assert key.startswith(b"callspool:{")


async def _enqueue(url: str) -> None:
    async with AsyncCallQueue(url, partitions=PARTITIONS) as queue:
        await queue.enqueue_many(request(space_token=f"ASYNC{at}") for at in range(12))


def test_producers_write_to_the_nodes_of_their_partitions(cluster: RedisCluster):
    with CallQueue(cluster.url, partitions=PARTITIONS) as queue:
        queue.enqueue_many(request(space_token=f"SPACE{at}") for at in range(12))
        queue.enqueue(request(space_token="SPACE1"))
    asyncio.run(_enqueue(cluster.url))
    server = server_of(cluster.url, 2.0)
    clients = [server.at(keys.prefix(partition)).client() for partition in range(PARTITIONS)]
    assert LedgerReader(*clients).ask(read_summary()).spooled == 25
    for client in clients:
        client.close()


def test_a_slot_that_moves_holds_up_its_partition_and_splits_no_ledger(cluster: RedisCluster):
    home = partition_of("default", "SPACE1", PARTITIONS)
    giver = cluster.primary_of(home)
    taker = next(node for node in cluster.nodes if node is not giver)
    client = server_of(cluster.url, 2.0).at(keys.prefix(home)).client()
    ledger = Ledger(client, Limits(), home, PARTITIONS)
    ledger.open()
    cluster.begin_to_move(home, giver, taker)
    for step in (ledger.open, lambda: ledger.take("me:1", ["default"])):
        with pytest.raises(LedgerUnavailable):
            step()
    cluster.finish_moving(home, giver, taker)
    eventually(ledger.open)
    with taker.client() as theirs:
        assert theirs.exists(f"{keys.prefix(home)}:meta")
    with CallQueue(cluster.url, partitions=PARTITIONS) as queue:
        assert queue.enqueue(request(space_token="SPACE1")).documents == 1
    client.close()


def test_a_cluster_that_is_not_there_is_one_line(cluster: RedisCluster):
    with RedisServer() as gone:
        port = gone.port
    queue = CallQueue(f"redis+cluster://127.0.0.1:{port}", timeout=0.3)
    with pytest.raises(QueueUnavailable, match="cannot reach the Redis Cluster at"):
        queue.enqueue(request())
    with (
        RedisServer() as single,
        CallQueue(single.url.replace("redis:", "redis+cluster:"), timeout=1) as one,
        pytest.raises(QueueUnavailable, match="cluster support disabled"),
    ):
        one.enqueue(request())


def test_sentinels_lead_to_the_replica_that_they_promoted():
    with Watched() as watched:
        words = "no Sentinel knows the primary of other"
        other = watched.url.replace("/callspool", "/other")
        with CallQueue(other, timeout=0.5) as lost, pytest.raises(QueueUnavailable, match=words):
            lost.enqueue(request())
        server = server_of(watched.url, 2.0)
        with CallQueue(watched.url, timeout=20) as queue, server.client() as client:
            ledger = Ledger(client, Limits())
            ledger.open()
            queue.enqueue(request())
            watched.wait_for_replica()
            watched.primary.kill()
            assert queue.enqueue(request(space_token="OTHER")).documents == 1
            eventually(ledger.open)
            assert client.xlen(keys.stream(keys.REQUESTS)) == 2
        with watched.replica.client() as promoted:
            assert promoted.info("replication")["role"] == "master"
