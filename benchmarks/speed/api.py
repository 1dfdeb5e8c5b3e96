"""The stub of the API in a process of its own, and what it counted."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from benchmarks.speed.machine import cpu_seconds
from tests.support.servers import free_port

POLL = 0.05
_STARTING = 10.0


class Counted(msgspec.Struct):
    """Moments are of `time.monotonic`; a space has documents, its first moment and its last.

    ``worked`` and ``took``: seconds of the requests of an API that is not at once.
    """

    documents: int
    requests: int
    last: float
    cpu: float
    worked: float
    took: float
    spaces: dict[str, tuple[int, float, float]]


@dataclass
class Api:
    """``latency``: seconds until a create-call is answered, ``a_document`` more for each."""

    latency: float = 0.0
    a_document: float = 0.0
    one_at_a_time: bool = False

    def __enter__(self) -> Api:
        self.port = free_port()
        command = [sys.executable, "-m", "benchmarks.speed.stub", "--port", str(self.port)]
        command += ["--latency", str(self.latency), "--a-document", str(self.a_document)]
        command += ["--one-at-a-time"] if self.one_at_a_time else []
        self._process = subprocess.Popen(command)
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        deadline = time.monotonic() + _STARTING
        while time.monotonic() < deadline:
            with suppress(OSError):
                self.counted()
                return self
            self._connection.close()
            time.sleep(0.02)
        self.__exit__()
        raise RuntimeError("the stub of the API did not start")

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counted(self, *, spaces: bool = False) -> Counted:
        """Returns what came so far, with ``spaces`` one by one on request."""
        self._connection.request("GET", "/counted?spaces" if spaces else "/counted")
        return msgspec.json.decode(self._connection.getresponse().read(), type=Counted)

    def cpu(self) -> float:
        """Returns the CPU seconds that it has used."""
        return cpu_seconds([self._process.pid])

    def wait_for(self, documents: int, limit: float) -> Counted:
        """Waits until so many documents have come in all; raises TimeoutError."""
        deadline = time.monotonic() + limit
        while True:
            found = self.counted()
            if found.documents >= documents:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found.documents:,} of {documents:,} documents in {limit} s")
            time.sleep(POLL)
