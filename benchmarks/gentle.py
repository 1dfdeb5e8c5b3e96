"""How much is used of what an API takes, and how many requests in flight that needs.

``python -m benchmarks.gentle``: an API that refuses all beyond so many requests in flight. Its own
log tells what it took: the share is that of what fits below its limit, at the pace at which it
answered. ``python -m benchmarks.gentle --one-at-a-time``: an API that works on one request after
the other, 20 ms and 2 ms for each document. Real workers as they are by default, a real server of
Redis with an append-only file; the sandbox is the API, or the stub of benchmarks.speed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.speed.api import Api
from benchmarks.speed.machine import cpu_seconds, memory_bytes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_sandbox.process import SandboxProcess
from chaos.processes import children_of
from tests.support import cli
from tests.support.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTS_A_REQUEST = 10


@dataclass(frozen=True)
class Measured:
    """After the warm-up, but ``first_refusals``: those before. ``share``: of what fits below the
    limit. ``found``: the limit that was found. ``processor_seconds`` and ``megabytes``: of all
    worker processes, at the end.
    """

    limit: int
    found: int
    seconds: float
    requests_a_second: float
    possible_a_second: float
    share: float
    in_flight: float
    refused: int
    first_refusals: int
    most_in_flight: int
    seconds_until_used: float | None
    processor_seconds: float
    megabytes: float


@dataclass(frozen=True)
class Served:
    """After the warm-up, by an API that works on one request at a time. ``share``: of the time in
    which it had work. ``latency``: times the work on a request. ``found``: the limit at the end.
    """

    found: int
    seconds: float
    documents_a_second: float
    share: float
    latency: float
    in_flight: float


TARGETS: dict[type[Any], dict[str, tuple[str, float]]] = {
    Measured: {"share": ("≥", 0.92), "refused": ("≤", 3)},
    Served: {"share": ("≥", 0.95), "latency": ("≤", 1.3), "in_flight": ("≤", 2.0)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one-at-a-time", action="store_true")
    parser.add_argument("--latency", type=float, help="0.2; for one at a time 0.02")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--retry-after", type=int, default=None)
    parser.add_argument("--seconds", type=float, help="60; for one at a time 180")
    parser.add_argument("--warm-up", type=float, help="15; for one at a time 60")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    usual = (0.02, 180.0, 60.0) if options.one_at_a_time else (0.2, 60.0, 15.0)
    for name, value in zip(("latency", "seconds", "warm_up"), usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    found = measure_one_at_a_time(options) if options.one_at_a_time else measure(options)
    print(msgspec.json.format(msgspec.json.encode(asdict(found))).decode())
    for name, (sign, bound) in TARGETS[type(found)].items():
        value = getattr(found, name)
        is_met = value >= bound if sign == "≥" else value <= bound
        print(f"{name} {sign} {bound}: {value}, {'met' if is_met else 'not met'}")
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=2) + "\n")


def measure(options: argparse.Namespace) -> Measured:
    folder = Path(tempfile.mkdtemp(prefix="callspool-gentle-"))
    log = folder / "api.jsonl"
    faults = f'[[faults]]\nname = "status"\nstatus = 429\nin_flight_over = {options.limit}\n'
    if options.retry_after is not None:
        faults += f"retry_after = {options.retry_after}\n"
    with (
        RedisServer(append_only=True) as server,
        SandboxProcess(latency=options.latency, faults=faults, log=log) as sandbox,
    ):
        small = f"CALLSPOOL_BATCH_SIZE={DOCUMENTS_A_REQUEST}"
        env = _environment(folder, server.url, sandbox.url, [small, *options.setting])
        most = options.limit / options.latency * (options.seconds + 10) * DOCUMENTS_A_REQUEST
        _enqueue(folder, env, int(most))
        with _sending(folder, env, server) as workers:
            time.sleep(options.seconds)
            used, megabytes = _used(workers.pid)
            found = _limit(server)
            requests = [line for line in sandbox.log_lines() if line["event"] == "request"]
    return _judged(requests, options, found, used, megabytes)


A_DOCUMENT = 0.002
"""Seconds that an API works on each document, one request at a time."""


def measure_one_at_a_time(options: argparse.Namespace) -> Served:
    """Measures workers beside an API that works on one request after the other."""
    folder = Path(tempfile.mkdtemp(prefix="callspool-gentle-"))
    api = Api(options.latency, A_DOCUMENT, one_at_a_time=True)
    with RedisServer(append_only=True) as server, api:
        env = _environment(folder, server.url, api.url, options.setting)
        _enqueue(folder, env, int((options.seconds + 10) / A_DOCUMENT))
        with _sending(folder, env, server):
            time.sleep(options.warm_up)
            before, begun = api.counted(), time.monotonic()
            time.sleep(options.seconds - options.warm_up)
            after, ended = api.counted(), time.monotonic()
            found = _limit(server)
    seconds = ended - begun
    worked, took = after.worked - before.worked, after.took - before.took
    return Served(
        found=found,
        seconds=round(seconds, 1),
        documents_a_second=round((after.documents - before.documents) / seconds, 1),
        share=round(worked / seconds, 4),
        latency=round(took / worked, 3),
        in_flight=round(took / seconds, 2),
    )


@contextmanager
def _sending(
    folder: Path, env: dict[str, str], server: RedisServer
) -> Iterator[subprocess.Popen[bytes]]:
    """Workers, once a first request was created; their log lies in ``folder``."""
    with (folder / "workers.log").open("wb") as log:
        workers = subprocess.Popen([*cli.COMMAND, "worker"], env=env, cwd=folder, stderr=log)
    try:
        with server.client() as client:
            while not LedgerReader(client).ask(read_summary()).submissions["created"]:
                time.sleep(0.05)
        yield workers
    finally:
        workers.terminate()
        workers.wait()


def _limit(server: RedisServer) -> int:
    with server.client() as client:
        return LedgerReader(client).limits()[0].limit


def _environment(folder: Path, redis: str, api: str, settings: list[str]) -> dict[str, str]:
    given = dict(setting.split("=", 1) for setting in settings)
    return cli.environment(
        folder,
        **cli.REAL
        | {
            "CALLSPOOL_REDIS_URL": redis,
            "CALLSPOOL_API_URL": api,
        }
        | given,
    )


def _enqueue(folder: Path, env: dict[str, str], number: int) -> None:
    file = folder / "contacts.jsonl"
    with file.open("w") as lines:
        for each in range(number):
            row = {"name": "Ada", "contact_number": "+14155550100", "document_id": f"c{each}"}
            lines.write(json.dumps(row) + "\n")
    command = [*cli.COMMAND, "send", str(file), "--yes", "--allow-shared-numbers", "--json"]
    subprocess.run(command, env=env, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _used(parent: int) -> tuple[float, float]:
    """Processor seconds and megabytes of a supervisor's children."""
    children = children_of(parent)
    return cpu_seconds(children), memory_bytes(children) / 1024**2


def _judged(
    requests: list[dict[str, Any]],
    options: argparse.Namespace,
    found: int,
    used: float,
    megabytes: float,
) -> Measured:
    spans = [(line, *_span(line)) for line in requests]
    first = min(begun for _, begun, _ in spans)
    after, until = first + options.warm_up, first + options.seconds
    taken = [span for span in spans if span[0]["status"] == 200]
    counted = [span for span in taken if after <= span[2] < until]
    seconds = until - after
    pace = sum(ended - begun for _, begun, ended in counted) / len(counted)
    rate = len(counted) / seconds
    refused = [span for span in spans if span[0]["status"] == 429]
    return Measured(
        limit=options.limit,
        found=found,
        seconds=seconds,
        requests_a_second=round(rate, 1),
        possible_a_second=round(options.limit / pace, 1),
        share=round(rate * pace / options.limit, 4),
        in_flight=round(rate * pace, 2),
        refused=sum(after <= span[2] < until for span in refused),
        first_refusals=sum(span[2] < after for span in refused),
        most_in_flight=_most_in_flight(spans),
        seconds_until_used=_first_use(taken, first, options.limit),
        processor_seconds=used,
        megabytes=round(megabytes, 1),
    )


def _span(line: dict[str, Any]) -> tuple[float, float]:
    ended = datetime.fromisoformat(line["time"]).timestamp()
    return ended - line["seconds"], ended


def _crowd(spans: list[tuple[dict[str, Any], float, float]]) -> list[tuple[float, int]]:
    """How many requests were in flight from when on."""
    changes = sorted([(begun, 1) for _, begun, _ in spans] + [(ended, -1) for *_, ended in spans])
    found, crowd = [], 0
    for at, change in changes:
        crowd += change
        found.append((at, crowd))
    return found


def _most_in_flight(spans: list[tuple[dict[str, Any], float, float]]) -> int:
    return max(crowd for _, crowd in _crowd(spans))


def _first_use(
    taken: list[tuple[dict[str, Any], float, float]], first: float, limit: int
) -> float | None:
    """Seconds until nine tenths of the limit were in use for the first time."""
    times = [at for at, crowd in _crowd(taken) if crowd >= 0.9 * limit]
    return round(times[0] - first, 1) if times else None


if __name__ == "__main__":
    main()
