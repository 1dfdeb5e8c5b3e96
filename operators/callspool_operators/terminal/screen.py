"""The terminal: its colours, the person before it, a bar that shows progress, and a live screen."""

import os
import re
import select
import shutil
import sys
import textwrap
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol, Self, TextIO

import click

from callspool.errors import QueueUnavailable
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.wording import json_line, local, plain

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
    """Colours the states in a line; `click.echo` takes colours out where none are wanted."""
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

    ``total``: None where it is not known. ``quiet``: for a bar only, no lines.
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

        ``done`` is None for as long as the share that is done is not known.
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


RATE_SECONDS = 10.0
"""Rates are those of this time before a look, at most."""

_ENTER = "\x1b[?1049h\x1b[?25l"
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME = "\x1b[H"
_END_OF_LINE = "\x1b[K"
_END_OF_SCREEN = "\x1b[J"


def wrap_lines(lines: Sequence[str], width: int) -> list[str]:
    """Returns the lines with those that are too long gone on below, a little further in."""
    wrapped: list[str] = []
    for line in lines:
        margin = " " * (len(line) - len(line.lstrip()))
        further = f"{margin}    "
        text = line.lstrip()
        wrapped += textwrap.wrap(
            text, width, initial_indent=margin, subsequent_indent=further, break_on_hyphens=False
        ) or [""]
    return wrapped


class WatchedState(Protocol):
    """What a look sees."""

    accepted: int
    created: int

    def lines(self) -> list[str]: ...
    def line(self) -> str: ...
    def to_json(self) -> dict[str, object]: ...


class Rates:
    """Documents accepted and created a second, from looks at different times."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int, int]] = deque()

    def add(self, at: float, accepted: int, created: int) -> tuple[float, float]:
        """Returns the rates now; ``at`` in seconds of any clock that only goes forward."""
        looks = self._looks
        looks.append((at, accepted, created))
        while len(looks) > 2 and looks[1][0] <= at - RATE_SECONDS:
            looks.popleft()
        then, accepted_then, created_then = looks[0]
        seconds = at - then
        if seconds <= 0:
            return 0.0, 0.0
        # A ledger that was emptied counts from zero again.
        gained = max(0, accepted - accepted_then), max(0, created - created_then)
        return gained[0] / seconds, gained[1] / seconds


class Watch:
    """Tells of one look after the other, on stdout. ``look`` raises where Redis is away."""

    def __init__(self, look: Callable[[], WatchedState], *, as_json: bool = False) -> None:
        self._look = look
        self._as_json = as_json
        self.live = not as_json and is_terminal(sys.stdout)
        self._rates = Rates()
        self._last: list[str] = []
        self._away_since: datetime | None = None

    def emit(self) -> None:
        """Prints one look."""
        now = datetime.now(UTC)
        try:
            standing = self._look()
        except QueueUnavailable as fault:
            self._away_since = self._away_since or now
            self._tell_of_fault(now, fault)
            return
        self._away_since = None
        rates = self._rates.add(time.monotonic(), standing.accepted, standing.created)
        if self._as_json:
            named = dict(zip(("accepted", "created"), (round(r, 1) for r in rates), strict=True))
            _echo_json({"at": now, **standing.to_json(), "per_second": named})
            return
        words = f"{rates[0]:,.0f} accepted and {rates[1]:,.0f} created a second"
        if self.live:
            self._last = [local(now), words, "", *standing.lines()]
            self._draw(self._last)
        else:
            click.echo(paint(f"{local(now)}  {standing.line()}; {words}"))

    def _tell_of_fault(self, now: datetime, fault: QueueUnavailable) -> None:
        assert self._away_since is not None
        words = plain(str(fault))
        if self._as_json:
            _echo_json({"at": now, "error": words})
        elif self.live:
            away = f"Redis is away since {local(self._away_since)}; trying again ({words})"
            self._draw([local(now), away, "", *self._last[3:]])
        else:
            click.echo(f"{local(now)}  {words}; trying again")

    def _draw(self, lines: list[str]) -> None:
        size = shutil.get_terminal_size()
        shown = wrap_lines(lines, size.columns - 1)[: size.lines - 1]
        if want_colours() is not False:
            shown = [*map(paint, shown)]
        text = "".join(f"{line}{_END_OF_LINE}\n" for line in shown)
        sys.stdout.write(f"{_HOME}{text}{_END_OF_SCREEN}")
        sys.stdout.flush()

    def __enter__(self) -> "Watch":
        if self.live:
            sys.stdout.write(_ENTER)
            sys.stdout.flush()
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the terminal back as it was, with what was seen last."""
        if self.live:
            with suppress(BrokenPipeError):
                sys.stdout.write(_LEAVE)
                sys.stdout.flush()
                for line in self._last:
                    click.echo(paint(line))


def watch(
    look: Callable[[], WatchedState],
    *,
    interval: float,
    count: int | None = None,
    as_json: bool = False,
) -> int:
    """Looks every ``interval`` seconds, ``count`` times or until Ctrl-C; returns the exit code."""
    with Watch(look, as_json=as_json) as told:
        try:
            due, looks = time.monotonic(), 0
            while True:
                told.emit()
                looks += 1
                if looks == count:
                    return Exit.DONE
                now = time.monotonic()
                due = max(due + interval, now)
                time.sleep(due - now)
        except KeyboardInterrupt:
            return Exit.INTERRUPTED


def _echo_json(found: dict[str, object]) -> None:
    click.echo(json_line(found))
