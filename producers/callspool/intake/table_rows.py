"""Rows of a CSV file, as documents in JSON."""

from collections.abc import Iterator, Mapping, Sequence

from callspool.intake.columns import map_columns
from callspool.intake.header import read_header
from callspool.intake.lines import blocks_of_lines
from callspool.intake.row import Row
from callspool.intake.shield import unshielded
from callspool.intake.source import Source
from callspool.intake.table import OPEN_QUOTE, Table
from callspool.intake.writing import DocumentWriter

NOT_UTF8 = "is not valid UTF-8: save the file as UTF-8"
_NOTHING = b"{}"
TORN = f"is not a whole row, behind a line in which {OPEN_QUOTE}"


class TableRows:
    """The rows of a CSV file below its line of column names.

    Raises `IntakeError` for a header that cannot be used.
    """

    def __init__(self, source: Source, chosen: Mapping[str, str]) -> None:
        self._file = source.name
        self._table = Table(blocks_of_lines(source.read))
        self.delimiter, headers = read_header(self._table, chosen, source.shown)
        self.columns = map_columns(headers, chosen, source.shown)
        self._writer = DocumentWriter(self.columns)

    def __iter__(self) -> Iterator[Row]:
        table, file = self._table, self._file
        taken = table.taken
        columns = len(self.columns.names)
        for cells in table.records(self.delimiter):
            text = taken[0] if len(taken) == 1 else b"".join(taken)
            row = Row(file, table.line - len(taken) + 1, text)
            if isinstance(cells, str):
                row.reason = cells
            else:
                row.cells = cells
                if len(cells) != columns:
                    row.reason = self._fault_of_shape(row.line, cells)
                if not row.reason:
                    bare = [*map(unshielded, cells)] if b"'" in text else cells
                    self._write_document(row, bare)
                if row.raw == _NOTHING and not any(map(str.strip, cells)):
                    continue
            yield row

    def _fault_of_shape(self, line: int, cells: Sequence[str]) -> str:
        columns = len(self.columns.names)
        if line <= self._table.suspect:
            return TORN
        if len(cells) > columns and any(map(str.strip, cells[columns:])):
            return f"has {len(cells)} cells, but the file has {columns} columns"
        return ""

    def _write_document(self, row: Row, cells: Sequence[str]) -> None:
        try:
            row.raw, row.known, row.healed = self._writer.write(cells)
        except UnicodeEncodeError:
            row.reason = NOT_UTF8
        except ValueError as lost:
            row.reason = str(lost)
