"""What it costs to ask who must not be called: documents a second, without lists and with them.

``python -m benchmarks.suppression``: one worker process, a real server of Redis with an append-only
file, the sandbox as the API. Both kinds take turns; the processor's seconds count, since other
programs disturb them less than the clock.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.speed.machine import cpu_seconds
from callspool_ledger.guard import Suppression
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_sandbox.process import SandboxProcess
from chaos.processes import children_of
from tests.support import cli
from tests.support.servers import RedisServer

SETTLED = 3.0
"""Seconds until a worker has started and does nothing."""


class Round(NamedTuple):
    """Documents a second, and processor seconds of worker and Redis for 100,000 documents."""

    documents_per_second: float
    worker: float
    redis: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=60_000)
    parser.add_argument("--listed", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[Round]] = {"none set": [], "lists": [], "lists, hours and caps": []}
    for _ in range(options.rounds):
        for name, rounds in found.items():
            listed = options.listed if "lists" in name else 0
            rounds.append(measure(options.documents, listed, is_gentle="caps" in name))
    for name, rounds in found.items():
        medians = [statistics.median(each) for each in zip(*rounds, strict=True)]
        speed, worker, redis = medians
        print(f"{name}: {speed:,.0f} documents a second; CPU {worker:.2f} s, Redis {redis:.2f} s")


def measure(documents: int, listed: int, *, is_gentle: bool = False) -> Round:
    """One list of contacts, sent while so many other numbers are on the global list.

    ``is_gentle``: with hours that never end, and a cap that no number reaches.
    """
    folder = Path(tempfile.mkdtemp(prefix="callspool-suppression-"))
    with RedisServer(append_only=True) as server, SandboxProcess() as sandbox:
        env = cli.environment(folder, CALLSPOOL_API_URL=sandbox.url, **cli.REAL)
        env |= {"CALLSPOOL_REDIS_URL": server.url, "CALLSPOOL_PLATFORM_HOURS": "none"}
        with server.client() as client:
            pid = client.info("server")["process_id"]
            if listed:
                numbers = (f"+4477009{number:05}" for number in range(listed))
                Suppression([client], "benchmark").add(numbers, "global")
            if is_gentle:
                hours = ["--hours", "00:00-24:00", "--close-early", "0", "--cap", "3/7d"]
                cli.call(["campaign", "set", "", *hours], env, folder)
            file = cli.write_contacts(folder / "contacts.csv", documents)
            worker = subprocess.Popen(
                [*cli.COMMAND, "worker", "--processes", "1"], env=env, stderr=subprocess.DEVNULL
            )
            try:
                while not children_of(worker.pid):
                    time.sleep(0.1)
                time.sleep(SETTLED)
                (child,) = children_of(worker.pid)
                spent = Spent(child, pid)
                cli.call(["send", str(file), "--json"], env, folder)
                return _wait(LedgerReader(client), spent, documents)
            finally:
                worker.terminate()
                worker.wait()


class Spent:
    """Time and processor seconds of a worker and of Redis since it was made."""

    def __init__(self, worker: int, redis: int) -> None:
        self._pids = (worker, redis)
        self._began, self._before = time.monotonic(), self._cpu()

    def _cpu(self) -> list[float]:
        return [cpu_seconds([pid]) for pid in self._pids]

    def round(self, documents: int) -> Round:
        """What was spent on so many documents."""
        seconds = time.monotonic() - self._began
        spent = [now - was for now, was in zip(self._cpu(), self._before, strict=True)]
        return Round(documents / seconds, *(each * 100_000 / documents for each in spent))


def _wait(reader: LedgerReader, spent: Spent, documents: int) -> Round:
    while reader.ask(read_summary()).documents["created"] < documents:
        time.sleep(0.02)
    return spent.round(documents)


if __name__ == "__main__":
    main()
