"""How many lines that say much the same are written: pure, its clock is the caller's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        """What was left out before this line, which may be written; None if it is left out."""
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
        """What was left out and not told yet; it is told by this."""
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
