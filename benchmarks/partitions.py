"""What partitions cost and what they give: the same contacts on one server and on a Redis Cluster.

Each row of the table is a run of its own: contacts of many spaces are enqueued by one producer, and
one worker process with several threads hands them to the local sandbox. On one machine the nodes
share the cores, so documents per second say little; what limits a large installation is the CPU
of the busiest node, and that is what a cluster divides.

    python -m benchmarks.partitions [--documents 100000] [--spaces 96] [--api-latency 0]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callspool import CallQueue, CallRequest
from callspool.redis_io.servers import server_of
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.servers import connect_partitions
from callspool_ledger.reads.summary import read_summary
from callspool_sandbox.process import SandboxProcess
from tests.support.cli import REAL, environment
from tests.support.clusters import RedisCluster
from tests.support.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = ((1, False), (6, False), (3, True), (6, True), (12, True), (24, True))
A_REQUEST = 500
TIMEOUT = 600.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Result:
    """One run; CPU in seconds and bytes for each 100,000 documents, unless said otherwise."""

    partitions: int
    nodes: int
    documents_a_second: float
    producer_cpu: float
    worker_cpu: float
    redis_cpu: float
    busiest_node_cpu: float
    redis_in_a_document: float
    redis_out_a_document: float
    waiting_bytes_a_document: float
    settled_bytes_a_document: float
    document_bytes: float

    def row(self) -> str:
        return (
            f"{self.partitions:>3} {self.nodes:>5} {self.documents_a_second:>9,.0f}"
            f" {self.producer_cpu:>8.2f} {self.worker_cpu:>8.2f} {self.redis_cpu:>8.2f}"
            f" {self.busiest_node_cpu:>8.2f} {self.redis_in_a_document:>7.0f}"
            f" {self.redis_out_a_document:>7.0f} {self.waiting_bytes_a_document:>8.0f}"
            f" {self.settled_bytes_a_document:>8.0f}"
        )


HEADINGS = (
    "par nodes    docs/s producer   worker    redis  busiest   in B/d out B/d  waiting  settled"
)


def requests(documents: int, spaces: int) -> Iterator[CallRequest]:
    """Contacts of about 400 bytes, in requests of 500, the spaces taking turns."""
    for first in range(0, documents, A_REQUEST):
        yield CallRequest(
            space_token=f"SPACE{first // A_REQUEST % spaces:04}",
            pilot="space-agent",
            context="Follow up",
            documents=[document(at) for at in range(first, min(first + A_REQUEST, documents))],
        )


def document(at: int) -> dict[str, Any]:
    return {
        "name": f"Person {at}",
        "contact_number": f"+1415555{100 + at % 100:04}",
        "document_id": f"crm-{at:09}",
        "email": f"person{at}@example.org",
        "company_name": f"Company {at % 97}",
        "about": "Asked for a call back about the offer of last week. " * 4,
    }


def cpu_of(pid: int) -> float:
    """Returns the CPU seconds of a process and of its children that still live."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


class Nodes:
    """The servers of a run, and what they say of themselves."""

    def __init__(self, stack: ExitStack, is_cluster: bool) -> None:
        if is_cluster:
            cluster = stack.enter_context(RedisCluster(append_only=True))
            self.url, self._servers = cluster.url, cluster.nodes
        else:
            server = stack.enter_context(RedisServer(append_only=True))
            self.url, self._servers = server.url, [server]

    def info(self) -> list[dict[str, Any]]:
        found = []
        for server in self._servers:
            with server.client() as client:
                found.append(client.info())
        return found


def total(info: list[dict[str, Any]], *names: str) -> float:
    return sum(float(one[name]) for one in info for name in names)


def busiest(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> float:
    names = ("used_cpu_user", "used_cpu_sys")
    each = zip(before, after, strict=True)
    return max(sum(b[name] - a[name] for name in names) for a, b in each)


def run(partitions: int, is_cluster: bool, options: argparse.Namespace) -> Result:
    """Returns one run, on servers of its own."""
    documents = options.documents
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nodes = Nodes(stack, is_cluster)
        sandbox = stack.enter_context(SandboxProcess(latency=options.api_latency))
        env = environment(
            home,
            **REAL,
            CALLSPOOL_API_URL=sandbox.url,
            CALLSPOOL_REDIS_URL=nodes.url,
            CALLSPOOL_PARTITIONS=str(partitions),
        )
        clients = connect_partitions(server_of(nodes.url, 5.0), partitions)
        reader = LedgerReader(*clients)
        empty = nodes.info()
        begun = time.process_time()
        with CallQueue(nodes.url, partitions=partitions) as queue:
            queue.enqueue_many(requests(documents, options.spaces))
        producer = time.process_time() - begun
        full = nodes.info()
        command = [sys.executable, "-m", "callspool", "worker", "--processes", "1"]
        worker = subprocess.Popen([*command, "--threads", "8"], env=env, cwd=home)
        stack.callback(worker.wait)
        stack.callback(worker.terminate)
        started = time.monotonic()
        while (created := reader.ask(read_summary()).documents["created"]) < documents:
            if time.monotonic() - started > TIMEOUT:
                raise TimeoutError(f"{created} of {documents} were created in {TIMEOUT} s")
            time.sleep(0.25)
        seconds = time.monotonic() - started
        worker_cpu = cpu_of(worker.pid)
        settled = nodes.info()
        for client in clients:
            client.close()
    a_100k = 100_000 / documents
    cpu = ("used_cpu_user", "used_cpu_sys")
    return Result(
        partitions=partitions,
        nodes=len(empty),
        documents_a_second=documents / seconds,
        producer_cpu=producer * a_100k,
        worker_cpu=worker_cpu * a_100k,
        redis_cpu=(total(settled, *cpu) - total(empty, *cpu)) * a_100k,
        busiest_node_cpu=busiest(empty, settled) * a_100k,
        redis_in_a_document=_gained(empty, settled, "total_net_input_bytes") / documents,
        redis_out_a_document=_gained(empty, settled, "total_net_output_bytes") / documents,
        waiting_bytes_a_document=_gained(empty, full, "used_memory") / documents,
        settled_bytes_a_document=_gained(empty, settled, "used_memory") / documents,
        document_bytes=sum(len(json.dumps(document(at))) for at in range(1000)) / 1000,
    )


def _gained(before: list[dict[str, Any]], after: list[dict[str, Any]], name: str) -> float:
    return total(after, name) - total(before, name)


def main() -> None:
    """Prints a line a run, then all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--spaces", type=int, default=96)
    parser.add_argument("--api-latency", type=float, default=0.0, help="seconds")
    options = parser.parse_args()
    print(HEADINGS)
    results = []
    for partitions, is_cluster in RUNS:
        results.append(run(partitions, is_cluster, options))
        print(results[-1].row(), flush=True)
    print(json.dumps([asdict(result) for result in results]))


if __name__ == "__main__":
    main()
