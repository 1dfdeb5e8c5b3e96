"""The handler of the log: it limits lines that say the same, and never waits for the reader."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from callspool_worker.events import Suppressed
from callspool_worker.logs.lines import NONE, Limiter, as_json, as_text, event_of, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TextIO

    from callspool_worker.logs.lines import LeftOut, Line


MOST = 5000
"""Lines that wait at most; further ones are refused."""

LAST_SECONDS = 2.0
"""The wait for the last lines when a process ends."""

PACE_SECONDS = 0.02
"""Lines that come so soon after the first are written with it: to wake a thread for each costs the
threads that send more than the line."""

_AT_ONCE = 100
"""Most lines that are taken out together; where they are there, none waits for more."""

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


class LineHandler(logging.Handler):
    """Writes a line a record. Of warnings that say much the same only some a minute are written.

    ``about``: what every line holds. ``end`` is called when no more will come. A line that the
    stream does not take is dropped: no decision may depend on whether somebody reads the log.
    """

    def __init__(
        self,
        stream: TextIO | Outbox,
        write: Callable[[Line], str],
        about: Mapping[str, object],
        now: Callable[[], float] = time.monotonic,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._end = end
        self._stream = stream
        self._write = write
        self._about = about
        self._now = now
        self._limiter = Limiter()
        self._lost = 0

    @property
    def dropped(self) -> int:
        """Lines that were not written."""
        return self._limiter.dropped + self._lost

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record's line, unless too many like it were; called with the lock held."""
        try:
            self._emit(record)
        except Exception:  # noqa: BLE001 - a line that cannot be made must not stop its thread
            self._lost += 1

    def _emit(self, record: logging.LogRecord) -> None:
        before: LeftOut | None = NONE
        if record.levelno >= logging.WARNING:
            event = event_of(record)
            likeness = ("log", record.name, str(record.msg)) if event is None else event.likeness()
            documents = getattr(event, "documents", 0)
            before = self._limiter.admit(likeness, documents, self._now())
        if before is not None:
            self._put(line_of(record, before, self._about))

    def close(self) -> None:
        """Logs how many lines were left out and are not reported yet."""
        self.acquire()
        try:
            with suppress(OSError, ValueError):
                for likeness, left_out in self._limiter.rest():
                    self._put(line_of(_make_suppressed(likeness, left_out), NONE, self._about))
        finally:
            self.release()
        self._end()
        super().close()

    def _put(self, line: Line) -> None:
        self._stream.write(self._write(line) + "\n")
        self._stream.flush()


def _make_suppressed(likeness: tuple[str, ...], left_out: LeftOut) -> logging.LogRecord:
    like, account, outcome, code, decision, _ = (*likeness, "", "", "", "", "")[:6]
    told = likeness[0] != "log"
    event = Suppressed(
        like=like,
        account=account if told else "",
        outcome=outcome if told else "",
        code=code,
        decision=decision,
        suppressed=left_out.lines,
        suppressed_documents=left_out.documents,
    )
    return logging.LogRecord(__name__, logging.WARNING, "", 0, "%s", (event,), None)


def log_to_stderr(level: str = "info", form: str = "auto", incarnation: str = "") -> None:
    """Logs callspool's own lines from ``level`` up, and those of its libraries from WARNING up.

    An HTTP library's INFO would show each request's address, and a space token is part of it.
    ``form``: json, console, or auto: console on a terminal. ``incarnation`` names the worker.
    """
    if form == "auto":
        form = "console" if sys.stderr.isatty() else "json"
    about: dict[str, object] = {"pid": os.getpid()}
    if incarnation:
        about["worker"] = incarnation[:8]
    outbox = Outbox(sys.stderr)
    write = as_json if form == "json" else as_text
    handler = LineHandler(outbox, write, about, end=outbox.end)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for package in ("callspool", "callspool_worker"):
        logging.getLogger(package).setLevel(level.upper())
