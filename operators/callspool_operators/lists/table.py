"""Rows of CSV text: delimiter, quotes, line breaks in cells, and what to do when they break.

A quote that is opened and never closed would swallow the rows behind it. Only the line on which
it stands is refused then, and the lines behind it are read again; of these, only rows that are
whole count, so that the rest of a broken row is not taken for a contact.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain

from callspool.request.text import MARKS_BEFORE
from callspool_operators.lists.delimited import (
    ESCAPED,
    MAX_LINE,
    TWO_WAYS,
    loose_cells,
    settle_escapes,
)

MAX_RECORD_LINES = 2000
"""Lines that the quoted cells of one row may hold."""
SUSPECT_LINES = 10
"""Lines behind a line with loose quotes that may be the rest of its row."""

CHUNK = 512
"""Lines that are read as one chunk, where each of them is a row."""

_ESCAPED = ESCAPED.encode()
_SEPARATOR = re.compile(r'"?sep=([^\w" ]?)"?', re.IGNORECASE)
"""A first line by which spreadsheets tell each other the delimiter."""

TOO_LONG = f"longer than {MAX_LINE} bytes"
TOO_LONG_CELL = "a cell is longer than 131072 characters"
OPEN_QUOTE = "a quote is opened and not closed"
TORN = f"is not a whole row, behind a line in which {OPEN_QUOTE}"
LOOSE_QUOTES = 'quotes within a quoted cell are not doubled: write each of them as ""'


class BrokenRowError(Exception):
    """The lines at hand are no row; the text says why."""


Record = tuple[int, bytes, list[str] | str]
"""A row: the line on which it starts, its text, and its cells or why it has none."""


class Table:
    """The records of one file, one after the other.

    ``line`` is the number of the last physical line taken, ``taken`` are the lines of the record
    at hand, ``suspect`` is the last line that an open quote had swallowed. ``columns``: cells of a
    whole row, once that is known. ``separator``: the delimiter that a line ``sep=;`` names.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.line = 0
        self.taken: list[bytes] = []
        self.suspect = 0
        self.columns = 0
        self.separator = ""
        self._blocks = blocks
        self._waiting: deque[bytes] = deque()
        self._size = 0

    @property
    def first_line(self) -> int:
        return self.line - len(self.taken) + 1

    @property
    def text(self) -> bytes:
        return self.taken[0] if len(self.taken) == 1 else b"".join(self.taken)

    def blocks(self) -> Iterator[bytes]:
        """Returns the lines that are left, as they are, many at once."""
        return chain([b"".join(self._waiting)], self._blocks)

    def chunks(self, delimiter: str) -> Iterator[list[Record]]:
        """Yields the records: many at once where each is one line, else one by one."""
        while self._fill():
            some = min(CHUNK, len(self._waiting))
            lines = [self._waiting.popleft() for _ in range(some)]
            cells = _cells_of_lines(lines, delimiter)
            if cells is None:
                self._waiting.extendleft(reversed(lines))
                yield self._one_by_one(delimiter, self.line + some)
                continue
            first, self.line = self.line + 1, self.line + some
            numbered = zip(range(first, first + some), lines, cells, strict=True)
            if first <= self.suspect:
                yield [(n, line, self._unless_torn(n, row)) for n, line, row in numbered if row]
            else:
                yield [record for record in numbered if record[2]]

    def _fill(self) -> bool:
        """Sees to it that a line waits; False at the end."""
        while not self._waiting:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._waiting.extend(block.splitlines(keepends=True))
        return True

    def _one_by_one(self, delimiter: str, last: int) -> list[Record]:
        """Records up to the one that reaches this line."""
        found: list[Record] = []
        records = self.records(delimiter)
        for cells in records:
            found.append((self.first_line, self.text, self._settle(cells, delimiter)))
            if self.line >= last:
                break
        self.taken.clear()
        records.close()
        return found

    def _settle(self, cells: list[str] | str, delimiter: str) -> list[str] | str:
        """The cells as they are meant, or why there are none."""
        if isinstance(cells, str):
            return cells
        text = self.text
        if _has_escapes(text, delimiter):
            found = settle_escapes(cells, decode_line(text), delimiter, self.columns)
            if found is None:
                return TWO_WAYS
            cells = found
        return self._unless_torn(self.first_line, cells)

    def _unless_torn(self, line: int, cells: list[str]) -> list[str] | str:
        """The cells, unless they may be the rest of a row whose quote was left open."""
        return TORN if line <= self.suspect and len(cells) != self.columns else cells

    def records(self, delimiter: str) -> Generator[list[str] | str]:
        """Cells of each record, or in their place the reason why the line at hand is none.

        Empty lines are passed over. Bytes that are no UTF-8 come as lone surrogates.
        """
        while True:
            try:
                reader = csv.reader(
                    self._feed(), delimiter=delimiter, strict=True, skipinitialspace=True
                )
                for cells in reader:
                    if cells:
                        yield cells
                    self.taken.clear()
            except (csv.Error, BrokenRowError) as fault:
                yield self._after(fault, delimiter)
                self.taken.clear()
            else:
                return

    def give_back(self, lines: Sequence[bytes]) -> None:
        """Puts lines in front of those to be taken next."""
        self._waiting.extendleft(reversed(lines))
        self.line -= len(lines)

    def skip_to_header(self) -> None:
        """Passes over lines without any letter or digit, `sep=;`, and a byte order mark."""
        for line in self._feed():
            self.taken.clear()
            if separator := _SEPARATOR.fullmatch(line.strip("\r\n")):
                self.separator = separator[1]
            elif any(map(str.isalnum, line)):
                self.give_back([line.encode("utf-8", "surrogateescape")])
                return

    def pass_over(self) -> bytes:
        """Takes the next line as it is; nothing at the end."""
        if not self._fill():
            return b""
        self.line += 1
        return self._waiting.popleft()

    def _feed(self) -> Iterator[str]:
        taken = self.taken
        while self._fill():
            line = self._waiting.popleft()
            self.line += 1
            taken.append(line)
            if len(line) > MAX_LINE:
                raise BrokenRowError(TOO_LONG)
            if len(taken) > 1:
                self._refuse_endless(line)
            yield decode_line(line)

    def _after(self, fault: Exception, delimiter: str) -> list[str] | str:
        """What becomes of the lines at hand, which are no proper record."""
        if len(self.taken) == 1:
            return self._line_alone(fault, delimiter)
        self.suspect = max(self.suspect, self.line)
        first, *others = self.taken
        self.give_back(others)
        self.taken[:] = [first]
        return OPEN_QUOTE

    def _line_alone(self, fault: Exception, delimiter: str) -> list[str] | str:
        if isinstance(fault, BrokenRowError):
            return str(fault)
        if "expected after" in str(fault):
            return self._loosely_quoted(delimiter)
        return OPEN_QUOTE if "unexpected end" in str(fault) else TOO_LONG_CELL

    def _loosely_quoted(self, delimiter: str) -> list[str] | str:
        """Reads a line with quotes that are not doubled, where it can be read in one way only."""
        text = decode_line(self.taken[0])
        found = loose_cells(text, delimiter, self.columns)
        if found is not None:
            return found
        if _goes_on(text, delimiter):
            self.suspect = max(self.suspect, self.line + SUSPECT_LINES)
        return LOOSE_QUOTES

    def _refuse_endless(self, line: bytes) -> None:
        self._size = len(line) + (len(self.taken[0]) if len(self.taken) == 2 else self._size)
        if len(self.taken) > MAX_RECORD_LINES or self._size > MAX_LINE:
            raise BrokenRowError(OPEN_QUOTE)


def _cells_of_lines(lines: Sequence[bytes], delimiter: str) -> list[list[str]] | None:
    """The cells of each line, none for an empty one; None unless each line is a row by itself."""
    whole = b"".join(lines)
    if len(whole) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
        return None
    if _has_escapes(whole, delimiter):
        return None
    # ASCII has no marks before a line, so that the lines need not be looked at one by one.
    texts: Iterable[str]
    if whole.isascii():
        texts = io.StringIO(whole.decode("ascii"), newline="")
    else:
        texts = [*map(decode_line, lines)]
    try:
        cells = [*csv.reader(texts, delimiter=delimiter, strict=True, skipinitialspace=True)]
    except csv.Error:
        return None
    return cells if len(cells) == len(lines) else None


def _has_escapes(text: bytes, delimiter: str) -> bool:
    """Whether a backslash stands before a quote or a delimiter."""
    return b"\\" in text and (_ESCAPED in text or b"\\" + delimiter.encode() in text)


def decode_line(line: bytes) -> str:
    """Decodes a line, without marks before it; what is no UTF-8 becomes lone surrogates."""
    return line.decode("utf-8", "surrogateescape").lstrip(MARKS_BEFORE)


def _goes_on(text: str, delimiter: str) -> bool:
    """Whether a quote is still open at the end of a loosely quoted line."""
    reader = csv.reader([text, "\n"], delimiter=delimiter, skipinitialspace=True)
    try:
        next(reader)
    except csv.Error:
        return True
    return reader.line_num > 1
