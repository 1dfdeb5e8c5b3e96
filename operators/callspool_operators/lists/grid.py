"""Lists as one table: the inputs are read twice, once for their columns, once for their rows."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self, cast

import msgspec

from callspool_operators.lists import IntakeError
from callspool_operators.lists.columns import DOCUMENT_ID, name_columns
from callspool_operators.lists.formats import Rows, open_rows
from callspool_operators.lists.outfile import Dialect
from callspool_operators.lists.row import Row
from callspool_operators.lists.source import STANDARD_INPUT, Source
from callspool_operators.lists.table_rows import TableRows


class Inputs:
    """The files of a command; what can be read only once (a pipe) is kept on disk meanwhile.

    A context manager. Raises `IntakeError` for what cannot be read.
    """

    def __init__(
        self,
        names: Sequence[str],
        stdin: BinaryIO,
        codec: str | None = None,
        sheet: str | None = None,
    ) -> None:
        self.names = names
        self._codec = codec
        self._sheet = sheet
        self._stdin = stdin
        self._copies: dict[str, BinaryIO] = {}
        self._stack = ExitStack()

    def streams(self) -> Mapping[str, BinaryIO]:
        """Returns the copies, each at its start."""
        for copy in self._copies.values():
            copy.seek(0)
        return self._copies

    def rows(self, name: str, chosen: Mapping[str, str], stack: ExitStack) -> tuple[Source, Rows]:
        """Returns the rows of one file from its start, and where they come from."""
        source = stack.enter_context(
            Source(name, self.streams().get(name), self._codec, self._sheet)
        )
        return source, open_rows(source, chosen)

    def __enter__(self) -> Self:
        for name in self.names:
            path = Path(name)
            if name == STANDARD_INPUT:
                self._copy(name, self._stdin)
            elif path.exists() and not path.is_file() and not path.is_dir():
                with path.open("rb") as pipe:
                    self._copy(name, pipe)
        return self

    def _copy(self, name: str, stream: BinaryIO) -> None:
        file = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - entered here
        shutil.copyfileobj(stream, file)
        self._copies[name] = cast("BinaryIO", file)

    def __exit__(self, *_: object) -> None:
        self._stack.close()


MOST_COLUMNS = 2000

_Column = tuple[str, int]
"""A header, and how often it stood in the same file before."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_BOM = b"\xef\xbb\xbf"


class Grid:
    """What a list looks like as one table: the columns of its files, in order of appearance.

    ``has_ids``: whether a column holds ids of documents. ``dialect``: how the first file came.
    """

    def __init__(self) -> None:
        self.has_ids = False
        self.dialect = Dialect()
        self._columns: dict[_Column, int] = {}
        self._places: dict[str, list[int]] = {}

    @classmethod
    def of(cls, inputs: Inputs, chosen: Mapping[str, str]) -> "Grid":
        """Reads the header of each table, and all keys of JSON files; raises `IntakeError`."""
        grid = cls()
        for name in inputs.names:
            with ExitStack() as stack:
                source, rows = inputs.rows(name, chosen, stack)
                if name == inputs.names[0]:
                    grid.dialect = dialect_of(source, rows)
                if isinstance(rows, TableRows):
                    grid.has_ids |= DOCUMENT_ID in rows.columns.names
                    grid.add_table(name, rows.columns.headers)
                else:
                    grid._add_keys(rows, chosen, source.shown)
        return grid

    def add_table(self, file: str, headers: Sequence[str]) -> None:
        """Takes in the columns of a table."""
        self._places[file] = self._add(headers, file)

    def add_objects(self, texts: Iterable[bytes]) -> None:
        """Takes in the keys of objects, and one column for texts that are none."""
        self._add_keys((Row("", 0, text) for text in texts), {}, "")

    def is_no_table(self, file: str) -> bool:
        return file not in self._places

    @property
    def headers(self) -> list[str]:
        return [header for header, _ in self._columns]

    def cells(self, row: Row) -> list[str]:
        """Returns the cells of a row; a row that fits no columns stands as it is in the first."""
        cells = [""] * len(self._columns)
        places = self._places.get(row.file)
        if places is None:
            self._put_fields(row, cells)
        elif row.cells and not any(map(str.strip, row.cells[len(places) :])):
            if row.reason:
                row.cells = [*map(_readable, row.cells)]
            for place, cell in zip(places, row.cells, strict=False):
                cells[place] = cell
        else:
            cells[0] = row.text.decode("utf-8", "backslashreplace").rstrip("\r\n")
        return cells

    def _put_fields(self, row: Row, cells: list[str]) -> None:
        try:
            fields = _fields(_object(row))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            cells[0] = row.text.decode("utf-8", "backslashreplace").rstrip("\r\n")
            return
        for key, value in fields.items():
            place = self._columns.get((key, 0))
            if place is not None:
                cells[place] = _cell(bytes(value))

    def _add_keys(self, rows: Iterable[Row], chosen: Mapping[str, str], shown: str) -> None:
        seen: set[tuple[str, ...]] = set()
        for row in rows:
            try:
                keys = tuple(_fields(_object(row)))
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                continue
            if keys in seen:
                continue
            if len(seen) < MOST_COLUMNS:
                seen.add(keys)
            self._add(keys, shown)
            self.has_ids = self.has_ids or name_columns(keys, chosen).has(DOCUMENT_ID)
        self._add(["row"] if not self._columns else [], shown)

    def _add(self, headers: Sequence[str], shown: str) -> list[int]:
        """Takes in the columns of a file, or of an object; returns their places."""
        times: Counter[str] = Counter()
        places = []
        for header in headers:
            column = header, times[header]
            times[header] += 1
            places.append(self._columns.setdefault(column, len(self._columns)))
        if len(self._columns) > MOST_COLUMNS:
            raise IntakeError(f"{shown} has more than {MOST_COLUMNS} columns: is it one list?")
        return places


def dialect_of(source: Source, rows: Rows) -> Dialect:
    """Returns how a list is written back: as it came; a spreadsheet, as spreadsheets read it."""
    if not isinstance(rows, TableRows):
        return Dialect(marked=source.marked)
    if source.is_sheet:
        return Dialect(marked=True)
    return Dialect(rows.delimiter, source.codec, source.marked)


def _object(row: Row) -> bytes:
    return row.text.removeprefix(_BOM)


def _cell(value: bytes) -> str:
    """A JSON value as a cell: a string without its quotes, nothing for null, else as it stands."""
    if value == b"null":
        return ""
    try:
        return _text(value) if value[:1] == b'"' else value.decode()
    except (msgspec.DecodeError, UnicodeError):
        return value.decode("utf-8", "backslashreplace")


def _readable(cell: str) -> str:
    """A cell with its bytes that are no UTF-8 spelled out."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
