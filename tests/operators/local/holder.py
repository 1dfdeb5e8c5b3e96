"""A run in a process of its own: opens a ledger, says where it is, waits for the end of stdin.

Arguments: state directory, server binary, number of sleeping workers to start. It writes its URL,
the server's process number and those of the workers in one line.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import redis

from callspool.errors import CallspoolError
from callspool_operators.local.ledger import LocalLedger


def main() -> None:
    directory, binary, workers = sys.argv[1:4]
    try:
        with LocalLedger(directory, binary=Path(binary)) as ledger:
            ledger.wait_for_old_workers(5.0)
            with redis.Redis.from_url(ledger.url) as client:
                server = client.info("server")["process_id"]
            started = [start_worker(ledger.inherit_fds()) for _ in range(int(workers))]
            sys.stdout.write(" ".join(map(str, [ledger.url, server, *started])) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
    except CallspoolError as error:
        sys.stdout.write(f"refused {error}\n")


def start_worker(descriptors: tuple[int, ...]) -> int:
    """A worker that outlives the run; the test ends it."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, pass_fds=descriptors, start_new_session=True
    ).pid


if __name__ == "__main__":
    main()
