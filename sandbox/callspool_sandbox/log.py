"""The sandbox's log: one JSON line an event, and the truth about what was created.

A line is written, and flushed, before its answer is sent. Documents that are created later than
that get a `created_late` line of their own. Numbers and tokens never appear in it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


class EventLog:
    """Appends events to a file, to stdout ("-") or to nothing (None).

    Raises OSError where the file cannot be opened, or is a symbolic link. ``failure``: why it
    cannot be written any more; what is created then would be in no log. ``on_failure`` is called.
    """

    def __init__(self, target: str | None) -> None:
        self._target = target
        self.failure = ""
        self.on_failure: Callable[[], None] = lambda: None
        self._file: BinaryIO | None = None
        if target == "-":
            self._file = sys.stdout.buffer
        elif target is not None:
            self._file = open(target, "ab", opener=_open_itself)  # noqa: SIM115 - see close
        self._ours = target not in {None, "-"}

    @property
    def wanted(self) -> bool:
        """Whether it is written anywhere: the hot path builds no line in vain."""
        return self._file is not None

    def write(self, event: str, fields: dict[str, object]) -> None:
        """Writes a line: `time`, `event`, then the fields. Raises ConnectionAbortedError: no answer
        goes out without its line."""
        if self._file is None:
            return
        line = _encoder.encode({"time": true_time(), "event": event, **fields})
        try:
            self._file.write(line + b"\n")
            self._file.flush()
        except OSError as error:
            self.failure = f"log {self._target}: cannot be written: {error.strerror}"
            self.on_failure()
            raise ConnectionAbortedError from error

    def close(self) -> None:
        if self._file is not None and self._ours:
            with suppress(OSError):  # that it cannot be written was said before
                self._file.close()


def _open_itself(path: str, flags: int) -> int:
    """Opens the file itself: a link that somebody put there may lead to any file of the user's."""
    follows = path.startswith("/dev/")  # as /dev/stdout does
    return os.open(path, flags | (0 if follows else os.O_NOFOLLOW), 0o666)


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the log's lines so far; a last line that is still being written is left out."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield _decoder.decode(line)


def created_document_ids(path: Path) -> list[str]:
    """Returns the `document_id` of every created task, in the log's order, doubles included."""
    return [identity for line in read_log(path) for identity in line.get("created", ())]


def true_time() -> str:
    """Returns this machine's own time for the log, whatever the server pretends."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
