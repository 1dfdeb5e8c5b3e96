"""The stage: a Redis with AOF, the local API, a cutting proxy before each, and workers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from callspool_sandbox.process import SandboxProcess
from chaos.api_faults import fault_file
from chaos.link import LinkProcess
from chaos.mix import PROOF_QUIET, PROOF_QUIET_ANSWERED, REQUEST_TIMEOUT
from chaos.supervisors import Supervisors
from tests.support.servers import RedisServer, free_port

if TYPE_CHECKING:
    import signal

    import redis

    from chaos.schedule import Plan

PREFIX = "callspool-chaos-"
"""What every directory of a run begins with; the harness' process number follows."""

CALL_SPEED = 300.0
"""Calls last seconds, and those that failed ring again within them."""

IN_STEP = 60.0
"""Seconds within which a replica has what its primary has."""

SET_UP = 3.0
"""Seconds that the API's faults go on beyond the others: what setting up the stage may take."""


class Stage:
    """Everything that runs; a context manager that ends and removes all of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._stack = ExitStack()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._api_heals_at = 0.0
        self.outlived: list[int] = []

    @property
    def worker_log(self) -> Path:
        """What the workers wrote to stderr."""
        return self.directory / "workers.log"

    def open(self) -> None:
        """Starts everything."""
        plan, enter = self.plan, self._stack.enter_context
        faults = self.directory / "faults.json"
        until = plan.seconds + SET_UP
        faults.write_text(json.dumps(fault_file(plan, until)))
        self.redis = enter(self._server())
        self._replica = self._follow(self.redis) if plan.mix.get("redis_promote") else None
        self.api = enter(
            SandboxProcess(
                log=self.directory / "api.jsonl",
                faults=faults,
                seed=plan.seed,
                latency=0.02,
                call_speed=CALL_SPEED if plan.mix.get("calls") else None,
            )
        )
        proxies = enter((self.directory / "proxies.log").open("ab"))
        self.redis_link = enter(LinkProcess(self.redis.port, proxies))
        self.api_link = enter(LinkProcess(int(self.api.url.rpartition(":")[2]), proxies))
        log = enter(self.worker_log.open("ab"))
        self.workers = Supervisors(self._settings_of_each(), self.directory, log)
        self._stack.callback(self.close_workers)
        self.workers.wait_until_begun()
        # Its faults last a time that counts from its start; workers may be slow to come up.
        self.api.stop()
        self._api_heals_at = time.monotonic() + until
        self.api.start()

    def close_workers(self) -> None:
        """Ends the workers; what outlived its parent is noted."""
        self.outlived += self.workers.close()

    @property
    def url(self) -> str:
        """Redis, by way of its proxy."""
        return f"redis://127.0.0.1:{self.redis_link.port}/0"

    def wait_until_calls_go_out(self, timeout: float = 30.0) -> None:
        """Returns when the API was asked for the first time, or after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        log = self.directory / "api.jsonl"
        while time.monotonic() < deadline and not (log.exists() and log.stat().st_size):
            time.sleep(0.05)

    def wait_until_api_is_sound(self) -> None:
        """Returns when the API's own faults are over."""
        time.sleep(max(0.0, self._api_heals_at - time.monotonic()))

    def signal_api(self, number: signal.Signals) -> bool:
        """Signals the API's process."""
        if self.api.pid is None:
            return False
        os.kill(self.api.pid, number)
        return True

    def restart_redis(self, seconds: float, *, crash: bool) -> bool:
        """Ends Redis and starts it again, on the same files, after that many seconds."""
        if crash:
            self.redis.kill()
        else:
            self.redis.stop()
        time.sleep(seconds)
        self.redis.start()
        return True

    def make_redis_forget(self, most: int, seconds: float) -> bool:
        """A crash of the whole machine: what was written last is not in the file."""
        self.redis.kill()
        files = sorted(self.redis.directory.glob("appendonlydir/*.incr.aof"), key=_modified)
        if files:
            size = files[-1].stat().st_size
            os.truncate(files[-1], max(0, size - most))
        time.sleep(seconds)
        self.redis.start()
        return True

    def promote_replica(self, seconds: float) -> bool:
        """Makes the replica the primary, so many seconds after it heard of anything last."""
        replica, before = self._replica, self.redis
        if replica is None:
            return False
        with replica.client() as client:
            if client.info("replication").get("master_link_status") != "up":
                return False  # its primary was away a moment ago
            client.execute_command("REPLICAOF", "127.0.0.1", free_port())
            time.sleep(seconds)
            before.kill()
            client.execute_command("REPLICAOF", "NO", "ONE")
        follows = replica.options.index("--replicaof")
        del replica.options[follows : follows + 3]  # or it would follow again once it restarts
        self.redis = replica
        self.redis_link.aim(replica.port)
        self._replica = self._follow(replica)
        return True

    def _server(self, *options: str) -> RedisServer:
        delay = "--repl-diskless-sync-delay", "0"
        return RedisServer("--appendfsync", self.plan.fsync, *delay, *options, append_only=True)

    def _follow(self, primary: RedisServer) -> RedisServer:
        options = "--replicaof", "127.0.0.1", str(primary.port)
        replica = self._stack.enter_context(self._server(*options))
        with replica.client() as client:
            _wait_until_in_step(client)
        return replica

    def __enter__(self) -> Stage:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every process, and removes every file."""
        self._stack.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def empty_redis(self) -> bool:
        """Removes everything under living workers, as an operator who mistook the server."""
        with self.redis.client() as client:
            client.flushall()
        return True

    def _settings_of_each(self) -> list[dict[str, str]]:
        """Returns each supervisor's settings; every second one is more patient where that is on."""
        patient = {
            "CALLSPOOL_REQUEST_TIMEOUT": str(2 * REQUEST_TIMEOUT),
            "CALLSPOOL_PROOF_QUIET": str(1.5 * PROOF_QUIET),
        }
        disagree = bool(self.plan.mix.get("settings"))
        return [
            self._settings() | (patient if disagree and place % 2 else {})
            for place in range(self.plan.supervisors)
        ]

    def _settings(self) -> dict[str, str]:
        plan = self.plan
        kept = {name: text for name, text in os.environ.items() if not name.startswith("CALLSPOOL")}
        return kept | {
            "CALLSPOOL_REDIS_URL": self.url,
            "CALLSPOOL_API_URL": f"http://127.0.0.1:{self.api_link.port}",
            "CALLSPOOL_API_TOKEN": "tok-of-nobody",
            "CALLSPOOL_ORG_HANDLE": "chaos.example",
            "CALLSPOOL_REQUEST_TIMEOUT": str(REQUEST_TIMEOUT),
            "CALLSPOOL_PROOF_QUIET": str(PROOF_QUIET),
            "CALLSPOOL_PROOF_QUIET_ANSWERED": str(PROOF_QUIET_ANSWERED),
            "CALLSPOOL_ON_DOUBT": "hold",
            # Where nothing can be read back, takes must not be forgotten: else no space would send
            # again after Redis restarted.
            "CALLSPOOL_DURABLE_TAKES": plan.durable or ("off" if plan.reading_back else "local"),
            "CALLSPOOL_BATCH_SIZE": str(plan.batch_size),
            "CALLSPOOL_LINGER": "0.5",
            "CALLSPOOL_FOLLOW": str(bool(plan.mix.get("calls"))).lower(),
            "CALLSPOOL_FOLLOW_GAP": "2",
            "CALLSPOOL_FOLLOW_MAX_RATE": "50",
            "CALLSPOOL_PROCESSES": str(plan.processes),
            "CALLSPOOL_THREADS": str(plan.threads),
        }


def _wait_until_in_step(client: redis.Redis) -> None:
    deadline = time.monotonic() + IN_STEP
    while client.info("replication").get("master_link_status") != "up":
        if time.monotonic() > deadline:
            raise RuntimeError(f"the replica was not in step within {IN_STEP:.0f} s")
        time.sleep(0.05)


def _modified(path: Path) -> float:
    return path.stat().st_mtime
