"""Where each good row stands, and its id, so that a duplicate of it can name it."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from callspool.intake.seen import REFERENCE

_PAGE = 128
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


class _Page(NamedTuple):
    """Some rows of one file, the ids one a line: none of them has a line break in it."""

    file: str
    lines: Sequence[int]
    ids: bytes
    noted: bytes


class EarlierRows:
    """Good rows by reference, which tells where a row is kept.

    Some ten bytes, its id, and ``note`` bytes of what else is to be remembered each: rows are kept
    in pages, since each as an object of its own would take ten times as much.
    """

    def __init__(self, note: int = 0) -> None:
        self._note = note
        self._pages: list[_Page] = []
        self._starts: list[int] = []
        self._count = 0
        self._file = ""
        self._lines: list[int] = []
        self._ids: list[str] = []
        self._noted: list[bytes] = []

    @property
    def next(self) -> bytes:
        """The reference of the row that is added next."""
        return self._count.to_bytes(REFERENCE, "big")

    def add(self, file: str, line: int, document_id: str, noted: bytes = b"") -> None:
        """Keeps a row under the reference `next`."""
        lines = self._lines
        if len(lines) == _PAGE or file != self._file:
            self._turn_page(file)
            lines = self._lines
        lines.append(line)
        self._ids.append(document_id[:LONGEST_ID])
        if noted:
            self._noted.append(noted)
        self._count += 1

    def _turn_page(self, file: str) -> None:
        if self._lines:
            self._starts.append(self._count - len(self._lines))
            self._pages.append(self._page())
        self._file = file
        self._lines, self._ids, self._noted = [], [], []

    def _page(self) -> _Page:
        ids = "\n".join(self._ids).encode()
        return _Page(self._file, array("Q", self._lines), ids, b"".join(self._noted))

    def at(self, reference: bytes | bytearray) -> Earlier:
        """The row that was added under a reference."""
        number = int.from_bytes(reference, "big")
        start = self._count - len(self._lines)
        page = self._page() if number >= start else None
        if page is None:
            found = bisect_right(self._starts, number) - 1
            start, page = self._starts[found], self._pages[found]
        place = number - start
        noted = page.noted[place * self._note : (place + 1) * self._note]
        document_id = page.ids.decode().split("\n")[place]
        return Earlier(page.file, page.lines[place], document_id, noted)
