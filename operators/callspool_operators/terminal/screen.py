"""The terminal: its colours, the person before it, and a bar that shows progress."""

import os
import re
import select
import shutil
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

import click

_COLOURS = {
    "created": "green",
    "dead": "red",
    "invalid": "red",
    "unreadable": "red",
    "in doubt": "yellow",
    "parked": "yellow",
    "paused": "yellow",
    "expired": "yellow",
    "cancelled": "yellow",
    "unknown": "yellow",
}
_STATES = "|".join(_COLOURS)
_COUNTED = re.compile(rf"(?<![\w,.])([1-9][\d,]* +)({_STATES})\b")
_NAMED = re.compile(rf"^([^ ]+: )({_STATES})$|^()({_STATES})(?= since )")


def want_colours() -> bool | None:
    """Returns what the environment says of colours; None leaves it to whether a terminal is there.

    ``NO_COLOR`` turns them off, else ``FORCE_COLOR`` turns them on; both count if they are not
    empty, and ``FORCE_COLOR=0`` turns them off, too.
    """
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    return forced not in {"0", "false"} if forced else None


def paint(line: str) -> str:
    """A line with its states coloured; `click.echo` takes colours out where none are wanted."""
    line = _COUNTED.sub(lambda found: found[1] + _style(found[2]), line)
    return _NAMED.sub(lambda found: (found[1] or "") + _style(found[2] or found[4]), line, count=1)


def _style(state: str) -> str:
    return click.style(state, fg=_COLOURS[state])


PIPED_ANSWER_SECONDS = 2.0


def is_there() -> bool:
    """Whether a person sees a question and can answer it: on any terminal, plain ones too."""
    return sys.stdin.isatty() and (sys.stderr.isatty() or sys.stdout.isatty())


def agrees(question: str) -> bool:
    """Asks the person who is there; on stderr if they see it, since stdout may be for scripts."""
    return click.confirm(question, err=sys.stderr.isatty())


def piped_answer() -> bool | None:
    """Returns what a script answers on stdin (``echo y | …``); None: nothing that is an answer."""
    try:
        ready, _, _ = select.select([sys.stdin], [], [], PIPED_ANSWER_SECONDS)
        line = sys.stdin.readline(16) if ready else ""
    except (OSError, ValueError):  # no descriptor to wait for, or no text
        return None
    return {"y": True, "yes": True, "n": False, "no": False}.get(line.strip().lower())


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
