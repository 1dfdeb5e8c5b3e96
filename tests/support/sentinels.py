"""A primary, its replica, and the Sentinels that watch them: real ones, on loopback."""

from __future__ import annotations

import time

import redis

from tests.support.servers import RedisServer

SENTINELS = 3


class Watched:
    """A service called ``callspool``, watched by three Sentinels. A context manager."""

    def __init__(self) -> None:
        self.primary = RedisServer()
        self.replica = RedisServer("--replicaof", "127.0.0.1", str(self.primary.port))
        self._sentinels: list[RedisServer] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self._sentinels)
        return f"redis+sentinel://{hosts}/callspool"

    def __enter__(self) -> Watched:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self) -> None:
        self.primary.start()
        self.replica.start()
        self.wait_for_replica()
        for _ in range(SENTINELS):
            sentinel = RedisServer(sentinel=self._configuration())
            self._sentinels.append(sentinel.start())
        deadline = time.monotonic() + 20
        while any(self._knows_too_little(each) for each in self._sentinels):
            assert time.monotonic() < deadline, "the Sentinels did not find each other in 20 s"
            time.sleep(0.1)

    def _configuration(self) -> str:
        return (
            f"sentinel monitor callspool 127.0.0.1 {self.primary.port} 2\n"
            "sentinel down-after-milliseconds callspool 600\n"
            "sentinel failover-timeout callspool 3000\n"
        )

    def _knows_too_little(self, sentinel: RedisServer) -> bool:
        with redis.Redis(port=sentinel.port, decode_responses=True) as client:
            found = client.execute_command("SENTINEL", "MASTER", "callspool")
        if isinstance(found, list):
            found = dict(zip(found[::2], found[1::2], strict=True))
        others, replicas = int(found["num-other-sentinels"]), int(found["num-slaves"])
        return others < SENTINELS - 1 or replicas < 1

    def wait_for_replica(self) -> None:
        """Until the replica has all that the primary had."""
        deadline = time.monotonic() + 20
        with self.primary.client() as primary, self.replica.client() as replica:
            while replica.info("replication").get("master_link_status") != "up":
                assert time.monotonic() < deadline, "the replica did not follow in 20 s"
                time.sleep(0.05)
            primary.set("mark", 1)
            primary.wait(1, 5000)

    def close(self) -> None:
        for server in (*self._sentinels, self.replica, self.primary):
            server.close()

    def __exit__(self, *_: object) -> None:
        self.close()
