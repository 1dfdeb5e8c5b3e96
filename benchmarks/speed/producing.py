"""A producer in a process of its own: it enqueues when it is told to, and tells what that took.

    python -m benchmarks.speed.producing callspool redis://127.0.0.1:6379/0

Reads a JSON line ``[first person, people, people a request]`` and answers with one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from benchmarks.speed.machine import memory_bytes, peak_bytes
from benchmarks.speed.senders import SENDERS

if TYPE_CHECKING:
    from benchmarks.speed.contenders import Contender, Place


class Produced(msgspec.Struct):
    """When it began and ended (of `time.monotonic`), and the CPU seconds in between."""

    began: float
    ended: float
    cpu: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Producer:
    """The producer of one contender."""

    def __init__(self, contender: Contender, place: Place) -> None:
        command = [sys.executable, "-m", "benchmarks.speed.producing", contender.producer]
        self._process = subprocess.Popen(
            [*command, place.redis_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=contender.environment(place),
        )

    def __enter__(self) -> Producer:
        self._answer()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        self._process.communicate()

    def send(self, first: int, count: int, size: int) -> Produced:
        """Has it enqueue ``count`` people, ``size`` in a request, and waits until that is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode([first, count, size]) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._answer(), type=Produced)

    def memory(self) -> int:
        """Bytes that are resident now."""
        return memory_bytes([self._process.pid])

    def peak(self) -> int:
        """Returns the most bytes that were ever resident."""
        return peak_bytes([self._process.pid])

    def _answer(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the producer ended with {self._process.wait()}")
        return line


def main() -> None:
    name, url = sys.argv[1:]
    with SENDERS[name](url) as send:
        print("{}", flush=True)
        for line in sys.stdin:
            began, cpu = time.monotonic(), time.process_time()
            send(*msgspec.json.decode(line))
            produced = Produced(began, time.monotonic(), time.process_time() - cpu)
            print(msgspec.json.encode(produced).decode(), flush=True)


if __name__ == "__main__":
    main()
