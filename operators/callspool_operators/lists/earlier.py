"""Where each good row stands, and its id, so that a duplicate of it can name it."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

_PAGE = 128
_WIDE = 1 << 32
_ENOUGH = 4 * _PAGE
"""Rows from which on pages are made of them."""
LONGEST_ID = 40
"""Characters of an id that are remembered."""


class Earlier(NamedTuple):
    """A row that came before: its file, the line on which it starts, and the id that it gave.

    ``document_id`` is cut to `LONGEST_ID` characters, and empty where the row gave none. ``noted``:
    what else was to be remembered of it.
    """

    file: str
    line: int
    document_id: str
    noted: bytes = b""


class _IdPage(NamedTuple):
    """Some rows of one file, the ids one a line: none of them has a line break in it."""

    file: str
    lines: Sequence[int]
    ids: bytes
    noted: bytes


class EarlierRows:
    """Good rows, numbered from 0 in the order in which they were added.

    Some ten bytes, its id, and ``note`` bytes of what else is to be remembered each: rows are kept
    in pages, since each as an object of its own would take ten times as much.
    """

    def __init__(self, note: int = 0) -> None:
        self._note = note
        self._pages: list[_IdPage] = []
        self._starts: list[int] = []
        self._count = 0
        self._file = ""
        self._lines: list[int] = []
        self._ids: list[str] = []
        self._noted: list[bytes] = []
        self._opened: tuple[int, list[str]] = -1, []

    def add(
        self, file: str, lines: Sequence[int], ids: Sequence[str], noted: Sequence[bytes] = ()
    ) -> None:
        """Keeps rows of one file: the line on which each starts, and the id that it gave."""
        if len(self._lines) >= _ENOUGH or file != self._file:
            self._turn_page()
        self._file = file
        self._lines += lines
        self._ids += [document_id[:LONGEST_ID] for document_id in ids]
        self._noted += noted

    def _turn_page(self) -> None:
        for start in range(0, len(self._lines), _PAGE):
            some = slice(start, start + _PAGE)
            lines = self._lines[some]
            ids, noted = "\n".join(self._ids[some]).encode(), b"".join(self._noted[some])
            narrow = array("I" if lines[-1] < _WIDE else "Q", lines)
            self._pages.append(_IdPage(self._file, narrow, ids, noted))
            self._starts.append(self._count + start)
        self._count += len(self._lines)
        self._lines, self._ids, self._noted = [], [], []

    def at(self, number: int) -> Earlier:
        """The row with a number."""
        if (place := number - self._count) >= 0:
            noted = self._noted[place] if self._note else b""
            return Earlier(self._file, self._lines[place], self._ids[place], noted)
        found = bisect_right(self._starts, number) - 1
        page, place = self._pages[found], number - self._starts[found]
        if self._opened[0] != found:
            self._opened = found, page.ids.decode().split("\n")
        noted = page.noted[place * self._note : (place + 1) * self._note]
        return Earlier(page.file, page.lines[place], self._opened[1][place], noted)
