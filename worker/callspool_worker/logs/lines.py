"""Lines of the log, as JSON or for people, and how many of the same kind are written: pure."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

import callspool
import callspool_worker
from callspool_worker.decisions.wording import one_line
from callspool_worker.events import Event

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping


Line = dict[str, object]

_OURS = tuple(f"{Path(package.__path__[0])}/" for package in (callspool, callspool_worker))
"""Where code lies whose words hold nothing personal. The name of a logger does not show it:
dramatiq logs the arguments of an actor by the name of the actor's module."""

_HEAD = ("time", "level", "event", "message", "exception")
_encode = msgspec.json.Encoder().encode


def line_of(record: logging.LogRecord, before: LeftOut, about: Mapping[str, object]) -> Line:
    """Returns what a record says: an event with its fields, or another's words.

    ``before``: what was left out of the same likeness; ``about``: what every line holds.
    """
    event = event_of(record)
    line: Line = {
        "time": _time(record.created),
        "level": record.levelname.lower(),
        "event": "log" if event is None else event.kind,
        "message": words_of(record) if event is None else event.words(),
        **about,
    }
    if event is None:
        line["logger"] = record.name
    else:
        # msgspec leaves out what is empty, but of floats only the very object that is the default.
        fields = msgspec.to_builtins(event)
        line.update({n: v for n, v in fields.items() if not isinstance(v, float) or v})
    if before.lines:
        line["suppressed"] = before.lines
        if before.documents:
            line["suppressed_documents"] = before.documents
    if record.exc_info and record.exc_info[1] is not None:
        line["exception"] = traceback_lines(record.exc_info[1])
    return line


def event_of(record: logging.LogRecord) -> Event | None:
    """Returns the event that a record tells, if it is one of ours."""
    args = record.args
    return args[0] if isinstance(args, tuple) and args and isinstance(args[0], Event) else None


def words_of(record: logging.LogRecord) -> str:
    """Returns the words of a record that tells no event.

    Other libraries put into theirs whatever they have at hand, a whole message with its people
    even: of these only numbers and short texts are shown, and the names of types.
    """
    if record.pathname.startswith(_OURS):
        return record.getMessage()
    args = record.args if isinstance(record.args, tuple) else ()
    try:
        return one_line(str(record.msg) % tuple(map(_harmless, args)) if args else str(record.msg))
    except (TypeError, ValueError):
        return one_line(str(record.msg))


def traceback_lines(error: BaseException) -> list[str]:
    """Returns an error and where it came from; without its words, which may quote a document."""
    lines = []
    for each in (error, error.__cause__ or error.__context__):
        if each is not None:
            lines.append(type(each).__qualname__)
            for frame in traceback.extract_tb(each.__traceback__):
                lines.append(f"  {frame.filename}:{frame.lineno} {frame.name}")  # noqa: PERF401
    return lines


def as_json(line: Line) -> str:
    """Returns the line for machines."""
    return _encode(line).decode()


def as_text(line: Line) -> str:
    """Returns the line for people: when, how urgent, the sentence, then every field."""
    time = str(line["time"]).replace("T", " ").rstrip("Z")
    fields = " ".join(f"{name}={_show(value)}" for name, value in line.items() if name not in _HEAD)
    head = f"{time} {str(line['level']).upper():<7} {_plain(str(line['message']))}"
    more = line.get("exception", [])
    below = [f"    {each}" for each in more] if isinstance(more, list) else []
    return "\n".join([f"{head}  [{line['event']}] {fields}", *below])


def _harmless(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    return one_line(value, 200) if isinstance(value, str) else type(value).__name__


def _show(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    text = _plain(str(value))
    return f'"{text}"' if " " in text else text


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


LINES = 20
"""Lines of one likeness that are written in a window."""

WINDOW = 60.0
"""Seconds of a window; it begins with the first line."""

MOST_KINDS = 1000
"""Likenesses that are told apart; what comes beyond them is counted as one."""

_OTHERS = ("others",)


class LeftOut(NamedTuple):
    """Lines that were not written, and the documents that these were about."""

    lines: int = 0
    documents: int = 0


NONE = LeftOut()


@dataclass(slots=True)
class _LineWindow:
    began: float
    lines: int = 0
    left_out: LeftOut = NONE


@dataclass(slots=True)
class Limiter:
    """Lets the first lines of a window through, and counts the others. For one thread at a time."""

    lines: int = LINES
    window: float = WINDOW
    dropped: int = 0
    """Lines left out since the beginning."""
    _windows: dict[tuple[str, ...], _LineWindow] = field(default_factory=dict)

    def admit(self, likeness: tuple[str, ...], documents: int, now: float) -> LeftOut | None:
        """Returns what was left out before this line; None if the line itself is left out."""
        window = self._window(likeness, now)
        before = NONE
        if now - window.began >= self.window:
            before = window.left_out
            window.began, window.lines, window.left_out = now, 0, NONE
        if window.lines >= self.lines:
            lines, about = window.left_out
            window.left_out = LeftOut(lines + 1, about + documents)
            self.dropped += 1
            return None
        window.lines += 1
        return before

    def rest(self) -> Iterator[tuple[tuple[str, ...], LeftOut]]:
        """Yields what was left out and not reported yet, and counts it as reported."""
        for likeness, window in self._windows.items():
            if window.left_out.lines:
                left_out, window.left_out = window.left_out, NONE
                yield likeness, left_out

    def _window(self, likeness: tuple[str, ...], now: float) -> _LineWindow:
        found = self._windows.get(likeness)
        if found is None and len(self._windows) >= MOST_KINDS:
            self._forget_old(now)
            if len(self._windows) >= MOST_KINDS:
                likeness = _OTHERS
        return found or self._windows.setdefault(likeness, _LineWindow(now))

    def _forget_old(self, now: float) -> None:
        self._windows = {
            likeness: window
            for likeness, window in self._windows.items()
            if window.left_out.lines or now - window.began < self.window
        }
