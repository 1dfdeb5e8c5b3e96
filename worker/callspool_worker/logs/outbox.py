"""Lines on their way to a stream that may not take them: nobody waits for who reads the log."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

MOST = 5000
"""Lines that wait at most; further ones are refused."""

LAST_SECONDS = 2.0
"""The wait for the last lines when a process ends."""

PACE_SECONDS = 0.02
"""Lines that come so soon after the first are written with it: to wake a thread for each costs the
threads that send more than the line."""

_AT_ONCE = 100
"""Lines that are taken out together at most; so many wait for no others."""

WHOLE_BYTES = 4096
"""Bytes of lines that are written together at most. Worker processes share a pipe: what is longer
may be written in parts (POSIX: PIPE_BUF), with lines of another amid one of ours."""


class Outbox:
    """Takes lines at once and writes them from a thread of its own, in their order."""

    def __init__(self, stream: TextIO, most: int = MOST) -> None:
        self._stream = stream
        self._most = most
        self._lines: deque[str] = deque()
        self._changed = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Takes a line; raises BlockingIOError while too many wait."""
        with self._changed:
            if len(self._lines) >= self._most:
                raise BlockingIOError("nobody takes the lines of the log")
            self._lines.append(line)
            if len(self._lines) in {1, _AT_ONCE}:
                self._changed.notify()

    def flush(self) -> None:
        """Does nothing: a line is written a moment later, once the stream takes it."""

    def end(self) -> None:
        """Waits a moment for the last lines."""
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        while lines := self._next():
            try:
                for piece in _pieces(lines):
                    self._stream.write(piece)
                    self._stream.flush()
            except (OSError, ValueError):  # closed, or its reader is gone: so are the lines
                time.sleep(0.1)

    def _next(self) -> list[str]:
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._is_over)
            self._changed.wait_for(self._is_full_or_over, PACE_SECONDS)
            return [self._lines.popleft() for _ in range(min(len(self._lines), _AT_ONCE))]

    def _is_full_or_over(self) -> bool:
        return self._is_over or len(self._lines) >= _AT_ONCE


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """The lines joined, as many as are written whole; a longer one is a piece of its own."""
    piece: list[str] = []
    size = 0
    for line in lines:
        length = len(line) if line.isascii() else len(line.encode(errors="replace"))
        if piece and size + length > WHOLE_BYTES:
            yield "".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += length
    yield "".join(piece)
