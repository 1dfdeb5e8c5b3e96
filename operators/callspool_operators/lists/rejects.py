"""The file of rows that do not go on: as they were, with line and reason, to be mended."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Self, cast

import msgspec

from callspool.errors import CallspoolError
from callspool_operators.lists import IntakeError
from callspool_operators.lists.formats import Rows
from callspool_operators.lists.grid import Grid, dialect_of
from callspool_operators.lists.objects import KeyTwiceError, refuse_key_twice
from callspool_operators.lists.outfile import (
    Dialect,
    OutFile,
    OutPlace,
    SheetFile,
    same_file,
)
from callspool_operators.lists.row import REJECT_COLUMNS, Row, own_places
from callspool_operators.lists.source import Source
from callspool_operators.lists.table_rows import TableRows

KEPT_IN_MEMORY = 8 * 1024 * 1024
"""Bytes of rows that are kept in memory until they are written; beyond that, on disk."""

_OBJECTS = (".jsonl", ".ndjson", ".json")
_TEXTS = (".csv", ".tsv", ".tab", ".txt", ".xlsx")
_FILE, _LINE, _REASON = REJECT_COLUMNS
_BOM = b"\xef\xbb\xbf"
_encode = msgspec.msgpack.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Layout(NamedTuple):
    """How a file was read; ``headers`` as they are in it, None where it holds objects."""

    headers: Sequence[str] | None
    dialect: Dialect


def layout_of(source: Source, rows: Rows) -> Layout:
    """Returns how a file is read."""
    headers = rows.headers if isinstance(rows, TableRows) else None
    return Layout(headers, dialect_of(source, rows))


class _RejectedRow(msgspec.Struct, array_like=True):
    """What is to be known of a row until it is written."""

    file: str
    line: int
    reason: str
    text: bytes
    cells: list[str]


_decode = msgspec.msgpack.Decoder(_RejectedRow).decode


class RejectsFile:
    """Writes rows for ``flag``: those that were refused, or the duplicates.

    The name tells how: objects for ``.jsonl`` and ``.json`` (one a line), a spreadsheet for
    ``.xlsx``, else a table in delimiter and encoding of the first file. Their columns are those of
    the files, then line and reason (and the file, if there are several); readers leave these out.
    The rows are written when the file is closed. Raises `IntakeError` if it cannot be written, is
    one of the files to be read, or is that of ``beside``.
    """

    def __init__(
        self,
        path: str,
        inputs: Sequence[str] = (),
        flag: str = "--rejects",
        beside: Self | None = None,
    ) -> None:
        self.path = path
        self._flag = flag
        others = dict.fromkeys(inputs, "the contacts")
        if beside is not None:
            others[beside.path] = f"what {beside._flag} keeps"
        for name, what in others.items():
            if path == name or same_file(path, name):
                raise IntakeError(f"{flag} {path} would overwrite {what}: use another name")
        self._several = len(inputs) > 1
        self._layouts: dict[str, Layout] = {}
        try:
            self._place = OutPlace(path, (), flag)
        except CallspoolError as fault:
            raise IntakeError(str(fault)) from None
        self._rows = cast("IO[bytes]", tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY))  # noqa: SIM115

    def describe(self, file: str, layout: Layout) -> None:
        """Remembers how a file was read, once its last row was added."""
        self._layouts[file] = layout

    def add(self, row: Row) -> None:
        """Keeps a row."""
        cells = [_readable(cell) for cell in row.cells]
        packed = _encode(_RejectedRow(row.file, row.line, row.verdict, row.text, cells))
        try:
            self._rows.write(len(packed).to_bytes(4) + packed)
        except OSError as fault:
            raise IntakeError(str(self._place.unwritable(fault))) from None

    def _read_rows(self) -> Iterator[_RejectedRow]:
        self._rows.seek(0)
        while size := self._rows.read(4):
            yield _decode(self._rows.read(int.from_bytes(size)))

    def close(self) -> None:
        """Writes the file; raises `IntakeError` where the rows find no room."""
        try:
            with self._rows, self._place:
                if self._holds_objects():
                    self._write_objects()
                else:
                    self._write_table()
        except CallspoolError as fault:
            raise IntakeError(str(fault)) from None

    def _holds_objects(self) -> bool:
        suffix = Path(self.path.lower()).suffix
        if suffix in _OBJECTS or suffix in _TEXTS:
            return suffix in _OBJECTS
        return any(layout.headers is None for layout in [*self._layouts.values()][:1])

    def _write_objects(self) -> None:
        try:
            for row in self._read_rows():
                self._place.bytes.write(self._object_of(row) + b"\n")
            self._place.finish()
        except OSError as fault:
            raise self._place.unwritable(fault) from None

    def _object_of(self, row: _RejectedRow) -> bytes:
        """The object that the row was, or is with the names of its columns, and ours behind."""
        own: dict[str, object] = {_FILE: row.file} if self._several else {}
        own |= {_LINE: row.line, _REASON: row.reason}
        layout = self._layouts.get(row.file)
        if layout is not None and layout.headers is not None and row.cells:
            keys = [*layout.headers[: len(layout.headers) - len(own_places(layout.headers))]]
            fields = msgspec.json.encode(dict(zip(_distinct(keys), row.cells, strict=False)))
        else:
            fields = _object_text(row.text)
        fields = fields or msgspec.json.encode({"row": _text(row)})
        inner = fields[1:-1].strip()
        joined = b"{" + inner + (b"," if inner else b"") + msgspec.json.encode(own)[1:]
        return joined.replace(b"\n", b" ").replace(b"\r", b" ")

    def _write_table(self) -> None:
        dialect = next((layout.dialect for layout in self._layouts.values()), Dialect())
        grid = self._grid()
        out: OutFile | SheetFile
        if self.path.lower().endswith(".xlsx"):
            out = SheetFile(self._place, "Rows")
        else:
            out = OutFile(self._place, dialect)
        with out:
            own = [_FILE] if self._several else []
            out.write([[*grid.headers, *own, _LINE, _REASON]])
            out.write(self._cells_of(row, grid) for row in self._read_rows())
            out.finish()

    def _grid(self) -> Grid:
        """The columns of all files, without those of an earlier file of rejects."""
        grid = Grid()
        for file, layout in self._layouts.items():
            if layout.headers is not None:
                own = own_places(layout.headers)
                kept = [name for place, name in enumerate(layout.headers) if place not in own]
                grid.add_table(file, kept)
        objects = (row for row in self._read_rows() if grid.is_no_table(row.file))
        grid.add_objects(each.text for each in objects)
        return grid

    def _cells_of(self, row: _RejectedRow, grid: Grid) -> list[str]:
        layout = self._layouts.get(row.file)
        beyond: list[str] = []
        cells = row.cells
        if cells and layout is not None and layout.headers is not None:
            own = own_places(layout.headers)
            beyond = cells[len(layout.headers) :]
            cells = [cell for place, cell in enumerate(cells) if place not in own]
            cells = cells[: len(layout.headers) - len(own)]
        if _has_key_twice(row, cells):
            shown = [_text(row), *[""] * (len(grid.headers) - 1)]
        else:
            shown = grid.cells(Row(row.file, row.line, row.text, cells=cells))
        file = [row.file] if self._several else []
        return [*shown, *file, str(row.line), row.reason, *beyond]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _object_text(text: bytes) -> bytes:
    """The text of an object without our keys; nothing where it is no object."""
    bare = text.removeprefix(_BOM).strip()
    try:
        fields = _fields(bare)
        bare.decode()  # decoding the object leaves raw values unchecked
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return b""
    keys = [*fields]
    own = own_places(keys)
    if not own:
        return bare
    return msgspec.json.encode({key: fields[key] for key in keys[: -len(own)]})


def _has_key_twice(row: _RejectedRow, cells: Sequence[str]) -> bool:
    """Whether the row is an object of which a table would show one of two values."""
    if cells or not _object_text(row.text):
        return False
    try:
        refuse_key_twice(row.text.removeprefix(_BOM))
    except KeyTwiceError:
        return True
    return False


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, each once: a second ``phone`` is ``phone 2``."""
    found: dict[str, None] = {}
    for place, name in enumerate(names):
        new, number = name or f"column {place + 1}", 2
        while new in found:
            new, number = f"{name} {number}", number + 1
        found[new] = None
    return [*found]


def _text(row: _RejectedRow) -> str:
    return row.text.decode("utf-8", "backslashreplace").rstrip("\r\n")


def _readable(cell: str) -> str:
    """A cell with its bytes that are no UTF-8 spelled out."""
    if cell.isascii():
        return cell
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
