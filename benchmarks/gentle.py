"""An API that refuses all beyond so many requests in flight: how much of what it takes is used.

``python -m benchmarks.gentle``: real workers as they are by default, a real server of Redis with an
append-only file, the sandbox as the API. Its own log tells what it took: the share is that of what
fits below its limit, at the pace at which it answered.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.speed.machine import cpu_seconds, memory_bytes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_sandbox.process import SandboxProcess
from chaos.processes import children_of
from tests.support import cli
from tests.support.servers import RedisServer

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--retry-after", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm-up", type=float, default=15.0)
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options)
    print(msgspec.json.format(msgspec.json.encode(asdict(found))).decode())
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
        env = _environment(folder, server.url, sandbox.url, options.setting)
        most = options.limit / options.latency * (options.seconds + 10) * DOCUMENTS_A_REQUEST
        _enqueue(folder, env, int(most))
        workers = subprocess.Popen([*cli.COMMAND, "worker"], env=env, cwd=folder)
        try:
            with server.client() as client:
                while not LedgerReader(client).ask(read_summary()).submissions["created"]:
                    time.sleep(0.05)
            time.sleep(options.seconds)
            used, megabytes = _used(workers.pid)
            with server.client() as client:
                found = LedgerReader(client).limits()[0].limit
            requests = [line for line in sandbox.log_lines() if line["event"] == "request"]
        finally:
            workers.terminate()
            workers.wait()
    return _judged(requests, options, found, used, megabytes)


def _environment(folder: Path, redis: str, api: str, settings: list[str]) -> dict[str, str]:
    given = dict(setting.split("=", 1) for setting in settings)
    return cli.environment(
        folder,
        **cli.REAL
        | {
            "CALLSPOOL_REDIS_URL": redis,
            "CALLSPOOL_API_URL": api,
            "CALLSPOOL_BATCH_SIZE": str(DOCUMENTS_A_REQUEST),
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
