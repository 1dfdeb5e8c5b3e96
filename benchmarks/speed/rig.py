"""One contender at work: a server with AOF, an API, a producer and workers."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.duel.crew import Crew
from benchmarks.speed.api import Api
from benchmarks.speed.contenders import Contender, Place
from benchmarks.speed.machine import cpu_seconds, memory_bytes, peak_bytes
from benchmarks.speed.producing import Producer
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from chaos.processes import family_of
from tests.support.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTING = 60.0
SETTLING = 60.0
POLL = 0.05
_REWRITING = ("aof_rewrite_in_progress", "aof_rewrite_scheduled")
STARTED = 0.5
"""Seconds after the first call in which the other processes have started, too."""


class Rig:
    """Everything that one contender needs, started; nothing is left of it afterwards.

    ``latency``: seconds that the API takes. ``with_workers`` False: they are started later.
    """

    def __init__(
        self, contender: Contender, *, latency: float = 0.0, with_workers: bool = True
    ) -> None:
        self.contender = contender
        self._latency = latency
        self._with_workers = with_workers
        self._stack = ExitStack()
        self._next = 0
        self._is_warm = False
        self._crew: Crew | None = None

    def __enter__(self) -> Rig:
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callspool-speed-")))
            self.server = stack.enter_context(
                RedisServer("--appendfsync", "everysec", append_only=True)
            )
            self.client = self.server.client()
            stack.callback(self.client.close)
            self.api = stack.enter_context(Api(self._latency))
            self.place = Place(self.server.url, self.api.url, home)
            self.producer = stack.enter_context(Producer(self.contender, self.place))
            self._stack = stack.pop_all()
        self.contender.prepare(self.client)
        if self._with_workers:
            self.start_workers()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)

    def start_workers(self) -> None:
        """Starts the workers; `warm_up` waits until they work."""
        commands = [list(command) for command in self.contender.commands]
        environment = self.contender.environment(self.place)
        self._crew = self._stack.enter_context(Crew(commands, environment, self.place.home))

    @contextmanager
    def workers_stopped(self) -> Iterator[None]:
        """Around what is done while no worker works."""
        pids = self.worker_pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def warm_up(self, people: int, size: int) -> None:
        """Lets a few people be called, so that connections are open and scripts are known."""
        try:
            self.call(people, size, STARTING)
        except TimeoutError as error:
            raise RuntimeError(f"{self.contender.name}: {error}\n{self.logs()}") from error
        self.settle()
        if not self._is_warm:
            time.sleep(STARTED)
            self._is_warm = True

    def strangers(self, count: int) -> int:
        """Returns the number of the first of ``count`` people whom nobody has called yet."""
        first = self._next
        self._next += count
        return first

    def call(self, count: int, size: int, limit: float) -> None:
        """Has strangers enqueued, and waits until the API has them all."""
        called = self.api.counted().documents
        self.producer.send(self.strangers(count), count, size)
        self.api.wait_for(called + count, limit)

    def settle(self, waiting: int = 0, limit: float = SETTLING) -> None:
        """Waits until the ledger, if there is one, has recorded all but those kept ``waiting``."""
        if not self.contender.is_ours:
            return
        deadline = time.monotonic() + limit
        while True:
            summary = self.summary()
            states = summary.documents
            open_ones = states["waiting"] + states["sending"] + states["in_doubt"]
            if summary.spooled + open_ones <= waiting:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"not settled after {limit} s: {states}\n{self.logs()}")
            time.sleep(POLL)

    def summary(self) -> Any:
        """Returns what the ledger counts."""
        return LedgerReader(self.client).ask(read_summary())

    def worker_pids(self) -> list[int]:
        """Returns all processes of all workers."""
        return family_of(self._crew.pids) if self._crew else []

    def worker_cpu(self) -> float:
        """Returns the CPU seconds of all workers so far."""
        return cpu_seconds(self.worker_pids())

    def worker_memory(self) -> int:
        """Bytes of all workers that are resident now."""
        return memory_bytes(self.worker_pids())

    def worker_peak(self) -> int:
        """Returns the most that was resident of all workers."""
        return peak_bytes(self.worker_pids())

    def redis_cpu(self) -> float:
        """Returns the CPU seconds of the server so far, its children included."""
        found = self.client.info("cpu")
        names = ("used_cpu_user", "used_cpu_sys", "used_cpu_user_children", "used_cpu_sys_children")
        return sum(float(found[name]) for name in names)

    def redis_memory(self) -> int:
        """Bytes that the server has allocated for its data, without its clients' buffers."""
        found = self.client.info("memory")
        return int(found["used_memory"]) - int(found.get("mem_clients_normal", 0))

    def let_it_rest(self) -> None:
        """Has the server write its append-only file anew, which it would do at some time anyway.

        It does so whenever the file has doubled: a large ledger seldom, and then for long. In which
        of the trials that is would be chance.
        """
        self._wait_while_rewriting()
        self.client.bgrewriteaof()
        time.sleep(POLL)
        self._wait_while_rewriting()

    def _wait_while_rewriting(self) -> None:
        while any(map(self.client.info("persistence").get, _REWRITING)):
            time.sleep(POLL)

    def logs(self) -> str:
        """Returns the ends of the workers' logs."""
        logs = sorted(self.place.home.glob("worker-*.log"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs)
