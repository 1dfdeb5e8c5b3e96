"""A real Redis Cluster for tests: three primaries, a replica for each, on loopback."""

from __future__ import annotations

import time
from typing import Any

import redis
from redis.crc import key_slot

from callspool_ledger import keys
from tests.support.servers import RedisServer

SLOTS = 16_384
PRIMARIES = 3
NODE_TIMEOUT_MS = 1500


class RedisCluster:
    """Three primaries and, where wanted, a replica for each. A context manager."""

    def __init__(self, *, replicas: bool = False, append_only: bool = False) -> None:
        options = (
            "--cluster-node-timeout",
            str(NODE_TIMEOUT_MS),
            "--cluster-replica-validity-factor",
            "0",
            "--repl-diskless-sync-delay",
            "0",
        )
        number = PRIMARIES * (2 if replicas else 1)
        self.nodes = [
            RedisServer(*options, append_only=append_only, is_node=True) for _ in range(number)
        ]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:3])

    def start(self) -> RedisCluster:
        for node in self.nodes:
            node.start()
        first, *others = self.nodes
        for other in others:
            _say(first, "CLUSTER", "MEET", "127.0.0.1", other.port, other.bus)
        for at, node in enumerate(self.nodes[:PRIMARIES]):
            begin, end = at * SLOTS // PRIMARIES, (at + 1) * SLOTS // PRIMARIES - 1
            _say(node, "CLUSTER", "ADDSLOTSRANGE", begin, end)
        self._wait(lambda: all(_known(node) == len(self.nodes) for node in self.nodes))
        for primary, replica in zip(self.nodes[:PRIMARIES], self.nodes[PRIMARIES:], strict=False):
            _say(replica, "CLUSTER", "REPLICATE", _text(_say(primary, "CLUSTER", "MYID")))
        self._wait(lambda: all(_is_whole(node) for node in self.nodes))
        self._wait(lambda: all(_is_linked(node) for node in self.nodes[PRIMARIES:]))
        return self

    def primary_of(self, partition: int) -> RedisServer:
        """The node that serves a partition, as another one knows it."""
        slot = key_slot(keys.prefix(partition).encode())
        for node in self.nodes:
            if node.process is None:
                continue
            for first, last, (_, port, *_), *_ in _say(node, "CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    return next(each for each in self.nodes if each.port == port)
        raise AssertionError(f"nobody serves partition {partition}")

    def client(self, partition: int) -> redis.Redis:
        """A client of the node that serves a partition now."""
        return self.primary_of(partition).client()

    def begin_to_move(self, partition: int, giver: RedisServer, taker: RedisServer) -> None:
        """Announces that the slot of a partition goes to another node, as a resharding does."""
        slot = key_slot(keys.prefix(partition).encode())
        ids = [_text(_say(node, "CLUSTER", "MYID")) for node in (giver, taker)]
        _say(taker, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        _say(giver, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])

    def finish_moving(self, partition: int, giver: RedisServer, taker: RedisServer) -> None:
        """Moves the keys, and tells both nodes."""
        slot = key_slot(keys.prefix(partition).encode())
        while found := _say(giver, "CLUSTER", "GETKEYSINSLOT", slot, 100):
            command = ["MIGRATE", "127.0.0.1", taker.port, "", 0, 5000, "KEYS", *found]
            _say(giver, *command)
        new = _text(_say(taker, "CLUSTER", "MYID"))
        for node in (taker, giver, *self.nodes):
            _say(node, "CLUSTER", "SETSLOT", slot, "NODE", new)

    def _wait(self, is_so: Any) -> None:
        deadline = time.monotonic() + 20
        while not is_so():
            assert time.monotonic() < deadline, "the cluster did not come together in 20 s"
            time.sleep(0.05)

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def __enter__(self) -> RedisCluster:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()


def _say(node: RedisServer, *command: Any) -> Any:
    with node.client() as client:
        return client.execute_command(*command)


def _known(node: RedisServer) -> int:
    with node.client() as client:
        return int(client.execute_command("CLUSTER INFO")["cluster_known_nodes"])


def _is_whole(node: RedisServer) -> bool:
    with node.client() as client:
        return client.execute_command("CLUSTER INFO")["cluster_state"] == "ok"


def _is_linked(replica: RedisServer) -> bool:
    with replica.client() as client:
        return client.info("replication").get("master_link_status") == "up"


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
