"""Rows of CSV text: delimiter, quotes, line breaks in cells, and what to do when they break.

A quote that is opened and never closed would swallow the rows behind it. Only the line on which
it stands is refused then, and the lines behind it are read again; of these, only rows that are
whole count, lest the rest of a broken row is taken for a contact.
"""

import csv
import re
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice

from callspool.request.text import MARKS_BEFORE
from callspool_operators.lists.lines import MAX_LINE

DELIMITERS = (",", ";", "\t")
MAX_RECORD_LINES = 2000
"""Lines that the quoted cells of one row may hold."""
SUSPECT_LINES = 10
"""Lines behind a line with loose quotes that may be the rest of its row."""

CHUNK = 512
"""Lines that are read as one chunk, where each of them is a row."""

_SEPARATOR = re.compile(r'"?sep=[^\w]?"?', re.IGNORECASE)
"""A first line by which spreadsheets tell each other the delimiter; it is found without."""

TOO_LONG = f"longer than {MAX_LINE} bytes"
TOO_LONG_CELL = "a cell is longer than 131072 characters"
OPEN_QUOTE = "a quote is opened and not closed"


class BrokenRowError(Exception):
    """The lines at hand are no row; the text says why."""


Record = tuple[int, bytes, list[str] | str]
"""A row: the line on which it starts, its text, and its cells or why it has none."""


class Table:
    """The records of one file, one after the other.

    ``line`` is the number of the last physical line taken, ``taken`` are the lines of the record
    at hand, ``suspect`` is the last line that an open quote had swallowed.
    """

    def __init__(self, blocks: Iterator[list[bytes]]) -> None:
        self.line = 0
        self.taken: list[bytes] = []
        self.suspect = 0
        self._blocks = blocks
        self._block: Iterator[bytes] = iter(())
        self._size = 0

    @property
    def first_line(self) -> int:
        return self.line - len(self.taken) + 1

    @property
    def text(self) -> bytes:
        return self.taken[0] if len(self.taken) == 1 else b"".join(self.taken)

    def chunks(self, delimiter: str) -> Iterator[list[Record]]:
        """The records, those of many lines at once where each line is one; others one by one."""
        for block in chain([list(self._block)], self._blocks):
            self._block = iter(block)
            while lines := list(islice(self._block, CHUNK)):
                cells = _cells_of_lines(lines, delimiter)
                if cells is None:
                    self._block = chain(lines, self._block)
                    yield from self._one_by_one(delimiter, self.line + len(lines))
                    continue
                first, self.line = self.line + 1, self.line + len(lines)
                numbered = zip(range(first, first + len(lines)), lines, cells, strict=True)
                yield [record for record in numbered if record[2]]

    def _one_by_one(self, delimiter: str, last: int) -> Iterator[list[Record]]:
        """Records up to the one that reaches this line."""
        records = self.records(delimiter)
        for cells in records:
            yield [(self.first_line, self.text, cells)]
            if self.line >= last:
                break
        self.taken.clear()
        records.close()

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
        self._block = iter([*lines, *self._block])
        self.line -= len(lines)

    def skip_to_header(self) -> None:
        """Passes over lines without any letter or digit, `sep=;`, and a byte order mark."""
        for line in self._feed():
            self.taken.clear()
            if any(map(str.isalnum, line)) and not _SEPARATOR.fullmatch(line.strip("\r\n")):
                self.give_back([line.encode("utf-8", "surrogateescape")])
                return

    def _feed(self) -> Iterator[str]:
        taken = self.taken
        while True:
            for line in self._block:
                self.line += 1
                taken.append(line)
                if len(line) > MAX_LINE:
                    raise BrokenRowError(TOO_LONG)
                if len(taken) > 1:
                    self._refuse_endless(line)
                yield line.decode("utf-8", "surrogateescape").lstrip(MARKS_BEFORE)
            block = next(self._blocks, None)
            if block is None:
                return
            self._block = iter(block)

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
        """Reads a line such as ``"Ace" Plumbing,…``, which puts quotes around one word."""
        text = self.taken[0].decode("utf-8", "surrogateescape")
        reader = csv.reader([text, "\n"], delimiter=delimiter, skipinitialspace=True)
        try:
            cells = next(reader)
        except csv.Error:
            return TOO_LONG_CELL
        if reader.line_num == 1:
            return cells
        self.suspect = max(self.suspect, self.line + SUSPECT_LINES)
        return OPEN_QUOTE

    def _refuse_endless(self, line: bytes) -> None:
        self._size = len(line) + (len(self.taken[0]) if len(self.taken) == 2 else self._size)
        if len(self.taken) > MAX_RECORD_LINES or self._size > MAX_LINE:
            raise BrokenRowError(OPEN_QUOTE)


def _cells_of_lines(lines: Sequence[bytes], delimiter: str) -> list[list[str]] | None:
    """The cells of each line, none for an empty one; None unless each line is a row by itself."""
    if max(map(len, lines)) > MAX_LINE:
        return None
    texts = [line.decode("utf-8", "surrogateescape").lstrip(MARKS_BEFORE) for line in lines]
    try:
        cells = [*csv.reader(texts, delimiter=delimiter, strict=True, skipinitialspace=True)]
    except csv.Error:
        return None
    return cells if len(cells) == len(lines) else None
