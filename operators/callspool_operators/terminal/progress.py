"""How far a command is: a bar on a terminal, a line now and then elsewhere."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

BAR_SECONDS = 0.1
LINE_SECONDS = 10.0
_ERASE = "\r\x1b[K"


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sees the stream, on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Progress:
    """Tells how much of a whole is done, on stderr. A context manager.

    ``total``: None where nobody knows. ``quiet``: for a bar only, no lines.
    """

    def __init__(
        self,
        total: float | None,
        *,
        stream: TextIO | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._bar = is_terminal(self._stream)
        self._silent = quiet and not self._bar
        self._clock = clock
        self._told = clock()
        self._drawn = False

    def update(self, done: float | None, words: Callable[[], str]) -> None:
        """Shows the state of things if it is time; ``words`` say it in numbers.

        ``done`` is None for as long as nobody knows which share of the whole is done.
        """
        now = self._clock()
        if self._silent or now - self._told < (BAR_SECONDS if self._bar else LINE_SECONDS):
            return
        self._told = now
        share = min(1.0, done / self._total) if self._total and done is not None else None
        if self._bar:
            self._draw(share, words())
        else:
            percent = "" if share is None else f"{share:.0%}: "
            self._stream.write(f"{percent}{words()}\n")
            self._stream.flush()

    def _draw(self, share: float | None, words: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        line = words
        if share is not None:
            room = min(30, width - len(words) - 8)
            full = round(share * max(room, 0))
            bar = f"{'█' * full}{'░' * (room - full)} " if room >= 5 else ""
            line = f"{bar}{share:4.0%}  {words}"
        self._stream.write(_ERASE + line[:width])
        self._stream.flush()
        self._drawn = True

    def close(self) -> None:
        """Removes the bar, so that what comes next starts on a clean line."""
        if self._drawn:
            self._stream.write(_ERASE)
            self._stream.flush()
            self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
