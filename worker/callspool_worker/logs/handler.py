"""The handler of the log: it limits lines that say much the same, and writes the others."""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from callspool_worker.events import Suppressed
from callspool_worker.logs.limiter import NONE, Limiter
from callspool_worker.logs.lines import as_json, as_text, event_of, line_of
from callspool_worker.logs.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from callspool_worker.logs.limiter import LeftOut
    from callspool_worker.logs.lines import Line


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
        except Exception:  # noqa: BLE001 - a line that cannot be made must not stop who decides
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
        """Tells what was left out and is not told yet."""
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
