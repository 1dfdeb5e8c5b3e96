"""Where a list is given back: a CSV file or a spreadsheet, written whole or not at all."""

import codecs
import csv
import gzip
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self, cast

from callspool.errors import CallspoolError
from callspool_operators.lists.delimited import shielded_row
from callspool_operators.lists.source import STANDARD_INPUT


class OutFile:
    """CSV, in UTF-8, with commas; packed where the name ends with ``.gz``; ``-`` is stdout.

    A regular file is written beside its place and moved there by `finish`, readable by its owner
    alone, since rows are people's data; without `finish` nothing of it stays. ``marked``: begins
    with a byte order mark. ``raw``: cells go out as they are, even if a spreadsheet would run
    them. A context manager; raises `CallspoolError` for what cannot be written.
    """

    def __init__(
        self, path: str, inputs: Sequence[str] = (), *, marked: bool = False, raw: bool = False
    ) -> None:
        self._path = path
        self._place: Path | None = None
        self._part: Path | None = None
        self._raw = raw
        refuse_an_input(path, inputs)
        try:
            self._bytes = self._open()
        except OSError as fault:
            raise self._unwritable(fault) from None
        packed = path.lower().endswith(".gz")
        inner = gzip.GzipFile("", "wb", 6, self._bytes, 0) if packed else self._bytes
        self._inner = cast("IO[bytes]", inner)
        self._text = io.TextIOWrapper(
            self._inner, "utf-8", "backslashreplace", newline="", write_through=False
        )
        if marked:
            self._inner.write(codecs.BOM_UTF8)
        self._rows = csv.writer(_Lines(self._text))

    def _open(self) -> IO[bytes]:
        if self._path == STANDARD_INPUT:
            return sys.stdout.buffer
        place = Path(self._path).resolve()
        if place.exists() and not place.is_file():
            return place.open("wb")  # a device or a pipe; a directory says what it is
        self._place = place
        number, part = tempfile.mkstemp(".part", f".{place.name[:100]}.", place.parent)
        self._part = Path(part)
        return os.fdopen(number, "wb")

    def write(self, rows: Iterable[Sequence[str]]) -> None:
        """Adds rows."""
        if not self._raw:
            rows = map(shielded_row, rows)
        try:
            self._rows.writerows(rows)
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise self._unwritable(fault) from None

    def finish(self) -> None:
        """Puts the file in its place."""
        try:
            self._text.flush()
            self._text.detach()
            if self._inner is not self._bytes:
                self._inner.close()
            self._bytes.flush()
            if self._part is not None and self._place is not None:
                os.fsync(self._bytes.fileno())
                self._bytes.close()
                self._part.replace(self._place)
                self._part = None
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise self._unwritable(fault) from None

    def _unwritable(self, fault: OSError) -> CallspoolError:
        return CallspoolError(f"cannot write {self._path}: {fault.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ValueError, OSError):  # finished, or full: either way nothing is to be kept
            self._text.detach()
        if self._path != STANDARD_INPUT:
            with suppress(OSError):
                self._bytes.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)


class _Lines:
    """Ends rows as scripts like it. The writer itself has to think of CR LF, else it would leave a
    carriage return within a cell without quotes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._write = text.write

    def write(self, row: str) -> int:
        return self._write(row[:-2] + "\n")


def refuse_an_input(path: str, inputs: Sequence[str]) -> None:
    """Raises `CallspoolError` where the list itself would be overwritten."""
    if path == STANDARD_INPUT:
        return
    for name in inputs:
        try:
            same = name != STANDARD_INPUT and Path(path).samefile(name)
        except OSError:
            same = False
        if same and Path(path).is_file():
            raise CallspoolError(f"-o {path} would overwrite the list itself: use another name")


MOST_ROWS = 1_048_576
LONGEST_CELL = 32_767
_WIDTH = 18


class SheetFile:
    """An .xlsx file with a header that stays in sight and a filter; see `OutFile` for the rest.

    Every cell is text, so no spreadsheet runs or shortens one. A context manager; raises
    `CallspoolError`.
    """

    def __init__(self, path: str, inputs: Sequence[str] = ()) -> None:
        try:
            import xlsxwriter  # noqa: PLC0415 - not needed for anything else
        except ModuleNotFoundError:
            raise CallspoolError(
                f"-o {path}: writing .xlsx needs pip install 'callspool[worker]': or name it .csv"
            ) from None
        refuse_an_input(path, inputs)
        self._path = path
        self._place = Path(path).resolve()
        self._part = self._make_part()
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book: Any = xlsxwriter.Workbook(str(self._part), options)
        self._sheet = self._book.add_worksheet("Answers")
        self._bold = self._book.add_format({"bold": True})
        self._rows = self._columns = 0

    def _make_part(self) -> Path:
        try:
            number, part = tempfile.mkstemp(
                ".part", f".{self._place.name[:100]}.", self._place.parent
            )
        except OSError as fault:
            raise self._unwritable(fault) from None
        os.close(number)
        return Path(part)

    def write(self, rows: Iterable[Sequence[str]]) -> None:
        """Adds rows; the first is the header."""
        for row in rows:
            if self._rows == MOST_ROWS:
                raise CallspoolError(
                    f"{self._path}: a sheet holds {MOST_ROWS:,} rows: name it .csv"
                )
            if not self._rows:
                self._columns = len(row)
                self._sheet.set_column(0, max(len(row) - 1, 0), _WIDTH)
                self._sheet.freeze_panes(1, 0)
            style = None if self._rows else self._bold
            for place, cell in enumerate(row):
                self._sheet.write_string(self._rows, place, cell[:LONGEST_CELL], style)
            self._rows += 1

    def finish(self) -> None:
        """Puts the file in its place."""
        if self._rows:
            self._sheet.autofilter(0, 0, self._rows - 1, max(self._columns - 1, 0))
        try:
            self._book.close()
            self._part.replace(self._place)
        except OSError as fault:
            raise self._unwritable(fault) from None

    def _unwritable(self, fault: OSError) -> CallspoolError:
        return CallspoolError(f"cannot write {self._path}: {fault.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
