"""Rows of a CSV file, as documents in JSON."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from callspool_operators.lists.columns import map_columns
from callspool_operators.lists.header import read_header
from callspool_operators.lists.lines import blocks_of_lines
from callspool_operators.lists.row import Row
from callspool_operators.lists.shield import unshield
from callspool_operators.lists.source import Source
from callspool_operators.lists.spellings import CONTACT_NUMBER
from callspool_operators.lists.table import Table
from callspool_operators.lists.writing import DocumentWriter

NOT_UTF8 = "is not valid UTF-8: save the file as UTF-8"
_NOTHING = b"{}"


class TableRows:
    """The rows of a CSV file below its line of column names.

    Raises `IntakeError` for a header that cannot be used.
    """

    def __init__(self, source: Source, chosen: Mapping[str, str]) -> None:
        self._file = source.name
        self._table = Table(blocks_of_lines(source.read))
        header = read_header(self._table, chosen, source.shown)
        self.delimiter, self.titles = header.delimiter, header.titles
        self.columns = map_columns(header.names, chosen, source.shown)
        self._table.columns = len(header.names)
        self._writer = DocumentWriter(self.columns)

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.chunks())

    def chunks(self) -> Iterator[list[Row]]:
        """The rows, as many at once as are at hand."""
        file = self._file
        for records in self._table.chunks(self.delimiter):
            rows = [
                Row(file, line, text, cells=cells)
                if isinstance(cells, list)
                else Row(file, line, text, reason=cells)
                for line, text, cells in records
            ]
            self._write_documents(rows)
            yield [row for row in rows if row.raw != _NOTHING or any(map(str.strip, row.cells))]

    def every_number_has_a_plus(self) -> bool:
        """Whether it is plain from the lines that each number begins with a ``+``; takes them all.

        A row may begin on any line, so each is looked at as if one did.
        """
        place, other = self.columns.names.index(CONTACT_NUMBER), re.escape(self.delimiter)
        cell = rf'(?:"[^"\n]*"|[^"{other}\r\n]*){other}'
        odd = re.compile(rf"\n(?!(?:{cell}){{{place}}} *\"?[ ']*\+|[\r\n]|\Z)".encode()).search
        return not any(map(odd, map(_with_line_feeds, self._table.blocks())))

    def number_cells(self) -> Iterator[str]:
        """The cells of the column of numbers alone; what is no row is passed over."""
        place = self.columns.names.index(CONTACT_NUMBER)
        for records in self._table.chunks(self.delimiter):
            for _, _, cells in records:
                if len(cells) > place and isinstance(cells, list):
                    yield cells[place]

    def _write_documents(self, rows: Sequence[Row]) -> None:
        """Fills in the documents of the rows that are whole, and why the others are not."""
        columns = len(self.columns.names)
        for row in rows:
            if len(row.cells) != columns and not row.reason:
                row.reason = self._fault_of_shape(row.cells)
        whole = [row for row in rows if not row.reason]
        if whole:
            self._write(whole)

    def _write(self, rows: Sequence[Row]) -> None:
        try:
            documents = self._writer.write([_bare(row) for row in rows])
        except ValueError as lost:
            if len(rows) > 1:
                half = len(rows) // 2
                self._write(rows[:half])
                self._write(rows[half:])
                return
            rows[0].reason = NOT_UTF8 if isinstance(lost, UnicodeEncodeError) else str(lost)
            return
        for row, document in zip(rows, documents, strict=True):
            row.raw, row.known, row.healed = document

    def _fault_of_shape(self, cells: Sequence[str]) -> str:
        columns = len(self.columns.names)
        if len(cells) > columns and any(map(str.strip, cells[columns:])):
            return f"has {len(cells)} cells, but the file has {columns} columns"
        return ""


def _with_line_feeds(lines: Sequence[bytes]) -> bytes:
    """The lines, a line feed before each; an empty one besides where others end them."""
    text = b"\n" + b"".join(lines)
    return text if text.count(b"\r") == text.count(b"\r\n") else text + b"\n?"


def _bare(row: Row) -> Sequence[str]:
    return [*map(unshield, row.cells)] if b"'" in row.text else row.cells
