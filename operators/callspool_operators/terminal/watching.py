"""Looking again and again: a live screen on a terminal, a line for each look elsewhere."""

import shutil
import sys
import textwrap
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

import click

from callspool.errors import CallspoolError, QueueUnavailable
from callspool.redis_io.errors import TRANSPORT_ERRORS
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.screen import is_terminal, paint, want_colours
from callspool_operators.terminal.wording import json_line, local, plain

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
        """One look, told."""
        now = datetime.now(UTC)
        try:
            standing = self._look()
        except (QueueUnavailable, *TRANSPORT_ERRORS) as fault:
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

    def _tell_of_fault(self, now: datetime, fault: Exception) -> None:
        assert self._away_since is not None
        words = plain(str(fault) if isinstance(fault, CallspoolError) else type(fault).__name__)
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
