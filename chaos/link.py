"""The proxy's process, as the harness sees it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent


class LinkProcess:
    """A proxy before ``target`` (a port of this machine); a context manager.

    May be shared by threads. Raises RuntimeError when its process is gone.
    """

    def __init__(self, target: int, log: IO[bytes] | None = None) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "chaos.proxy", "0", str(target)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        self.port = self._order(do="flow")["port"]

    def cut(self, after: int, *, up: bool, reset: bool) -> None:
        """Ends the connection that carries the byte ``after`` bytes from now."""
        self._order(do="cut", after=after, up=up, reset=reset)

    def drop(self, *, reset: bool) -> int:
        """Ends every connection; how many there were."""
        return self._order(do="drop", reset=reset)["count"]

    def aim(self, target: int) -> None:
        """Forwards to another port of this machine from now on."""
        self._order(do="aim", target=target)

    def stall(self) -> None:
        """Holds every byte back."""
        self._order(do="stall")

    def flow(self) -> None:
        """Lets the bytes go on."""
        self._order(do="flow")

    def shut(self) -> None:
        """Refuses connections, and drops those that are open."""
        self._order(do="shut")

    def open(self) -> None:
        """Takes connections again."""
        self._order(do="open")

    def heal(self) -> int:
        """Forwards as it should from now on; how many cuts came to pass in its life."""
        return self._order(do="heal")["fired"]

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> LinkProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _order(self, **order: object) -> dict[str, int]:
        with self._lock:
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin is not None
            assert stdout is not None
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()
            line = stdout.readline()
        if not line:
            raise RuntimeError("the proxy's process is gone")
        answer: dict[str, int] = json.loads(line)
        return answer
